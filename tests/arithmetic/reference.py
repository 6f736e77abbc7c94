"""The closed forms once more, in 60 digits: activations and losses of one number, each with its derivative.

A member of the registries that is not here is evaluated by its own formula, in as many digits, and differentiated there
by a quotient of differences: of the compiler only the reading of formulas is used.
"""

from types import SimpleNamespace

import mpmath
from mpmath import mp, mpf

from dotnn.ir.expr import DIALECTS, parse, spell
from dotnn.ir.expr.visit import calls, reads

mp.dps = 60
EXACT = 1000
"""Digits in which 1 + exp(-800) loses nothing."""


def sigmoid(z):
    return 1 / (1 + mpmath.exp(-z))


def softplus(z):
    return mpmath.log1p(mpmath.exp(z))


def steep(z):
    """2 u and its derivative, with u = sqrt(2/pi) (z + 0.044715 z^3)."""
    factor, cubic = 2 * mpmath.sqrt(2 / mp.pi), mpf("0.044715")
    return factor * (z + cubic * z**3), factor * (1 + 3 * cubic * z * z)


def gelu(z):
    return z * sigmoid(steep(z)[0])


def gelu_slope(z):
    u, rise = steep(z)
    return sigmoid(u) * (1 + z * sigmoid(-u) * rise)


ACTIVATIONS = {
    "identity": (lambda z: z, lambda z: mpf(1)),
    "sigmoid": (sigmoid, lambda z: sigmoid(z) * sigmoid(-z)),
    "tanh": (mpmath.tanh, lambda z: mpmath.sech(z) ** 2),
    "relu": (lambda z: max(z, mpf(0)), lambda z: mpf(z > 0)),
    "leaky_relu": (lambda z: z if z > 0 else mpf(0.01) * z, lambda z: mpf(1 if z > 0 else 0.01)),
    "prelu": (lambda z: z if z > 0 else z / 4, lambda z: mpf(1 if z > 0 else 0.25)),
    "elu": (lambda z: z if z > 0 else mpmath.expm1(z), lambda z: mpf(1) if z > 0 else mpmath.exp(z)),
    "gelu": (gelu, gelu_slope),
    "silu": (lambda z: z * sigmoid(z), lambda z: sigmoid(z) * (1 + z * sigmoid(-z))),
    "softplus": (softplus, sigmoid),
    "threshold": (lambda z: mpf(z >= 0), lambda z: mpf(0)),
}

OF_A_ROW = {"softmax"}
"""Activations of a whole row: they have a test of their own."""


def log_softmax(row):
    with mp.workdps(EXACT):
        total = mpmath.fsum(mpmath.exp(z) for z in row)
        return [z - mpmath.log(total) for z in row]


def bce(p, t):
    return -t * mpmath.log(p) - (1 - t) * mpmath.log1p(-p)


def huber(e):
    return e**2 / 2 if abs(e) <= 1 else abs(e) - mpf(0.5)


LOSSES = {
    "half_sse": (lambda y, t: (y - t) ** 2 / 2, lambda y, t: y - t),
    "sse": (lambda y, t: (y - t) ** 2, lambda y, t: 2 * (y - t)),
    "mse": (lambda y, t: (y - t) ** 2, lambda y, t: 2 * (y - t)),
    "l1": (lambda y, t: abs(y - t), lambda y, t: mpmath.sign(y - t)),
    "huber": (lambda y, t: huber(y - t), lambda y, t: max(min(y - t, mpf(1)), mpf(-1))),
    "hinge": (lambda y, t: max(1 - t * y, mpf(0)), lambda y, t: -t if t * y < 1 else mpf(0)),
    "perceptron": (lambda y, t: max(-t * y, mpf(0)), lambda y, t: -t if t * y <= 0 else mpf(0)),
    "bce": (bce, lambda p, t: (1 - t) / (1 - p) - t / p),
}

OF_CLASSES = {"cross_entropy"}
"""Losses of a whole row."""


PRECISE = vars(mpmath) | {
    "absolute": abs, "maximum": max, "minimum": min, "square": lambda x: x * x,
    "where": lambda test, yes, no: yes if test else no,
}  # fmt: skip
HELPERS = {"sigmoid": sigmoid, "softplus": softplus}


def of_formula(text, args, *operands):
    """The function of a formula and its derivative by the first operand; None where it has words unknown here."""
    words = {"np": SimpleNamespace(**PRECISE), "math": mpmath, **HELPERS, **{a.name: a.default for a in args}}
    known = {*PRECISE, *HELPERS, *operands, *words, "abs"}
    if not isinstance(text, str) or not {*calls(formula := parse(text)), *reads(formula)} <= known:
        return None
    code = compile(spell(formula, DIALECTS["numpy"], HELPERS), text, "eval")

    def value(*numbers):
        return mpf(1) * eval(code, {**words, **dict(zip(operands, numbers, strict=True))})

    def slope(first, *others):
        with mp.workdps(EXACT):
            return mpmath.diff(lambda x: value(x, *others), first, relative=True)

    return value, slope
