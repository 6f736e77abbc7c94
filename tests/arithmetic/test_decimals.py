"""Numbers of a spec are computed with as they are written, beside Python's own decimal numbers."""

from decimal import Context, Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import ROOT, as_module, model_of

from dotnn.core import decimals
from dotnn.session import Options, compile_model

OPERATIONS = {"plus": "add", "minus": "subtract", "times": "multiply", "over": "divide"}
WRITTEN = st.decimals(-1000, 1000, places=3)


@pytest.mark.parametrize("name", OPERATIONS)
@given(left=WRITTEN, right=WRITTEN)
def test_the_double_next_to_the_exact_result_comes_out(name, left, right):
    if name == "over" and not right:
        return
    exactly = getattr(Context(prec=60), OPERATIONS[name])
    found = getattr(decimals, name)(float(left), float(right))
    assert found == float(exactly(left, right))


def test_whole_numbers_are_python_s():
    assert (decimals.plus(2, 3), decimals.times(2, 2**70), decimals.power(3, 4)) == (5, 2**71, 81)
    assert all(isinstance(n, int) for n in (decimals.minus(2, 3), decimals.mod(7, 2)))
    assert decimals.over(7, 2) == 3.5


def test_a_power_is_exact_where_it_is_whole():
    assert decimals.power(1.1, 2) == float(Decimal("1.1") ** 2) == 1.21
    assert decimals.power(4.0, 0.5) == 2.0


def test_the_numbers_of_a_spec_are_what_they_say():
    text = """
model M {
  input  x: [3]
  target t: [2]
  output y = x -> dense(2)
}
train { loss = mse(y, t)  optim = sgd(0.3 - 0.1) }
"""
    module = as_module(compile_model(model_of(text), Options()).script, ROOT / "test.nn")
    params = {name: np.zeros(shape) for name, shape in module.PARAMS.items()}
    module.update(params, {name: np.ones(shape) for name, shape in module.PARAMS.items()}, {})
    assert all(np.all(w == -0.2) for w in params.values())


def test_a_label_that_is_a_number_is_folded_as_it_is_written():
    """1 - 0.9 is 0.1 in the formula of the loss: at y = 0.2 all that is there is the double of the exact result."""
    text = """
model M {
  input  x: [1]
  output p = x -> dense(1, bias = false) -> sigmoid
}
train { loss = bce(p, 0.9)  optim = sgd(0.1) }
"""
    module = as_module(compile_model(model_of(text), Options()).script, ROOT / "test.nn")
    (name,) = module.PARAMS
    _, grads = module.loss_and_grads({name: np.zeros((1, 1))}, {"x": np.ones((1, 1))})
    assert grads[name][0, 0] == 0.1 * 0.5 - 0.9 * 0.5
