"""Classes as numbers: one-hot rows, and the class that a number falls into."""

from __future__ import annotations

from itertools import pairwise

from dotnn.core.arguments import NUMBER, Arg, Kind, all_of
from dotnn.library.preparations.base import Preparation


def _rising(value: object) -> tuple[float, ...] | None:
    edges = all_of(NUMBER, value)
    return edges if edges and all(a < b for a, b in pairwise(edges)) else None


EDGES: Kind[tuple[float, ...]] = Kind("a list of rising numbers such as [10, 20]", _rising)

ONE_HOT = Preparation(
    "one_hot",
    "Class numbers become rows of zeros with a one at the place of the class.",
    "one_hot",
    raw=lambda attrs, shape: f"class:{shape[-1]}",
    raw_shape=lambda shape: shape[:-1],
    apply=lambda attrs, shape: f"one_hot({{values}}, {shape[-1]})",
    bare=lambda attrs, shape: f"np.eye({shape[-1]}, dtype=dtype)[{{values}}]",
)
BINS = Preparation(
    "bins",
    "The class of a number: 0 below the first edge, 1 from there up to the second, …",
    "column",
    (Arg("edges", EDGES, doc="where one class ends and the next begins"),),
    apply=lambda attrs, shape: f"np.digitize({{values}}, {list(attrs['edges'])})",
    counts=True,
)
