"""Random expressions and definitions: both styles compute the same, and the gradient is that of the complex step.

DOTNN_LONG=1000 python -m pytest -n 2 tests/fuzz/test_expressions.py
"""

import os

import numpy as np
import pytest
from fuzz.expressions import expression_spec
from support import assert_gradients, generic_point, gradients, model_of, module_of
from tensorflow_target.test_parity import refused, witnessed

from dotnn.session import Compilation

LONG = int(os.environ.get("DOTNN_LONG", "0"))


@pytest.mark.parametrize("number", range(LONG or 20))
def test_random_expressions(number):
    spec = expression_spec(number)
    explain, fast = module_of(spec), module_of(spec, "fast")
    params, batch = generic_point(explain, number)
    assert_gradients(explain, params, batch)
    found, wanted = gradients(fast, params, batch), gradients(explain, params, batch)
    largest = max(np.abs(g).max() for g in wanted.values())
    for name in wanted:
        np.testing.assert_allclose(found[name], wanted[name], rtol=1e-9, atol=1e-12 * largest, err_msg=name)


@pytest.mark.parametrize("number", range(0, LONG or 16, 8))
def test_tensorflow_computes_the_same(number):
    """Loss, outputs and gradients at a random point; what TensorFlow cannot differentiate is refused."""
    pytest.importorskip("tensorflow")
    model = model_of(expression_spec(number))
    if refused(model):
        return
    with Compilation.of(model).witness() as peer:
        assert witnessed(model, peer, number) < 1e-9
