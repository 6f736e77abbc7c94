"""The rows of a report: gradients and cotangents that a script claims, and the tensors they belong to."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

import numpy as np

from ..reading.script import Script
from ..reading.types import Array, Direction, Key, norm
from .notes import Note, fitted

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

    @cached_property
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


@dataclass(frozen=True)
class Cotangents:
    """What a pass has noted, beside the values of the forward pass: each `d_v` is a claim about `v`.

    `inputs` holds input arrays by the name that they have in the script.
    """

    script: Script
    notes: Sequence[Note]
    values: Mapping[str, Sequence[Array]]
    inputs: Mapping[str, Array]

    def rows(self) -> Iterator[Row]:
        """Yield one row per cotangent, in the order of the backward pass."""
        for name in self.by_name:
            value = self._value_of(name)
            row = self._of_steps(name, value) or self._of_value(name, value) or self._of_input(name, value)
            if row is not None:
                yield row

    @cached_property
    def by_name(self) -> dict[str, list[Note]]:
        """The notes by name, names in the order of their last assignment."""
        last = {note.name: i for i, note in enumerate(self.notes)}
        ordered = sorted(self.notes, key=lambda note: last[note.name])
        return {name: list(group) for name, group in groupby(ordered, key=lambda note: note.name)}

    @cached_property
    def batch_last(self) -> bool:
        """Whether arrays keep the batch in the last axis, as those of the fast style do."""
        return self.script.structure.step is not None

    def started(self, value: str) -> bool:
        """Whether a value is assigned before the loop that assigns it: the state that a recurrence starts from."""
        return sum(value in s.targets and not s.is_load for s in self.script.structure.statements) > 1

    def step_line(self, value: str, cotangent: str) -> int:
        """Return the line of the backward loop that assigns a cotangent, 0 where it is not the only one that does."""
        structure = self.script.structure
        if not self.script.explains or value not in structure.stepwise["forward"]:
            return 0
        return structure.stepwise[structure.backward_function].get(cotangent, 0)

    def _strict(self, value: str) -> bool:
        """A value counts by itself when it is one array, assigned by one statement in either direction."""
        written = set().union(*self.script.structure.in_place.values())
        return self.script.explains and value not in written and f"d_{value}" not in written

    def _value_of(self, name: str) -> str:
        """Return the value that a cotangent is of: a contribution that is never added to another is all of it."""
        value = name.removeprefix("d_")
        whole, edge, _ = value.partition(EDGE)
        alone = edge and sum(n.startswith(f"d_{whole}{EDGE}") for n in self.by_name) == 1
        alone = alone and f"d_{whole}" not in self.by_name and name not in self.script.structure.summands
        return whole if alone else value

    def _noted(self, name: str, line: int = 0) -> list[Array]:
        return [note.array for note in self.by_name[name] if line in (0, note.line)]

    def _of_steps(self, name: str, value: str) -> Row | None:
        """Return the row of a value that a loop over time assigns, the state that it starts from aside.

        What the forward pass does last, the backward pass does first. None where the two do not count the same steps.
        """
        line = self.step_line(value, name) if value in self.values else 0
        noted, at = self._noted(name, line), range(int(self.started(value)), len(self.values.get(value, ())))
        claim = self._claim(value, at, noted[::-1]) if line and len(noted) == len(at) else None
        return Row(name, "cotangent", _keys(value, at), (claim,)) if claim else None

    def _of_value(self, name: str, value: str) -> Row | None:
        """Return the row of a value; of several statements that build its cotangent up, any may mean the whole."""
        if value not in self.values:
            return None
        noted, count = self._versions(name), len(self.values[value])
        at = range(int(self.started(value) and count == len(noted) + 1), count)
        strict = self._strict(value)
        if len(at) > 1 and len(noted) in (len(at), len(at) + 1):
            where, orders = at, _orders(noted, len(at))
        else:
            # a value of one assignment has one cotangent, the finished one; of several, any version may be meant
            where, orders = at[-1:], [noted[-1:]] if strict else [[array] for array in reversed(noted)]
        claims = tuple(filter(None, (self._claim(value, where, order) for order in orders)))
        return Row(name, "cotangent", _keys(value, where), claims, strict and len(at) == 1) if claims else None

    def _versions(self, name: str) -> list[Array]:
        """Return the arrays that may be meant by a name.

        A fast step builds a cotangent up in one array, which holds it when the last statement is done.
        """
        return self._noted(name, self.by_name[name][-1].line if self.batch_last else 0)

    def _of_input(self, name: str, value: str) -> Row | None:
        if value not in self.inputs:
            return None
        claim = fitted(self._noted(name)[-1], self.inputs[value].shape, self.batch_last)
        key = self.script.structure.aliases.get(value, Key("input", value))
        return Row(name, "cotangent", (key,), ((claim,),), strict=False) if claim is not None else None

    def _claim(self, value: str, at: range, order: Sequence[Array]) -> tuple[Array, ...] | None:
        """Return cotangents in the layout of the values that they are of, None where one does not fit."""
        shapes = (self.values[value][i].shape for i in at)
        found = [fitted(array, shape, self.batch_last) for array, shape in zip(order, shapes, strict=True)]
        claim = tuple(array for array in found if array is not None)
        return claim if len(claim) == len(found) else None


def _orders(noted: list[Array], count: int) -> list[list[Array]]:
    """Return in which orders the cotangents of a loop's values may have been made.

    Time runs backward in the backward pass, which may carry a cotangent into the first step or out of the last; a loop
    over anything else may run in either order.
    """
    return [noted[:count][::-1], noted[-count:][::-1], noted[-count:]]


def _keys(value: str, at: range) -> tuple[Key, ...]:
    return tuple(Key("value", value, i) for i in at)
