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


class Noting(Values):
    """Notes the cotangents `d_…` that the backward pass makes, or everything that the fast style writes."""

    def __init__(self, woven: Woven, shifts: Mapping[Key, Array], everything: bool = False) -> None:
        super().__init__(woven, shifts)
        self.notes: list[Note] = []
        self.start = "" if everything else "d_"

    def tap(self, number: int, make: Callable[[], Any]) -> Any:
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
                self._note(name, site.line, array)

    def filled(self, function: str, line: int, names: Sequence[str], load: Callable[[], Any]) -> None:
        """As above; that an array was cleared for a loop to fill it is forgotten."""
        super().filled(function, line, names, load)
        for name, array in zip(names, load(), strict=True) if function in self.woven.noted else ():
            last = self.notes[-1] if self.notes else None
            if last is None or (last.name, last.line) != (name, line):  # else it is the statement that has noted it
                if last is not None and last.name == name and not np.any(last.array):
                    self.notes.pop()
                self._note(name, line, array)

    def _assigned(self, number: int, values: tuple[Any, ...]) -> tuple[Any, ...]:
        site = self.woven.sites[number]
        makes = site.kind != "return" and site.function in self.woven.noted
        if makes and not _is_empty(site.node):
            for name, value in zip(site.names, values, strict=False):
                if name.isidentifier():
                    self._note(name, site.line, value)
        return values

    def _note(self, name: str, line: int, array: Any) -> None:
        if name.startswith(self.start) and isinstance(array, np.ndarray | np.generic | float | int):
            right_kind = is_float(np.asarray(array)[()])
            copied = np.array(array, dtype=None if right_kind else np.float64)  # buffers are reused
            self.notes.append(Note(name, line, copied, right_kind))


def _is_empty(node: ast.stmt) -> bool:
    """Whether a statement makes a new array, which holds nothing so far."""
    made = node.value if isinstance(node, ast.Assign) else None
    return isinstance(made, ast.Call) and isinstance(made.func, ast.Attribute) and made.func.attr in ("empty", "zeros")
