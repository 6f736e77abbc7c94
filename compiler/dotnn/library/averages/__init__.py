"""Averages of the weights in the course of a training, which are evaluated and kept in place of the last weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dotnn.core.arguments import Arg, Attrs
from dotnn.core.registry import collect
from dotnn.ir.expr import Equation


@dataclass(frozen=True)
class Average:
    """One way to average.

    `equations` are assignments, the last one to `a`, the average, over `a`, the weights `w` and the arguments; they
    hold after every update but the first, with which the average begins as `w`. An average without them is the mean
    over the ends of the last epochs, as many as its argument `epochs` says. `equation` is the line of the manual,
    `source` where it stands.
    """

    name: str
    doc: str
    equation: str
    source: str
    args: tuple[Arg, ...]
    equations: Callable[[Attrs], tuple[Equation, ...]] | None = None


AVERAGES: dict[str, Average] = collect(__name__, __path__, Average)
