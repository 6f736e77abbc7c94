"""The learning rate where it is no plain number: `learning_rate(step, …)` as the textbook has it, or a plateau."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from fractions import Fraction

from dotnn.codegen import optimizer
from dotnn.codegen.lines import literal, on_the_page
from dotnn.codegen.wrap import INDENT, WIDTH
from dotnn.core.arguments import Bound, Duration
from dotnn.ir.expr import DIALECTS, spell
from dotnn.library.schedules import Schedule
from dotnn.model.model import Train
from dotnn.model.settings import SETTINGS

UNITS = {"steps": "", "share": " * steps", "epochs": " * steps_per_epoch"}
"""What a duration is multiplied by to be a number of steps."""


def formula(train: Train) -> Bound[Schedule] | None:
    """Return the schedule that is a formula over the number of the step."""
    schedule = train.schedule
    return schedule if schedule is not None and not schedule.entry.watches else None


def watcher(train: Train) -> Bound[Schedule] | None:
    """Return the schedule that watches a quantity."""
    schedule = train.schedule
    return schedule if schedule is not None and schedule.entry.watches else None


@dataclass(frozen=True)
class Written:
    """A schedule as the function `learning_rate` shows it; `assignments` are its arguments and equations."""

    call: str
    doc: str
    source: str
    assignments: tuple[tuple[str, str], ...]

    @property
    def says(self) -> list[str]:
        """What it is and where it comes from, as lines of a docstring."""
        texts = [self.call, self.doc, *([f"Source: {self.source}."] if self.source else [])]
        return [line for text in texts for line in textwrap.wrap(text, WIDTH - INDENT)]

    @property
    def lines(self) -> list[str]:
        """The assignments as lines of a function's body."""
        return [line for target, value in self.assignments for line in on_the_page(f"{target} = {value}", INDENT)]


def written(train: Train) -> Written | None:
    """Return the schedule as scripts show it, None where there is no formula."""
    schedule = formula(train)
    if schedule is None:
        return None
    entry = schedule.entry
    given = [(name, _value(value)) for name, value in schedule.attrs.items()]
    equations = [(line.target, spell(line.value, DIALECTS["math"])) for line in entry.equations]
    return Written(str(schedule), entry.doc, entry.source, (*given, *equations))


def _value(value: object) -> str:
    if not isinstance(value, Duration):
        return literal(value)
    count = Fraction(str(value.count))  # 0.55 * 20 is a little more than 11, 11 * 20 / 20 is not
    return f"{count.numerator}{UNITS[value.unit]}" + (f" / {count.denominator}" if count.denominator > 1 else "")


def counts_updates(train: Train) -> bool:
    """Whether the training counts its updates, as `done`: a schedule reads them, or a setting."""
    read = any(SETTINGS[name].counts(chosen.value) for name, chosen in train.settings.items())
    return read or formula(train) is not None


def counts_steps(train: Train) -> bool:
    """Whether the training counts the steps of an epoch."""
    return counts_updates(train) or bool(optimizer.run_lengths(train))


def update_size(train: Train) -> str:
    """Return the expression of how many examples an update is of."""
    return "(ACCUMULATE * BATCH_SIZE)" if train.setting("accumulate") else "BATCH_SIZE"


def watching(train: Train, plateau: Bound[Schedule]) -> str:
    """Return the expression of what watches a quantity."""
    sign = 1 if better(train, plateau.attrs["quantity"]) == "min" else -1
    numbers = [f"{name}={literal(value)}" for name, value in plateau.attrs.items() if name != "quantity"]
    return f"{plateau.entry.watches}({', '.join(numbers)}, sign={sign})"


def better(train: Train, quantity: str) -> str:
    """Return whether less ("min") or more ("max") of a reported quantity is better."""
    return next((m.metric.better for m in train.metrics if m.key == quantity.removeprefix("val_")), "min")
