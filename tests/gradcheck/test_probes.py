"""What one probe decides: rounding is told from an error by the size of the network's largest gradient."""

import numpy as np
import pytest

from dotnn_runtime.gradcheck.probing.probes import TOLERANCE, Outcome, judge
from dotnn_runtime.gradcheck.reading.types import Key
from dotnn_runtime.gradcheck.tracing.rows import Row

DIRECTION = {Key("param", "w"): np.ones(1)}


@pytest.mark.parametrize(
    ("claim", "true", "outcome"),
    [
        (1.0, 1.0, Outcome.RIGHT),
        (1.0, 1.01, Outcome.WRONG),
        (0.0, 0.0, Outcome.SILENT),
        (1e-14, 2e-14, Outcome.SILENT),  # a sum of terms that cancel
        (4e-7, 4e-7 * (1 + 2e-10), Outcome.SILENT),  # behind a saturated tanh: a few units in the last place of 1
        (4e-7, 4e-7 * 1.01, Outcome.WRONG),
        (1e-10, 1.01e-10, Outcome.WRONG),
    ],
)
def test_rounding_is_neither_right_nor_wrong(claim, true, outcome):
    row = Row("w", "param", (Key("param", "w"),), ((np.array([claim]),),))
    assert judge(row, DIRECTION, true, 1.0, TOLERANCE).outcome is outcome
