"""What convolution and pooling have in common: images and sequences, windows, strides, borders."""

from __future__ import annotations

from collections.abc import Sequence

from dotnn.core.arguments import POSITIVE_INT, Kind, Symbol, all_of, integer
from dotnn.ir.tensor import TensorType
from dotnn.library.layers.base import ShapeError, require_real, shape_text

Pads = tuple[tuple[int, int], ...]
"""The border before and after, for every axis."""
Pad = str | tuple[int, int] | Pads
"""A border as it is written: a word, the same for every axis, or for each its own."""
BORDER = integer("a whole number that is not negative", lambda v: v >= 0)
KINDS = {
    1: "a sequence [steps, channels]",
    2: "an image [rows, columns, channels]",
    3: "a volume [planes, rows, columns, channels]",
}
POOLED = (1, 2)
"""Along how many axes a layer goes that says nothing of it."""
VOLUMES = (1, 2, 3)
AXES = {1: ("steps",), 2: ("rows", "columns"), 3: ("planes", "rows", "columns")}
MOST = 1_000_000
"""The largest kernel, window, stride or border: more could not fit any image within the limits of a value."""


def _window(value: object) -> int | tuple[int, ...] | None:
    sizes = all_of(POSITIVE_INT, value if isinstance(value, list) else [value])
    if not sizes or max(sizes) > MOST:
        return None
    return sizes if isinstance(value, list) else sizes[0]


def _pad(value: object) -> Pad | None:
    if isinstance(value, Symbol):
        return value.id if value.id in ("valid", "same") else None
    return _numbers(value)


def _numbers(value: object) -> tuple[int, int] | Pads | None:
    return all_of(SIDES, value) or None if isinstance(value, list) else _sides(value)


def _sides(value: object) -> tuple[int, int] | None:
    """Return the border of one axis, the same on both sides or a pair."""
    found = all_of(BORDER, value if isinstance(value, list) else [value, value])
    return (found[0], found[1]) if found and len(found) == 2 and max(found) <= MOST else None


SIDES = Kind("a number that is not negative, or a pair of them", _sides)
WINDOW = Kind("a positive whole number, or one per axis such as [3, 5]", _window)
BORDERS = Kind("a number that is not negative, or one per axis such as [1, 2] or [[0, 1], [2, 2]]", _numbers)
PAD = Kind("valid, same, a number, or one per axis such as [1, 2] or [[0, 1], [2, 2]]", _pad, choices=("valid", "same"))


def require_places(x: TensorType, layer: str, rank: int | None = None, *, ranks: tuple[int, ...] = POOLED) -> None:
    """Raise `ShapeError` unless a window can move over the operand: a sequence, an image, or a volume."""
    require_real(x, layer)
    axes = len(x.example) - 1
    ranks = (rank,) if rank else ranks
    if axes not in ranks:
        *others, last = (KINDS[r] for r in ranks)
        needed = f"{', '.join(others)} or {last}" if others else last
        help = _likely_fix(x, layer, axes, rank)
        raise ShapeError(f"{layer} needs {needed}, but its operand has shape {shape_text(x)}", help)


def _likely_fix(x: TensorType, layer: str, axes: int, rank: int | None) -> str:
    sizes = ", ".join(map(str, x.example))
    if rank == 3 and axes == 2:
        return f"for images write {layer.replace('3d', '2d')}; if the channels are missing: -> reshape([{sizes}, 1]) ->"
    if rank == 2 and axes == 1 and layer.startswith("conv"):
        other = layer.replace("2d", "1d")
        return f"for a sequence write {other}; if the channels are missing: -> reshape([{sizes}, 1]) ->"
    if rank == 1 and axes == 2:
        return f"for an image write {layer.replace('1d', '2d')}"
    if rank != 2 and axes == 0:
        return f"put it before flatten; if these are steps of one channel: -> reshape([{sizes}, 1]) ->"
    return "put it before flatten, or reshape([…]) gives the numbers such a shape"


def entries(value: int | Sequence[int], rank: int, what: str) -> tuple[int, ...]:
    """Return one number per axis: the same for all, or as listed. Raises `ShapeError`."""
    if isinstance(value, int):
        return (value,) * rank
    _require_entries(value, rank, what)
    return tuple(value)


def _require_entries(listed: Sequence[object], rank: int, what: str) -> None:
    if len(listed) != rank:
        axes = "1 axis" if rank == 1 else f"{rank} axes"
        raise ShapeError(
            f"{what} lists {len(listed)} entries, but the operand has {axes} besides its channels",
            "list one entry per axis, or give a single number for all",
        )


def borders(pad: Pad, lengths: Sequence[int], window: Sequence[int], stride: Sequence[int]) -> Pads:
    """Return (before, after) for every axis. `same` is Keras's: ceil(n / stride) places, the odd element behind.

    `window` is what a kernel spans, its dilation included. Raises `ShapeError`.
    """
    rank = len(lengths)
    if pad == "valid":
        return ((0, 0),) * rank
    if isinstance(pad, str):
        around = zip(lengths, window, stride, strict=True)
        totals = [max((-(-n // s) - 1) * s + k - n, 0) for n, k, s in around]
        return tuple((total // 2, total - total // 2) for total in totals)
    match pad:
        case (int(before), int(after)):
            return ((before, after),) * rank
    _require_entries(pad, rank, "pad")
    return tuple(sides for sides in pad if isinstance(sides, tuple))


def require_fit(lengths: Sequence[int], window: Sequence[int], pads: Pads, what: str, x: TensorType) -> None:
    """Raise `ShapeError` where a window is larger than the image."""
    for axis, (n, k, pad) in enumerate(zip(lengths, window, pads, strict=True)):
        if k > n + sum(pad):
            along = AXES[len(lengths)]
            border = f" and a border of {sum(pad)}" if sum(pad) else ""
            raise ShapeError(
                f"{what} spans {k} {along[axis]}, but its operand {shape_text(x)} has {n}{border}",
                "channels stand last: declare [rows, columns, channels], and data.transpose(0, 2, 3, 1)"
                if len(lengths) == 2 and x.example[0] in (1, 3) and x.example[0] < x.example[-1]
                else "make it smaller, or write pad = same",
            )
