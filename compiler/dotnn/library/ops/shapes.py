"""Ops that move values without changing them, and sums over axes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from dotnn.ir.algebra import (
    ABOVE_ZERO,
    ALL,
    BILINEAR,
    MOVED,
    OVER_FEATURES,
    RESHAPED,
    SIGN_KEPT,
    SIGNS,
    TO_FEATURES,
    Algebra,
    Property,
)
from dotnn.ir.node import Node, Value
from dotnn.ir.op import Builder, Op, sends
from dotnn.ir.tensor import BATCH, Attrs, TensorType

LEVEL = frozenset({Property.LEVEL})


def _infer_reshape(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    shape = tuple(attrs["shape"])
    if math.prod(types[0].example) != math.prod(shape):
        raise ValueError(f"reshape: {types[0]} has not the size of {list(shape)}")
    return TensorType((BATCH, *shape), types[0].dtype)


def _reshape_line(node: Node) -> str:
    return f"x.reshape({', '.join(map(str, (-1, *node.attrs['shape'])))})"


RESHAPE = Op(
    "reshape",
    ("x",),
    _infer_reshape,
    _reshape_line,
    lambda b, node, d: [b.emit("reshape", d, shape=node.ins[0].type.example)],
    additive=lambda node: (0,) if len(node.out.type.shape) == 2 else (),
    reshapes=True,
    algebra=MOVED,
)


def _infer_concat(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    first = types[0]
    width = sum(t.example[-1] for t in types)
    return TensorType((*first.shape[:-1], width), first.dtype)


def _concat_line(node: Node) -> str:
    return f"np.concatenate([{', '.join(f'x{i}' for i in range(len(node.ins)))}], axis=-1)"


def _concat_vjp(b: Builder, node: Node, d: Value) -> list[Value]:
    cotangents, start = [], 0
    for value in node.ins:
        width = value.type.example[-1]
        cotangents.append(b.emit("columns", d, start=start, stop=start + width))
        start += width
    return cotangents


def _infer_columns(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    return TensorType((*types[0].shape[:-1], attrs["stop"] - attrs["start"]), types[0].dtype)


def _columns_vjp(b: Builder, node: Node, d: Value) -> list[Value]:
    width = node.ins[0].type.example[-1]
    return [b.emit("pad_columns", d, before=node.attrs["start"], after=width - node.attrs["stop"])]


def _pad_line(node: Node) -> str:
    lead = "(0, 0), " * (len(node.ins[0].type.shape) - 1)
    return f"np.pad(d, ({lead}({node.attrs['before']}, {node.attrs['after']})))"


CONCAT = Op("concat", ("*",), _infer_concat, _concat_line, _concat_vjp, additive=ALL, joins=True, algebra=SIGN_KEPT)

COLUMNS = Op(
    "columns",
    ("x",),
    _infer_columns,
    "x[..., start:stop]",
    _columns_vjp,
    additive=(0,),
    cuts=True,
    algebra=Algebra(linear=(0,), keeps=SIGNS | LEVEL),
)

PAD_COLUMNS = Op(
    "pad_columns",
    ("d",),
    lambda types, attrs: TensorType((*types[0].shape[:-1], types[0].example[-1] + attrs["before"] + attrs["after"])),
    _pad_line,
    lambda b, node, d: [
        b.emit("columns", d, start=node.attrs["before"], stop=node.attrs["before"] + node.ins[0].type.example[-1])
    ],
    algebra=RESHAPED,
)


def _sum_to_line(node: Node) -> str:
    lead = len(node.ins[0].type.shape) - len(node.attrs["shape"])
    axes = tuple(range(lead))
    return f"d.sum(axis={axes[0] if len(axes) == 1 else axes})"


SUM_EXAMPLES_TO = Op(
    "sum_examples_to",
    ("d",),
    lambda types, attrs: TensorType(tuple(attrs["shape"])),
    _sum_to_line,
    algebra=Algebra(linear=(0,), keeps=SIGNS | LEVEL),
)
"""Sum over the batch (and any further leading axes) down to the shape of a parameter."""


def _to_one(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    return TensorType((*types[0].shape[:-1], 1))


def _to_many(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    return TensorType((*types[0].shape[:-1], attrs["units"]))


def _width(node: Node) -> int:
    return node.ins[0].type.example[-1]


SUM_FEATURES = Op(
    "sum_features",
    ("x",),
    _to_one,
    "x.sum(axis=-1, keepdims=True)",
    lambda b, node, d: [b.emit("spread", d, units=_width(node))],
    additive=(0,),
    algebra=OVER_FEATURES,
)

MEAN_FEATURES = Op(
    "mean_features",
    ("x",),
    _to_one,
    lambda node: f"x.sum(axis=-1, keepdims=True) / {_width(node)}",
    lambda b, node, d: [b.emit("spread_mean", d, units=_width(node))],
    additive=(0,),
    algebra=OVER_FEATURES,
)

SPREAD = Op(
    "spread",
    ("x",),
    _to_many,
    "np.repeat(x, units, axis=-1)",
    sends(x="sum_features(d)"),
    additive=(0,),
    repeats=True,
    algebra=TO_FEATURES,
)

SPREAD_MEAN = Op(
    "spread_mean",
    ("d",),
    _to_many,
    "np.repeat(d / units, units, axis=-1)",
    algebra=TO_FEATURES,
)


def _select_line(node: Node) -> str:
    branches = range(1, len(node.ins))
    return " + ".join(f"s{_entry(k - 1, node.out.type)} * x{k}" for k in branches)


def _entry(k: int, branch: TensorType) -> str:
    """Return the index of the switch's entry k, one number per example, with an axis for each of the branch's."""
    axes = len(branch.example)
    return f"[..., {k}:{k + 1}]" if axes == 1 else f"[:, {k}{', None' * axes}]"


def _select_vjp(b: Builder, node: Node, d: Value) -> list[Value]:
    switch, *branches = node.ins
    d_switch = b.emit("select_d_switch", d, *branches)
    return [d_switch, *(b.emit("select_d_branch", d, switch, k=k) for k in range(len(branches)))]


def _switch_line(node: Node) -> str:
    """Return one sum for each branch, over all axes of an example."""
    axes = tuple(range(1, len(node.ins[0].type.shape)))
    total = ".sum(axis=-1, keepdims=True)" if len(axes) == 1 else f".sum(axis={axes})[:, None]" if axes else "[:, None]"
    sums = (f"(d * x{k}){total}" for k in range(1, len(node.ins)))
    return f"np.concatenate([{', '.join(sums)}], axis=-1)"


SELECT = Op(
    "select",
    ("s", "*"),
    lambda types, attrs: types[1],
    _select_line,
    _select_vjp,
    equation="y = s_1 a + s_2 b + …; a one-hot s switches one branch on",
    algebra=Algebra(keeps=ABOVE_ZERO.has),
)

SELECT_D_SWITCH = Op(
    "select_d_switch",
    ("d", "*"),
    lambda types, attrs: TensorType((*types[0].shape[:1], len(types) - 1)),
    _switch_line,
    algebra=Algebra(linear=(0,), alike_from=1),
)

SELECT_D_BRANCH = Op(
    "select_d_branch",
    ("d", "s"),
    lambda types, attrs: types[0],
    lambda node: f"d * s{_entry(node.attrs['k'], node.out.type)}",
    algebra=BILINEAR,
)
