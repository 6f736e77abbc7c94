"""What scripts compute, against 50 digits: over the whole range of the inputs, in both precisions and both styles.

A result may be off by a few units of rounding, times the condition number: what a rounding of the inputs would change
as well. Where it is a normal number it must not be lost, so an error of a whole result never passes.
"""

from functools import cache

import mpmath
import numpy as np
import pytest
from arithmetic import reference
from mpmath import mpf
from support import STYLES, module_of

from dotnn.library.layers import LAYERS
from dotnn.library.losses import LOSSES
from dotnn.library.ops import OPS

DTYPES = [np.float32, np.float64]
FEW = 8
"""Units of rounding: the most that a chain of five or so operations adds up to."""


def whole_range(dtype, most):
    """Numbers of both signs: near zero, of everyday size, in the tails, and very large."""
    tiny = float(np.finfo(dtype).tiny)
    sizes = [*np.geomspace(tiny * 1e6, 1e-3, 23), *np.linspace(0.01, 12, 60), *np.geomspace(12, 700, 40), 1e6, most]
    return np.array([s for size in sizes for s in (-size, size)], dtype)


def units_off(found, right, condition, dtype):
    """The error of each result in units of rounding of a result that is as badly conditioned.

    Factors of a result that is hardly a normal number may be none, and have fewer digits.
    """
    info = np.finfo(dtype)
    sizes = [max(abs(r), mpf(float(info.tiny)) * 1000) for r in right]
    errors = [
        abs(mpf(float(f)) - r) / size / mpf(float(info.eps)) / (1 + c) if abs(r) <= float(info.max) else 0
        for f, r, size, c in zip(found, right, sizes, condition, strict=True)
    ]
    return np.array([float(e) for e in errors])


def condition(function, x):
    """|x f'(x) / f(x)|, by a difference: how much a rounding of x changes the result."""
    value, step = function(x), x * mpf("1e-9")
    return abs((function(x + step) - value) / value) * mpf("1e9") if value and x else mpf(0)


def assert_right(found, function, points, dtype):
    exact = [mpf(float(p)) for p in points]
    off = units_off(found, [function(x) for x in exact], [condition(function, x) for x in exact], dtype)
    worst = int(off.argmax())
    assert off[worst] <= FEW, f"at {points[worst]!r}: {found[worst]!r} for {function(exact[worst])}, {off[worst]:.3g}"


# -------------------------------------------------------------------------------------------------- activations


OF_OUTPUT = {"sigmoid": lambda a: a * (1 - a), "tanh": lambda a: 1 - a * a}
"""Slopes that the scripts write in terms of the output, as the textbooks do."""


@cache
def activation_module(name, style, points):
    """Every point is a feature. The loss is |y|, so d_W is the activation and d_x its slope, up to one sign."""
    text = f"""model M {{ input x: [{points}]  target t: [1]
      output y = x -> {name}{"(0)" if name == "threshold" else ""} -> dense(1, bias = false) }}
    train {{ loss = l1(y, t, reduce = sum)  batch = all }}"""
    return module_of(text, style, input_gradients=True)


def long_double(number):
    """A number of 60 digits, rounded to the 19 that the processor has."""
    return np.longdouble(mpmath.nstr(number, 25))


def of_long_double(value):
    return mpf(np.format_float_scientific(value, precision=25))


def activation_and_slope_of(name):
    """Those of the reference; of a member that is not there, of its formula in 1000 digits, where it is a formula.

    Else those of the script in long double, whose range is wider.
    """
    if name in reference.ACTIVATIONS:
        return reference.ACTIVATIONS[name]
    if (known := reference.of_formula(OPS[name].numpy, LAYERS[name].args, "z")) is not None:
        return known
    module = activation_module(name, "explain", 1)

    @cache
    def run(z):
        batch = {"x": np.full((1, 1), long_double(z)), "t": np.full((1, 1), -np.longdouble(np.inf))}
        grads = module.loss_and_grads({"y.W": np.ones((1, 1), np.longdouble)}, batch)[1]
        return of_long_double(grads["y.W"][0, 0]), of_long_double(grads["x"][0, 0])

    return (lambda z: run(z)[0]), (lambda z: run(z)[1])


def of_one_number():
    return [n for n, layer in LAYERS.items() if layer.family == "activation" and n not in reference.OF_A_ROW]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", of_one_number())
def test_activation_and_slope(name, style, dtype):
    points = whole_range(dtype, 1e30)
    module = activation_module(name, style, len(points))
    *slopes, weight = module.PARAMS
    params = {weight: np.ones((len(points), 1), dtype), **{n: np.full(len(points), 0.25, dtype) for n in slopes}}
    batch = {"x": points[None], "t": np.full((1, 1), -np.inf, dtype)}  # y - t is positive, however large y is
    with np.errstate(all="ignore"):
        grads = module.loss_and_grads(params, batch)[1]
    function, slope = activation_and_slope_of(name)
    assert_right(grads[weight][:, 0], function, points, dtype)
    if name not in OF_OUTPUT:
        assert_right(grads["x"][0], slope, points, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", OF_OUTPUT)
def test_slope_in_terms_of_the_output(name, style, dtype):
    """The textbook's lines read the output, a rounded number: they are exact in it."""
    points = whole_range(dtype, 1e30)
    module = activation_module(name, style, len(points))
    params = {"y.W": np.ones((len(points), 1), dtype)}
    grads = module.loss_and_grads(params, {"x": points[None], "t": np.full((1, 1), -np.inf, dtype)})[1]
    assert_right(grads["x"][0], OF_OUTPUT[name], grads["y.W"][:, 0], dtype)


def rows_of_logits(dtype):
    rng = np.random.default_rng(0)
    rows = [scale * rng.standard_normal(4) for scale in (1e-6, 1, 10, 60, 600, 1e20)]
    rows += [[gap, 0, -3, -gap] for gap in (16, 30, 80, 700)]
    return np.array(rows, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_softmax(dtype):
    module = module_of("""model M { input x: [4]  target t: class[4]  output y = x -> softmax }
    train { loss = cross_entropy(y, t)  batch = all }""")
    for row in rows_of_logits(dtype):
        exact = [mpf(float(z)) for z in row]
        right = [mpmath.exp(v) for v in reference.log_softmax(exact)]
        spread = [min(abs(z - max(exact)), 800) for z in exact]  # |z - max z| rounds: that is the condition
        found = module.forward({}, {"x": row[None]})[0]["y"][0]
        assert (units_off(found, right, spread, dtype) <= FEW).all()


# ------------------------------------------------------------------------------------------------------- losses


def loss_module(name, style, output="dense(1, bias = false)"):
    text = f"""model M {{ input x: [1]  target t: [1]  output y = x -> {output} }}
    train {{ loss = {name}(y, t)  batch = all }}"""
    return module_of(text, style, input_gradients=True)


def loss_and_slope(module, y, t, dtype):
    with np.errstate(all="ignore"):
        batch = {"x": np.array([[y]], dtype), "t": np.array([[t]], dtype)}
        loss, grads = module.loss_and_grads({"y.W": np.ones((1, 1), dtype)}, batch)
    return loss, grads["x"][0, 0]


def loss_and_slope_of(name):
    """Those of the reference; of a loss that is not there, of its formula, else the script's own in long double."""
    if name in reference.LOSSES:
        return reference.LOSSES[name]
    term = OPS[LOSSES[name].op].term
    if term and (known := reference.of_formula(f"{term.factor}({term.formula})", LOSSES[name].args, "y", "t")):
        return known
    module = loss_module(name, "explain")

    @cache
    def run(y, t):
        return [of_long_double(v) for v in loss_and_slope(module, long_double(y), long_double(t), np.longdouble)]

    return (lambda y, t: run(y, t)[0]), (lambda y, t: run(y, t)[1])


def outputs_for(name, dtype):
    if name == "bce":  # probabilities that are not clipped
        return np.array([2e-7, 1e-6, 1e-4, 0.01, 0.3, 0.5, 0.7, 0.99, 0.9999], dtype)
    return whole_range(dtype, 1e18)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", [name for name in LOSSES if name not in reference.OF_CLASSES])
def test_loss_and_slope(name, style, dtype):
    function, slope = loss_and_slope_of(name)
    module = loss_module(name, style)
    targets = {"unit": (0, 1), "sign": (-1, 1)}.get(LOSSES[name].target, (0, 3))
    for t in targets:
        points = [y for y in outputs_for(name, dtype) if abs(abs(float(y)) - 1) > 1e-3 and float(y) != t]
        found = [loss_and_slope(module, y, t, dtype) for y in points]
        assert_right([f[0] for f in found], lambda y, t=t: function(y, mpf(t)), points, dtype)
        assert_right([f[1] for f in found], lambda y, t=t: slope(y, mpf(t)), points, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("style", STYLES)
def test_sigmoid_cross_entropy(style, dtype):
    """log(1 + exp(z)) - t z, which is softplus(-z) for t = 1: no digit may cancel. The slope p - t is a difference."""
    module = loss_module("bce", style, "dense(1, sigmoid, bias = false)")
    for t in (0, 0.25, 1):
        points = whole_range(dtype, 1e6)
        found = [loss_and_slope(module, z, t, dtype) for z in points]
        assert_right(
            [f[0] for f in found],
            lambda z, t=t: (1 - mpf(t)) * reference.softplus(z) + mpf(t) * reference.softplus(-z), points, dtype,
        )  # fmt: skip
        right = np.array([float(reference.sigmoid(mpf(float(z))) - t) for z in points])
        np.testing.assert_allclose([f[1] for f in found], right, rtol=0, atol=FEW * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("style", STYLES)
def test_softmax_cross_entropy(style, dtype):
    """A confident, right prediction has a loss of exp(-gap), not of zero."""
    module = module_of(
        """model M { input x: [4]  target t: class[4]  output y = x -> dense(4, softmax, bias = false) }
    train { loss = cross_entropy(y, t)  batch = all }""",
        style,
    )
    rounded = FEW if style == "explain" else 1000  # fast adds logarithms of rounded sums down to a loss of 0.001
    for row in rows_of_logits(dtype):
        exact = [mpf(float(z)) for z in row]
        for label, right in enumerate(reference.log_softmax(exact)):
            batch = {"x": row[None], "t": np.array([label])}
            with np.errstate(all="ignore"):
                loss, _ = module.loss_and_grads({"y.W": np.eye(4, dtype=dtype)}, batch)
            allowed = rounded if -right > 1e-3 else FEW
            spread = max(min(max(exact) - z, 800) for z in exact)
            assert units_off([loss], [-right], [spread], dtype)[0] <= allowed, (row, label, loss, right)
