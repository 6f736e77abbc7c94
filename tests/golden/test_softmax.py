"""The softmax layer of lecture 002, Tables 14-16: probabilities, delta = p - t, and one update."""

import json
from pathlib import Path

import numpy as np
import pytest
from support import forward_values, module_of

BOOK = json.loads((Path(__file__).parent / "textbook.json").read_text())["softmax"]
NEURONS = ("8", "9", "10")
SPEC = """
model Softmax {
  input  a6: [1]
  input  rest: [3]
  target t: [3]
  z = (a6 -> dense(3, bias = false)) + rest
  output p = softmax(z)
}
train {
  loss  = cross_entropy(p, t, reduce = sum)
  optim = sgd(0.01)
  batch = all
}
"""


def columns(table):
    """A table by neuron as one array, a row per example."""
    return np.array([BOOK["table16"][table][neuron] for neuron in NEURONS], dtype=float).T


@pytest.fixture(scope="module")
def setting():
    """Table 16: neuron 6 and whatever else feeds the logits, so that they are the printed ones."""
    module = module_of(SPEC, input_gradients=True)
    table = BOOK["table16"]
    a6, w = np.array(table["a6"])[:, None], np.array([[0.3, table["w_9_6"], -0.2]])
    batch = {"a6": a6, "rest": columns("logits_per_neuron") - a6 @ w, "t": columns("one_hot")}
    return module, {"z.W": w}, batch


def test_table_15():
    table = BOOK["table15"]
    spec = "model M { input z: [3]  target t: [3]  output p = softmax(z) } train { loss = cross_entropy(p, t) }"
    outputs, _ = module_of(spec).forward({}, {"z": np.array([table["logits"]])})
    np.testing.assert_allclose(outputs["p"][0], table["softmax"], atol=1e-9)
    np.testing.assert_allclose(outputs["p"][0], np.array(table["exp"]) / table["sum"], atol=1e-8)


def test_probabilities(setting):
    module, params, batch = setting
    outputs, _ = module.forward(params, batch)
    np.testing.assert_allclose(forward_values(module, params, batch)["z"], columns("logits_per_neuron"), rtol=1e-12)
    np.testing.assert_allclose(outputs["p"], columns("softmax"), atol=6e-5)


def test_delta(setting):
    module, params, batch = setting
    _, grads = module.loss_and_grads(params, batch)
    np.testing.assert_allclose(grads["rest"], columns("delta"), atol=6e-5)


def test_weight_update(setting):
    module, params, batch = setting
    _, grads = module.loss_and_grads(params, batch)
    table = BOOK["table16"]
    np.testing.assert_allclose(grads["z.W"][0, 1], table["delta_w_9_6"], atol=table["tolerance"])
    trained, _ = module.train(batch, epochs=1, dtype=np.float64, params=params)
    np.testing.assert_allclose(trained["z.W"][0, 1], table["w_9_6_after"], atol=table["tolerance"])
