"""The forward pass as a function of displacements: its branches are decided once, and decided the same ever after."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..reading.types import Array, Direction, Key, Unusable, is_float
from .branches import BRANCHES
from .listen import Values, Woven


@dataclass
class Tape:
    """What one recorded forward pass left behind: decisions by branch, values by name, exact ties by line."""

    decisions: list[tuple[int, Array]] = field(default_factory=list)
    values: dict[str, list[Array]] = field(default_factory=lambda: defaultdict(list))
    ties: Counter[int] = field(default_factory=Counter)


class _Deciding(Values):
    """Takes part in the decision of every branch."""

    def branch(self, number: int, function: str, plain: Any, *args: Any, **options: Any) -> Any:
        """As above; a list of arrays is the array that NumPy makes of it."""
        if list in (kinds := [*map(type, args)]) or tuple in kinds:
            args = tuple(np.asarray(a) if _holds_arrays(a) else a for a in args)
        if not any(map(is_float, args)) or (options and set(options) - {"axis", "keepdims"}):
            return plain(*args, **options)
        return self.decided(number, function, plain, args, options)

    def decided(self, number: int, function: str, plain: Any, args: Any, options: Any) -> Any:
        """Return the result of a branch."""
        raise NotImplementedError


def _holds_arrays(value: Any) -> bool:
    """Tell whether a value is a list or tuple with a floating-point array in it, however deep."""
    return type(value) in (list, tuple) and any(is_float(v) or _holds_arrays(v) for v in value)


class Recording(_Deciding):
    """Records named values and branch decisions."""

    def __init__(self, woven: Woven, shifts: Mapping[Key, Array]) -> None:
        super().__init__(woven, shifts)
        self.tape = Tape()

    def named(self, key: Key, value: Any) -> Any:
        """As above."""
        self.tape.values[key.name].append(np.asarray(value))
        return value

    def decided(self, number: int, function: str, plain: Any, args: Any, options: Any) -> Any:
        """As above."""
        branch = BRANCHES[function]
        self.tape.decisions.append((number, branch.decide(*args, **options)))
        self.tape.ties[self.woven.branches[number]] += branch.ties(*args, **options)
        return plain(*args, **options)


Edges = Mapping[str, Sequence[float]]
"""The constants that named values are compared with."""
NEAR = 4
"""At how many distances from an edge that is not 0 values come to lie on either side: 1, 1/4, 1/16, 1/64."""


class Snapping(Values):
    """Rounds named values to multiples of `1 / grid`, and keeps in `found` what that takes away.

    Where a value is compared with constants, its elements are brought near to these in turn, on either side: a
    threshold that no element of a generic point is close to is met all the same.
    """

    def __init__(self, woven: Woven, names: frozenset[str], grid: float, edges: Edges) -> None:
        self.found: dict[Key, Array] = {}
        super().__init__(woven, self.found)
        self.wanted, self.grid, self.edges = names, grid, edges

    def named(self, key: Key, value: Any) -> Any:
        """As above."""
        if key.name not in self.wanted:
            return value
        edges = np.resize(self.edges.get(key.name, (0.0,)), np.shape(value))
        steps = np.round(self.grid * (value - edges))
        to = steps / self.grid
        if np.any(edges):
            steps = (steps + NEAR) % (2 * NEAR + 1) - NEAR
            to = np.sign(steps) * 4.0 ** (np.abs(steps) - NEAR)
        self.found[key] = value - (edges + to)
        return value - self.found[key]


class Replaying(_Deciding):
    """Replays branch decisions, and adds displacements; counts in `kinks` where real ones would decide otherwise."""

    def __init__(
        self, woven: Woven, shifts: Mapping[Key, Array], tape: Tape, push: Direction, kinks: Counter[int]
    ) -> None:
        super().__init__(woven, shifts)
        self.moved = {key.name for key in (*push, *shifts) if key.kind == "value"}
        self.names = {number: woven.values[number] for name in self.moved for number in woven.sites_of[name]}
        self.decisions, self.push = iter(tape.decisions), push
        self.kinks = None if any(np.iscomplexobj(u) for u in push.values()) else kinks

    def value(self, name: str, value: Any) -> Any:
        """As above."""
        return super().value(name, value) if name in self.moved else value

    def named(self, key: Key, value: Any) -> Any:
        """As above."""
        delta = self.push.get(key)
        return value if delta is None else value + delta

    def decided(self, number: int, function: str, plain: Any, args: Any, options: Any) -> Any:
        """As above."""
        site, decision = next(self.decisions, (-1, None))
        if site != number:
            raise Unusable("the displaced forward pass took another path than the base one")
        branch = BRANCHES[function]
        if self.kinks is not None and branch.kinked:
            crossed = np.count_nonzero(branch.decide(*args, **options) != decision)
            self.kinks[self.woven.branches[number]] += int(crossed)
        return branch.apply(decision, *args, **options)
