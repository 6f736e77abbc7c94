"""Losses: one number from a batch of outputs and targets, with the gradient line of each.

Attributes: `reduce` is "mean" or "sum" over the batch; `features` is what else the sum is divided by (the number of
features where the loss averages over them, of positions for a sequence of class targets), 1 for nothing. The
cotangent of the loss, `{d}`, is 1 unless a weight scales it.
"""

from __future__ import annotations

from dotnn.ops.base import Builder, Node, Op, TensorType, Value, scalar


def divisor(node: Node) -> str:
    """Return the text ` / n` that turns a sum into the loss's mean, or nothing."""
    factors = [str(node.attrs["features"])] if node.attrs["features"] > 1 else []
    factors += ["len({y})"] if node.attrs["reduce"] == "mean" else []
    if len(factors) == 2:
        return f" / ({' * '.join(factors)})"
    return f" / {factors[0]}" if factors else ""


def pointwise(
    name: str, term: str, slope: str, *, helpers: tuple[str, ...] = (), equation: str = "", factor: str = ""
) -> tuple[Op, Op]:
    """Return the ops of a loss that sums `term(y, t)` over features and examples, and of its gradient by y."""

    def line(node: Node) -> str:
        return f"{factor}({term}).sum(){divisor(node)}"

    def gradient(node: Node) -> str:
        return f"{{d}} * {slope}{divisor(node)}"

    def vjp(b: Builder, node: Node, d: Value) -> list[Value | None]:
        y, t = node.ins
        return [b.emit(f"{name}_gradient", d, y, t, **node.attrs), None]

    forward = Op(name, ("y", "t"), scalar, line, vjp, helpers, equation)
    backward = Op(f"{name}_gradient", ("d", "y", "t"), lambda types, attrs: types[1], gradient, helpers=helpers)
    return forward, backward


HALF_SSE, HALF_SSE_GRADIENT = pointwise(
    "half_sse", "({t} - {y}) ** 2", "({y} - {t})", factor="0.5 * ", equation="E = 1/2 sum (t - y)^2"
)

SSE, SSE_GRADIENT = pointwise("sse", "({t} - {y}) ** 2", "2 * ({y} - {t})", equation="E = sum (t - y)^2")

MSE, MSE_GRADIENT = pointwise("mse", "({t} - {y}) ** 2", "2 * ({y} - {t})", equation="E = mean (t - y)^2")

L1, L1_GRADIENT = pointwise(
    "l1", "np.where({y} > {t}, {y} - {t}, {t} - {y})", "np.sign({y} - {t})",
    equation="E = mean |y - t|",
)  # fmt: skip

HUBER, HUBER_GRADIENT = pointwise(
    "huber", "huber({y} - {t}, {delta})", "huber_slope({y} - {t}, {delta})", helpers=("huber", "huber_slope"),
    equation="E = mean of 1/2 e^2 where |e| <= delta, else delta (|e| - delta/2);  e = y - t",
)  # fmt: skip

HINGE, HINGE_GRADIENT = pointwise(
    "hinge", "np.maximum(1 - {t} * {y}, 0)", "np.where({t} * {y} < 1, -{t}, 0)", equation="E = mean max(1 - t y, 0)"
)

PERCEPTRON, PERCEPTRON_GRADIENT = pointwise(
    "perceptron", "np.maximum(-{t} * {y}, 0)", "np.where({t} * {y} <= 0, -{t}, 0)",
    equation="E = -sum of t y over the misclassified examples (t y <= 0)",
)  # fmt: skip

BCE, BCE_GRADIENT = pointwise(
    "bce", "binary_cross_entropy({y}, {t})", "binary_cross_entropy_slope({y}, {t})",
    helpers=("binary_cross_entropy", "binary_cross_entropy_slope"),
    equation="E = -mean (t log p + (1 - t) log(1 - p))",
)  # fmt: skip

SIGMOID_BCE, SIGMOID_BCE_GRADIENT = pointwise(
    "sigmoid_bce", "softplus({y}) - {t} * {y}", "(sigmoid({y}) - {t})", helpers=("softplus", "sigmoid"),
    equation="E = -mean (t log p + (1 - t) log(1 - p)) with p = sigmoid(z): log(1 + exp(z)) - t z",
)  # fmt: skip


def class_loss(name: str, term: str, slope: str, helpers: tuple[str, ...], equation: str) -> tuple[Op, Op]:
    """Return the ops of a categorical loss over the last axis and of its gradient.

    Targets are class numbers (spread to one-hot rows where the line needs them) or rows that sum to one.
    """

    def rows(node: Node, target: int) -> str:
        y, t = node.ins[target - 1], node.ins[target]
        labels = f"one_hot_rows({{t}}, {y.type.example[-1]}, {{y}}.dtype)" if t.type.dtype == "int" else "{t}"
        return f"smooth({labels}, {node.attrs['smoothing']})" if node.attrs["smoothing"] else labels

    def line(node: Node) -> str:
        return f"{term.replace('{rows}', rows(node, 1))}{divisor(node)}"

    def gradient(node: Node) -> str:
        return f"{{d}} * {slope.replace('{rows}', rows(node, 2))}{divisor(node)}"

    def vjp(b: Builder, node: Node, d: Value) -> list[Value | None]:
        y, t = node.ins
        return [b.emit(f"{name}_gradient", d, y, t, **node.attrs), None]

    forward = Op(name, ("y", "t"), scalar, line, vjp, helpers, equation)
    backward = Op(f"{name}_gradient", ("d", "y", "t"), lambda types, attrs: types[1], gradient, helpers=helpers)
    return forward, backward


CROSS_ENTROPY, CROSS_ENTROPY_GRADIENT = class_loss(
    "cross_entropy", "-({rows} * safe_log({y})).sum()", "-{rows} * safe_log_slope({y})",
    ("one_hot_rows", "smooth", "safe_log", "safe_log_slope"), "E = -mean over examples of sum_k t_k log p_k",
)  # fmt: skip

SOFTMAX_CROSS_ENTROPY, SOFTMAX_CROSS_ENTROPY_GRADIENT = class_loss(
    "softmax_cross_entropy", "-({rows} * log_softmax({y})).sum()", "(softmax({y}) - {rows})",
    ("one_hot_rows", "smooth", "log_softmax", "softmax"),
    "E = -mean over examples of sum_k t_k log p_k with p = softmax(z)",
)  # fmt: skip


def _total_line(node: Node) -> str:
    return " + ".join(f"{{{i}}}" if w == 1 else f"{w} * {{{i}}}" for i, w in enumerate(node.attrs["weights"]))


def _total_vjp(b: Builder, node: Node, d: Value) -> list[Value]:
    return [d if w == 1 else b.emit("scale", d, factor=w) for w in node.attrs["weights"]]


TOTAL = Op("total", ("*",), scalar, _total_line, _total_vjp, equation="the weighted sum of all losses and penalties")

SCALE = Op(
    "scale", ("x",), lambda types, attrs: types[0], "{factor} * {x}",
    lambda b, node, d: [b.emit("scale", d, factor=node.attrs["factor"])], elementwise=True,
)  # fmt: skip


def penalty(name: str, line: str, slope: str, helpers: tuple[str, ...] = (), equation: str = "") -> tuple[Op, Op]:
    """Return the ops of a penalty on a parameter and of its gradient."""

    def vjp(b: Builder, node: Node, d: Value) -> list[Value]:
        return [b.emit(f"{name}_gradient", d, node.ins[0], **node.attrs)]

    forward = Op(name, ("W",), scalar, line, vjp, helpers, equation)
    return forward, Op(f"{name}_gradient", ("d", "W"), lambda types, attrs: TensorType(types[1].shape), slope)


L2_PENALTY, L2_PENALTY_GRADIENT = penalty(
    "l2_penalty", "{strength} * ({W} ** 2).sum()", "{d} * 2 * {strength} * {W}", equation="penalty = strength sum W^2"
)

L1_PENALTY, L1_PENALTY_GRADIENT = penalty(
    "l1_penalty", "{strength} * np.where({W} > 0, {W}, -{W}).sum()",
    "{d} * {strength} * np.sign({W})", equation="penalty = strength sum |W|",
)  # fmt: skip
