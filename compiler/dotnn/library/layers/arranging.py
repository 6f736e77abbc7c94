"""Layers that put axes in: values stacked, axes in another order, one row repeated."""

from __future__ import annotations

from dotnn.core.arguments import INTEGER, POSITIVE_INT, Arg, Kind, all_of, integer
from dotnn.ir.node import Value
from dotnn.ir.op import Builder
from dotnn.ir.tensor import BATCH, TensorType
from dotnn.library.layers.base import Attrs, Layer, Lowering, ShapeError, Types, require_real, shape_text
from dotnn.library.layers.joins import along

_PLACE = integer("the number of an axis, from 0", lambda v: v >= 0)
ORDER = Kind("the order of the axes of an example, such as [1, 0]", lambda value: all_of(_PLACE, value) or None)


def _stacked(types: Types, attrs: Attrs) -> TensorType:
    for t in types:
        require_real(t, "stack")
    odd = next((t for t in types if t.shape != types[0].shape), None)
    if odd is not None:
        raise ShapeError(
            f"cannot stack {shape_text(types[0])} and {shape_text(odd)}", "shapes must be equal; concat joins others"
        )
    axis = _new_axis(types[0], attrs["axis"])
    shape = types[0].example
    return TensorType((BATCH, *shape[:axis], len(types), *shape[axis:]))


def _new_axis(type: TensorType, axis: int) -> int:
    count = len(type.example) + 1
    if not -count <= axis < count:
        raise ShapeError(
            f"stack makes {count} axes of {shape_text(type)}, so there is no axis {axis}",
            f"the axis of the operands may be 0 to {count - 1}, or -1 for the last",
        )
    return axis % count


def _lower_stack(b: Builder, low: Lowering) -> Value:
    shape = low.x.type.example
    axis = _new_axis(low.x.type, low.attrs["axis"])
    wide = (*shape[:axis], 1, *shape[axis:])
    return along(b, [b.emit("reshape", v, shape=wide, name="part") for v in low.ins], axis)


def _permuted(types: Types, attrs: Attrs) -> TensorType:
    require_real(types[0], "permute")
    shape, order = types[0].example, attrs["axes"]
    if sorted(order) != [*range(len(shape))]:
        raise ShapeError(
            f"{shape_text(types[0])} has {len(shape)} axes, and [{', '.join(map(str, order))}] is no order of them",
            f"name each of {', '.join(map(str, range(len(shape))))} once" if shape else "declare it with axes",
        )
    return TensorType((BATCH, *(shape[axis] for axis in order)))


def _repeated(types: Types, attrs: Attrs) -> TensorType:
    require_real(types[0], "repeat_vector")
    if len(types[0].example) != 1:
        raise ShapeError(
            f"repeat_vector makes a sequence of one row [features], not of {shape_text(types[0])}",
            "write -> flatten before it",
        )
    return TensorType((BATCH, attrs["times"], *types[0].example))


def _lower_repeat(b: Builder, low: Lowering) -> Value:
    row = b.emit("reshape", low.x, shape=(1, *low.x.type.example), name="row")
    return b.emit("repeat_axis", row, axis=1, units=low.attrs["times"])


STACK = Layer(
    "stack",
    "Its operands, all of one shape, along an axis of their own.",
    _lower_stack,
    (Arg("axis", INTEGER, 0, "which axis of the result counts the operands; -1 is the last"),),
    infer=_stacked,
    family="join",
    arity=(2, None),
    keeps_unit=True,
)

PERMUTE = Layer(
    "permute",
    "The same values with the axes of an example in another order.",
    lambda b, low: b.emit("permute", low.x, order=tuple(low.attrs["axes"])),
    (Arg("axes", ORDER, doc="which axis comes first, second, …, counted from 0 without that of the batch"),),
    infer=_permuted,
    keeps_unit=True,
)

REPEAT_VECTOR = Layer(
    "repeat_vector",
    "A sequence that has the same row in every step: what a decoder reads.",
    _lower_repeat,
    (Arg("times", POSITIVE_INT, doc="how many steps"),),
    infer=_repeated,
    keeps_unit=True,
)
