"""The running half of tracing: a woven script, and those who may listen while it runs."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType
from typing import Any

import numpy as np

from ..reading.script import execute
from ..reading.statements import loads
from ..reading.structure import FORWARD_FUNCTIONS, Structure, parse_script
from ..reading.types import Array, Key, is_float
from .branches import OPERATORS
from .weave import MODULE_NAME, Site, Weaver


class Listener:
    """Is called by a woven script; this one lets everything pass."""

    def enter(self, function: str) -> None:
        """A function begins."""

    def leave(self, function: str) -> None:
        """A function ends."""

    def argument(self, number: int, value: Any) -> Any:
        """An argument has this value."""
        return value

    def loop(self, number: int, make: Callable[[], Any]) -> Any:
        """What a loop runs over is made."""
        return make()

    def loop_over(self) -> None:
        """A loop has ended."""

    def tap(self, number: int, make: Callable[[], Any], into: Callable[[], Any] | None = None) -> Any:
        """One value is made; of one that is written into something, `into` gives that and the piece of it."""
        return make()

    def taps(self, number: int, make: Callable[[], Any]) -> Any:
        """Several values are made at once."""
        return make()

    def part(self, number: int, make: Callable[[], Any], into: Callable[[], Any] | None = None) -> Any:
        """What `+=` adds is made; `into` gives what it is added to, twice."""
        return make()

    def whole(self, number: int, value: Any) -> Any:
        """What `+=` has made."""
        return value

    def do(self, number: int, make: Callable[[], Any]) -> Any:
        """A statement that is an expression."""
        return make()

    def stored(self, number: int, names: Sequence[str], load: Callable[[], Any]) -> None:
        """A statement has written into arrays."""

    def filled(self, function: str, line: int, names: Sequence[str], load: Callable[[], Any]) -> None:
        """A statement of a function's own block, a loop perhaps, has written into arrays."""

    def branch(self, number: int, function: str, plain: Any, *args: Any, **options: Any) -> Any:
        """A branching function is called; `plain` is what the script calls."""
        return plain(*args, **options)

    def method(self, number: int, function: str, owner: Any, *args: Any, **options: Any) -> Any:
        """A branching method is called, `owner.max(…)`."""
        if not isinstance(owner, np.ndarray):
            return getattr(owner, function)(*args, **options)
        return self.branch(number, function, getattr(np, function), owner, *args, **options)

    def compare(self, number: int, sign: str, left: Any, right: Any) -> Any:
        """Two values are compared."""
        return self.branch(number, sign, OPERATORS[sign], left, right)


_NOBODY = Listener()


@dataclass(frozen=True)
class Woven:
    """A script that reports what it does: as long as nobody listens, its functions compute what the script's do.

    `sites` and the lines of the `branches` are known by their numbers. `values` holds the names that a site gives to
    values of the forward pass, "" for what is none: what is only read, or an array that is filled piece by piece.
    """

    structure: Structure
    module: ModuleType
    sites: Sequence[Site]
    branches: Sequence[int]

    @classmethod
    def of(cls, structure: Structure, filename: str) -> Woven:
        """Weave a script, and execute it. Raises `ScriptError`."""
        weaver = Weaver(structure)
        tree = weaver.module(parse_script(structure.source))
        return cls(structure, execute(tree, filename, {MODULE_NAME: _NOBODY}), weaver.sites, weaver.branches)

    @contextmanager
    def heard_by(self, listener: Listener) -> Iterator[ModuleType]:
        """Let somebody listen to the functions of the module."""
        names = vars(self.module)
        names[MODULE_NAME] = listener
        try:
            yield self.module
        finally:
            names[MODULE_NAME] = _NOBODY

    @cached_property
    def values(self) -> dict[int, tuple[str, ...]]:
        """The names of values, by the site that makes them."""
        found = {site.number: self._names(site) for site in self.sites}
        return {number: names for number, names in found.items() if any(names)}

    def _names(self, site: Site) -> tuple[str, ...]:
        makes = site.function in FORWARD_FUNCTIONS and site.kind in ("assign", "unpack", "part")
        if not makes or loads(site.node):
            return ()
        filled = self.structure.in_place[site.function]
        return tuple(name if name.isidentifier() and name not in filled else "" for name in site.names)

    @cached_property
    def sites_of(self) -> Mapping[str, list[int]]:
        """The sites that make a value of a name."""
        found: dict[str, list[int]] = defaultdict(list)
        for number, names in self.values.items():
            for name in names:
                found[name].append(number)
        return found

    @cached_property
    def noted(self) -> frozenset[str]:
        """The functions whose statements are noted: the backward pass, and what the fast style writes arrays in."""
        return frozenset({self.structure.backward_function, *self.structure.makers})


class Values(Listener):
    """Gives the values of the forward pass their keys, and subtracts constants from some of them."""

    def __init__(self, woven: Woven, shifts: Mapping[Key, Array]) -> None:
        self.woven, self.shifts = woven, shifts
        self.names: Mapping[int, tuple[str, ...]] = woven.values
        self.seen: Counter[str] = Counter()

    def tap(self, number: int, make: Callable[[], Any], into: Callable[[], Any] | None = None) -> Any:
        """As above."""
        value = make()
        return self.value(self.names[number][0], value) if number in self.names else value

    def taps(self, number: int, make: Callable[[], Any]) -> Any:
        """As above."""
        values = make()
        if number not in self.names:
            return values
        values, names = tuple(values), self.names[number]
        return tuple(map(self.value, names, values)) if len(values) == len(names) else values

    def whole(self, number: int, value: Any) -> Any:
        """As above."""
        return self.value(self.names[number][0], value) if number in self.names else value

    def filled(self, function: str, line: int, names: Sequence[str], load: Callable[[], Any]) -> None:
        """As above: an array that was filled piece by piece is a value now."""
        for name, array in zip(names, load(), strict=True) if function in FORWARD_FUNCTIONS else ():
            moved = self.value(name, array)
            if moved is not array:
                array[...] = moved

    def value(self, name: str, value: Any) -> Any:
        """Return the value of a name to go on with."""
        if not name or not is_float(value):
            return value
        key = Key("value", name, self.seen[name])
        self.seen[name] += 1
        shift = self.shifts.get(key)
        return self.named(key, value if shift is None else value - shift)

    def named(self, key: Key, value: Any) -> Any:
        """Return the value of a key to go on with."""
        return value
