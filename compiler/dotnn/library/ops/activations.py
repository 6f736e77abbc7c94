"""Activation functions: a = f(z), and the derivative line that multiplies the cotangent by f'(z).

Every line is complex-safe (it branches on order, never takes an absolute value), because the validator runs the
forward pass on complex numbers. Where the derivative is simpler in terms of the output a, it is written so.
"""

from __future__ import annotations

from dataclasses import replace

from dotnn.ir.algebra import ABOVE_ZERO, LINEAR, SIGN_KEPT, SIGNS, UNKNOWN, Algebra, Property
from dotnn.ir.expr import Expr
from dotnn.ir.node import Node, Value
from dotnn.ir.op import Builder, Op, no_gradient, same_as_first, sends

FIXED_ABOVE_ZERO = Algebra(keeps=ABOVE_ZERO.has)
"""Values above 0 stay as they are; what happens to the others is a matter of a slope of any sign."""


def unary(
    name: str,
    numpy: str,
    derivative: str = "",
    *,
    reads: str = "input",
    equation: str = "",
    helpers: tuple[str, ...] = (),
    algebra: Algebra = UNKNOWN,
    idle: Property | None = None,
    as_tanh: tuple[float, float, float] | None = None,
) -> tuple[Op, Op]:
    """Return the op of an activation and the op of its derivative.

    `derivative` is a formula over `d` (the cotangent of a) and `z` or `a`, whichever `reads` says; without one it is
    found by differentiation. `algebra` is what is known of a; where z or a is `idle` there is no slope. `as_tanh` is
    explained in `Op`.
    """

    def vjp(b: Builder, node: Node, d: Value) -> list[Value]:
        saved = node.ins[0] if reads == "input" else node.out
        return [b.emit(f"{name}_derivative", d, saved, **node.attrs)]

    def derived(node: Node) -> Expr:
        from dotnn.ir.expr.derive import sent_back  # only where it is needed: compiling starts faster without it

        return sent_back(numpy, "z", "a" if reads == "output" else "")

    operands = ("d", "z" if reads == "input" else "a")
    slope = replace(LINEAR, zero_where={1: idle}) if idle else LINEAR
    forward = Op(
        name, ("z",), same_as_first, numpy, vjp, helpers, equation, elementwise=True, algebra=algebra, as_tanh=as_tanh
    )
    backward = Op(
        f"{name}_derivative",
        operands,
        same_as_first,
        derivative or derived,
        helpers=helpers,
        elementwise=True,
        algebra=slope,
    )
    return forward, backward


SIGMOID, SIGMOID_DERIVATIVE = unary(
    "sigmoid",
    "sigmoid(z)",
    "d * a * (1 - a)",
    reads="output",
    equation="a = 1 / (1 + exp(-z))",
    helpers=("sigmoid",),
    algebra=ABOVE_ZERO,
    as_tanh=(0.5, 0.5, 0.5),
)

TANH, TANH_DERIVATIVE = unary(
    "tanh",
    "tanh(z)",
    "d * (1 - a * a)",
    reads="output",
    algebra=SIGN_KEPT,
    as_tanh=(1, 1, 0),
)

RELU, RELU_DERIVATIVE = unary(
    "relu",
    "maximum(z, 0)",
    "d * (a > 0)",
    reads="output",
    equation="a = max(z, 0), relu'(0) = 0",
    algebra=Algebra(has=ABOVE_ZERO.has, keeps=SIGNS),
    idle=Property.NON_POSITIVE,
)

LEAKY_RELU, LEAKY_RELU_DERIVATIVE = unary(
    "leaky_relu",
    "where(z > 0, z, slope * z)",
    "where(z > 0, d, slope * d)",
    algebra=FIXED_ABOVE_ZERO,
)

ELU, ELU_DERIVATIVE = unary(
    "elu",
    "where(z > 0, z, alpha * expm1(minimum(z, 0)))",
    "where(z > 0, d, d * alpha * exp(minimum(z, 0)))",
    equation="a = z if z > 0 else alpha (exp(z) - 1)",
    algebra=FIXED_ABOVE_ZERO,
)

GELU, GELU_DERIVATIVE = unary(
    "gelu",
    "gelu(z)",
    "d * gelu_slope(z)",
    helpers=("sigmoid", "gelu", "gelu_slope"),
    equation="a = z/2 (1 + tanh(sqrt(2/pi) (z + 0.044715 z^3)))",
    algebra=SIGN_KEPT,
)

SILU, SILU_DERIVATIVE = unary(
    "silu",
    "z * sigmoid(z)",
    "d * silu_slope(z)",
    helpers=("sigmoid", "silu_slope"),
    equation="a = z sigmoid(z)",
    algebra=SIGN_KEPT,
)

SOFTPLUS, SOFTPLUS_DERIVATIVE = unary(
    "softplus",
    "softplus(z)",
    "d * sigmoid(z)",
    helpers=("sigmoid", "softplus"),
    equation="a = log(1 + exp(z))",
    algebra=ABOVE_ZERO,
)

THRESHOLD = Op(
    "threshold",
    ("z",),
    same_as_first,
    "(z >= at).astype(z.dtype)",
    no_gradient,
    equation="a = 1 if z >= threshold else 0; its derivative is 0 wherever it exists",
    elementwise=True,
    algebra=ABOVE_ZERO,
)


def _prelu_vjp(b: Builder, node: Node, d: Value) -> list[Value]:
    z, slope = node.ins
    per_unit = b.emit("prelu_d_slope", d, z, name="slope_each")
    return [b.emit("prelu_derivative", d, z, slope), b.emit("sum_examples_to", per_unit, shape=slope.type.shape)]


PRELU = Op(
    "prelu",
    ("z", "slope"),
    same_as_first,
    "where(z > 0, z, slope * z)",
    _prelu_vjp,
    equation="a = z if z > 0 else slope z, with one learned slope per unit (He et al. 2015)",
    algebra=replace(FIXED_ABOVE_ZERO, keeps_from=(0,)),
)

PRELU_DERIVATIVE = Op(
    "prelu_derivative", ("d", "z", "slope"), same_as_first, "where(z > 0, d, slope * d)", algebra=LINEAR
)

PRELU_D_SLOPE = Op(
    "prelu_d_slope",
    ("d", "z"),
    same_as_first,
    "where(z > 0, 0, d * z)",
    elementwise=True,
    algebra=Algebra(linear=(0,), zero_where={1: Property.NON_NEGATIVE}),
)


SOFTMAX = Op(
    "softmax",
    ("z",),
    same_as_first,
    "softmax(z)",
    sends(z="softmax_derivative(d, out)"),
    ("softmax",),
    equation="p_i = exp(z_i) / sum_j exp(z_j)",
    algebra=ABOVE_ZERO,
)

SOFTMAX_DERIVATIVE = Op(
    "softmax_derivative",
    ("d", "p"),
    same_as_first,
    "p * (d - (d * p).sum(axis=-1, keepdims=True))",
    equation="dE/dz_i = p_i (dE/dp_i - sum_j dE/dp_j p_j)",
    algebra=Algebra(linear=(0,), zero_where={0: Property.LEVEL}),
)

LOG_SOFTMAX = Op(
    "log_softmax",
    ("z",),
    same_as_first,
    "log_softmax(z)",
    sends(z="log_softmax_derivative(d, out)"),
    ("log_softmax",),
    equation="log p_i = z_i - log sum_j exp(z_j)",
)
LOG_SOFTMAX_DERIVATIVE = Op(
    "log_softmax_derivative",
    ("d", "a"),
    same_as_first,
    "d - np.exp(a) * d.sum(axis=-1, keepdims=True)",
    algebra=LINEAR,
)
"""The Jacobian is the identity minus the probabilities in every row."""
