"""Every schedule, against its formula written out once more, and what it does to an update."""

import math
from itertools import pairwise

import numpy as np
import pytest
from support import STYLES, module_of

from dotnn.library.schedules import SCHEDULES
from dotnn_runtime.script.plateau import Plateau, Rise

STEPS, EPOCH = 60, 12
"""Steps of the whole run, and of one epoch."""


def warm(lr, step, warmup, rest):
    """The line from (0, 0) to (warmup, lr), then whatever comes."""
    return np.interp(step, [0, warmup], [0, lr]) if step < warmup else rest(step - warmup, STEPS - warmup)


def wave(high, low, share):
    """Half a wave of the cosine from `high` (share 0) to `low` (share 1)."""
    return (high + low) / 2 + (high - low) / 2 * math.cos(math.pi * share)


def one_cycle(step, peak, warmup, div, final_div):
    """PyTorch's OneCycleLR: two waves that meet at step warmup - 1."""
    top = warmup - 1
    if step < top:
        return wave(peak / div, peak, step / top)
    return wave(peak, peak / div / final_div, (step - top) / (STEPS - 1 - top))


FORMULAS = {
    "cosine": {
        "cosine(0.1)": lambda k: wave(0.1, 0, k / STEPS),
        "cosine(0.1, warmup = 10)": lambda k: warm(0.1, k, 10, lambda done, left: wave(0.1, 0, done / left)),
        "cosine(0.1, 10%, end = 0.02)": lambda k: warm(0.1, k, 6, lambda done, left: wave(0.1, 0.02, done / left)),
        "cosine(0.1, warmup = 200)": lambda k: 0.1 * k / 200,
    },
    "linear": {
        "linear(0.3)": lambda k: 0.3 * (1 - k / STEPS),
        "linear(0.3, epochs(2), 0.1)": lambda k: warm(0.3, k, 24, lambda done, left: 0.3 - 0.2 * done / left),
    },
    "one_cycle": {
        "one_cycle(0.1)": lambda k: one_cycle(k, 0.1, 18, 25, 1e4),
        "one_cycle(0.1, warmup = 10%, div = 2, final_div = 5)": lambda k: one_cycle(k, 0.1, 6, 2, 5),
    },
    "step": {
        "step(0.1, every = 7)": lambda k: 0.1 * 0.1 ** math.floor(k / 7),
        "step(0.1, epochs(1), 0.5)": lambda k: 0.1 / 2 ** (k // 12),
    },
    "exponential": {
        "exponential(0.1)": lambda k: 0.1 * math.exp(math.log(0.96) * k / 12),
        "exponential(0.1, rate = 0.5, every = 25%)": lambda k: 0.1 * 0.5 ** (k / 15),
    },
    "warmup": {"warmup(0.1, over = 30)": lambda k: 0.1 * min(k, 30) / 30},
    "cyclic": {
        "cyclic(0.3, 0.1, every = 8)": lambda k: np.interp(k % 8, [0, 4, 8], [0.1, 0.3, 0.1]),
        "cyclic(0.3, base = 0.1, every = epochs(1), factor = 0.5)": lambda k: np.interp(
            k % 12, [0, 6, 12], [0.1, 0.1 + 0.2 / 2 ** (k // 12), 0.1]
        ),
    },
    "restarts": {"restarts(0.1, epochs(2), end = 0.01)": lambda k: wave(0.1, 0.01, k % 24 / 24)},
    "power": {
        "power(0.1, over = 20)": lambda k: 0.1 * 20 / (20 + k),
        "power(0.1, epochs(1), power = 0.5)": lambda k: 0.1 * math.sqrt(12 / (12 + k)),
    },
    "polynomial": {
        "polynomial(0.1)": lambda k: 0.1 * (1 - k / STEPS) ** 2,
        "polynomial(0.1, power = 1.5, warmup = 10, end = 0.02)": lambda k: warm(
            0.1, k, 10, lambda done, left: 0.02 + 0.08 * (1 - done / left) ** 1.5
        ),
    },
    "plateau": {},
    "rise": {},
}
"""Calls to try, and what the learning rate is at step k then."""


def weight_spec(lr, batch=5, more="", optimizer="sgd"):
    """One weight: y = w x under (w x - t)²."""
    return f"""model M {{ input x: [1]  target t: [1]  output y = x -> dense(1, bias = false, init = constant(0.7)) }}
    train {{ loss = sse(y, t)  optim = {optimizer}({lr})  batch = {batch}  shuffle = false  epochs = 5  {more} }}"""


def weight_data(count=60):
    rng = np.random.default_rng(0)
    return {"x": rng.standard_normal((count, 1)), "t": rng.standard_normal((count, 1))}


@pytest.mark.parametrize(("name", "call"), [(name, call) for name in SCHEDULES for call in FORMULAS[name]])
def test_schedule(name, call):
    module = module_of(weight_spec(call))
    found = [module.learning_rate(step, STEPS, EPOCH) for step in range(STEPS)]
    np.testing.assert_allclose(found, [FORMULAS[name][call](k) for k in range(STEPS)], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("call", [call for calls in FORMULAS.values() for call in calls])
@pytest.mark.parametrize("batch", ["5", "7", "all"])
def test_training_counts_the_steps(call, style, batch):
    """Gradient descent by hand, at the rate that the formula gives for every update."""
    data = weight_data()
    module = module_of(weight_spec(call, batch), style)
    params, _ = module.train(data, dtype=np.float64)
    w, done, size = 0.7, 0, 60 if batch == "all" else int(batch)
    per_epoch = math.ceil(60 / size)
    for _ in range(5):
        for start in range(0, 60, size):
            x, t = (data[name][start : start + size, 0] for name in "xt")
            w -= module.learning_rate(done, 5 * per_epoch, per_epoch) * np.sum(2 * (w * x - t) * x)
            done += 1
    np.testing.assert_allclose(params["y.W"], [[w]], rtol=1e-11)


@pytest.mark.parametrize("style", STYLES)
def test_decoupled_decay_follows_the_rate(style):
    """Loshchilov and Hutter 2019, Algorithm 2: the weight shrinks by the learning rate of the step times the decay."""
    data = weight_data()
    module = module_of(weight_spec("linear(0.01)", more="decay = weight_decay(0.3)"), style)
    params, _ = module.train(data, dtype=np.float64)
    w = 0.7
    for done in range(60):
        x, t = (data[name][done * 5 % 60 : done * 5 % 60 + 5, 0] for name in "xt")
        lr = 0.01 * (1 - done / 60)
        w = (1 - lr * 0.3) * w - lr * np.sum(2 * (w * x - t) * x)
    np.testing.assert_allclose(params["y.W"], [[w]], rtol=1e-11)


# ------------------------------------------------------------------------------------------------------- plateau


@pytest.mark.parametrize("style", STYLES)
def test_plateau_in_a_training(style):
    """w² at the rate 1.2 grows by 1.4² an epoch. After two epochs of that the rate is 0.6, and w falls."""
    spec = weight_spec("plateau(1.2, loss, factor = 0.5, patience = 2)", batch="all")
    data = {"x": np.ones((1, 1)), "t": np.zeros((1, 1))}
    params, history = module_of(spec, style).train(data, epochs=6, dtype=np.float64)
    np.testing.assert_allclose(params["y.W"], [[0.7 * (-1.4) ** 3 * (-0.2) ** 3]], rtol=1e-12)
    assert [a["loss"] > b["loss"] for a, b in pairwise(history)] == [False] * 2 + [True] * 3


def test_plateau_by_hand():
    plateau = Plateau(lr=1.0, factor=0.5, patience=2, min_delta=0.1, cooldown=1, least=0.2, sign=1)
    rates = []
    for loss in [3, 2.95, 2.85, 2.85, 2.85, 2.85, 2.85, 2.85, 2.85, 2.85, 2.85, 1, 1, 1]:
        plateau.observe(loss)
        rates.append(plateau.lr)
    # 2.95 is too little better than 3, 2.85 is enough; then two epochs count, one rests.
    assert rates == [1, 1, 1, 1, 0.5, 0.5, 0.25, 0.25, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2]


def test_rise_by_hand():
    rise = Rise(lr=0.1, factor=3, patience=2, min_delta=0.1, most=0.5, sign=1)
    rates = []
    for loss in [3, 2.95, 2.95, 2.95, 2.95, 2.95, 2.85, 2.85, 2.85]:
        rise.observe(loss)
        rates.append(rise.lr)
    np.testing.assert_allclose(rates, [0.1, 0.1, 0.3, 0.3, 0.5, 0.5, 0.1, 0.1, 0.3], rtol=1e-15)


@pytest.mark.parametrize("style", STYLES)
def test_rise_in_a_training(style):
    """w at a slope of 1: after two epochs in which |w| grows the rate is threefold."""
    spec = weight_spec("rise(0.1, loss, factor = 3, patience = 2)", batch="all").replace("sse(y, t)", "l1(y, t)")
    data = {"x": np.ones((1, 1)), "t": np.full((1, 1), -1e9)}
    params, _ = module_of(spec, style).train(data, epochs=4, dtype=np.float64)
    np.testing.assert_allclose(params["y.W"], [[0.7 - 0.1 * 4]], rtol=1e-8)
    still = module_of(
        spec.replace("min_delta = 0.0001", "").replace("patience = 2)", "patience = 2, min_delta = 9)"), style
    )
    params, _ = still.train(data, epochs=4, dtype=np.float64)
    np.testing.assert_allclose(params["y.W"], [[0.7 - 0.1 * 3 - 0.3]], rtol=1e-8)
