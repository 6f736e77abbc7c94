"""Constraints: where weights are after an update, and who is meant."""

import numpy as np
import pytest
from support import STYLES, generic_point, module_of

from dotnn.library.constraints import CONSTRAINTS

NETWORK = """model M {{ input x: [4]  target t: [2]
  h = x -> dense(5, tanh{layer})
  output y = h -> dense(2) }}
train {{ loss = half_sse(y, t)  optim = adam(0.1)  batch = 2  epochs = 3  {train} }}"""


def columns_at_most(limit):
    def project(w):
        return np.stack([c * min(1, limit / np.linalg.norm(c)) for c in w.T], axis=1)

    return project


FORMULAS = {
    "max_norm": {"max_norm(0.7)": columns_at_most(0.7), "max_norm(2)": columns_at_most(2)},
    "bounds": {"bounds(-0.1, 0.3)": lambda w: np.minimum(np.maximum(w, -0.1), 0.3)},
}


def trained(style, constraint="none", layer="", **options):
    module = module_of(NETWORK.format(train=f"constraint = {constraint}", layer=layer), style)
    params, batch = generic_point(module, examples=6, spread=1.5)
    return module.train(batch, params=params, dtype=np.float64, **options)[0], params, batch, module


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(("name", "call"), [(name, call) for name in CONSTRAINTS for call in FORMULAS[name]])
def test_after_every_update(name, call, style):
    """One update without the constraint, then the projection of the weights alone, is one update with it."""
    free = module_of(NETWORK.format(train="", layer="").replace("batch = 2", "batch = all"), style)
    held = module_of(NETWORK.format(train=f"constraint = {call}", layer="").replace("batch = 2", "batch = all"), style)
    params, batch = generic_point(free, examples=6, spread=1.5)
    expected, _ = free.train(batch, params=params, epochs=1, dtype=np.float64)
    found, _ = held.train(batch, params=params, epochs=1, dtype=np.float64)
    moved = 0
    for key, w in expected.items():
        wanted = FORMULAS[name][call](w) if key.endswith(".W") else w
        moved += not np.array_equal(wanted, w)
        np.testing.assert_allclose(found[key], wanted, rtol=1e-12, err_msg=key)
    assert moved


@pytest.mark.parametrize("style", STYLES)
def test_a_layer_has_its_own(style):
    found, *_ = trained(style, "bounds(-0.2, 0.2)", ", constraint = bounds(0.5, 0.6)")
    assert found["h.W"].min() == 0.5 and found["h.W"].max() <= 0.6
    assert np.abs(found["y.W"]).max() == 0.2


@pytest.mark.parametrize("style", STYLES)
def test_none_takes_a_layer_out(style):
    found, *_ = trained(style, "bounds(-0.2, 0.2)", ", constraint = none")
    assert np.abs(found["h.W"]).max() > 0.5
    assert np.abs(found["y.W"]).max() == 0.2


@pytest.mark.parametrize("style", STYLES)
def test_the_caller_s_arrays_stay(style):
    _, params, batch, module = trained(style, "bounds(-0.2, 0.2)")
    copies = {name: w.copy() for name, w in params.items()}
    module.train(batch, params=params, dtype=np.float64)
    for name, w in copies.items():
        np.testing.assert_array_equal(params[name], w)
