"""Whether an optimizer and its schedule can be computed with the numbers that they are given.

Their equations are tried with these numbers for a few updates: a training would stop at a division by zero.
"""

from __future__ import annotations

from dotnn.core.arguments import Bound, Duration
from dotnn.core.diagnostics import Span
from dotnn.ir.expr import Name, Number, reads
from dotnn.library.optimizers import Optimizer
from dotnn.library.schedules import Schedule
from dotnn.model import messages
from dotnn.model.messages.base import Fail
from dotnn.model.trial import NoNumber, computed, numbers_in

UPDATES = (1, 2, 3, 10, 1000)
"""The numbers of updates for which an optimizer is tried, of a long run."""
LONG_RUN = {"steps": 3000, "steps_per_epoch": 3}
EPOCHS, STEPS_PER_EPOCH = 5, 3
"""The length of the run for which a schedule is tried, update by update."""


def check_numbers(optimizer: Bound[Optimizer], span: Span) -> None:
    """Raise `Fail` for an optimizer that a spec defines where a part of it has no value, or for such a schedule."""
    rate = optimizer.attrs["lr"]
    if isinstance(rate, Bound) and rate.entry.definition:
        _check_schedule(rate, span)
    if optimizer.entry.definition:
        _check_optimizer(optimizer, rate.attrs["lr"] if isinstance(rate, Bound) else rate, span)


def _check_optimizer(optimizer: Bound[Optimizer], rate: float, span: Span) -> None:
    lines = optimizer.entry.equations(optimizer.attrs)
    values = {**optimizer.attrs, "lr": rate}
    try:
        starts = optimizer.entry.slots(optimizer.attrs)
    except NoNumber as problem:
        raise Fail(messages.procedures.no_number(span, str(optimizer), "a slot's start", str(problem), "")) from None
    for part in dict.fromkeys(numbers_in(lines, ("w", "g", *starts))):
        if isinstance(part, Name | Number):
            continue
        value = computed(part)
        for t in UPDATES if "t" in reads(part) else UPDATES[:1]:
            try:
                value({**values, **LONG_RUN, "t": t})
            except NoNumber as problem:
                where = f" in update {t}" if "t" in reads(part) else ""
                raise Fail(
                    messages.procedures.no_number(span, str(optimizer), str(part), str(problem), where)
                ) from None


def _check_schedule(schedule: Bound[Schedule], span: Span) -> None:
    attrs = {name: value for name, value in schedule.attrs.items() if not isinstance(value, Duration)}
    lines = [(line.target, line.value, computed(line.value)) for line in schedule.entry.equations]
    for step in range(EPOCHS * STEPS_PER_EPOCH):
        values = {**attrs, "step": step, "steps": EPOCHS * STEPS_PER_EPOCH, "steps_per_epoch": STEPS_PER_EPOCH}
        for target, formula, value in lines:
            try:
                values[target] = value(values)
            except NoNumber as problem:
                where = f" at step {step}"
                raise Fail(
                    messages.procedures.no_number(span, str(schedule), str(formula), str(problem), where)
                ) from None
