"""Schedules that a spec defines: `schedule saw(lr, period = 10) = lr * (1 - (epoch mod period) / period)`."""

from __future__ import annotations

from dataclasses import replace

from dotnn.core.arguments import POSITIVE, Arg, number
from dotnn.ir.expr import Call, Equation, Name, equations, reads
from dotnn.library.schedules import SCHEDULES, Schedule
from dotnn.model import messages
from dotnn.model.definitions.base import DefinitionKind, Definitions, argument, check_names, check_use
from dotnn.model.definitions.reader import DefinitionReader
from dotnn.model.definitions.words import OF_SCHEDULES, check_arguments
from dotnn.model.formulas import Part
from dotnn.model.messages.base import Fail
from dotnn.syntax import nodes

RATE = "lr"
COUNTED = equations("epoch = step // steps_per_epoch", "epochs = steps // steps_per_epoch")
"""What is counted in epochs; updates are counted anyway."""
GIVEN = ("step", "steps", *(line.target for line in COUNTED))


def _read(section: nodes.Definition, known: Definitions) -> Schedule:
    """Return the definition as a schedule of the language. Raises `Fail`."""
    check_names(section, known)
    check_arguments(section, OF_SCHEDULES.union(GIVEN))
    names = [p.name.id for p in section.params]
    if RATE not in names:
        raise Fail(messages.procedures.no_rate(section.name.span, "schedule", section.name.id))
    args = tuple(_peak(p, known) if p.name.id == RATE else argument(p, known) for p in section.params)
    parts = {name: Part(Name(name), section.span) for name in (*names, *GIVEN)}
    parts["pi"] = Part(Call("pi"), section.span)
    value = DefinitionReader(known, parts, section.keyword).number(section.value).tree
    check_use(section)
    lines = (*(line for line in COUNTED if line.target in reads(value)), Equation(RATE, value))
    doc = known.documentation(section)
    return Schedule(section.name.id, doc.text, args, lines, doc.source, definition="; ".join(map(str, lines)))


def _peak(param: nodes.BlockParam, known: Definitions) -> Arg:
    """Return the learning rate that the schedule changes, as an argument. Raises `Fail`."""
    own = argument(param, known)
    expected = f"{POSITIVE.expected}{own.kind.expected.removeprefix('a number')}"
    kind = number(expected, lambda v: POSITIVE.accept(v) is not None and own.kind.accept(v) is not None)
    return replace(own, kind=kind, doc="the learning rate that it changes")


SCHEDULE = DefinitionKind("schedule", _read, ("schedule",), SCHEDULES, "optim = sgd({name}(0.1))")
