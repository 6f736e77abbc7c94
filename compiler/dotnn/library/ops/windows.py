"""Where a kernel or a pooling window stands: the attributes that convolution and pooling share, one entry per axis.

stride    the steps from place to place
pad       (before, after): the border
dilation  the steps between the elements of a kernel
groups    how many groups of channels a convolution treats each by itself
"""

from __future__ import annotations

from collections.abc import Sequence

from dotnn.ir.node import Node
from dotnn.ir.tensor import Attrs, TensorType

NOTHING = {"stride": 1, "pad": (0, 0), "dilation": 1, "groups": 1}
"""What stands for "as usual", and is not written down."""


def sizes(type: TensorType) -> tuple[int, ...]:
    """Return the lengths of the axes along which a window moves: rows and columns, or steps."""
    return type.example[:-1]


def places(lengths: Sequence[int], window: Sequence[int], attrs: Attrs) -> tuple[int, ...]:
    """Return how many places a window has along each axis."""
    dilation = attrs.get("dilation", (1,) * len(window))
    around = zip(lengths, window, attrs["stride"], attrs["pad"], dilation, strict=True)
    return tuple((n + sum(pad) - d * (k - 1) - 1) // s + 1 for n, k, s, pad, d in around)


def geometry(attrs: Attrs) -> Attrs:
    """Return the attributes that say where a kernel stands."""
    return {name: attrs[name] for name in NOTHING if name in attrs}


def is_at_every_place(attrs: Attrs) -> bool:
    """Whether a kernel without gaps stands at every place."""
    return all(step == 1 for name in ("stride", "dilation") for step in attrs[name])


def lies_side_by_side(type: TensorType, attrs: Attrs) -> bool:
    """Whether windows cover an input without a border, each element once."""
    window = attrs["window"]
    divided = all(size % length == 0 for size, length in zip(sizes(type), window, strict=True))
    return divided and tuple(attrs["stride"]) == tuple(window) and not any(map(any, attrs["pad"]))


def per_axis(value: Sequence[object]) -> str:
    """Write one entry per axis: a pair for an image, the entry itself for a sequence."""
    return str(tuple(value) if len(value) > 1 else value[0])


def keywords(node: Node, *names: str) -> str:
    """Write what is not as usual: `, stride=(2, 2), pad=((1, 1), (1, 1))`."""
    given = ((name, node.attrs[name]) for name in names or ("stride", "pad", "dilation"))
    unusual = (pair for pair in given if any(entry != NOTHING[pair[0]] for entry in pair[1]))
    return "".join(f", {name}={per_axis(value)}" for name, value in unusual)
