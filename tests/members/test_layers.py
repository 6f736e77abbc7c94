"""Every layer, activation and join alone: its gradient against the complex step, in every style."""

import pytest
from samples import LAYER_SPECS
from support import STYLES, assert_gradients, generic_point, module_of


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(("name", "spec"), LAYER_SPECS)
def test_layer(name, spec, style):
    module = module_of(spec, style, input_gradients=True)
    assert_gradients(module, *generic_point(module, 1), rng_seed=1)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(("name", "spec"), LAYER_SPECS)
def test_layer_in_prediction_mode(name, spec, style):
    """Where a layer computes something else than in training, its gradient is that of what it computes."""
    module = module_of(spec, style, input_gradients=True)
    assert_gradients(module, *generic_point(module, 2))
