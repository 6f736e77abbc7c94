"""What a pass writes, statement by statement: the cotangents of a backward pass, all arrays of a fast step."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..reading.types import Array, Key, is_float
from .listen import Values, Woven


@dataclass(frozen=True)
class Note:
    """One array as it was when a statement had written it; masks and integers as floats, marked."""

    name: str
    line: int
    array: Array
    is_float: bool = True


Spot = tuple[str, int, int]
"""One of the notes of a pass: what is written, in which line, and how often it has been written there before."""


def spot_of(notes: Sequence[Note], position: int) -> Spot:
    """Return the spot of a note."""
    note = notes[position]
    return note.name, note.line, _count(notes[:position], note.name, note.line)


def _count(notes: Sequence[Note], name: str, line: int) -> int:
    return sum((note.name, note.line) == (name, line) for note in notes)


class Noting(Values):
    """Notes the cotangents `d_…` that the backward pass makes, or everything that the fast style writes.

    `given` are arrays that are handed in, each in the layout of its value, for what is written at a spot.
    """

    def __init__(
        self,
        woven: Woven,
        shifts: Mapping[Key, Array],
        everything: bool = False,
        given: Mapping[Spot, Array] | None = None,
    ) -> None:
        super().__init__(woven, shifts)
        self.notes: list[Note] = []
        self.start = "" if everything else "d_"
        self.given = given or {}

    def tap(self, number: int, make: Callable[[], Any], into: Callable[[], Any] | None = None) -> Any:
        """As above."""
        return self._assigned(number, (super().tap(number, make),))[0]

    def taps(self, number: int, make: Callable[[], Any]) -> Any:
        """As above."""
        return self._assigned(number, tuple(super().taps(number, make)))

    def whole(self, number: int, value: Any) -> Any:
        """As above."""
        return self._assigned(number, (super().whole(number, value),))[0]

    def stored(self, number: int, names: Sequence[str], load: Callable[[], Any]) -> None:
        """As above."""
        site = self.woven.sites[number]
        if site.kind == "do" and site.function in self.woven.noted:
            for name, array in zip(names, load(), strict=True):
                self._note(name, site.line, self._right(name, site.line, array, in_place=True))

    def filled(self, function: str, line: int, names: Sequence[str], load: Callable[[], Any]) -> None:
        """As above; that an array was cleared for a loop to fill it is forgotten."""
        super().filled(function, line, names, load)
        for name, array in zip(names, load(), strict=True) if function in self.woven.noted else ():
            last = self.notes[-1] if self.notes else None
            if last is None or (last.name, last.line) != (name, line):  # else it is the statement that has noted it
                if last is not None and last.name == name and not np.any(last.array):
                    self.notes.pop()
                self._note(name, line, self._right(name, line, array, in_place=True))

    def _assigned(self, number: int, values: tuple[Any, ...]) -> tuple[Any, ...]:
        site = self.woven.sites[number]
        makes = site.kind != "return" and site.function in self.woven.noted
        if not makes or _is_empty(site.node):
            return values
        names = [*site.names, *("" for _ in values[len(site.names) :])]
        return tuple(self._noted(name, site.line, value) for name, value in zip(names, values, strict=False))

    def _noted(self, name: str, line: int, value: Any) -> Any:
        """Return the value to go on with, and note it."""
        if name.isidentifier():
            value = self._right(name, line, value)
            self._note(name, line, value)
        return value

    def _right(self, name: str, line: int, array: Any, *, in_place: bool = False) -> Any:
        """Return what is handed in for an array that is written, as it is laid out; without that the array itself."""
        right = self.given.get((name, line, _count(self.notes, name, line))) if self.given else None
        if right is None or not isinstance(array, np.ndarray):
            return array
        whole = array if in_place else np.array(array)
        part = fitted(whole, right.shape, batch_last=self.woven.structure.step is not None)
        if part is not None and part.flags.writeable:
            part[...] = right
        return whole

    def _note(self, name: str, line: int, array: Any) -> None:
        if name.startswith(self.start) and isinstance(array, np.ndarray | np.generic | float | int):
            right_kind = is_float(np.asarray(array)[()])
            copied = np.array(array, dtype=None if right_kind else np.float64)  # buffers are reused
            self.notes.append(Note(name, line, copied, right_kind))


def _is_empty(node: ast.stmt) -> bool:
    """Whether a statement makes a new array, which holds nothing so far."""
    made = node.value if isinstance(node, ast.Assign) else None
    called = getattr(made.func, "attr", getattr(made.func, "id", "")) if isinstance(made, ast.Call) else ""
    return called in ("empty", "zeros", "aligned")


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
