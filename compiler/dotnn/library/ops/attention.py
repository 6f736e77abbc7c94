"""Products of attention, softmax(q kᵀ / sqrt(d)) v (Vaswani et al. 2017), in Einstein's notation: b examples, q and s
positions of queries and of keys, h heads, d k v features. The gradient of such a product is two such products."""

from __future__ import annotations

from collections.abc import Sequence

from dotnn.ir.algebra import PRODUCT, RESHAPED, SUM
from dotnn.ir.node import Node, Value
from dotnn.ir.op import Builder, Op, Readers, as_bool, no_gradient, same_as_first, sends
from dotnn.ir.tensor import Attrs, TensorType

FAR_BELOW = "-1e9"
"""The score of a key that is masked: its weight, exp of it, is 0 exactly (as Keras)."""


def _indices(attrs: Attrs) -> tuple[str, str, str]:
    operands, _, result = attrs["equation"].partition("->")
    left, _, right = operands.partition(",")
    return left, right, result


def _infer_product(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    left, right, result = _indices(attrs)
    sizes: dict[str, int | str] = {}
    for letters, type in zip((left, right), types, strict=False):
        for letter, size in zip(letters, type.shape, strict=True):
            if sizes.setdefault(letter, size) != size:
                raise ValueError(f"einsum {attrs['equation']}: {types[0]} does not fit {types[1]}")
    return TensorType(tuple(sizes[letter] for letter in result))


def _product_line(node: Node) -> str:
    bias = " + bias" if len(node.ins) == 3 else ""
    root = f" / math.sqrt({node.attrs['root']})" if node.attrs.get("root") else ""
    return f"np.einsum(equation, a, b){root}{bias}"


def _product_vjp(b: Builder, node: Node, d: Value) -> list[Value]:
    left, right, result = _indices(node.attrs)
    a, c = node.ins[:2]
    root = {"root": node.attrs["root"]} if node.attrs.get("root") else {}
    d_bias = [b.emit("sum_examples_to", d, shape=node.ins[2].type.shape)] if len(node.ins) == 3 else []
    return [
        b.emit("einsum", d, c, equation=f"{result},{right}->{left}", **root),
        b.emit("einsum", a, d, equation=f"{left},{result}->{right}", **root),
        *d_bias,
    ]


def _softmax_takes_it_out(value: Value, node: Node, readers: Readers) -> bool:
    """Whether what is added to the keys (here or before a projection to keys) is the same for all scores of a query."""
    if node.attrs.get("root"):  # the scores
        return value.id == node.ins[1].id != node.ins[0].id and _leads_to_softmax(node.out, readers)
    uses = readers.get(node.out.id, ())
    is_summand = value.id != node.ins[1].id
    return is_summand and bool(uses) and all(_is_score(n) and _softmax_takes_it_out(node.out, n, readers) for n in uses)


def _is_score(node: Node) -> bool:
    return node.op == "einsum" and bool(node.attrs.get("root"))


def _leads_to_softmax(scores: Value, readers: Readers) -> bool:
    uses = readers.get(scores.id, ())
    return bool(uses) and all(
        n.op == "softmax" or (n.op in ("mask_future", "mask_keys") and _leads_to_softmax(n.out, readers)) for n in uses
    )


EINSUM = Op(
    "einsum",
    ("a", "b", "bias"),
    _infer_product,
    _product_line,
    _product_vjp,
    shift_invariant=_softmax_takes_it_out,
    positions=True,
    algebra=PRODUCT,
)


def tri(node: Node) -> str:
    """Return the expression of which keys (columns) each query (row) sees: those up to its own place."""
    queries, keys = node.ins[0].type.shape[-2:]
    return f"np.tri({queries}, {keys}, dtype=bool)"


MASK_FUTURE = Op(
    "mask_future",
    ("s",),
    same_as_first,
    lambda node: f"np.where({tri(node)}, s, {FAR_BELOW})",
    sends(s="mask_future_derivative(d)"),
    equation="position i sees the positions up to i",
)

MASK_FUTURE_DERIVATIVE = Op(
    "mask_future_derivative",
    ("d",),
    same_as_first,
    lambda node: f"np.where({tri(node)}, d, 0)",
    algebra=RESHAPED,
)


def _seen(node: Node) -> str:
    between = "None, " * (len(node.ins[0].type.shape) - 2)
    return f"seen[:, {between}:]"


IS_SEEN = Op("is_seen", ("mask",), as_bool, "mask > 0.5", no_gradient, detached=True)

MASK_KEYS = Op(
    "mask_keys",
    ("s", "seen"),
    same_as_first,
    lambda node: f"np.where({_seen(node)}, s, {FAR_BELOW})",
    sends(s="mask_keys_derivative(d, seen)"),
)

MASK_KEYS_DERIVATIVE = Op(
    "mask_keys_derivative",
    ("d", "seen"),
    same_as_first,
    lambda node: f"np.where({_seen(node)}, d, 0)",
    algebra=RESHAPED,
)


def _positions_line(node: Node) -> str:
    length, width = node.ins[0].type.example
    return f"x + sinusoids({length}, {width}).astype(x.real.dtype)"


ADD_POSITIONS = Op(
    "add_positions",
    ("x",),
    same_as_first,
    _positions_line,
    vjp=sends(x="d"),
    helpers=("sinusoids",),
    equation="sin and cos of t / 10000^(2i/d)",
)

STOP_GRADIENT = Op(
    "stop_gradient",
    ("x",),
    same_as_first,
    "stop_gradient(x)",
    no_gradient,
    ("stop_gradient",),
    alias=True,
    algebra=SUM,
)
