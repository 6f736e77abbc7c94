"""What initialisers multiply their draws by, against 60 digits: the generator here draws ones only."""

import mpmath
import numpy as np
import pytest
from arithmetic.reference import mp
from mpmath import mpf

from dotnn.library.inits import INITS
from dotnn_runtime.script.formulas.draws import truncated_normal
from dotnn_runtime.script.formulas.tables import sinusoids


class Ones:
    """A generator whose every draw is at the upper end, or one standard deviation off."""

    def uniform(self, low, high, shape):
        return np.full(shape, high)

    def normal(self, mean, sigma, shape):
        return np.full(shape, mean + sigma)

    def standard_normal(self, shape):
        return np.ones(shape)


def deviation_of_truncated():
    """Of a Gaussian without what lies beyond two, from its density and distribution."""
    return mpmath.sqrt(1 - 4 * mpmath.npdf(2) / (mpmath.ncdf(2) - mpmath.ncdf(-2)))


VARIANCES = {
    "xavier": lambda a, b: mpf(2) / (a + b),
    "xavier_in": lambda a, b: mpf(1) / a,
    "he": lambda a, b: mpf(2) / a,
}
REACH = {
    "uniform": lambda v: mpmath.sqrt(3 * v),
    "normal": mpmath.sqrt,
    "truncated": lambda v: mpmath.sqrt(v) / deviation_of_truncated(),
}
PLAIN = {
    "uniform": ({"low": -0.05, "high": 0.05}, lambda: mpf(0.05)),
    "normal": ({"sigma": 0.05}, lambda: mpf(0.05)),
    "truncated_normal": ({"sigma": 0.05}, lambda: mpf(0.05) / deviation_of_truncated()),
}
NO_FORMULA = {"constant", "ones", "zeros", "file", "forget_one", "orthogonal", "lsuv"}


def drawn(name, shape, attrs):
    scope = {"np": np, "rng": Ones(), "truncated_normal": truncated_normal}
    return eval(INITS[name].line(shape, attrs), scope).flat[0]


def near(found, right):
    assert abs(mpf(float(found)) - right) <= 4 * np.finfo(float).eps * right


def test_every_initialiser_has_a_case():
    assert {*VARIANCES, *PLAIN, *NO_FORMULA} == set(INITS)


@pytest.mark.parametrize("distribution", REACH)
@pytest.mark.parametrize("name", VARIANCES)
def test_scaled_by_the_layer(name, distribution):
    for shape, (a, b) in {(3, 5): (3, 5), (1, 1): (1, 1), (7, 100, 3): (700, 21), (3, 3, 2, 8): (18, 72)}.items():
        near(drawn(name, shape, {"distribution": distribution}), REACH[distribution](VARIANCES[name](a, b)))


@pytest.mark.parametrize("name", PLAIN)
def test_plain(name):
    attrs, right = PLAIN[name]
    near(drawn(name, (2, 3), attrs), right())


@pytest.mark.parametrize("width", [1, 6, 7])
def test_sinusoids(width):
    """The angle is rounded, which its sine and cosine feel in proportion to it."""
    table = sinusoids(200, width)
    for position in (0, 1, 17, 199):
        for i in range(width):
            angle = position / mpmath.power(10000, mpf(i // 2 * 2) / width)
            right = mpmath.cos(angle) if i % 2 else mpmath.sin(angle)
            assert abs(mpf(float(table[position, i])) - right) <= 4 * np.finfo(float).eps * (1 + angle)
    assert mp.dps == 60
