"""Schedules for trainings of 1 to 40 steps, against their formulas in 60 digits; durations are exact fractions."""

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from mpmath import mp, mpf
from support import STYLES, module_of

from dotnn.library.schedules import SCHEDULES

LENGTHS = range(1, 41)


def exact(x):
    return mpf(x.numerator) / x.denominator if isinstance(x, Fraction) else mpf(x)


def wave(high, low, share):
    """Half a wave of the cosine from `high` (share 0) to `low` (share 1)."""
    return low + (high - low) * (1 + mpmath.cos(mp.pi * exact(share))) / 2


def warm(step, warmup, falling):
    return exact(Fraction(step) / warmup) if step < warmup else falling(step - warmup)


def one_cycle(step, steps, share):
    """PyTorch's OneCycleLR, in which the waves meet at `share * steps - 1` and end with the last step."""
    top, last = share * steps - 1, steps - 1
    if step < top:
        return wave(mpf(1), 1 / mpf(25), 1 - Fraction(step) / top)
    return wave(mpf(1), 1 / mpf(250000), (step - top) / (last - top)) if last > top else mpf(1)


FORMULAS = {
    "cosine": {
        "cosine(1)": lambda k, n, _: wave(mpf(1), mpf(0), Fraction(k, n)),
        "cosine(1, warmup = 55%)": lambda k, n, _: warm(
            k, Fraction(11 * n, 20), lambda done: wave(mpf(1), mpf(0), done / (n - Fraction(11 * n, 20)))
        ),
        "cosine(1, warmup = 40)": lambda k, n, _: exact(Fraction(k, 40)),
    },
    "linear": {
        "linear(1, epochs(1), 0.25)": lambda k, n, e: warm(
            k, Fraction(e), lambda done: 1 - exact(Fraction(3, 4) * done / (n - e))
        ),
    },
    "one_cycle": {
        "one_cycle(1)": lambda k, n, _: one_cycle(k, n, Fraction(3, 10)),
        "one_cycle(1, warmup = 7%)": lambda k, n, _: one_cycle(k, n, Fraction(7, 100)),
        "one_cycle(1, warmup = 100%)": lambda k, n, _: one_cycle(k, n, Fraction(1)),
    },
    "step": {
        "step(1, every = 7%)": lambda k, n, _: mpf(0.1) ** math.floor(Fraction(100 * k, 7 * n)),
        "step(1, every = 55%)": lambda k, n, _: mpf(0.1) ** math.floor(Fraction(20 * k, 11 * n)),
        "step(1, every = 3, factor = 0.5)": lambda k, n, _: mpf(0.5) ** (k // 3),
    },
    "exponential": {"exponential(1)": lambda k, n, e: mpf(0.96) ** exact(Fraction(k, e))},
    "warmup": {"warmup(1, over = 28%)": lambda k, n, _: min(exact(Fraction(100 * k, 28 * n)), mpf(1))},
    "cyclic": {
        "cyclic(1, 0.25, every = 7%)": lambda k, n, _: (
            mpf(0.25) + mpf(0.75) * (1 - abs(2 * exact(Fraction(100 * k, 7 * n) % 1) - 1))
        ),
    },
    "restarts": {
        "restarts(1, every = 55%, end = 0.25)": lambda k, n, _: wave(mpf(1), mpf(0.25), Fraction(20 * k, 11 * n) % 1),
    },
    "power": {
        "power(1, over = 28%, power = 0.75)": lambda k, n, _: (1 + exact(Fraction(100 * k, 28 * n))) ** mpf(-0.75)
    },
    "polynomial": {
        "polynomial(1, power = 1.5, warmup = 55%)": lambda k, n, _: warm(
            k,
            Fraction(11 * n, 20),
            lambda done: exact(1 - done / max(n - Fraction(11 * n, 20), 1)) ** mpf(1.5),
        ),
    },
    "plateau": {},
    "rise": {},
}
"""Calls to try; what the learning rate is at step k of n, with so many steps an epoch."""


def spec(lr):
    return f"""model M {{ input x: [1]  target t: [1]  output y = x -> dense(1, bias = false, init = ones) }}
    train {{ loss = l1(y, t)  optim = sgd({lr})  batch = 1  shuffle = false  epochs = 1 }}"""


@pytest.mark.parametrize(("name", "call"), [(name, call) for name in SCHEDULES for call in FORMULAS[name]])
def test_every_length(name, call):
    module = module_of(spec(call))
    for steps in LENGTHS:
        per_epoch = max(1, steps // 3)
        found = [module.learning_rate(step, steps, per_epoch) for step in range(steps)]
        right = [float(FORMULAS[name][call](k, steps, per_epoch)) for k in range(steps)]
        np.testing.assert_allclose(found, right, rtol=1e-13, atol=1e-16, err_msg=f"{steps} steps")


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", SCHEDULES)
def test_training_of_every_length(name, style):
    """The weight moves by the sum of the rates: the slope of |w x - t| is 1 everywhere."""
    call = next(iter(FORMULAS[name]), f"{name}(1, loss)")
    module = module_of(spec(call), style)
    for count in (1, 2, 3, 40):
        params, _ = module.train({"x": np.ones((count, 1)), "t": np.full((count, 1), -1e9)}, dtype=np.float64)
        rates = [float(FORMULAS[name][call](k, count, count)) if FORMULAS[name] else 1.0 for k in range(count)]
        np.testing.assert_allclose(params["y.W"], [[1 - sum(rates)]], rtol=1e-12, atol=1e-12)
