"""The LSTM cell of lecture 002, Eq. 112-146: the forget gate, and the backward pass of one step.

The lecture's gates are f, i†, i‡, o†; Keras's order, and ours, is i f g o: i† f i‡ o†.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from support import STYLES, as_module, compiled, forward_values, generic_point, module_of, values_in

BOOK = json.loads((Path(__file__).parent / "lstm.json").read_text())
GATES = ("i", "f", "g", "o")
CELL = """
model Cell {
  input  x: [1]
  input  h_before: [2]
  input  c_before: [2]
  input  at_f: [2]
  input  at_c: [2]
  input  at_tanh: [2]
  target h_wanted: [2]
  target c_wanted: [2]
  hx = concat(h_before, x)
  f = (hx -> dense(2, sigmoid)) + at_f
  i = (hx -> dense(2, sigmoid)) * (hx -> dense(2, tanh))
  c = f * c_before + i + at_c
  o = hx -> dense(2, sigmoid)
  h = o * ((c -> tanh) + at_tanh)
  output y = h
  output memory = c
}
train {
  loss = half_sse(y, h_wanted, reduce = sum) + half_sse(memory, c_wanted, reduce = sum)
  init = file("cell.npz")
  bias_init = file("cell.npz")
}
"""
"""The step with the lecture's initial states. The inputs `at_…` are zero: their gradient is that of the value there."""


def logit(p):
    return np.log(p / (1 - p))


@pytest.fixture(scope="module")
def step(tmp_path_factory):
    """The module with the weights, and the batch, that give the printed activations."""
    book = BOOK["backward"]
    f = 0.5 - np.sqrt(0.25 - np.array(book["f_times_1_minus_f"]))
    c = np.arctanh(np.sqrt(1 - np.array(book["one_minus_tanh2_c"])))
    g = (c - f * book["c_prev"]) / 0.5  # with an input gate that is half open
    zeros, hx = np.zeros((3, 2)), np.array(book["hx"][1:])
    weights = np.random.default_rng(0).normal(size=(3, 2))
    at_f = {"f.W": weights, "f.b": logit(f) - hx @ weights}
    at_i = {"i.dense1.W": zeros, "i.dense1.b": zeros[0], "i.dense2.W": zeros, "i.dense2.b": np.arctanh(g)}
    params = {**at_f, **at_i, "o.W": zeros, "o.b": logit(np.array(book["o_dagger"]))}
    folder = tmp_path_factory.mktemp("cell")
    np.savez(folder / "cell.npz", **params)
    (folder / "cell.nn").write_text(CELL)
    module = as_module(compiled(folder / "cell.nn", input_gradients=True).script, folder / "cell.nn")
    params = module.init_params(0, np.float64)
    rows = {"x": "x", "h_before": "h_prev", "c_before": "c_prev"}
    batch = {name: np.array([book[key]]) for name, key in rows.items()}
    batch |= {name: np.zeros((1, 2)) for name in ("at_f", "at_c", "at_tanh")}
    values = forward_values(module, params, batch)
    sent = np.array(book["dE_next_dh"]) + book["dE_t_do"]
    batch |= {"h_wanted": values["h"] - sent, "c_wanted": values["c"] - book["dE_next_dc"]}
    return values, module.loss_and_grads(params, batch)[1]


def printed(name):
    return np.array(BOOK["backward"][name])


def assert_printed(found, name):
    np.testing.assert_allclose(found, printed(name), rtol=0, atol=BOOK["backward"]["tolerance"], err_msg=name)


def test_forward_of_the_step(step):
    values, _ = step
    assert_printed(values["o"][0], "o_dagger")
    assert_printed(1 - np.tanh(values["c"][0]) ** 2, "one_minus_tanh2_c")
    f = values["f"][0]
    assert_printed(f * (1 - f), "f_times_1_minus_f")


def test_backward_of_the_step(step):
    """Eq. 123-134: from the state and the output back to the forget gate."""
    values, grads = step
    assert_printed(printed("dE_next_dh") + printed("dE_t_do"), "dE_do")
    assert_printed(grads["at_tanh"][0], "dE_do_ddagger")
    assert_printed(grads["at_tanh"][0] * (1 - np.tanh(values["c"][0]) ** 2), "delta_o_ddagger")
    assert_printed(grads["at_c"][0], "dE_dc")
    assert_printed(grads["at_f"][0], "dE_df")


def test_gradient_of_the_forget_gates_weights(step):
    """Eq. 135-146: delta times hx, the bias first."""
    _, grads = step
    assert_printed(grads["f.b"], "delta_f")
    found = np.column_stack([grads["f.b"], grads["f.W"].T])
    assert_printed(found, "delta_W_f")
    product = np.outer(printed("delta_f"), printed("hx"))  # Eq. 144, with nothing before it rounded otherwise
    np.testing.assert_allclose(product, printed("delta_W_f"), rtol=0, atol=BOOK["backward"]["tolerance_eq144"])


@pytest.mark.parametrize("style", STYLES)
def test_forget_gate(style):
    """Eq. 114-115, by the layer itself: h of the first step is zero, so what h brings comes as features."""
    book = BOOK["forget_gate"]
    spec = """model M { input x: [2, 3]  target t: [3]  output y = x -> lstm(3, bias_init = zeros) }
    train { loss = mse(y, t) }"""
    module = module_of(spec, style)
    params, batch = generic_point(module)
    w_f = np.array(book["W_f"], dtype=float)
    params["y.W"][:, 3:6], params["y.b"][3:6], params["y.U"][:, 3:6] = w_f[:, 1:].T, w_f[:, 0], 0
    batch["x"][:] = book["hx"][1:]
    where, gate = ("lstm", "f") if style == "explain" else ("forward", "y_f_t")
    opened = values_in(where, lambda: module.forward(params, batch))[gate]
    found, expected = np.stack(opened, axis=1), np.broadcast_to(book["f"], (5, 2, 3))
    np.testing.assert_allclose(found, expected, atol=BOOK["backward"]["tolerance"])


@pytest.mark.parametrize("style", STYLES)
def test_the_layer_is_the_lectures_cell_step_by_step(style):
    """The equations written out with layers, three steps of them, have the loss and the gradients of `lstm`."""
    steps, units, features = 3, 4, 2
    body = "\n".join(
        f"""  hx{t} = concat({f"h{t - 1}" if t else "zero"}, x{t})
  c{t} = (hx{t} -> wf) * {f"c{t - 1}" if t else "zero"} + (hx{t} -> wi) * (hx{t} -> wg)
  h{t} = (hx{t} -> wo) * (c{t} -> tanh)"""
        for t in range(steps)
    )
    layers = "\n".join(f"  layer w{k} = dense({units}, {'tanh' if k == 'g' else 'sigmoid'})" for k in GATES)
    inputs = "\n".join(f"  input x{t}: [{features}]" for t in range(steps))
    loss = "train { loss = half_sse(y, t, reduce = sum) }"
    written_out = module_of(
        f"model M {{\n{inputs}\n  input zero: [{units}]\n  target t: [{units}]\n{layers}\n{body}\n"
        f"  output y = h{steps - 1}\n}}\n{loss}"
    )
    layer = module_of(
        f"model M {{ input x: [{steps}, {features}]  target t: [{units}]  output y = x -> lstm({units}) }} {loss}",
        style,
    )
    params, batch = generic_point(layer)
    parts = {k: slice(n * units, (n + 1) * units) for n, k in enumerate(GATES)}
    theirs = {f"w{k}.W": np.vstack([params["y.U"][:, p], params["y.W"][:, p]]) for k, p in parts.items()}
    theirs |= {f"w{k}.b": params["y.b"][p] for k, p in parts.items()}
    rows = {f"x{t}": batch["x"][:, t] for t in range(steps)} | {"zero": np.zeros((5, units)), "t": batch["t"]}
    value, grads = layer.loss_and_grads(params, batch)
    expected, found = written_out.loss_and_grads(theirs, rows)
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    for k, p in parts.items():
        by_cell = np.vstack([grads["y.U"][:, p], grads["y.W"][:, p]])
        np.testing.assert_allclose(by_cell, found[f"w{k}.W"], rtol=1e-11, atol=1e-13, err_msg=k)
        np.testing.assert_allclose(grads["y.b"][p], found[f"w{k}.b"], rtol=1e-11, atol=1e-13, err_msg=k)
