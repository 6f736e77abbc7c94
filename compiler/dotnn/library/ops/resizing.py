"""Images and sequences made larger: a border of zeros around them, every element repeated; and the ways back."""

from __future__ import annotations

from collections.abc import Sequence

from dotnn.ir.algebra import RESHAPED
from dotnn.ir.node import Node
from dotnn.ir.op import Op, sends
from dotnn.ir.tensor import BATCH, Attrs, TensorType
from dotnn.library.ops.windows import sizes


def _infer_pad(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    lengths = (n + sum(pad) for n, pad in zip(sizes(types[0]), attrs["pad"], strict=True))
    return TensorType((BATCH, *lengths, types[0].example[-1]))


def _infer_crop(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    lengths = (n - sum(pad) for n, pad in zip(sizes(types[0]), attrs["pad"], strict=True))
    return TensorType((BATCH, *lengths, types[0].example[-1]))


def _crop_line(node: Node) -> str:
    lengths = sizes(node.ins[0].type)
    inside = (f"{low}:{n - high}" for n, (low, high) in zip(lengths, node.attrs["pad"], strict=True))
    return f"d[:, {', '.join(inside)}]"


ZERO_PAD = Op(
    "zero_pad",
    ("x",),
    _infer_pad,
    lambda node: f"np.pad(x, {((0, 0), *node.attrs['pad'], (0, 0))})",
    sends(x="crop(d, pad=pad)"),
    algebra=RESHAPED,
)

CROP = Op(
    "crop",
    ("d",),
    _infer_crop,
    _crop_line,
    sends(d="zero_pad(d, pad=pad)"),
    algebra=RESHAPED,
)


def _infer_repeat(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    lengths = (n * k for n, k in zip(sizes(types[0]), attrs["times"], strict=True))
    return TensorType((BATCH, *lengths, types[0].example[-1]))


def _repeat_line(node: Node) -> str:
    line = "x"
    for axis, times in enumerate(node.attrs["times"], 1):
        line = f"np.repeat({line}, {times}, axis={axis})"
    return line


def _infer_blocks(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    lengths = (n // k for n, k in zip(sizes(types[0]), attrs["times"], strict=True))
    return TensorType((BATCH, *lengths, types[0].example[-1]))


def _blocks_line(node: Node) -> str:
    """Split every axis in two, the blocks and what is inside of them, and sum over the insides."""
    times, channels = node.attrs["times"], node.ins[0].type.example[-1]
    pairs = zip(sizes(node.out.type), times, strict=True)
    shape = ", ".join(f"{blocks}, {inside}" for blocks, inside in pairs)
    axes = tuple(range(2, 2 * len(times) + 1, 2))
    return f"d.reshape(-1, {shape}, {channels}).sum(axis={axes if len(axes) > 1 else axes[0]})"


REPEAT_BLOCKS = Op(
    "repeat_blocks", ("x",), _infer_repeat, _repeat_line, sends(x="sum_blocks(d, times=times)"), algebra=RESHAPED
)

SUM_BLOCKS = Op(
    "sum_blocks", ("d",), _infer_blocks, _blocks_line, sends(d="repeat_blocks(d, times=times)"), algebra=RESHAPED
)
