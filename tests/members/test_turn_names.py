"""Names that a spec gives to values and sections, and those that a script gives to a section's functions."""

import re

import numpy as np
import pytest
from members.test_turns import regime
from support import STYLES, module_of


def renamed(text, names):
    """A spec whose values have other names."""
    return re.sub(rf"\b({'|'.join(names)})\b", lambda match: names[match[1]], text)


FUNCTIONS_OF_SCRIPTS = {"h": "forward", "y": "evaluate", "guess": "trained", "x": "learning_rate", "t": "total_loss"}


@pytest.mark.parametrize("style", STYLES)
def test_values_may_be_called_as_functions_of_a_section(style):
    """What a section's functions are called is no matter of the text that names them."""
    params, history = module_of(regime("decay"), style).train(dtype=np.float64)
    found, other = module_of(renamed(regime("decay"), FUNCTIONS_OF_SCRIPTS), style).train(dtype=np.float64)
    assert list(other) == list(history)
    for name, w in params.items():
        layer, _, part = name.partition(".")
        np.testing.assert_array_equal(found[f"{FUNCTIONS_OF_SCRIPTS[layer]}.{part}"], w)
