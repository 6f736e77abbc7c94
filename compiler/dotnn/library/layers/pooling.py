"""Pooling of sequences, images and volumes: the maximum or the mean of what is under a window, or of all places."""

from __future__ import annotations

from typing import TypedDict

from dotnn.core.arguments import Arg, Kind, Symbol, choice
from dotnn.ir.node import Value
from dotnn.ir.op import Builder
from dotnn.ir.tensor import BATCH, TensorType
from dotnn.library.layers.base import Attrs, Layer, Lowering, Types
from dotnn.library.layers.windows import VOLUMES, WINDOW, Pads, borders, entries, require_fit, require_places
from dotnn.library.ops import windows

AS_WINDOW = Symbol("window")
STRIDE = Kind(f"`window`, {WINDOW.expected}", lambda v: v if v == AS_WINDOW else WINDOW.accept(v), choices=("window",))
PAD = choice("valid", "same")


class Geometry(TypedDict):
    """Where a window stands, one entry for each axis."""

    window: tuple[int, ...]
    stride: tuple[int, ...]
    pad: Pads


def geometry(x: TensorType, attrs: Attrs) -> Geometry:
    """Return where the window of a pooling stands. Raises `ShapeError`."""
    lengths = windows.sizes(x)
    window = entries(attrs["window"], len(lengths), "window")
    stride = window if attrs["stride"] == AS_WINDOW else entries(attrs["stride"], len(lengths), "stride")
    return {"window": window, "stride": stride, "pad": borders(attrs["pad"], lengths, window, stride)}


def _pooling(name: str, doc: str, op: str, equation: str) -> Layer:
    def infer(types: Types, attrs: Attrs) -> TensorType:
        (x,) = types
        require_places(x, name, ranks=VOLUMES)
        where = geometry(x, attrs)
        require_fit(windows.sizes(x), where["window"], where["pad"], "the window", x)
        return TensorType((BATCH, *windows.places(windows.sizes(x), where["window"], where), x.example[-1]))

    def lower(b: Builder, low: Lowering) -> Value:
        rank = len(windows.sizes(low.x.type))
        return b.emit(f"{op}{rank}d", low.x, **geometry(low.x.type, low.attrs))

    args = (
        Arg("window", WINDOW, doc="size of the window, k or one number per axis"),
        Arg("stride", STRIDE, AS_WINDOW, "steps from place to place; `window`: windows side by side"),
        Arg("pad", PAD, "valid", "`valid`: places inside only; `same`: ceil(n / stride) places"),
    )

    return Layer(name, doc, lower, args, infer=infer, equation=equation, keeps_unit=True)


def _global(name: str, doc: str, op: str) -> Layer:
    def infer(types: Types, attrs: Attrs) -> TensorType:
        require_places(types[0], name, ranks=VOLUMES)
        return TensorType((BATCH, types[0].example[-1]))

    return Layer(
        name,
        doc,
        lambda b, low: b.emit(op, low.x),
        infer=infer,
        keeps_unit=True,
    )


MAXPOOL = _pooling(
    "maxpool",
    "The largest value under the window, per channel; of equal ones, row by row, the first receives the gradient.",
    "max_pool",
    "a[p, q] = max over (i, j) of x[p s + i, q s + j]",
)

AVGPOOL = _pooling(
    "avgpool",
    "The mean of what is under the window, per channel; a border does not count.",
    "avg_pool",
    "a[p, q] = mean over (i, j) of x[p s + i, q s + j]",
)

MAXPOOL_GLOBAL = _global(
    "maxpool_global",
    "The largest value of every channel; of equal ones the first receives the gradient.",
    "max_global",
)

AVGPOOL_GLOBAL = _global("avgpool_global", "The mean of every channel.", "avg_global")
