"""Where in the sequence: without it, attention sees a set."""

from __future__ import annotations

from dotnn.core.arguments import Arg, Symbol
from dotnn.ir.tensor import TensorType
from dotnn.library.layers.base import INIT, Attrs, Layer, ParamSpec, ShapeError, Types, require_real, shape_text


def _sequence(types: Types, attrs: Attrs) -> TensorType:
    require_real(types[0], "a position")
    if len(types[0].example) != 2:
        raise ShapeError(f"a sequence [time, features] is needed, not {shape_text(types[0])}")
    return types[0]


def _table(types: Types, attrs: Attrs) -> tuple[ParamSpec, ...]:
    return (ParamSpec("W", types[0].example, attrs["init"]),)


POSITION_EMBEDDING = Layer(
    "position_embedding",
    "Adds a learned vector for each position of a sequence.",
    lambda b, low: b.emit("shift", low.x, low.params["W"]),
    (Arg("init", INIT, Symbol("uniform"), "initialiser of the vectors: on [-0.05, 0.05)"),),
    infer=_sequence,
    params=_table,
    equation="y_t = x_t + W_t",
)

POSITION_ENCODING = Layer(
    "position_encoding",
    "Adds sines and cosines of each position, in geometrically falling frequencies (Vaswani et al. 2017).",
    lambda b, low: b.emit("add_positions", low.x),
    infer=_sequence,
    equation="y[t, 2i] = x[t, 2i] + sin(t / 10000^(2i/d)),  y[t, 2i+1] = x[t, 2i+1] + cos(t / 10000^(2i/d))",
)
