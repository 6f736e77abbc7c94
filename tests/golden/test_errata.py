"""Where the lectures misprint, the scripts keep to what is right: both forms are computed, and only one agrees."""

import json
from pathlib import Path

import numpy as np
import pytest
from support import forward_values, module_of

from dotnn_runtime.script.scaling import fit_range, scaled, undo_scaling

BOOK = json.loads((Path(__file__).parent / "textbook.json").read_text())
Z = np.array([[-1.2, 0.3, 0.9], [0.4, -0.7, 2.0]])
T = np.array([[0.0, 1.0, 0.25], [1.0, 0.5, 0.0]])


def sigma(z):
    return 1 / (1 + np.exp(-z))


def slopes(stage, loss, target="[3]"):
    """The loss behind a stage, the values of the forward pass, and the gradient by what goes into the stage."""
    module = module_of(
        f"""model M {{ input x: [3]  target t: {target}  z = x -> dense(3)  output y = z {stage} }}
        train {{ loss = {loss} }}"""
    )
    params, batch = {"z.W": np.eye(3), "z.b": np.zeros(3)}, {"x": Z, "t": T}
    cache = module.forward(params, batch)[1]
    values = forward_values(module, params, batch)
    return module.total_loss(params, batch, cache), values, module.loss_and_grads(params, batch)[1]["z.b"]


def equation_23():
    _, values, found = slopes("-> scale(1)", "half_sse(y, t, reduce = sum)")
    return found, (values["y"] - T).sum(axis=0), (T - values["y"]).sum(axis=0)


def tanh_by_sigma():
    return slopes("-> tanh", "sse(y, t)")[1]["y"], 2 * sigma(2 * Z) - 1, 2 * sigma(Z) - 1


def softmax_module():
    _, values, found = slopes("-> softmax", "half_sse(y, t, reduce = sum)")
    y = values["y"]
    s = (y - T) * y
    total = s.sum(axis=1, keepdims=True)
    return found, (s - y * total).sum(axis=0), (s - total).sum(axis=0)


def binary_cross_entropy():
    found, values, _ = slopes("-> sigmoid", "bce(y, t)")
    y = values["y"]
    printed = (T * np.log(y) + (1 - T) * np.log(1 - y)).mean()
    return found, -printed, printed


def range_inverse():
    raw = np.array([[2.0], [5.0], [11.0]])
    scaling = fit_range(raw)
    a = scaled(raw, scaling)
    return undo_scaling(a, scaling), raw.min() + a * (raw.max() - raw.min()), raw.max() * a


def dropout_backward():
    """Algorithm 2: the forward pass divides what it keeps by rho, so the backward pass does."""
    module = module_of(
        """model M { input x: [3]  target t: [3]  z = x -> dense(3)  output y = z -> dropout(0.25) }
        train { loss = half_sse(y, t, reduce = sum) }"""
    )
    params, batch = {"z.W": np.eye(3), "z.b": np.zeros(3)}, {"x": Z, "t": T}
    values = forward_values(module, params, batch, training=True, rng=np.random.default_rng(1))
    found = module.loss_and_grads(params, batch, rng=np.random.default_rng(1))[1]["z.b"]
    kept, d = values["y"] != 0, values["y"] - T
    return found, (d * kept / 0.75).sum(axis=0), (d * kept).sum(axis=0)


def not_gate():
    """3.1.1: a weight of -5 at an input of -1."""
    module = module_of("model M { input x: [1]  target t: [1]  output y = x -> dense(1) } train { loss = mse(y, t) }")
    params = {"y.W": np.array([[-5.0]]), "y.b": np.zeros(1)}
    return module.predict(params, {"x": np.array([[-1.0]])})["y"], 5.0, -5.0


def last_gate():
    """Eq. 140: the slope of the state's tanh."""
    _, values, found = slopes("-> tanh", "half_sse(y, t, reduce = sum)")
    d, a = values["y"] - T, values["y"]
    return found, (d * (1 - a**2)).sum(axis=0), (d * (1 - a)).sum(axis=0)


BY_PLACE = {
    "Eq. 23": equation_23,
    "activation functions": tanh_by_sigma,
    "Algorithm 2": dropout_backward,
    "softmax module, backward_pass": softmax_module,
    "binary cross entropy": binary_cross_entropy,
    "3.1.1": not_gate,
    "inverse of range normalisation": range_inverse,
    "Eq. 140, label": last_gate,
}
NO_FORMULA = {"Table 6 rows (7,3) and (6,3)", "Eq. 24", "Eq. 98-99", "Eq. 103", "Eq. 119"}
"""Names and digits that are wrong in print; the numbers beside them are held to by the other files of this folder."""


@pytest.mark.parametrize("where", BY_PLACE)
def test_what_is_right_and_not_what_is_printed(where):
    found, right, printed = BY_PLACE[where]()
    np.testing.assert_allclose(found, right, rtol=1e-12, atol=1e-15)
    assert not np.allclose(found, printed, rtol=1e-2)


def test_every_erratum_is_known():
    assert {erratum["where"] for erratum in BOOK["errata"]} == BY_PLACE.keys() | NO_FORMULA
