"""Joins: functions of several values. `a + b`, `a - b` and `a * b` are spellings of `sum`, `subtract`, `multiply`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from dotnn.core.arguments import INTEGER, Arg
from dotnn.ir.node import Value
from dotnn.ir.op import Builder, Infer
from dotnn.ir.tensor import TensorType
from dotnn.library.layers.base import Attrs, Layer, Lower, Lowering, ShapeError, Types, require_real, shape_text


def _equal(verb: str) -> Infer:
    def infer(types: Types, attrs: Attrs) -> TensorType:
        for t in types:
            require_real(t, verb)
        odd = next((t for t in types if t.shape != types[0].shape), None)
        if odd is not None:
            widths = types[0].example[-1:], odd.example[-1:]
            spread = (1,) in widths
            raise ShapeError(
                f"cannot {verb} {shape_text(types[0])} and {shape_text(odd)}",
                "shapes must be equal; repeat the single feature first: -> spread(n)"
                if spread
                else "shapes must be equal; bring one to the other's width with a dense layer: -> dense(n)",
            )
        return types[0]

    return infer


def _concat(types: Types, attrs: Attrs) -> TensorType:
    for t in types:
        require_real(t, "concat")
        if not t.example:
            raise ShapeError(
                "concat needs values with an axis, and a single number has none", "declare it with shape [1]"
            )
    axis = _axis(types[0], attrs["axis"])
    odd = next((t for t in types if _others(t, axis) != _others(types[0], axis)), None)
    if odd is not None:
        which = "the last axis" if axis == len(types[0].example) - 1 else f"axis {axis}"
        raise ShapeError(
            f"cannot concatenate {shape_text(types[0])} and {shape_text(odd)} along {which}",
            "all axes but the last must be equal; flatten both first"
            if which == "the last axis"
            else f"all axes but axis {axis} must be equal",
        )
    shape = types[0].example
    return TensorType((types[0].shape[0], *shape[:axis], sum(t.example[axis] for t in types), *shape[axis + 1 :]))


def _axis(type: TensorType, axis: int) -> int:
    count = len(type.example)
    if not -count <= axis < count:
        raise ShapeError(f"{shape_text(type)} has no axis {axis}", "axes are counted from 0, without that of the batch")
    return axis % count


def _others(type: TensorType, axis: int) -> tuple[int, ...]:
    """Return how many axes there are, and the sizes of all but one."""
    return (len(type.example), *type.example[:axis], *type.example[axis + 1 :])


def along(b: Builder, values: Sequence[Value], axis: int) -> Value:
    """Write values side by side along an axis of the examples."""
    if axis == len(values[0].type.example) - 1:
        return b.emit("concat", *values)
    return b.emit("concat_along", *values, axis=axis + 1)


def _select(types: Types, attrs: Attrs) -> TensorType:
    switch, *branches = types
    require_real(switch, "select")
    if switch.example != (len(branches),):
        raise ShapeError(
            f"select switches between {len(branches)} branches, so its first operand must have shape"
            f" [{len(branches)}], not {shape_text(switch)}"
        )
    return _equal("select between")(branches, attrs)


def _fold(op: str) -> Lower:
    def lower(b: Builder, low: Lowering) -> Value:
        *rest, last = low.ins[1:]
        start = reduce(lambda a, c: b.emit(op, a, c, name="part"), rest, low.ins[0])
        return b.emit(op, start, last)

    return lower


def _join(name: str, verb: str, doc: str, op: str, *, fold: bool = False, unit: bool = False) -> Layer:
    lower: Lower = _fold(op) if fold else (lambda b, low: b.emit(op, *low.ins))
    return Layer(
        name,
        doc,
        lower,
        infer=_equal(verb),
        family="join",
        arity=(2, None),
        keeps_unit=unit,
    )


SUM = _join("sum", "add", "The sum of its operands.", "add")
MULTIPLY = _join("multiply", "multiply", "The elementwise product.", "multiply", fold=True, unit=True)
MAXIMUM = _join(
    "max",
    "take the maximum of",
    "The elementwise maximum; of equal values the first receives the gradient.",
    "maximum",
    fold=True,
    unit=True,
)

SUBTRACT = Layer(
    "subtract",
    "The first operand minus the second.",
    lambda b, low: b.emit("subtract", *low.ins),
    infer=_equal("subtract"),
    family="join",
    arity=(2, 2),
)

CONCAT = Layer(
    "concat",
    "Its operands side by side, along the last axis or another one.",
    lambda b, low: along(b, low.ins, _axis(low.x.type, low.attrs["axis"])),
    (Arg("axis", INTEGER, -1, "which axis of an example; they are counted from 0, -1 is the last"),),
    infer=_concat,
    family="join",
    arity=(2, None),
    keeps_unit=True,
)

SELECT = Layer(
    "select",
    "A switch: the sum of the branches, each times its entry of the first operand; one-hot rows pick one branch.",
    lambda b, low: b.emit("select", *low.ins),
    infer=_select,
    family="join",
    arity=(3, None),
    equation="y = s_1 a + s_2 b + …",
)
