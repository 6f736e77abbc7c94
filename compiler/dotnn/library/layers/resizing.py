"""Layers that make images and sequences larger without weights."""

from __future__ import annotations

from typing import Any

from dotnn.core.arguments import Arg
from dotnn.ir.node import Value
from dotnn.ir.op import Builder
from dotnn.ir.tensor import BATCH, TensorType
from dotnn.library.layers.base import Attrs, Layer, Lowering, Types
from dotnn.library.layers.keras import Keras
from dotnn.library.layers.windows import BORDERS, WINDOW, borders, entries, require_places
from dotnn.library.ops import windows


def _borders(x: TensorType, attrs: Attrs) -> Any:
    ones = (1,) * len(windows.sizes(x))
    return borders(attrs["pad"], windows.sizes(x), ones, ones)


def _padded(types: Types, attrs: Attrs) -> TensorType:
    (x,) = types
    require_places(x, "zeropad")
    lengths = (n + sum(pad) for n, pad in zip(windows.sizes(x), _borders(x, attrs), strict=True))
    return TensorType((BATCH, *lengths, x.example[-1]))


def _lower_pad(b: Builder, low: Lowering) -> Value:
    return b.emit("zero_pad", low.x, pad=_borders(low.x.type, low.attrs))


def _times(x: TensorType, attrs: Attrs) -> tuple[int, ...]:
    return entries(attrs["times"], len(windows.sizes(x)), "times")


def _repeated(types: Types, attrs: Attrs) -> TensorType:
    (x,) = types
    require_places(x, "upsample")
    lengths = (n * k for n, k in zip(windows.sizes(x), _times(x, attrs), strict=True))
    return TensorType((BATCH, *lengths, x.example[-1]))


def _lower_repeat(b: Builder, low: Lowering) -> Value:
    return b.emit("repeat_blocks", low.x, times=_times(low.x.type, low.attrs))


def _keras(name: str, types: Types, sizes: Any) -> Keras:
    rank = len(types[0].example) - 1
    return Keras(f"keras.layers.{name}{rank}D", (sizes if rank > 1 else sizes[0],))


ZEROPAD = Layer(
    "zeropad",
    "A border of zeros around images, or before and after sequences.",
    _lower_pad,
    (Arg("pad", BORDERS, doc="its width: p, [p, q] for rows and columns, or [[before, after], …]"),),
    infer=_padded,
    keras="ZeroPadding1D, ZeroPadding2D",
    tensorflow=lambda types, attrs: _keras("ZeroPadding", types, _borders(types[0], attrs)),
    keeps_unit=True,
)

UPSAMPLE = Layer(
    "upsample",
    "Every element repeated along each axis: larger images of larger pixels.",
    _lower_repeat,
    (Arg("times", WINDOW, doc="how often, k or one number per axis"),),
    infer=_repeated,
    keras="UpSampling1D, UpSampling2D",
    tensorflow=lambda types, attrs: _keras("UpSampling", types, _times(types[0], attrs)),
    keeps_unit=True,
)
