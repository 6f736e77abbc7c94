"""The expressions of arrays, features first and batch last."""

from __future__ import annotations

from collections.abc import Sequence

from dotnn.ir.node import Value


def new_array(dims: Sequence[int | str], dtype: str = "dtype", start: str = "") -> str:
    """Return the expression of a new array, whose numbers are all `start` where one is given."""
    shape = f"({', '.join(map(str, dims))}{',' if len(dims) == 1 else ''})"
    return f"aligned({', '.join(filter(None, (shape, dtype, start)))})"


def planes(dims: Sequence[int | str], dtype: str = "dtype", start: str = "") -> str:
    """Return the expression of a new array of rows, columns, channels and examples that is held in planes."""
    rows, columns, channels, size = dims
    return f"np.moveaxis({new_array((channels, rows, columns, size), dtype, start)}, 0, 2)"


def turned(dims: Sequence[int | str], dtype: str = "dtype", start: str = "") -> str:
    """Return the expression of a new array of features and examples that is held with the examples first."""
    return f"{new_array(dims[::-1], dtype, start)}.T"


def like(value: Value) -> tuple[int | str, ...]:
    """Return the dimensions of a value's array."""
    return (*value.type.example, "size") if value.type.batched else value.type.example


def repeated(source: str, value: Value) -> str:
    """Return the expression of a read-only view that repeats the numbers of `source` to the shape of `value`."""
    return f"np.broadcast_to({source}, ({', '.join(map(str, like(value)))}))"
