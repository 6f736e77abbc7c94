"""Mistakes in the compiler's own rules: an op's derivative line, or its vector-Jacobian product.

A rule is replaced in the registry, a network is compiled anew, and every line of the script that this changes is one
that may be blamed.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from mutation.subjects import script

from dotnn.ir.expr import calls, parse, spell, substitute
from dotnn.ir.op import Op
from dotnn.library.ops import OPS
from dotnn.library.ops.windows import geometry, sizes


@dataclass(frozen=True)
class Rule:
    """A faulty rule: which op, on which networks it is tried, what is wrong, and what becomes of the op."""

    op: str
    change: str
    tamper: Callable[[Op], Op]
    subjects: tuple[str, ...]


def line(op: str, numpy: str, *subjects: str) -> Rule:
    """An op whose NumPy line is wrong."""
    return Rule(op, numpy, lambda right: replace(right, numpy=numpy), subjects)


def product(op: str, change: str, vjp, *subjects: str) -> Rule:
    """An op whose vector-Jacobian product is put together wrongly."""
    return Rule(op, change, lambda right: replace(right, vjp=vjp), subjects)


@contextmanager
def tampered(rule: Rule) -> Iterator[None]:
    """Put a faulty rule into the registry for a while."""
    right = OPS[rule.op]
    OPS[rule.op] = rule.tamper(right)
    try:
        yield
    finally:
        OPS[rule.op] = right


def faulty_script(rule: Rule, subject: str) -> str:
    """The script of a network, compiled with a faulty rule."""
    with tampered(rule):
        return script(subject)


def _width(value) -> int:
    return value.type.example[-1]


def _other_columns(shift):
    def vjp(b, node, d):
        width, first = _width(node.out), _width(node.ins[0])
        parts = [(0, first), *((width - _width(v), width) for v in node.ins[1:])]
        return [b.emit("columns", d, start=s + shift(i), stop=e + shift(i)) for i, (s, e) in enumerate(parts)]

    return vjp


def _affine_by(d_input="affine_d_input", bias="sum_examples"):
    def vjp(b, node, d):
        x, weight = node.ins[:2]
        d_bias = [b.emit(bias, d) if bias else None] if len(node.ins) == 3 else []
        return [b.emit(d_input, d, weight) if d_input else None, b.emit("affine_d_weight", x, d), *d_bias]

    return vjp


def _own_operand(b, node, d):
    return [b.emit("multiply", d, node.ins[0]) for _ in node.ins]


def _rescaled_without_factor(b, node, d, right=OPS["rescale"].vjp):
    return [d, *right(b, node, d)[1:]]


def _products(root=True, swap=False):
    """The rule of a product in Einstein's notation, without its root, or with the scores transposed."""

    def vjp(b, node, d):
        operands, _, result = node.attrs["equation"].partition("->")
        left, _, right = operands.partition(",")
        if swap and node.attrs.get("root"):
            result = result.translate(str.maketrans("qs", "sq"))
        kept = {"root": node.attrs["root"]} if root and node.attrs.get("root") else {}
        d_bias = [b.emit("sum_examples_to", d, shape=v.type.shape) for v in node.ins[2:]]
        return [
            b.emit("einsum", d, node.ins[1], equation=f"{result},{right}->{left}", **kept),
            b.emit("einsum", node.ins[0], d, equation=f"{left},{result}->{right}", **kept),
            *d_bias,
        ]

    return vjp


def _emits(op, *attrs):
    def vjp(b, node, d):
        return [b.emit(op, d, **({"units": _width(node.ins[0])} if "units" in attrs else {}))]

    return vjp


def _convolved(rank, bias=True, to_input=lambda where: where, to_weight=lambda where: where):
    """The product of a convolution with something wrong about its bias, or about where the kernel stands."""

    def vjp(b, node, d):
        x, weight = node.ins[:2]
        where = geometry(node.attrs)
        kernel = weight.type.example[:-2]
        parts = [
            b.emit(f"conv{rank}d_transpose", d, weight, size=x.type.example[:-1], **to_input(where)),
            b.emit(f"conv{rank}d_d_weight", x, d, kernel=kernel, **to_weight(where)),
        ]
        return parts + [b.emit("sum_examples", d) if bias else None] * (len(node.ins) - 2)

    return vjp


def _turned_border(where):
    return where | {"pad": tuple((high, low) for low, high in where["pad"])}


def _no_stride(where):
    return where | {"stride": (1,) * len(where["stride"])}


def _cut_elsewhere(b, node, d):
    return [b.emit("cut", d, every=node.attrs["every"], reverse=not node.attrs["reverse"])]


def _as_mean(b, node, d):
    return [b.emit(node.op.replace("max", "avg") + "_d_input", d, size=sizes(node.ins[0].type), **node.attrs)]


def _relining(op: str, change: str, old: str, new: str, *subjects: str) -> Rule:
    return Rule(op, change, lambda right: _relined(right, lambda text: text.replace(old, new)), subjects)


RULES = [
    product("conv2d", "no gradient for b", _convolved(2, bias=False), "image", "groups"),
    product("conv2d", "border turned round for x", _convolved(2, to_input=_turned_border), "image", "groups"),
    product("conv2d", "border turned round for W", _convolved(2, to_weight=_turned_border), "image", "groups"),
    product("conv2d", "stride forgotten for W", _convolved(2, to_weight=_no_stride), "image"),
    product("conv1d", "no gradient for b", _convolved(1, bias=False), "steps"),
    product("conv1d", "border turned round for W", _convolved(1, to_weight=_turned_border), "steps"),
    product("conv1d", "stride forgotten for x", _convolved(1, to_input=_no_stride), "steps"),
    product("max_pool2d", "the gradient of a mean", _as_mean, "image"),
    product("max_pool1d", "the gradient of a mean", _as_mean, "steps"),
    product("max_global", "the gradient of a mean",
            lambda b, n, d: [b.emit("avg_global_d_input", d, size=sizes(n.ins[0].type))], "image"),
    Rule("avg_global_d_input", "not divided by the number of places",
         lambda right: replace(right, numpy=lambda n: f"np.tile(d[:, None, None], {(1, *n.attrs['size'], 1)})"),
         ("image", "groups")),
    _relining("sum_blocks", "a mean for a sum", ".sum(", ".mean(", "decoder"),
    product("zero_pad", "border turned round",
            lambda b, n, d: [b.emit("crop", d, pad=_turned_border(n.attrs)["pad"])], "decoder"),
    line("affine_d_input", "d @ W", "square"),
    line("affine_d_input", "(W @ d.T)", "square"),
    line("affine_d_weight", "d.T @ x", "square"),
    line("affine_d_weight", "x.T @ d / len(d)", "chain", "square"),
    line("affine_d_weight", "-(x.T @ d)", "residual", "shared"),
    line("sum_examples", "d.mean(axis=0)", "chain", "tasks"),
    line("sum_examples", "d.sum(axis=1)", "square"),
    line("sum_examples", "d[0]", "chain", "residual"),
    product("affine", "no gradient for b", _affine_by(bias=""), "chain", "joins"),
    product("affine", "no cotangent for x", _affine_by(d_input=""), "chain", "residual"),
    line("sigmoid_derivative", "d * (1 - a)", "chain", "square"),
    line("sigmoid_derivative", "d * a * a", "chain"),
    line("sigmoid_derivative", "d * a * (1 + a)", "square"),
    product("sigmoid", "reads z, not a", lambda b, n, d: [b.emit("sigmoid_derivative", d, n.ins[0])], "chain"),
    line("tanh_derivative", "d * (1 - a)", "chain", "residual"),
    line("tanh_derivative", "d * (1 + a * a)", "shared"),
    product("tanh", "reads z, not a", lambda b, n, d: [b.emit("tanh_derivative", d, n.ins[0])], "chain", "tasks"),
    line("relu_derivative", "d * (a >= 0)", "residual"),
    line("relu_derivative", "d * (a < 1)", "residual"),
    line("relu_derivative", "d * a", "residual"),
    line("leaky_relu_derivative", "np.where(z > 0, d, 0)", "kinked"),
    line("leaky_relu_derivative", "np.where(z > 0, slope * d, d)", "kinked"),
    line("leaky_relu_derivative", "np.where(z >= 0, d, slope * d)", "kinked"),
    line("elu_derivative", "np.where(z > 0, d, d * np.exp(np.minimum(z, 0)))", "kinked"),
    line("elu_derivative", "np.where(z > 0, d, d * alpha * (np.exp(np.minimum(z, 0)) - 1))", "kinked"),
    line("elu_derivative", "np.where(z >= 0, d, d * alpha * np.exp(np.minimum(z, 0)))", "kinked"),
    line("gelu_derivative", "d * gelu(z) / z", "smooth"),
    line("silu_derivative", "d * sigmoid(z)", "smooth"),
    line("silu_derivative", "d * (sigmoid(z) + z * sigmoid(z))", "smooth"),
    line("softplus_derivative", "d * sigmoid(z) * (1 - sigmoid(z))", "smooth"),
    line("softplus_derivative", "d * (z > 0)", "smooth"),
    line("prelu_derivative", "np.where(z > 0, d, 0)", "kinked", "table"),
    line("prelu_derivative", "np.where(z >= 0, d, slope * d)", "kinked", "table"),
    line("prelu_derivative", "slope * d", "kinked"),
    line("prelu_d_slope", "np.where(z > 0, d * z, 0)", "kinked", "table"),
    line("prelu_d_slope", "d * z", "kinked"),
    line("prelu_d_slope", "np.where(z > 0, 0, d)", "table"),
    line("sum_examples_to", "d[0]", "kinked"),
    line("softmax_derivative", "p * (d - d.sum(axis=-1, keepdims=True))", "joins", "cross_entropy_scaled"),
    line("softmax_derivative", "d * p * (1 - p)", "joins", "cross_entropy_scaled"),
    line("softmax_derivative", "p * (d + (d * p).sum(axis=-1, keepdims=True))", "joins"),
    line("softmax_derivative", "d - (d * p).sum(axis=-1, keepdims=True)", "joins"),
    line("softmax_derivative", "p * (d - (d * p).sum(axis=0, keepdims=True))", "joins"),
    line("accumulate", "x0", "residual", "tasks", "shared"),
    line("accumulate", "x1", "residual", "tasks", "shared"),
    line("accumulate", "x0 - x1", "residual", "joins"),
    line("accumulate", "x0 + x1 + x1", "residual", "shared"),
    product("add", "no cotangent for the first", lambda b, n, d: [None, d], "residual"),
    product("add", "no cotangent for the second", lambda b, n, d: [d, None], "residual"),
    product("subtract", "no minus", lambda b, n, d: [d, d], "shared", "joins"),
    product("subtract", "minus on the first", lambda b, n, d: [b.emit("negate", d), d], "joins"),
    product("multiply", "its own operand, not the other", _own_operand, "joins"),
    line("where_not_less", "d * (a > b)", "joins"),
    line("where_less", "d * (a <= b)", "joins"),
    product(
        "maximum", "sides swapped",
        lambda b, n, d: [b.emit("where_less", d, *n.ins), b.emit("where_not_less", d, *n.ins)],
        "joins",
    ),
    product("concat", "offsets one too small", _other_columns(lambda i: -1 if i else 0), "joins"),
    product("concat", "offsets one too large", _other_columns(lambda i: 0 if i else 1), "joins"),
    product(
        "select", "branch index one too large",
        lambda b, n, d: [
            b.emit("select_d_switch", d, *n.ins[1:]), *(b.emit("select_d_branch", d, n.ins[0], k=1) for _ in n.ins[1:])
        ],
        "joins",
    ),
    product(
        "select", "branches swapped for the switch",
        lambda b, n, d: [
            b.emit("select_d_switch", d, *reversed(n.ins[1:])),
            *(b.emit("select_d_branch", d, n.ins[0], k=k) for k in range(len(n.ins) - 1)),
        ],
        "joins",
    ),
    line("select_d_branch", "d", "joins"),
    product("sum_features", "the gradient of a mean", _emits("spread_mean", "units"), "joins"),
    product("mean_features", "the gradient of a sum", _emits("spread", "units"), "joins"),
    product("spread", "a mean for a sum", _emits("mean_features"), "joins"),
    product("scale", "factor forgotten", lambda b, n, d: [d], "joins"),
    line("spread_mean", "np.repeat(d, units, axis=-1)", "joins"),
    product("dropout", "mask forgotten", lambda b, n, d: [d, None], "dropped"),
    product("add", "no cotangent past the noise", lambda b, n, d: [None, d], "normed"),
    product("truncate", "never cuts", lambda b, n, d: [d], "truncated"),
    product("truncate", "cuts at another step", _cut_elsewhere, "truncated"),
    line("cut", "d", "truncated"),
    product("stop_gradient", "passes the cotangent on", lambda b, n, d: [d], "stopped"),
    product("batch_mean", "the mean taken for a constant", lambda b, n, d: [None, None, None], "normed"),
    product("batch_variance", "the variance taken for a constant", lambda b, n, d: [None, None, None], "normed"),
    line("batch_mean_d_x", "np.broadcast_to(d, x.shape)", "normed", "layernormed"),
    line("batch_variance_d_c", "d * 2 * c", "normed", "layernormed"),
    line("batch_variance_d_c", "d * share * c", "normed"),
    product("centre", "the mean taken for a constant", lambda b, n, d: [d, None], "normed", "layernormed"),
    line("centre_d_mean", "d.sum(axis=0)", "normed"),
    line("centre_d_mean", "-d.mean(axis=0)", "normed"),
    line("inverse_root_derivative", "-0.5 * d * r ** 2", "normed", "layernormed"),
    line("inverse_root_derivative", "-d * r ** 3", "normed"),
    line("inverse_root_derivative", "-0.5 * d * (r ** -2 - 0.3) ** -1.5", "layernormed"),
    product("rescale", "factor forgotten", _rescaled_without_factor, "layernormed"),
    line("rescale_d_factor", "d.sum(axis=0)", "normed"),
    line("rescale_d_factor", "(d * x).mean(axis=0)", "normed"),
    line("feature_variance_d_c", "d * 2 * c", "layernormed"),
    line("feature_variance_d_c", "d / 6 * c", "layernormed"),
    line("sum_rows", "sum_by_row(ids[:1], d[:1], rows)", "attentive"),
    line("sum_rows", "sum_by_row(ids, d, rows) / len(ids)", "attentive"),
    product("einsum", "the root forgotten", _products(root=False), "attentive"),
    product("einsum", "the scores transposed", _products(swap=True), "attentive"),
    line("softmax_derivative", "p * (d - (d * p).sum(axis=-2, keepdims=True))", "attentive"),
    line("mask_future_derivative", "np.where(np.tri(4, 4, -1, dtype=bool), d, 0)", "attentive"),
    line("mask_keys_derivative", "np.where(seen[:, None, :], 0, d)", "attentive"),
    line("l2_penalty_gradient", "d * strength * W", "tasks"),
    line("l2_penalty_gradient", "2 * strength * W", "tasks"),
    line("l2_penalty_gradient", "d * 2 * W", "tasks"),
    line("l1_penalty_gradient", "d * strength * W", "sparse"),
    line("l1_penalty_gradient", "d * 2 * strength * np.sign(W)", "sparse"),
    product("total", "weights forgotten", lambda b, n, d: [d for _ in n.ins], "tasks"),
    product(
        "total", "penalties forgotten",
        lambda b, n, d: [None if v.name.startswith("l2") else b.emit("scale", d, factor=w)
                         for v, w in zip(n.ins, n.attrs["weights"], strict=True)],
        "tasks",
    ),
]  # fmt: skip


def loss_rules() -> list[Rule]:
    """The mistakes that every loss admits, in its gradient's line."""
    return [
        Rule(op, change, tamper, (subject,))
        for subject, op in _LOSSES.items()
        for change, tamper in {
            "half of it": lambda right: _relined(right, lambda text: f"0.5 * ({text})"),
            "wrong sign": lambda right: _relined(right, lambda text: f"-({text})"),
            "d_loss forgotten": lambda right: _relined(right, lambda text: text.replace("d * ", "", 1)),
            "target and output swapped": lambda right: _relined(right, _exchanged),
        }.items()
    ]


def _relined(op: Op, change: Callable[[str], str]) -> Op:
    return replace(op, numpy=lambda node: change(spell(op.formula(node), helpers=op.helpers)))


def _exchanged(text: str) -> str:
    return spell(substitute(parse(text), {"y": "t", "t": "y"}), helpers=calls(parse(text)))


_LOSSES = {
    "bce": "sigmoid_bce_gradient",
    "bce_scaled": "bce_gradient",
    "cross_entropy": "softmax_cross_entropy_gradient",
    "cross_entropy_scaled": "cross_entropy_gradient",
    "cross_entropy_rows": "softmax_cross_entropy_gradient",
    **{name: f"{name}_gradient" for name in ("hinge", "perceptron", "half_sse", "sse", "mse", "l1", "huber")},
}
