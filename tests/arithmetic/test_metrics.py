"""Metrics of real targets against 60 digits, at sizes whose squares overflow or vanish."""

import mpmath
import numpy as np
import pytest
from mpmath import mpf

from dotnn.library.metrics import METRICS
from dotnn_runtime.script import metrics


def mean(values):
    values = list(values)
    return mpmath.fsum(values) / len(values)


def r2(y, t):
    middle = mean(t)
    return 1 - mpmath.fsum((a - b) ** 2 for a, b in zip(y, t, strict=True)) / mpmath.fsum((b - middle) ** 2 for b in t)


FORMULAS = {
    "mae": lambda y, t: mean(abs(a - b) for a, b in zip(y, t, strict=True)),
    "rmse": lambda y, t: mpmath.sqrt(mean((a - b) ** 2 for a, b in zip(y, t, strict=True))),
    "r2": r2,
}
OF_NUMBERS = [(m.name, m.functions["real"]) for m in METRICS.values() if "real" in m.functions]


@pytest.mark.parametrize(("dtype", "sizes"), [(np.float32, (1e-30, 1, 1e30)), (np.float64, (1e-250, 1, 1e250))])
@pytest.mark.parametrize(("name", "function"), OF_NUMBERS)
def test_metric(name, function, dtype, sizes):
    rng = np.random.default_rng(0)
    for size in sizes:
        output, target = (size * rng.standard_normal((2, 7, 1))).astype(dtype)
        right = FORMULAS[name](*([mpf(float(v)) for v in a[:, 0]] for a in (output, target)))
        found = getattr(metrics, function)(output, target)
        assert abs(found - right) <= 8 * float(np.finfo(dtype).eps) * max(abs(right), mpf(name == "r2"))
