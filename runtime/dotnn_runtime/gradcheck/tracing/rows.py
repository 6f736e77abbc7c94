"""The rows of a report: gradients and cotangents that a script claims, and the tensors they belong to."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from ..reading.types import Array, Direction, Key, norm
from .notes import Note

EDGE = "_from_"


@dataclass(frozen=True)
class Row:
    """A claim to be tested: the derivative of the loss by the tensors `keys` is one of `claims`.

    There is more than one key where a loop assigns a value at every time step, and more than one claim where a
    cotangent is built up in several statements. Only a `strict` row can fail by itself: one statement assigns the
    value, and one its cotangent, in a loop over time in either direction.
    """

    name: str
    kind: str
    keys: tuple[Key, ...]
    claims: tuple[tuple[Array, ...], ...]
    strict: bool = True

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one of the tensors."""
        return tuple(self.claims[0][0].shape)

    @property
    def norm(self) -> float:
        """The norm of the claimed gradient."""
        return math.hypot(*(norm(array) for array in self.claims[0]))

    def direction(self, rng: np.random.Generator) -> dict[Key, Array]:
        """Draw a Gaussian direction: a ±1 direction would miss an error of (+1, -1) half of the time."""
        return {key: rng.standard_normal(array.shape) for key, array in zip(self.keys, self.claims[0], strict=True)}

    def slopes(self, direction: Direction) -> list[float]:
        """Return what each claim says about the derivative along `direction`."""
        return [
            sum(float(np.vdot(array, direction[key])) for key, array in zip(self.keys, claim, strict=True))
            for claim in self.claims
        ]


def parameter_rows(grads: Mapping[str, Array], params: Mapping[str, Array], inputs: Mapping[str, Array]) -> list[Row]:
    """Return one row per gradient that a script returns."""
    rows = [
        Row(name, "param", (Key("param", name),), ((np.asarray(grads[name]),),)) for name in params if name in grads
    ]
    rows += [
        Row(name, "input", (Key("input", name),), ((np.asarray(grads[name]),),)) for name in inputs if name in grads
    ]
    return rows


def cotangent_rows(
    notes: Sequence[Note],
    values: Mapping[str, Sequence[Array]],
    inputs: Mapping[str, Array],
    strict: Callable[[str], bool],
    started: Callable[[str], bool] = lambda value: False,
    step_line: Callable[[str, str], int] = lambda value, name: 0,
    batch_last: bool = False,
) -> Iterator[Row]:
    """Yield one row per cotangent `d_v` that was noted, in the order of the backward pass.

    `inputs` holds input arrays by the name they have in the script. `step_line` says in which line a loop over time
    assigns a cotangent, where that line alone does and one line alone assigns the value; else 0.
    """
    by_name = group_notes(notes)
    of_name = {name: [note for note in notes if note.name == name] for name in by_name}
    for name, noted in by_name.items():
        value = value_of(name, by_name)
        if value in values and (line := step_line(value, name)):
            steps = [note.array for note in of_name[name] if note.line == line]
            row = _row_of_steps(name, value, steps, values[value], int(started(value)))
            if row is not None:
                yield row
                continue
        if value in values:
            # a fast step builds a cotangent up in one array, which holds it when the last statement is done
            last = of_name[name][-1].line
            found = [note.array for note in of_name[name] if note.line == last] if batch_last else noted
            yield from _value_row(name, value, found, values[value], strict(value), batch_last, started(value))
        elif value in inputs:
            claim = fitted(noted[-1], inputs[value].shape, batch_last)
            if claim is not None:
                yield Row(name, "cotangent", (inputs_key(value),), ((claim,),), strict=False)


def value_of(name: str, noted: Collection[str]) -> str:
    """Return the value whose cotangent `name` is; a contribution `d_v_from_u` that is never added to another is all
    of `d_v`.
    """
    value = name.removeprefix("d_")
    whole, edge, _ = value.partition(EDGE)
    alone = edge and f"d_{whole}" not in noted and sum(n.startswith(f"d_{whole}{EDGE}") for n in noted) == 1
    return whole if alone else value


def inputs_key(name: str) -> Key:
    """Return the key of an input."""
    return Key("input", name)


def group_notes(notes: Sequence[Note]) -> dict[str, list[Array]]:
    """Return the noted arrays by name, names in the order of their last assignment."""
    last = {note.name: i for i, note in enumerate(notes)}
    ordered = sorted(notes, key=lambda note: last[note.name])
    return {name: [n.array for n in group] for name, group in groupby(ordered, key=lambda note: note.name)}


def _row_of_steps(name: str, value: str, noted: list[Array], values: Sequence[Array], first: int) -> Row | None:
    """Return the row of a value that a loop over time assigns, its `first` assignments aside.

    What the forward pass does last, the backward pass does first. None where the two do not count the same steps.
    """
    claim = [fitted(array, v.shape) for array, v in zip(reversed(noted), values[first:], strict=False)]
    found = tuple(array for array in claim if array is not None)
    if not noted or not len(noted) == len(values) - first == len(found):
        return None
    return Row(name, "cotangent", tuple(Key("value", value, i) for i in range(first, len(values))), (found,))


def _value_row(
    name: str, value: str, noted: list[Array], values: Sequence[Array], strict: bool, batch_last: bool, started: bool
) -> Iterator[Row]:
    """Yield the row of a value; `started`: a loop's state, whose first value is what the loop starts from."""
    first = int(started and len(values) == len(noted) + 1)
    values = values[first:]
    if len(noted) == len(values) == 1:
        keys: tuple[Key, ...] = (Key("value", value, first),)
        orders = [noted]
    elif len(values) > 1 and len(noted) in (len(values), len(values) + 1):
        # time runs backward in the backward pass, which may carry a cotangent into the first step or out of the last;
        # a loop over anything else may run in either order
        keys, strict = tuple(Key("value", value, i) for i in range(first, first + len(values))), False
        orders = [noted[: len(values)][::-1], noted[-len(values) :][::-1], noted[-len(values) :]]
    else:
        keys = (Key("value", value, len(values) - 1),)
        # a value of one assignment has one cotangent, the finished one; of several, any version may be meant
        orders = [[noted[-1]]] if strict else [[array] for array in reversed(noted)]
        strict, values = strict and len(values) == 1, values[-1:]
    claims = []
    for order in orders:
        claim = [fitted(array, v.shape, batch_last) for array, v in zip(order, values, strict=True)]
        if all(array is not None for array in claim):
            claims.append(tuple(array for array in claim if array is not None))
    if claims:
        yield Row(name, "cotangent", keys, tuple(claims), strict)


def fitted(array: Array, shape: tuple[int, ...], batch_last: bool = False) -> Array | None:
    """Return a cotangent in the layout of its value; the fast style keeps the batch in the last axis."""
    turned = [array.T, np.moveaxis(array, -1, 0) if array.ndim else array]
    for candidate in turned[::-1] if batch_last else [array, *turned]:
        if candidate.shape == shape:
            return candidate
    try:
        return np.broadcast_to(array, shape)
    except ValueError:
        return None
