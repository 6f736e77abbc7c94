"""Parameters that blocks declare, and those of layers as values, against plain NumPy with complex steps."""

import numpy as np
import pytest
from support import STYLES, assert_gradients, complex_gradient, generic_point, model_of, module_of

HIGHWAY = """
block Highway(act = relu) {
  input x: [n]
  param W: [n, n] = xavier
  param b: [n]    = constant(-1)
  g = sigmoid(x @ W + b)
  output g * act(x) + (1 - g) * x
}
"""
MIXED = """
block Mixed(m) {
  input x: [n]
  input u: [k]
  param W: [n, m]
  param V: [k, m]
  param b: [m]    = 0.5
  param s: []     = 1.5 as weight
  z = u @ V + x @ W + b
  output s * tanh(z) + exp(b) * sin(x @ W) - b / (1 + z^2)
}
"""


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def highway(p, batch):
    h = batch["x"]
    for name in ("y.Highway1", "y.Highway2"):
        g = sigmoid(h @ p[f"{name}.W"] + p[f"{name}.b"])
        h = g * np.tanh(h) + (1 - g) * h
    return h


def mixed(p, batch):
    x, u, b = batch["x"], batch["u"], p["y.b"]
    z = u @ p["y.V"] + x @ p["y.W"] + b
    return p["y.s"] * np.tanh(z) + np.exp(b) * np.sin(x @ p["y.W"]) - b / (1 + z**2)


def tied(p, batch):
    h = np.tanh(batch["x"] @ p["e.W"] + p["e.b"])
    return (2 * h) @ p["e.W"].T + np.log(1 + np.exp(h @ p["e.W"].T))


def sequence(p, batch):
    x = batch["q"]
    once = np.tanh(x @ p["B.W"] + p["B.s"] * x) @ p["B.d.W"] + p["B.d.b"]
    y = np.tanh(once @ p["B.W"] + p["B.s"] * once) @ p["B.d.W"] + p["B.d.b"]
    return y.reshape(len(y), -1)


SPECS = {
    "highway": (HIGHWAY, "output y = x -> repeat(2, Highway(tanh))", highway),
    "mixed": (MIXED, "output y = Mixed(x, u, 4)", mixed),
    "tied": ("", "e = x -> dense(3, tanh)\n output y = (2 * e) @ e.W.T + softplus(e @ e.W.T)", tied),
    "shared, on a sequence": (
        """block Twice { input x: [t, n]  param W: [n, n]  param s: [t, n]
          d = tanh(x @ W + s * x) -> dense(n)  output d }""",
        "layer B = Twice\n output y = q -> B -> B -> flatten",
        sequence,
    ),
}


def text_of(name):
    block, output, _ = SPECS[name]
    shapes = {
        "mixed": "input x: [4]  input u: [3]  target t: [4]",
        "shared, on a sequence": "input q: [3, 2]  target t: [6]",
    }
    declared = shapes.get(name, "input x: [4]  target t: [4]")
    return f"{block} model M {{ {declared}\n {output} }} train {{ loss = half_sse(y, t, reduce = sum) }}"


@pytest.mark.parametrize("name", SPECS)
def test_the_gradient_of_every_parameter(name):
    formula = SPECS[name][2]
    for style in STYLES:
        module = module_of(text_of(name), style)
        params, batch = generic_point(module)
        loss, grads = module.loss_and_grads(params, batch)

        def right(p, batch=batch):
            error = formula(p, batch) - batch["t"]
            return 0.5 * (error * error).sum()

        np.testing.assert_allclose(loss, right(params), rtol=1e-12)
        assert grads.keys() == params.keys()
        for key, value in params.items():
            expected = complex_gradient(lambda w, key=key, p=params: right({**p, key: w}), value)
            np.testing.assert_allclose(grads[key], expected, rtol=1e-10, atol=1e-12, err_msg=key)


def test_what_acts_on_weights_acts_on_those_of_a_block():
    spec = """block B { input x: [n]
      param W: [n, n]  param V: [n, n] = he as bias  param b: [n]  param c: [n] = 2 as weight
      output x @ W + x @ V + b * c }
    model M { input x: [4]  target t: [4]  output y = x -> B }
    train { loss = mse(y, t)  init = orthogonal  bias_init = constant(7)  decay = l2(0.25)
      constraint = max_norm(3) }"""
    found = {
        name: (p.init.name, p.penalty is not None, p.constraint is not None)
        for name, p in model_of(spec).params.items()
    }
    assert found == {
        "y.W": ("orthogonal", True, True),
        "y.V": ("he", False, False),
        "y.b": ("constant", False, False),
        "y.c": ("constant", True, True),
    }


def test_words_that_are_new_still_name_things():
    spec = """model M { input state: [3]  input cell: [3]  target t: [1]
      next = state  param = cell * next  as = param
      output y = as -> dense(1) }
    train { loss = mse(y, t) }"""
    assert [step.path for step in model_of(spec).steps] == ["param", "y"]


def test_a_block_as_activation():
    block = "block Gate(act = tanh) { input x: [n]  param s: [n] = 1  output act(x) * s + x }"
    spec = """params {{ act = {} }} model M {{ input x: [4]  target t: [3]
      output y = x -> dense(5, {}) -> dense(3, act = act) }} train {{ loss = mse(y, t) }}"""
    as_act = module_of(block + spec.format("Gate", "Gate(sin_)") + " activation sin_(z) = sin(z)")
    params, batch = generic_point(as_act)
    h, p = batch["x"], params
    for layer, gate, f in (("dense1", "Gate1", np.sin), ("dense2", "Gate2", np.tanh)):
        z = h @ p[f"y.{layer}.W"] + p[f"y.{layer}.b"]
        h = f(z) * p[f"y.{gate}.s"] + z
    np.testing.assert_allclose(as_act.forward(params, batch)[0]["y"], h, rtol=1e-12)


@pytest.mark.parametrize("norm", ["layernorm", "batchnorm"])
@pytest.mark.parametrize("end", ["", " -> stop_gradient"])
def test_a_shared_block_whose_layers_have_functions_of_their_own(norm, end):
    """Its parameters are handed on under the shared name, and what the loss does not go through is handed out; the
    function is not called as those of every script are."""
    spec = f"""block Check {{ input x: [n]  output z = x -> dense(4, tanh) -> {norm} }}
      model M {{ input x: [3]  target t: [2]
        layer part = Check
        h = (x -> part{end}) + (x -> dense(3) -> part{end})
        output y = h -> dense(2) }}
      train {{ loss = mse(y, t)  batch = 4 }}"""
    for style in STYLES:
        module = module_of(spec, style)
        params, batch = generic_point(module)
        if not end:
            assert_gradients(module, params, batch, 0)
        trained, _ = module.train(batch, params=params, dtype=np.float64)
        for name, w in params.items():
            assert np.array_equal(trained[name], w) is (bool(end) and name in PART), name


PART = ("part.z.dense1.W", "part.z.dense1.b", "part.z.layernorm1.gamma", "part.z.layernorm1.beta",
        "part.z.batchnorm1.gamma", "part.z.batchnorm1.beta", "h.W", "h.b")  # fmt: skip


@pytest.mark.parametrize("style", STYLES)
def test_a_product_with_a_function_of_parameters(style):
    text = """block Mixed(units) {
      input x: [n]
      param W: [n, units]
      param V: [n, units]
      param s: [units] = 0.3
      output sigmoid(s) * (x @ (W * softplus(V))) + s
    }
    model M { input x: [3]  target t: [4]  output y = x -> Mixed(4) } train { loss = mse(y, t) }"""
    module = module_of(text, style)
    params, batch = generic_point(module, 4)
    assert_gradients(module, params, batch)
    W, V, s = (params[f"y.{name}"] for name in "WVs")
    y = batch["x"] @ (W * np.logaddexp(0, V)) / (1 + np.exp(-s)) + s
    np.testing.assert_allclose(module.predict(params, {"x": batch["x"]})["y"], y, rtol=1e-13)


@pytest.mark.parametrize("style", STYLES)
def test_a_matrix_in_a_cell_that_is_a_function_of_parameters(style):
    text = """cell positive(units) {
      input x: [n]
      state h: [units] = 0
      param W: [n, units]
      param U: [units, units]
      next h = tanh(x @ softplus(W) - h @ (U * exp(-U)))
      output h
    }
    model M { input x: [4, 3]  target t: [2]  output y = x -> positive(2, recompute = 2) } train { loss = mse(y, t) }"""
    module = module_of(text, style)
    params, batch = generic_point(module, 5)
    assert_gradients(module, params, batch)
    W, U = np.logaddexp(0, params["y.W"]), params["y.U"] * np.exp(-params["y.U"])
    h = np.zeros((len(batch["x"]), 2))
    for step in range(4):
        h = np.tanh(batch["x"][:, step] @ W - h @ U)
    np.testing.assert_allclose(module.predict(params, {"x": batch["x"]})["y"], h, rtol=1e-13)
