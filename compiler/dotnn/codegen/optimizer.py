"""The update: the optimizer's equations, as the explain style prints them."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Mapping

from dotnn.codegen.wrap import INDENT, WIDTH
from dotnn.core.arguments import show
from dotnn.ir.expr import DIALECTS, equation, reads, spell, substitute
from dotnn.model.model import Train

NUMPY = DIALECTS["numpy"]


def equations(train: Train) -> tuple[str, ...]:
    """Return the update as assignments over w, g, t, the slots and the arguments."""
    bound = train.optimizer
    lines: tuple[str, ...] = bound.entry.equations(bound.attrs)
    return lines


def fast_equations(train: Train) -> tuple[str, ...]:
    """Return the same update with the memories scaled so that it takes fewer passes, where the optimizer has one."""
    bound = train.optimizer
    if bound.entry.fast_equations is None:
        return equations(train)
    lines: tuple[str, ...] = bound.entry.fast_equations(bound.attrs)
    return lines


def slots(train: Train) -> tuple[str, ...]:
    """Return the names of the optimizer's memories."""
    found: tuple[str, ...] = train.optimizer.entry.slots(train.optimizer.attrs)
    return found


def arguments(train: Train) -> dict[str, float]:
    """Return the numbers that the equations read, by name; a learning rate that changes is none of them."""
    attrs = {**train.optimizer.attrs, **({"weight_decay": train.weight_decay} if train.weight_decay else {})}
    read = _read(train) | {"lr", "weight_decay"}
    return {k: v for k, v in attrs.items() if k in read and not (k == "lr" and train.schedule)}


def slot_start(train: Train) -> float:
    """Return the number that every memory starts from."""
    bound = train.optimizer
    return float(bound.attrs[bound.entry.slot_start]) if bound.entry.slot_start else 0.0


def counts_updates(train: Train) -> bool:
    """Whether the equations read t, the number of the update."""
    return "t" in _read(train)


def _read(train: Train) -> set[str]:
    return {name for line in equations(train) for name in reads(equation(line).value)}


def numpy_equation(line: str, numbers: Collection[str] = (), names: Mapping[str, str] = {}) -> str:
    """Return an equation in NumPy; `numbers` are arguments, `names` what w, g and the slots are called.

    Raises `Unspellable`.
    """
    return " = ".join(numpy_assignment(line, numbers, names))


def numpy_assignment(line: str, numbers: Collection[str], names: Mapping[str, str]) -> tuple[str, str]:
    """Return the two sides of an equation in NumPy, as `numpy_equation` joins them."""
    found = equation(line)
    value = spell(substitute(found.value, names), NUMPY, numbers=numbers)
    return names.get(found.target, found.target), value


def context(train: Train, *, has_state: bool = False) -> dict[str, object]:
    """Return what the template of `update` shows."""
    names = slots(train)
    start = slot_start(train)
    fresh = "np.zeros_like(w)" if not start else f"np.full_like(w, {start})"
    trained = " if name in PARAMS" if has_state else ""
    bound = train.optimizer
    return {
        "says": textwrap.wrap(f"Return the function that takes one step of {bound} in place.", WIDTH - INDENT - 3),
        "doc": bound.entry.doc,
        "source": bound.entry.source,
        "arguments": ", ".join(["lr"] * bool(train.schedule) + [f"{k}={show(v)}" for k, v in arguments(train).items()]),
        "equations": [numpy_equation(e, arguments(train)) for e in equations(train)],
        "slots": names,
        "weight_decay": show(train.weight_decay) if train.weight_decay else "",
        "shrink": f"1 - {'rate' if train.schedule else show(bound.attrs['lr'])} * {show(train.weight_decay)}",
        "counts": counts_updates(train),
        "state": ['"t": 0'] * counts_updates(train)
        + [f'"{s}": {{name: {fresh} for name, w in params.items(){trained}}}' for s in names],
    }
