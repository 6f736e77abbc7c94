"""Optimizers: each is a few equations, printed as they stand, that turn a gradient into an update."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dotnn.core.arguments import LEARNING_RATE, Arg, Attrs
from dotnn.core.registry import collect

Equations = tuple[str, ...]


@dataclass(frozen=True)
class Optimizer:
    """One optimizer.

    `equations` are assignments over `w` (the parameter), `g` (its gradient), the slots, `t` (the number of this
    update, from 1), the arguments, and the elementwise functions of `ir.expr.functions`. They are
    written for one array and mean the same for all of them laid end to end. `slots` start at zero unless `start` names
    an argument. `source` is where the formula stands.
    `fast_equations` are the same update with the slots scaled by constants, so that it takes fewer passes.
    """

    name: str
    doc: str
    args: tuple[Arg, ...]
    equations: Callable[[Attrs], Equations]
    slots: Callable[[Attrs], tuple[str, ...]]
    source: str
    slot_start: str = ""
    fast_equations: Callable[[Attrs], Equations] | None = None


def learning_rate(default: float) -> Arg:
    """Return the argument every optimizer begins with."""
    return Arg("lr", LEARNING_RATE, default, "learning rate, or its schedule")


OPTIMIZERS: dict[str, Optimizer] = collect(__name__, __path__, Optimizer)
