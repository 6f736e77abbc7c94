"""Where a square is too large for a number, the result is right all the same, or the run ends as diverged."""

import mpmath
import numpy as np
import pytest
from members.test_turns import regime
from mpmath import mpf
from support import STYLES, module_of

from dotnn.library.clips import CLIPS
from dotnn.library.constraints import CONSTRAINTS
from dotnn.library.optimizers import OPTIMIZERS
from dotnn.library.penalties import PENALTIES
from dotnn_runtime.script import clipping

LARGE = [(np.float32, 1e12), (np.float64, 1e90)]
"""Inputs whose squares are numbers and whose gradients' squares are not."""


def network(train, width=1, more=""):
    return f"""model M {{ input x: [{width}]  target t: [1]
      output y = x -> dense(1, bias = false, init = constant(2)) {more} }}
    train {{ loss = mse(y, t)  {train} }}"""


def trained(spec, style, data, dtype, **options):
    with np.errstate(all="ignore"):
        return module_of(spec, style).train(data, dtype=dtype, **options)


def exact_gradient(inputs):
    """Of (2 sum x - 1)^2 by every weight."""
    return [2 * (2 * mpmath.fsum(inputs) - 1) * x for x in inputs]


CLIPPED = {
    "value": lambda g: [min(max(v, mpf(-1)), mpf(1)) for v in g],
    "norm": lambda g: [v / mpmath.norm(g) for v in g],
    "global_norm": lambda g: [v / mpmath.norm(g) for v in g],
}


def clipped(name, gradient):
    """By the formula in 60 digits; where none is known, by its own helper in long double, whose squares fit."""
    if name in CLIPPED:
        return CLIPPED[name](gradient)
    wide = np.array([np.longdouble(mpmath.nstr(g, 25)) for g in gradient])
    return getattr(clipping, CLIPS[name].helper)({"g": wide}, 1)["g"]


@pytest.mark.parametrize(("dtype", "size"), LARGE)
@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", CLIPS)
def test_clipping(name, style, dtype, size):
    """The step has the length that the limit says and the direction of the gradient, whatever its size."""
    inputs = np.array([[size, -size / 7, 0]])
    spec = network(f"optim = sgd(1)  clip = {name}(1)  batch = all  epochs = 1", width=3)
    params, history = trained(spec, style, {"x": inputs, "t": [[1.0]]}, dtype)
    right = [2 - float(v) for v in clipped(name, exact_gradient([mpf(float(x)) for x in inputs[0]]))]
    np.testing.assert_allclose(params["y.W"][:, 0], right, rtol=2e-6 if dtype is np.float32 else 1e-14)
    assert history.stopped_by == "epochs"


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", CLIPS)
def test_clipping_above_the_gradient(name, style):
    """A limit that is never reached changes nothing, though the square of the norm overflows."""
    spec = network(f"optim = sgd(1e-25)  clip = {name}(1e30)  batch = all  epochs = 1")
    params, _ = trained(spec, style, {"x": [[1e12]], "t": [[1.0]]}, np.float32)
    np.testing.assert_allclose(params["y.W"], [[2 - 0.4]], rtol=1e-6)


@pytest.mark.parametrize(("dtype", "size"), LARGE)
@pytest.mark.parametrize("batch", ["all", "1"])
@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer(name, style, batch, dtype, size):
    """A gradient whose square overflows moves the weight as a square that does not, or the run says that it is lost."""
    spec = network(f"optim = {name}(1e-3)  batch = {batch}  epochs = 3")
    params, history = trained(spec, style, {"x": [[size]], "t": [[1.0]]}, dtype)
    if history.stopped_by != "diverged":
        right, _ = trained(spec, style, {"x": [[size / 1e6]], "t": [[1.0]]}, dtype)
        np.testing.assert_allclose(params["y.W"], right["y.W"], rtol=1e-3)


@pytest.mark.parametrize("style", STYLES)
def test_the_last_update(style):
    """No loss comes after it."""
    spec = network("optim = sgd(1e30)  batch = 1  epochs = 1")
    _, history = trained(spec, style, {"x": [[1e12]], "t": [[1.0]]}, np.float32)
    assert (history.stopped_by, history.diverged_at) == ("diverged", "y.W")


@pytest.mark.parametrize("batch", ["all", "2"])
@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("layer", ["batchnorm", "layernorm"])
def test_variance(layer, style, batch):
    """A variance that overflows makes every output beta: no loss shows it."""
    spec = network(f"optim = sgd(1e-3)  batch = {batch}  epochs = 2", 2).replace("x -> dense", f"x -> {layer} -> dense")
    data = {"x": [[1e25, -1e25], [2e25, 3e25]], "t": [[1.0], [0.0]]}
    assert trained(spec, style, data, np.float32)[1].stopped_by == "diverged"
    assert trained(spec, style, data, np.float64)[1].stopped_by == "epochs"


@pytest.mark.parametrize("batch", ["batch = 3", "batch = all"])
@pytest.mark.parametrize("style", STYLES)
def test_variance_of_a_section(style, batch):
    """1 / sigma is zero then, and every loss is finite."""
    text = regime("plain").replace("dense(4, tanh)", "dense(4) -> layernorm").replace("batch = 3", batch)
    module, rng = module_of(text, style), np.random.default_rng(0)
    data = {"x": rng.standard_normal((7, 3)), "t": rng.standard_normal((7, 2))}
    params = module.init_params(0, np.float32)
    large = {n: (1e30 * rng.standard_normal(w.shape)).astype(w.dtype) for n, w in params.items() if w.shape == (3, 4)}
    with np.errstate(over="ignore", divide="ignore"):
        _, history = module.train(data, epochs=1, params=params | large)
    assert len(large) == 1 and np.isfinite(history[-1]["loss"])
    where = {"explain": "h", "fast": "h_sigma2"}  # the layer, or the value of it that is infinite
    assert (history.stopped_by, history.diverged_at) == ("diverged", where[style])
    _, history = module.train(data, epochs=1)
    assert history.stopped_by == "epochs"


CONSTRAINED = {"max_norm(2)": lambda w: [v * 2 / mpmath.norm(w) for v in w], "bounds(-2, 3)": lambda w: [3, -2, 0.5]}


def test_every_constraint_has_a_case():
    assert {call.partition("(")[0] for call in CONSTRAINED} == set(CONSTRAINTS)


@pytest.mark.parametrize(("dtype", "size"), [(np.float32, 1e30), (np.float32, 3e38), (np.float64, 1e300)])
@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("call", CONSTRAINED)
def test_constraint(call, style, dtype, size):
    spec = network("optim = sgd(0.1)  batch = all  epochs = 1", 3).replace("bias", f"constraint = {call}, bias")
    start = np.array([size, -size, 0.5], dtype)
    params = {"y.W": start[:, None]}
    found, _ = trained(spec, style, {"x": np.zeros((1, 3)), "t": [[1.0]]}, dtype, params=params)
    right = [float(v) for v in CONSTRAINED[call]([mpf(float(v)) for v in start])]
    np.testing.assert_allclose(found["y.W"][:, 0], right, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("dtype", "size", "strength"), [(np.float32, 1e25, 1e-30), (np.float64, 1e200, 1e-250)])
@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", [p.name for p in PENALTIES.values() if p.op])
def test_penalty(name, style, dtype, size, strength):
    spec = network(f"decay = {name}({strength})  batch = all")
    batch = {"x": np.zeros((1, 1), dtype), "t": np.zeros((1, 1), dtype)}
    weight = np.full((1, 1), size, dtype)
    loss, grads = module_of(spec, style).loss_and_grads({"y.W": weight}, batch)
    wide, slope = module_of(spec).loss_and_grads(
        {"y.W": weight.astype(np.longdouble)}, {key: v.astype(np.longdouble) for key, v in batch.items()}
    )
    if name == "l2":
        w = mpf(float(weight[0, 0]))
        assert abs(mpf(float(wide)) / (strength * w * w) - 1) < 1e-15
    np.testing.assert_allclose(float(loss), float(wide), rtol=1e-6)
    np.testing.assert_allclose(grads["y.W"], slope["y.W"].astype(float), rtol=1e-6)
