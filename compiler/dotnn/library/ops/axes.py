"""Sums, means and extremes over one axis, which stays with length 1; parts of values; products of matrices."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise, zip_longest

from dotnn.ir.algebra import BILINEAR, LINEAR, RESHAPED, SIGN_KEPT
from dotnn.ir.node import Node, Value
from dotnn.ir.op import Builder, Op, sends
from dotnn.ir.tensor import Attrs, TensorType

LETTERS = "abcdefghijklmnop"
Place = int | tuple[int, int]
"""What an index takes of an axis: one number of it, or those from one to another."""


def _kept(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    shape = types[0].shape
    return TensorType(tuple(1 if i in attrs["axes"] else d for i, d in enumerate(shape)))


def _repeated(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    shape = types[0].shape
    return TensorType(tuple(attrs["units"] if i == attrs["axis"] else d for i, d in enumerate(shape)))


def _over(method: str) -> Callable[[Node], str]:
    def line(node: Node) -> str:
        axes = node.attrs["axes"]
        return f"x.{method}(axis={axes[0] if len(axes) == 1 else axes}, keepdims=True)"

    return line


def _repeats(op: str) -> Callable[[Builder, Node, Value], list[Value]]:
    def vjp(b: Builder, node: Node, d: Value) -> list[Value]:
        axis, *others = node.attrs["axes"]
        if others:
            return [b.emit("repeat_axes", d, node.ins[0], mean=node.op == "mean_axes", axes=node.attrs["axes"])]
        return [b.emit(op, d, axis=axis, units=node.ins[0].type.shape[axis])]

    return vjp


def _share(node: Node) -> str:
    """Return what each of several elements gets of what is sent to their mean."""
    shape = node.ins[1].type.shape
    sizes = [size for axis in node.attrs["axes"] if isinstance(size := shape[axis], int)]
    return f" / {math.prod(sizes)}" if node.attrs["mean"] else ""


def _extreme_vjp(b: Builder, node: Node, d: Value) -> list[Value]:
    (axis,) = node.attrs["axes"]
    return [b.emit("send_to_extreme", d, node.ins[0], axis=axis, largest=node.op == "max_axes")]


SUM_AXES = Op("sum_axes", ("x",), _kept, _over("sum"), _repeats("repeat_axis"), algebra=RESHAPED)
MEAN_AXES = Op("mean_axes", ("x",), _kept, _over("mean"), _repeats("repeat_share"), algebra=RESHAPED)
MAX_AXES = Op("max_axes", ("x",), _kept, _over("max"), _extreme_vjp)
MIN_AXES = Op("min_axes", ("x",), _kept, _over("min"), _extreme_vjp)

REPEAT_AXIS = Op(
    "repeat_axis",
    ("d",),
    _repeated,
    "np.repeat(d, units, axis=axis)",
    lambda b, node, d: [b.emit("sum_axes", d, axes=(node.attrs["axis"],))],
    algebra=RESHAPED,
)
REPEAT_SHARE = Op("repeat_share", ("d",), _repeated, "np.repeat(d / units, units, axis=axis)", algebra=RESHAPED)
REPEAT_AXES = Op(
    "repeat_axes",
    ("d", "x"),
    lambda types, attrs: types[1],
    lambda node: f"d{_share(node)} * ones_like(x)",
    algebra=LINEAR,
)
SEND_TO_EXTREME = Op(
    "send_to_extreme",
    ("d", "x"),
    lambda types, attrs: types[1],
    lambda node: f"d * first_{'largest' if node.attrs['largest'] else 'smallest'}(x, axis)",
    helpers=("first_largest", "first_smallest"),
    algebra=LINEAR,
)
"""The first of the equal ones gets all."""

LOGSUMEXP = Op(
    "logsumexp",
    ("x",),
    _kept,
    lambda node: f"logsumexp(x, {node.attrs['axes'][0]})",
    sends(x="logsumexp_derivative(d, x, out)"),
    ("logsumexp",),
    equation="log sum_i exp(x_i)",
)
LOGSUMEXP_DERIVATIVE = Op(
    "logsumexp_derivative", ("d", "x", "a"), lambda types, attrs: types[1], "d * np.exp(x - a)", algebra=LINEAR
)


def _part(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    sizes = zip_longest(attrs["places"], types[0].example)
    kept = (size if place is None else place[1] - place[0] for place, size in sizes if not isinstance(place, int))
    return TensorType((types[0].shape[0], *kept), types[0].dtype)


def index_text(places: Sequence[Place], sizes: Sequence[int]) -> str:
    """Return an index as Python writes it: `2:5, 0`; an end that is the axis's own is left out."""
    return ", ".join(_place_text(place, size) for place, size in zip(places, sizes, strict=False))


def _place_text(place: Place, size: int) -> str:
    if isinstance(place, int):
        return str(place)
    start, stop = place
    return f"{start or ''}:{stop if stop != size else ''}"


PART = Op(
    "part",
    ("x",),
    _part,
    lambda node: f"x[:, {index_text(node.attrs['places'], node.ins[0].type.example)}]",
    lambda b, node, d: [b.emit("put_back", d, places=node.attrs["places"], shape=node.ins[0].type.example)],
    algebra=RESHAPED,
)
PUT_BACK = Op(
    "put_back",
    ("d",),
    lambda types, attrs: TensorType((types[0].shape[0], *attrs["shape"])),
    lambda node: f"put_back(d, np.s_[:, {index_text(node.attrs['places'], node.attrs['shape'])}], shape)",
    helpers=("put_back",),
    algebra=RESHAPED,
)

TRANSPOSE = Op(
    "transpose",
    ("x",),
    lambda types, attrs: TensorType((*types[0].shape[:-2], *types[0].shape[:-3:-1])),
    "np.swapaxes(x, -1, -2)",
    sends(x="transpose(d)"),
    algebra=RESHAPED,
)


def _in_order(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    shape = types[0].example
    return TensorType((types[0].shape[0], *(shape[axis] for axis in attrs["order"])))


def _order_line(node: Node) -> str:
    letters = LETTERS[: 1 + len(node.attrs["order"])]
    moved = letters[0] + "".join(letters[1 + axis] for axis in node.attrs["order"])
    return f'np.einsum("{letters}->{moved}", x)'


def _back_in_order(b: Builder, node: Node, d: Value) -> list[Value]:
    order: Sequence[int] = node.attrs["order"]
    return [b.emit("permute", d, order=tuple(sorted(range(len(order)), key=order.__getitem__)))]


PERMUTE = Op("permute", ("x",), _in_order, _order_line, _back_in_order, algebra=RESHAPED)
"""Axes in another order: that of axis i of the result is `order[i]`, both without the batch."""


def _long(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    axis, shape = attrs["axis"], types[0].shape
    return TensorType((*shape[:axis], sum(t.example[axis - 1] for t in types), *shape[axis + 1 :]), types[0].dtype)


def _parts_of(b: Builder, node: Node, d: Value) -> list[Value]:
    before = [(0, size) for size in d.type.example[: node.attrs["axis"] - 1]]
    ends = [0, *accumulate(v.type.example[node.attrs["axis"] - 1] for v in node.ins)]
    return [b.emit("part", d, places=(*before, place)) for place in pairwise(ends)]


CONCAT_ALONG = Op(
    "concat_along",
    ("*",),
    _long,
    lambda node: f"np.concatenate([{', '.join(f'x{i}' for i in range(len(node.ins)))}], axis={node.attrs['axis']})",
    _parts_of,
    algebra=SIGN_KEPT,
)
"""Values side by side along another axis than the last, `axis` counted with that of the batch."""


def _product(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    a, b = types
    return TensorType((*a.shape[:-1], b.shape[-1]))


MATMUL = Op(
    "matmul", ("a", "b"), _product, "a @ b", sends(a="matmul_d_left(d, b)", b="matmul_d_right(a, d)"), algebra=BILINEAR
)
MATMUL_D_LEFT = Op(
    "matmul_d_left",
    ("d", "b"),
    lambda types, attrs: TensorType((*types[0].shape[:-1], types[1].shape[-2])),
    "d @ b.swapaxes(-1, -2)",
    algebra=BILINEAR,
)
MATMUL_D_RIGHT = Op(
    "matmul_d_right",
    ("a", "d"),
    lambda types, attrs: TensorType((*types[0].shape[:-2], types[0].shape[-1], types[1].shape[-1])),
    "a.swapaxes(-1, -2) @ d",
    algebra=BILINEAR,
)
