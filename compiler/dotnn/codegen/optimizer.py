"""The update: the optimizer's equations, as the explain style prints them."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Mapping

from dotnn.codegen.wrap import INDENT, WIDTH
from dotnn.core.arguments import show
from dotnn.ir.definition import HELPERS
from dotnn.ir.expr import DIALECTS, Equation, calls, reads, spell, substitute
from dotnn.model.model import Train

NUMPY = DIALECTS["numpy"]
RUN_LENGTHS = {"steps": "EPOCHS", "steps_per_epoch": "1"}
"""The numbers of updates of a run and of an epoch, and what they are outside of one: as if an epoch were one update."""


def equations(train: Train) -> tuple[Equation, ...]:
    """Return the update as assignments over w, g, t, the slots and the arguments."""
    bound = train.optimizer
    return bound.entry.equations(bound.attrs)


def fast_equations(train: Train) -> tuple[Equation, ...]:
    """Return the same update with the memories scaled so that it takes fewer passes, where the optimizer has one."""
    bound = train.optimizer
    if bound.entry.fast_equations is None:
        return equations(train)
    return bound.entry.fast_equations(bound.attrs)


def slots(train: Train) -> Mapping[str, float]:
    """Return the optimizer's memories by their names, each with the number that it starts from."""
    return train.optimizer.entry.slots(train.optimizer.attrs)


def arguments(train: Train) -> dict[str, float]:
    """Return the numbers that the equations read, by name; a learning rate that changes is none of them."""
    attrs = {**train.optimizer.attrs, **({"weight_decay": train.weight_decay} if train.weight_decay else {})}
    read = _read(train) | {"lr", "weight_decay"}
    return {k: v for k, v in attrs.items() if k in read and not (k == "lr" and train.schedule)}


def fresh(start: float) -> str:
    """Return the expression of a memory before the first update, for weights `w`."""
    return f"np.full_like(w, {float(start)})" if start else "np.zeros_like(w)"


def helpers(train: Train) -> set[str]:
    """Return the functions of ours that the equations call."""
    return {name for line in equations(train) for name in calls(line.value)} & set(HELPERS)


def run_lengths(train: Train) -> tuple[str, ...]:
    """Return what the equations read of the length of the run; it is told to the optimizer's memory."""
    return tuple(name for name in RUN_LENGTHS if name in _read(train))


def plain_numbers(train: Train) -> set[str]:
    """Return the names in the equations that are plain numbers: all but w, g, the memories, and what is made of them.

    A function of them is Python's own: its result takes the precision of the weights.
    """
    held = {"w", "g", *slots(train)}
    plain = {"t", "lr", *RUN_LENGTHS, *train.optimizer.attrs, "weight_decay"}
    for line in equations(train):
        (plain if line.target not in held and plain.issuperset(reads(line.value)) else held).add(line.target)
    return plain - held


def entries(train: Train, memories: Mapping[str, str]) -> list[str]:
    """Return the entries of an optimizer's memory before the first update; `memories` are those of the slots."""
    lengths = [f'"{name}": {RUN_LENGTHS[name]}' for name in run_lengths(train)]
    return ['"t": 0'] * counts_updates(train) + lengths + [f'"{slot}": {text}' for slot, text in memories.items()]


def counts_updates(train: Train) -> bool:
    """Whether the equations read t, the number of the update."""
    return "t" in _read(train)


def _read(train: Train) -> set[str]:
    return {name for line in equations(train) for name in reads(line.value)}


def numpy_equation(line: Equation, numbers: Collection[str] = (), names: Mapping[str, str] = {}) -> str:
    """Return an equation in NumPy; `numbers` are arguments, `names` what w, g and the slots are called.

    Raises `Unspellable`.
    """
    return " = ".join(numpy_assignment(line, numbers, names))


def numpy_assignment(line: Equation, numbers: Collection[str], names: Mapping[str, str]) -> tuple[str, str]:
    """Return the two sides of an equation in NumPy, as `numpy_equation` joins them."""
    value = spell(substitute(line.value, names), NUMPY, HELPERS, numbers)
    return names.get(line.target, line.target), value


def context(train: Train) -> dict[str, object]:
    """Return what the template of `update` shows."""
    bound = train.optimizer
    return {
        "says": textwrap.wrap(f"Return the function that takes one step of {bound} in place.", WIDTH - INDENT - 3),
        "doc": bound.entry.doc,
        "source": bound.entry.source,
        "equations": [numpy_equation(e, plain_numbers(train)) for e in equations(train)],
        "slots": [*slots(train)],
        "lengths": run_lengths(train),
        "weight_decay": show(train.weight_decay) if train.weight_decay else "",
        "lr": "" if train.schedule else show(bound.attrs["lr"]),
        "shrink": f"1 - {'rate' if train.schedule else show(bound.attrs['lr'])} * {show(train.weight_decay)}",
    }
