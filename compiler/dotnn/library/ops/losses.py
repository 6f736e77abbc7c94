"""Losses that add up over the features: one number from outputs y and targets t, with the gradient line of each.

The cotangent of the loss, `{d}`, is 1 unless a weight scales it.
"""

from __future__ import annotations

from dotnn.ir.node import Node, Value
from dotnn.ir.op import Op
from dotnn.library.ops.kernels import Kernel, Step, like
from dotnn.library.ops.reduction import divisor, loss_ops, mean_factor, reduced


def pointwise(
    name: str,
    term: str,
    slope: str,
    tensorflow: str,
    *,
    helpers: tuple[str, ...] = (),
    equation: str = "",
    factor: str = "",
    fast: Kernel | None = None,
) -> tuple[Op, Op]:
    """Return the ops of a loss that sums `term(y, t)` over features and examples, and of its gradient by y.

    `tensorflow` is the term in TensorFlow.
    """

    def line(node: Node) -> str:
        return f"{factor}({term}).sum(){divisor(node)}"

    def gradient(node: Node) -> str:
        return f"{{d}} * {slope}{divisor(node)}"

    def in_tensorflow(node: Node) -> str:
        return f"{factor}{reduced(node, tensorflow)}"

    return loss_ops(name, line, gradient, helpers, equation, fast, in_tensorflow)


def _squares(factor: str, slope: str) -> Kernel:
    """Return the kernel of a sum of squared errors: the error is the gradient but for a factor."""

    def kernel(e: Step, node: Node) -> bool:
        y, t = node.ins
        gradient = e.with_gradient(node)
        if gradient is None:
            return False
        d = e.out(gradient.out, over=(y,))
        e.run(f"subtract({y.name}, {t.name}, {d})")
        error = e.flat(gradient.out)
        e.run(f"{node.out.name} = {factor}dot({error}, {error}){mean_factor(node)}")
        scale = e.number("loss_scale", f"{slope}{e.seed(gradient.ins[0])}{mean_factor(node)}")
        e.run(f"multiply({d}, {scale}, {d})")
        return True

    return kernel


def _sum(e: Step, value: Value, array: str) -> str:
    """Return the expression of the sum of an array, shaped like a value; the planes of images do not lie as rows do."""
    if len(value.type.shape) == 4:
        return f"add.reduce({array}, axis=None)"
    ones = e.bind(f"{value.name}_ones", f"np.ones({value.name}.size, dtype)")
    return f"dot({ones}, {e.bind(f'{array}_flat', f'{array}.reshape(-1)')})"


def _fast_sigmoid_bce(e: Step, node: Node) -> bool:
    """For targets of 0 and 1: with sign = 1 - 2 t, E = log(1 + exp(sign z)), whose slope is sign sigmoid(sign z).

    No digit cancels there, as some do in log(1 + exp(z)) - t z; and sigmoid(v) = exp(v - log(1 + exp(v))).
    """
    z, t = node.ins
    gradient = e.with_gradient(node)
    if gradient is None:
        return False
    mean = mean_factor(node)
    signs = (f"{t.name}_sign", f"1 - 2 * np.asarray({e.example(t)}, dtype)")
    rows = e.example_array(*signs)
    axes = "" if len(z.type.shape) == 2 else f", {(*range(1, len(z.type.shape)), 0)}"
    sign = e.bind(f"{t.name}_sign", f"np.transpose({rows}{axes})")
    binary = e.bind(f"{t.name}_is_binary", f"bool((abs({e.all_examples(*signs)}) == 1).all())")
    signed, log = (e.scratch(f"{z.name}_{name}", *like(z)) for name in ("signed", "log"))
    zero = e.number("zero", "0")
    d = e.out(gradient.out, over=(z,))
    e.run(f"if {binary}:")
    e.run(f"    multiply({z.name}, {sign}, {signed})")
    e.run(f"    logaddexp({signed}, {zero}, {log})")
    e.run(f"    {node.out.name} = {_sum(e, z, log)}{mean}")
    e.run(f"    subtract({signed}, {log}, {d})")
    e.run(f"    exp({d}, {d})")
    e.run(f"    multiply({d}, {sign}, {d})")
    e.run("else:")
    e.run(f"    {node.out.name} = sigmoid_cross_entropy({z.name}, {t.name}).sum(){mean}")
    e.run(f"    copyto({d}, sigmoid({z.name}) - {t.name})")
    scale = e.number("loss_scale", f"{e.seed(gradient.ins[0])}{mean}")
    e.run(f"multiply({d}, {scale}, {d})")
    return True


HALF_SSE, HALF_SSE_GRADIENT = pointwise(
    "half_sse",
    "({t} - {y}) ** 2",
    "({y} - {t})",
    "tf.square({t} - {y})",
    factor="0.5 * ",
    equation="E = 1/2 sum (t - y)^2",
    fast=_squares("0.5 * ", ""),
)

SSE, SSE_GRADIENT = pointwise(
    "sse",
    "({t} - {y}) ** 2",
    "2 * ({y} - {t})",
    "tf.square({t} - {y})",
    equation="E = sum (t - y)^2",
    fast=_squares("", "2 * "),
)

MSE, MSE_GRADIENT = pointwise(
    "mse",
    "({t} - {y}) ** 2",
    "2 * ({y} - {t})",
    "tf.square({t} - {y})",
    equation="E = mean (t - y)^2",
    fast=_squares("", "2 * "),
)

L1, L1_GRADIENT = pointwise(
    "l1", "np.where({y} > {t}, {y} - {t}, {t} - {y})", "np.sign({y} - {t})", "tf.abs({y} - {t})",
    equation="E = mean |y - t|",
)  # fmt: skip

HUBER, HUBER_GRADIENT = pointwise(
    "huber", "huber({y} - {t}, {delta})", "huber_slope({y} - {t}, {delta})", "huber({y} - {t}, {delta})",
    helpers=("huber", "huber_slope"),
    equation="E = mean of 1/2 e^2 where |e| <= delta, else delta (|e| - delta/2);  e = y - t",
)  # fmt: skip

HINGE, HINGE_GRADIENT = pointwise(
    "hinge",
    "np.maximum(1 - {t} * {y}, 0)",
    "np.where({t} * {y} < 1, -{t}, 0)",
    "tf.nn.relu(1 - {t} * {y})",
    equation="E = mean max(1 - t y, 0)",
)

PERCEPTRON, PERCEPTRON_GRADIENT = pointwise(
    "perceptron", "np.where({t} * {y} <= 0, -{t} * {y}, 0)", "np.where({t} * {y} <= 0, -{t}, 0)",
    "tf.where({t} * {y} <= 0, -{t} * {y}, tf.zeros_like({y}))",
    equation="E = -sum of t y over the misclassified examples (t y <= 0)",
)  # fmt: skip

BCE, BCE_GRADIENT = pointwise(
    "bce", "binary_cross_entropy({y}, {t})", "binary_cross_entropy_slope({y}, {t})", "binary_cross_entropy({y}, {t})",
    helpers=("binary_cross_entropy", "binary_cross_entropy_slope"),
    equation="E = -mean (t log p + (1 - t) log(1 - p))",
)  # fmt: skip

SIGMOID_BCE, SIGMOID_BCE_GRADIENT = pointwise(
    "sigmoid_bce", "sigmoid_cross_entropy({y}, {t})", "(sigmoid({y}) - {t})",
    "tf.nn.sigmoid_cross_entropy_with_logits({t}, {y})", helpers=("sigmoid_cross_entropy", "sigmoid"),
    equation="E = -mean (t log p + (1 - t) log(1 - p)) with p = sigmoid(z): log(1 + exp(z)) - t z",
    fast=_fast_sigmoid_bce,
)  # fmt: skip
