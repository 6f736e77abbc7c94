"""Layers that make images and sequences larger without weights."""

from __future__ import annotations

from dotnn.core.arguments import Arg
from dotnn.ir.node import Value
from dotnn.ir.op import Builder
from dotnn.ir.tensor import BATCH, TensorType
from dotnn.library.layers.base import Attrs, Layer, Lowering, Types
from dotnn.library.layers.windows import BORDERS, WINDOW, Pads, borders, entries, require_places
from dotnn.library.ops import windows


def pads_of(x: TensorType, attrs: Attrs) -> Pads:
    """Return the border, (before, after) for every axis."""
    ones = (1,) * len(windows.sizes(x))
    return borders(attrs["pad"], windows.sizes(x), ones, ones)


def _padded(types: Types, attrs: Attrs) -> TensorType:
    (x,) = types
    require_places(x, "zeropad")
    lengths = (n + sum(pad) for n, pad in zip(windows.sizes(x), pads_of(x, attrs), strict=True))
    return TensorType((BATCH, *lengths, x.example[-1]))


def _lower_pad(b: Builder, low: Lowering) -> Value:
    return b.emit("zero_pad", low.x, pad=pads_of(low.x.type, low.attrs))


def times_of(x: TensorType, attrs: Attrs) -> tuple[int, ...]:
    """Return how often an element is repeated along each axis."""
    return entries(attrs["times"], len(windows.sizes(x)), "times")


def _repeated(types: Types, attrs: Attrs) -> TensorType:
    (x,) = types
    require_places(x, "upsample")
    lengths = (n * k for n, k in zip(windows.sizes(x), times_of(x, attrs), strict=True))
    return TensorType((BATCH, *lengths, x.example[-1]))


def _lower_repeat(b: Builder, low: Lowering) -> Value:
    return b.emit("repeat_blocks", low.x, times=times_of(low.x.type, low.attrs))


ZEROPAD = Layer(
    "zeropad",
    "A border of zeros around images, or before and after sequences.",
    _lower_pad,
    (Arg("pad", BORDERS, doc="its width: p, [p, q] for rows and columns, or [[before, after], …]"),),
    infer=_padded,
    keeps_unit=True,
)

UPSAMPLE = Layer(
    "upsample",
    "Every element repeated along each axis: larger images of larger pixels.",
    _lower_repeat,
    (Arg("times", WINDOW, doc="how often, k or one number per axis"),),
    infer=_repeated,
    keeps_unit=True,
)
