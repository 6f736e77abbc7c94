"""Clipping: what reaches the optimizer, and the two styles alike."""

import numpy as np
import pytest
from support import STYLES, generic_point, module_of

from dotnn.library.clips import CLIPS
from dotnn_runtime.script import clipping


def norm(*arrays):
    return np.linalg.norm(np.concatenate([a.ravel() for a in arrays]))


def by_value(grads, limit):
    return {name: np.minimum(np.maximum(g, -limit), limit) for name, g in grads.items()}


def by_norm(grads, limit):
    return {name: g * limit / norm(g) if norm(g) > limit else g for name, g in grads.items()}


def by_global_norm(grads, limit):
    return {n: g * limit / norm(*grads.values()) if norm(*grads.values()) > limit else g for n, g in grads.items()}


FORMULAS = {"value": by_value, "norm": by_norm, "global_norm": by_global_norm}


def clipped(name, grads, limit):
    """By an independent formula where one is known; a new way to clip is at least the same in both styles."""
    return FORMULAS.get(name, getattr(clipping, CLIPS[name].helper))(grads, limit)


def network(clip, more="", optimizer="sgd(1)"):
    return f"""model M {{ input x: [4]  target t: [2]  output y = x -> dense(5, tanh) -> dense(2) }}
    train {{ loss = half_sse(y, t)  optim = {optimizer}  clip = {clip}  batch = all  epochs = 1  {more} }}"""


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("limit", [0.3, 1, 1e6])
@pytest.mark.parametrize("name", CLIPS)
@pytest.mark.parametrize("more", ["", "decay = l2(0.3)", "decay = weight_decay(0.3)"])
def test_one_step_at_the_rate_one(name, limit, style, more):
    """A penalty is part of the gradient that is clipped; decoupled decay is not."""
    module = module_of(network(f"{name}({limit})", more), style)
    params, batch = generic_point(module)
    grads = module.loss_and_grads(params, batch)[1]
    found, _ = module.train(batch, params=params, dtype=np.float64)
    for key, g in clipped(name, grads, limit).items():
        shrunk = 0.7 if "weight_decay" in more and key.endswith(".W") else 1
        np.testing.assert_allclose(found[key], shrunk * params[key] - g, rtol=1e-12, err_msg=key)


@pytest.mark.parametrize("style", STYLES)
def test_gradients_by_inputs_do_not_count(style):
    """A script that also computes the gradient by its inputs trains as one that does not."""
    text = network("global_norm(0.5)")
    plain, more = module_of(text, style), module_of(text, style, input_gradients=True)
    params, batch = generic_point(plain)
    expected, _ = plain.train(batch, params=params, epochs=3, dtype=np.float64)
    found, _ = more.train(batch, params=params, epochs=3, dtype=np.float64)
    for name, w in expected.items():
        np.testing.assert_array_equal(found[name], w)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", CLIPS)
def test_a_gradient_of_zero_stays_zero(name, style):
    module = module_of(network(f"{name}(1)"), style)
    params = {key: np.zeros(shape) for key, shape in module.PARAMS.items()}
    batch = {"x": np.zeros((3, 4)), "t": np.zeros((3, 2))}
    found, history = module.train(batch, params=params, epochs=2, dtype=np.float64)
    assert history.stopped_by == "epochs"
    assert all((w == 0).all() for w in found.values())
