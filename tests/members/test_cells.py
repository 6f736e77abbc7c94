"""Cells against the built-in recurrent layers, and against loops of plain NumPy."""

import numpy as np
import pytest
from support import STYLES, complex_gradient, generic_point, module_of

ELMAN = """
cell mine(units) {
  input x: [n]
  state h: [units] = 0
  param W: [n, units]
  param U: [units, units] = orthogonal
  param b: [units]
  next h = tanh(h @ U + x @ W + b)
  output h
}
"""
LSTM = """
cell mine(units) {
  input x: [n]
  state h: [units] = 0
  state c: [units]
  param W: [n, 4 * units]
  param U: [units, 4 * units] = orthogonal
  param b: [4 * units] = forget_one
  z = b + x @ W + h @ U
  i = sigmoid(z[0:units])
  f = sigmoid(z[units:2 * units])
  g = tanh(z[2 * units:3 * units])
  o = sigmoid(z[3 * units:4 * units])
  kept = f * c + i * g
  next c = kept
  next h = o * tanh(kept)
  output h
}
"""
GRU = """
cell mine(units) {
  input x: [n]
  state h: [units] = 0
  param W: [n, 3 * units]
  param U: [units, 3 * units] = orthogonal
  param b: [3 * units]
  param b_U: [3 * units]
  a = x @ W + b
  u = h @ U + b_U
  z = sigmoid(a[0:units] + u[0:units])
  r = sigmoid(a[units:2 * units] + u[units:2 * units])
  g = tanh(a[2 * units:3 * units] + r * u[2 * units:3 * units])
  next h = z * h + (1 - z) * g
  output h
}
"""
BUILT_IN = {"rnn": ELMAN, "lstm": LSTM, "gru": GRU}
WAYS = (
    "x -> {}(4, returns = sequence)",
    "{}(x, 4, mask = m, reverse = true, returns = sequence)",
    "final({}(x, 4, initial = s, returns = sequence, mask = m)) -> reshape([1, 4])",
    "{}(x, 4, mask = m, initial = s, returns = sequence)",
    "x -> {}(4, truncate = 2, dropout = 0.25, recurrent_dropout = 0.5, returns = sequence)",
)


def spec(recurrent, way):
    return f"""model M {{
      input x: [5, 3]  input tok: int[5]  input first: [2]
      target t: [{1 if "final" in way else 5}, 2]  target v: [2]
      m = tok -> padding_mask(0)
      s = first -> dense(4)
      h = {way.format(recurrent)}
      output y = h -> dense(2)
      output q = (x -> rnn(2, mask = m)) + s[0:2]
    }}
    train {{ loss = mse(y, t) + mse(q, v) }}"""


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", BUILT_IN)
def test_a_built_in_layer_as_a_cell_is_the_same(name, way):
    theirs = module_of(spec(name, way))
    params, batch = generic_point(theirs)
    batch["tok"][:, -2:] = 0
    loss, grads = theirs.loss_and_grads(params, batch, rng=np.random.default_rng(3))
    for style in STYLES:
        mine = module_of(BUILT_IN[name] + spec("mine", way), style)
        assert mine.PARAMS == theirs.PARAMS
        found, found_grads = mine.loss_and_grads(params, batch, rng=np.random.default_rng(3))
        np.testing.assert_allclose(found, loss, rtol=1e-12)
        for key, grad in grads.items():
            np.testing.assert_allclose(found_grads[key], grad, rtol=1e-12, atol=1e-14, err_msg=key)


def test_it_starts_from_the_same_numbers():
    for name, cell in BUILT_IN.items():
        mine = module_of(cell + spec("mine", WAYS[0])).init_params(5)
        for key, value in module_of(spec(name, WAYS[0])).init_params(5).items():
            np.testing.assert_array_equal(mine[key], value, err_msg=key)


# ------------------------------------------------------------------------------------ cells that the language lacks

MGU = """
cell mgu(units) {                     # Zhou et al. 2016
  input x: [n]
  state h: [units] = 0
  param Wf: [n, units]
  param Uf: [units, units] = orthogonal
  param bf: [units]
  param Wh: [n, units]
  param Uh: [units, units] = orthogonal
  f = sigmoid(x @ Wf + h @ Uf + bf)
  next h = (1 - f) * h + f * tanh(x @ Wh + (f * h) @ Uh)
  output h
}
"""
INDRNN = """
cell indrnn(units, act = softplus) {  # Li et al. 2018
  input x: [n]
  state h: [units] = 0.5
  param W: [n, units]
  param u: [units] = ones
  param b: [units]
  next h = act(x @ W + u * h + b)
  output h
}
"""
PEEPHOLE = """
cell peephole(units) {                # Gers and Schmidhuber 2000
  input x: [n]
  state c: [units] = 0
  state h: [units] = 0
  param W: [n, 4 * units]
  param U: [units, 4 * units]
  param b: [4 * units]
  param pi: [units]
  param pf: [units]
  param po: [units]
  z = x @ W + h @ U + b
  i = sigmoid(z[0:units] + pi * c)
  f = sigmoid(z[units:2 * units] + pf * c)
  new = f * c + i * tanh(z[2 * units:3 * units])
  o = sigmoid(z[3 * units:4 * units] + po * new)
  next c = new
  next h = o * tanh(new)
  output h
}
"""
LEAKY = """
cell leaky(k) {
  input x: [n]
  input u: [m]
  state before: [n] = 0
  state h: [k] = 0
  param s: [k] = normal(1)
  a = concat(x - before, u) -> dense(k, tanh)
  next before = x
  next h = h / 2 + a
  y = sin(h) * s + a
  output y
}
"""


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def mgu(p, x, u):
    h = np.zeros((len(x), 4))
    for x_t in x.swapaxes(0, 1):
        f = sigmoid(x_t @ p["h.Wf"] + h @ p["h.Uf"] + p["h.bf"])
        h = (1 - f) * h + f * np.tanh(x_t @ p["h.Wh"] + (f * h) @ p["h.Uh"])
        yield h


def indrnn(p, x, u):
    h = np.full((len(x), 4), 0.5)
    for x_t in x.swapaxes(0, 1):
        h = np.log(1 + np.exp(x_t @ p["h.W"] + p["h.u"] * h + p["h.b"]))
        yield h


def peephole(p, x, u):
    h = c = np.zeros((len(x), 4))
    for x_t in x.swapaxes(0, 1):
        i, f, g, o = np.split(x_t @ p["h.W"] + h @ p["h.U"] + p["h.b"], 4, axis=-1)
        c = sigmoid(f + p["h.pf"] * c) * c + sigmoid(i + p["h.pi"] * c) * np.tanh(g)
        h = sigmoid(o + p["h.po"] * c) * np.tanh(c)
        yield h


def leaky(p, x, u):
    h, before = np.zeros((len(x), 4)), np.zeros((len(x), 3))
    for x_t, u_t in zip(x.swapaxes(0, 1), u.swapaxes(0, 1), strict=True):
        a = np.tanh(np.concatenate([x_t - before, u_t], axis=-1) @ p["h.a.W"] + p["h.a.b"])
        yield np.sin(h) * p["h.s"] + a
        before, h = x_t, h / 2 + a


CELLS = {
    "x -> mgu(4": (MGU, mgu),
    "x -> indrnn(4": (INDRNN, indrnn),
    "x -> peephole(4": (PEEPHOLE, peephole),
    "leaky(x, u, 4": (LEAKY, leaky),
}


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("call", CELLS)
def test_a_cell_is_the_loop_that_it_says(call, reverse):
    cell, loop = CELLS[call]
    text = f"""{cell} model M {{
      input x: [4, 3]  input u: [4, 2]  target t: [4, 4]  target v: [4, 2]
      output h = {call}, returns = sequence, reverse = {str(reverse).lower()})
      output w = u -> dense(2)
    }}
    train {{ loss = half_sse(h, t, reduce = sum) + mse(w, v) }}"""
    modules = [module_of(text, style) for style in STYLES]
    params, batch = generic_point(modules[0], examples=3)

    def loss(p, x):
        x, u = (a[:, ::-1] if reverse else a for a in (x, batch["u"]))
        h = np.stack(list(loop(p, x, u)), axis=1)
        error = (h[:, ::-1] if reverse else h) - batch["t"]
        w = batch["u"] @ p["w.W"] + p["w.b"] - batch["v"]
        return 0.5 * (error * error).sum() + (w * w).mean()

    for module in modules:
        found, grads = module.loss_and_grads(params, batch)
        np.testing.assert_allclose(found, loss(params, batch["x"]), rtol=1e-12)
        for key in params:
            right = complex_gradient(lambda w, key=key: loss({**params, key: w}, batch["x"]), params[key])
            np.testing.assert_allclose(grads[key], right, rtol=1e-10, atol=1e-12, err_msg=key)


def test_a_mask_holds_states_and_output_and_one_cell_serves_twice():
    text = f"""{LEAKY} model M {{
      input x: [4, 3]  input v: [4, 3]  input tok: int[4]  input s: [3]  target t: [4]
      layer h = leaky(4)
      m = tok -> padding_mask
      output y = h(x, v, mask = m, initial = s) + h(v, x)
    }}
    train {{ loss = mse(y, t) }}"""
    for style in STYLES:
        module = module_of(text, style)
        params, batch = generic_point(module, examples=1)
        batch["tok"] = np.array([[3, 0, 4, 0]])

        def run(x, v, steps, before, params=params):
            h = y = np.zeros((1, 4))
            for t in steps:
                a = np.tanh(np.concatenate([x[:, t] - before, v[:, t]], axis=-1) @ params["h.a.W"] + params["h.a.b"])
                y, before, h = np.sin(h) * params["h.s"] + a, x[:, t], h / 2 + a
            return y

        y = run(batch["x"], batch["v"], (0, 2), batch["s"]) + run(batch["v"], batch["x"], range(4), np.zeros((1, 3)))
        np.testing.assert_allclose(module.forward(params, batch)[0]["y"], y, rtol=1e-12)
        assert list(module.PARAMS) == ["h.s", "h.a.W", "h.a.b"]
