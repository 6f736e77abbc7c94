"""Ops that a compiler writes and no layer does: several products as one, several activations as one."""

from __future__ import annotations

from collections.abc import Sequence

from dotnn.ir.node import Node
from dotnn.ir.op import Op, same_as_first
from dotnn.ir.tensor import Attrs, TensorType


def _per_column(node: Node, numbers: str) -> str:
    return f"np.repeat({numbers}, widths)"


def _tanh_line(node: Node) -> str:
    z = "z" if node.attrs["before"] is None else f"z * {_per_column(node, 'before')}"
    return f"np.tanh({z}) * {_per_column(node, 'factor')} + {_per_column(node, 'shift')}"


def _infer_joined(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    return TensorType((*types[0].shape[:-1], sum(t.example[-1] for t in types) + 1))


def _joined_line(node: Node) -> str:
    parts = ", ".join(f"x{i}" for i in range(len(node.ins)))
    return f"np.concatenate([{parts}, 0 * x0[..., :1] + 1], axis=-1)"


def _rows_of(type: TensorType) -> int:
    return type.example[0] if len(type.shape) == 2 else 1


def _stacked_line(node: Node) -> str:
    parts = (f"x{i}" + "[None]" * (len(v.type.shape) == 1) for i, v in enumerate(node.ins))
    return f"np.concatenate([{', '.join(parts)}], axis=0)"


def _infer_rows(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    count = () if attrs["stop"] is None else (attrs["stop"] - attrs["start"],)
    return TensorType((*count, *types[0].shape[1:]))


SCALED_TANH = Op("scaled_tanh", ("z",), same_as_first, _tanh_line, elementwise=True)
"""factor tanh(before z) + shift: one number of each for every group of columns; `before` is None where z has it."""

JOIN_WITH_ONE = Op("join_with_one", ("*",), _infer_joined, _joined_line, joins=True)
"""The operands side by side, and a column of ones for a bias."""

STACK_ROWS = Op(
    "stack_rows",
    ("*",),
    lambda types, attrs: TensorType((sum(map(_rows_of, types)), types[0].shape[-1])),
    _stacked_line,
    stacks=True,
)
"""Matrices under each other; a vector is one row."""


def _rows_line(node: Node) -> str:
    return "x[start]" if node.attrs["stop"] is None else "x[start:stop]"


ROWS = Op("rows", ("x",), _infer_rows, _rows_line, cuts_rows=True)
"""Some rows of a matrix, or one as a vector."""


def _scaled_line(node: Node) -> str:
    scaled = f"W * {_per_column(node, 'factors')}"
    pieces = node.attrs.get("columns")
    return (
        f"np.concatenate([{', '.join(f'({scaled})[..., {a}:{b}]' for a, b in pieces)}], axis=-1)" if pieces else scaled
    )


SCALE_COLUMNS = Op("scale_columns", ("W",), same_as_first, _scaled_line)
"""A matrix times one number for every group of columns; with `columns`, these pieces of the result side by side."""
