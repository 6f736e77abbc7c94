"""The lines that give NumPy's functions local names in a fast step."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dotnn.targets.numpy.fast.context import _functions
from dotnn.targets.numpy.fast.kernels.pieces import FUNCTIONS


@given(st.sets(st.sampled_from(sorted(FUNCTIONS)), min_size=1))
def test_any_functions_get_their_names(names):
    scope = {"np": np}
    exec("\n".join(_functions(names)), scope)
    assert {name: scope[name] for name in names} == {name: getattr(np, name) for name in names}


def test_functions_whose_line_is_just_too_long():
    """Seven names of 43 characters, once broken in two behind the equals sign."""
    test_any_functions_get_their_names.hypothesis.inner_test(
        {"add", "copyto", "dot", "exp", "matmul", "maximum", "take"}
    )
