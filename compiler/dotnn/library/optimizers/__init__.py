"""Optimizers: each is a few equations, printed as they stand, that turn a gradient into an update."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dotnn.core.arguments import LEARNING_RATE, Arg, Attrs
from dotnn.core.registry import collect
from dotnn.ir.expr import Equation

Equations = tuple[Equation, ...]


@dataclass(frozen=True)
class Optimizer:
    """One optimizer.

    `equations` are assignments over `w` (the parameter), `g` (its gradient), the slots, `t` (the number of this
    update, from 1), the arguments, and the elementwise functions of `ir.expr.functions`. They hold one
    after the other. They are written for one array and mean the same for all of them laid end to end. `slots` are what
    is kept from update to update, each with the number that it starts from. `source` is where the formula stands.
    `fast_equations` are the same update with the slots scaled by constants, so that it takes fewer passes.
    `definition` is what a spec says that defines it, "" for one of the language.
    """

    name: str
    doc: str
    args: tuple[Arg, ...]
    equations: Callable[[Attrs], Equations]
    slots: Callable[[Attrs], Mapping[str, float]]
    source: str
    fast_equations: Callable[[Attrs], Equations] | None = None
    definition: str = ""


def learning_rate(default: float) -> Arg:
    """Return the argument every optimizer begins with."""
    return Arg("lr", LEARNING_RATE, default, "learning rate, or its schedule")


OPTIMIZERS: dict[str, Optimizer] = collect(__name__, __path__, Optimizer)
