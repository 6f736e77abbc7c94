"""The learning rate where it is no plain number: `learning_rate(step, …)` as the textbook has it, or a plateau."""

from __future__ import annotations

from fractions import Fraction

from dotnn.codegen.lines import literal
from dotnn.core.arguments import Bound, Duration
from dotnn.ir.expr import DIALECTS, equation, spell
from dotnn.library.schedules import Schedule
from dotnn.model.model import Train

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


def context(train: Train) -> dict[str, object]:
    """Return what the template of `learning_rate` shows; nothing where there is no formula."""
    schedule = formula(train)
    if schedule is None:
        return {}
    entry = schedule.entry
    lines = [f"{name} = {_value(value)}" for name, value in schedule.attrs.items()]
    for line in map(equation, entry.equations):
        lines.append(f"{line.target} = {spell(line.value, DIALECTS['math'])}")
    return {"call": str(schedule), "doc": entry.doc, "source": entry.source, "lines": lines}


def _value(value: object) -> str:
    if not isinstance(value, Duration):
        return literal(value)
    count = Fraction(str(value.count))  # 0.55 * 20 is a little more than 11, 11 * 20 / 20 is not
    return f"{count.numerator}{UNITS[value.unit]}" + (f" / {count.denominator}" if count.denominator > 1 else "")


def current(train: Train) -> str:
    """Return the expression of the learning rate of the next update, "" for the plain number that `update` knows."""
    if formula(train) is not None:
        return "learning_rate(done, steps, steps_per_epoch)"
    return "plateau.lr" if watcher(train) is not None else ""


def formula_lines(train: Train) -> list[str]:
    """Return the lines of `fit` that count the steps, before its loop."""
    if formula(train) is None:
        return []
    steps = "math.ceil(count / BATCH_SIZE)" if train.batch else "1"
    return [f"steps_per_epoch = {steps}", "done, steps = len(history) * steps_per_epoch, epochs * steps_per_epoch"]


def watcher_lines(train: Train) -> list[str]:
    """Return the line of `fit` that makes what watches a quantity, before its loop."""
    plateau = watcher(train)
    if plateau is None:
        return []
    sign = 1 if better(train, plateau.attrs["quantity"]) == "min" else -1
    numbers = [f"{name}={literal(value)}" for name, value in plateau.attrs.items() if name != "quantity"]
    return [f"plateau = {plateau.entry.watches}({', '.join(numbers)}, sign={sign})"]


def after_step(train: Train) -> list[str]:
    """Return the lines after an update."""
    return ["done += 1"] if formula(train) is not None else []


def after_epoch(train: Train) -> list[str]:
    """Return the lines after an epoch."""
    plateau = watcher(train)
    return [f'plateau.observe(history[-1]["{plateau.attrs["quantity"]}"])'] if plateau is not None else []


def better(train: Train, quantity: str) -> str:
    """Return whether less ("min") or more ("max") of a reported quantity is better."""
    return next((m.metric.better for m in train.metrics if m.key == quantity.removeprefix("val_")), "min")
