"""Schedules of the learning rate: each is a formula over the number of the step, or a rule that watches a quantity."""

from __future__ import annotations

from dataclasses import dataclass

from dotnn.core.arguments import POSITIVE, Arg
from dotnn.core.registry import collect
from dotnn.ir.expr import Equation


@dataclass(frozen=True)
class Schedule:
    """One schedule, written where an optimizer's learning rate is: `adam(cosine(0.001, warmup = 200))`.

    `equations` are assignments, the last one to `lr`, over `step` (the number of the update, from 0), `steps` (how
    many the run takes), `steps_per_epoch`, the arguments, and `cos`, `pi`, `min`, `max`; durations arrive as numbers of
    steps.
    A schedule that `watches` a quantity has a class of `dotnn_runtime.script.plateau` instead, which is told the
    quantity after every epoch. `source` is where the formula stands. `definition` is what a spec says that defines it,
    "" for one of the language.
    """

    name: str
    doc: str
    args: tuple[Arg, ...]
    equations: tuple[Equation, ...]
    source: str
    watches: str = ""
    definition: str = ""


def peak(doc: str = "learning rate at the start") -> Arg:
    """Return the argument every schedule begins with."""
    return Arg("lr", POSITIVE, doc=doc)


SCHEDULES: dict[str, Schedule] = collect(__name__, __path__, Schedule)
