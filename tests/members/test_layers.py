"""Every layer, activation and join alone: its gradient against the complex step, in every style."""

import pytest
from samples import LAYER_SPECS
from support import STYLES, assert_gradients, generic_point, module_of


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(("name", "spec"), LAYER_SPECS)
def test_layer(name, spec, style):
    """In training, and in prediction, where some layers compute something else: each with the gradient of its own."""
    module = module_of(spec, style, input_gradients=True)
    assert_gradients(module, *generic_point(module, 1), rng_seed=1)
    assert_gradients(module, *generic_point(module, 2))
