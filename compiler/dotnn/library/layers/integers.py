"""Layers for whole numbers: symbols of a vocabulary become vectors."""

from __future__ import annotations

from dotnn.core.arguments import POSITIVE_INT, Arg, Symbol
from dotnn.ir.node import Value
from dotnn.ir.op import Builder
from dotnn.ir.tensor import TensorType
from dotnn.library.layers.base import INIT, Attrs, Layer, Lowering, ParamSpec, ShapeError, Types, shape_text


def _need_integers(types: Types, name: str) -> TensorType:
    if types[0].dtype != "int":
        raise ShapeError(
            f"{name} needs whole numbers, but its operand holds real ones",
            f"declare an input of whole numbers: input x: int{shape_text(types[0])}",
        )
    return types[0]


def _embedded(types: Types, attrs: Attrs) -> TensorType:
    return TensorType((*_need_integers(types, "embedding").shape, attrs["dim"]))


def _table(types: Types, attrs: Attrs) -> tuple[ParamSpec, ...]:
    return (ParamSpec("W", (attrs["vocab"], attrs["dim"]), attrs["init"]),)


def _lower_embedding(b: Builder, low: Lowering) -> Value:
    return b.emit("take_rows", low.x, low.params["W"])


def _hot(types: Types, attrs: Attrs) -> TensorType:
    return TensorType((*_need_integers(types, "one_hot").shape, attrs["units"]))


EMBEDDING = Layer(
    "embedding",
    "A learned vector for each of `vocab` symbols: input x: int[40] becomes [40, dim].",
    _lower_embedding,
    (
        Arg("vocab", POSITIVE_INT, doc="how many symbols there are; the input holds 0 … vocab - 1"),
        Arg("dim", POSITIVE_INT, doc="length of the vectors"),
        Arg("init", INIT, Symbol("uniform"), "initialiser of the vectors: on [-0.05, 0.05), as Keras"),
    ),
    infer=_embedded,
    params=_table,
    bounds="vocab",
    equation="y_t = W[x_t]",
)

ONE_HOT = Layer(
    "one_hot",
    "Each whole number as a row of zeros with a one in its place: input x: int[40] becomes [40, units].",
    lambda b, low: b.emit("one_hot", low.x, units=low.attrs["units"]),
    (Arg("units", POSITIVE_INT, doc="how many symbols there are; the input holds 0 … units - 1"),),
    infer=_hot,
    bounds="units",
)
