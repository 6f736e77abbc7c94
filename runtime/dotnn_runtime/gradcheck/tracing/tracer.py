"""The running half of the instrumentation: what the inserted calls of a traced script do."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np

from ..reading.types import Array, Direction, Key, Unusable, is_float
from .branches import BRANCHES

MODULE_NAME = "__gradcheck__"


class Mode(Enum):
    """What the inserted calls do at the moment."""

    OFF = "pass everything through"
    RECORD = "record named values and branch decisions"
    REPLAY = "replay branch decisions, add displacements"
    BACKWARD = "record cotangents"
    STEP = "record all that a fast step writes"


@dataclass
class Tape:
    """What one recorded forward pass left behind."""

    decisions: list[tuple[int, Array]] = field(default_factory=list)
    values: dict[str, list[Array]] = field(default_factory=lambda: defaultdict(list))
    ties: Counter[int] = field(default_factory=Counter)


@dataclass(frozen=True)
class Note:
    """One cotangent, as it was when the backward pass had assigned it; masks and integers as floats, marked."""

    name: str
    line: int
    array: Array
    is_float: bool = True


class Tracer:
    """One object per traced script; the script calls it under the name `__gradcheck__`.

    `shifts` are constants subtracted from named values in every mode (they move a point onto a tie); `snap` holds the
    names whose shifts are still to be found, by rounding the value to a multiple of `1 / grid`.
    """

    def __init__(self) -> None:
        self.mode = Mode.OFF
        self.tape = Tape()
        self.notes: list[Note] = []
        self.written: list[Note] = []
        self.kinks: Counter[int] = Counter()
        self.push: Direction = {}
        self.shifts: dict[Key, Array] = {}
        self.snap: frozenset[str] = frozenset()
        self.grid = 4.0
        self._seen: Counter[str] = Counter()
        self._used: Counter[int] = Counter()
        self._played = 0
        self._watch_kinks = self._moves_uses = False
        self._moved: frozenset[str] | set[str] = frozenset()

    def start(self, mode: Mode, tape: Tape, push: Direction | None = None) -> None:
        """Begin a run."""
        self.mode, self.tape, self.push = mode, tape, push or {}
        kinds = {key.kind for key in self.push}
        self._moves_uses = any(kind.startswith("use") for kind in kinds)
        self._moved = {key.name for key in (*self.push, *self.shifts) if key.kind == "value"} | self.snap
        self._seen.clear()
        self._used.clear()
        self._played = 0
        self._watch_kinks = mode is Mode.REPLAY and not any(np.iscomplexobj(u) for u in self.push.values())
        if mode is Mode.BACKWARD:
            self.notes = []
        if mode is Mode.STEP:
            self.written = []

    def stop(self) -> None:
        """End a run: the inserted calls do nothing until the next."""
        self.mode, self.push = Mode.OFF, {}

    @property
    def passed(self) -> frozenset[str]:
        """The names of the values that the last run computed."""
        return frozenset(self._seen)

    def value(self, name: str, value: Any) -> Any:
        """Evaluation behind `name = …` in the forward pass; return the value to go on with."""
        if self.mode is Mode.OFF or (self.mode is Mode.REPLAY and name not in self._moved) or not is_float(value):
            return value
        key = Key("value", name, self._seen[name])
        self._seen[name] += 1
        if name in self.snap:
            self.shifts[key] = value - np.round(self.grid * value) / self.grid
        if key in self.shifts:
            value = value - self.shifts[key]
        if self.mode is Mode.RECORD:
            self.tape.values[name].append(np.asarray(value))
        delta = self.push.get(key)
        return value if delta is None else value + delta

    def value_in(self, name: str, value: Any) -> Any:
        """Evaluation behind a statement that wrote into the array `name`, and displace that very array."""
        moved = self.value(name, value)
        if moved is not value:
            value[...] = moved
        return value

    def use(self, name: str, site: int, value: Any) -> Any:
        """Evaluation around one reading of `name`; in a loop, `use@2` is the third time that it is read there."""
        if not self._moves_uses:
            return value
        delta = self.push.get(Key("use", name, site), self.push.get(Key(f"use@{self._used[site]}", name, site)))
        self._used[site] += 1
        return value if delta is None else value + delta

    def note(self, name: str, line: int, array: Any) -> None:
        """Evaluation behind `d_… = …` in the backward pass."""
        if self.mode is Mode.BACKWARD and isinstance(array, np.ndarray | np.generic | float | int):
            right_kind = is_float(np.asarray(array)[()])
            copied = np.array(array, dtype=None if right_kind else np.float64)  # buffers are reused
            self.notes.append(Note(name, line, copied, right_kind))

    def wrote(self, name: str, line: int, array: Any) -> None:
        """Evaluation behind every statement of a fast step."""
        if self.mode is Mode.STEP and isinstance(array, np.ndarray | np.generic | float | int):
            self.written.append(Note(name, line, np.array(array)))

    def branch(self, site: int, function: str, plain: Any, *args: Any, **options: Any) -> Any:
        """Evaluation in for a comparison or a branching function; `plain` is what the script would have called."""
        unknown = set(options) - {"axis", "keepdims"}
        if self.mode in (Mode.OFF, Mode.BACKWARD, Mode.STEP) or unknown or not any(is_float(a) for a in args):
            return plain(*args, **options)
        branch = BRANCHES[function]
        if self.mode is Mode.RECORD:
            self.tape.decisions.append((site, branch.decide(*args, **options)))
            self.tape.ties[site] += branch.ties(*args, **options)
            return plain(*args, **options)
        decision = self._next_decision(site)
        if self._watch_kinks and branch.kinked:
            self.kinks[site] += int(np.count_nonzero(branch.decide(*args, **options) != decision))
        return branch.apply(decision, *args, **options)

    def method(self, site: int, function: str, owner: Any, *args: Any, **options: Any) -> Any:
        """Evaluation in for `owner.max(…)` and the like."""
        if not isinstance(owner, np.ndarray):
            return getattr(owner, function)(*args, **options)
        return self.branch(site, function, getattr(np, function), owner, *args, **options)

    def compare(self, site: int, sign: str, left: Any, right: Any) -> Any:
        """Evaluation in for `left > right` and the like."""
        return self.branch(site, sign, _OPERATORS[sign], left, right)

    def _next_decision(self, site: int) -> Array:
        decisions = self.tape.decisions
        if self._played >= len(decisions) or decisions[self._played][0] != site:
            raise Unusable("the displaced forward pass took another path than the base one")
        self._played += 1
        return decisions[self._played - 1][1]


_OPERATORS: Mapping[str, Any] = {
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
}
