"""What a woven script reports: events of a run, each with its call, its turns of loops, and what it has made."""

from __future__ import annotations

import ast
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..reading.structure import FORWARD_FUNCTIONS
from ..reading.types import Array, Key, is_float
from .fitting import must_fit
from .listen import Listener
from .run import BUFFERS, Enough, Event, Frame, Overrides, Patch, Place, Run, Watch
from .traced import TracedScript
from .values import ALIAS, RECORDER, Followed, Node, followed, identity, new_node, node_of, stripped
from .weave import Site

MOST_EVENTS = 200_000
NO_VALUE = Key("", "")
NOT_KEPT = Event(-1, Place(-1, 0, "", 0), Site(-1, "", "", ast.Pass()), 0, "", 0, 0, (), None)
"""Stands for the events that a replay does not keep."""


class Reporter(Listener):
    """Listens to a woven script: every assignment becomes an event of the run, and may be given another value.

    `overrides` are values that are handed in at events, `patches` other versions of statements, `shifts` are subtracted
    from values of the forward pass. A run ends behind the event `until`; some events only are `kept`.
    """

    def __init__(self, script: TracedScript) -> None:
        self.script = script
        self.sites = script.woven.sites
        self.overrides: Overrides = {}
        self.shifts: Mapping[Key, Array] = {}
        self.run = Run()
        self.patches: dict[int, Patch] = {}
        self.watched: tuple[int, int, Watch] | None = None
        self.until: Place | None = None
        self.kept: Collection[Place] | None = None
        self._following = False
        self._begin(Run(), {})

    def _begin(self, run: Run, overrides: Overrides) -> None:
        self.run, self.overrides = run, overrides
        self._turns: Counter[tuple[int, int, str]] = Counter()
        self._done: Counter[int] = Counter()
        self._seen: Counter[str] = Counter()
        self._stack = [0]
        self._loops: list[list[str]] = [[]]
        self._current = -1
        self._back = False

    def executions(self, number: int) -> int:
        """Return how often the last run has executed the statement of a site."""
        return self._done[number]

    def _go_back(self) -> None:
        """The backward pass begins: sites are counted anew."""
        self._turns.clear()
        self._done.clear()
        self._back = True

    def enter(self, function: str) -> None:
        """A function begins."""
        loops = tuple(self._loops[-1])
        self.run.frames.append(Frame(len(self.run.frames), function, self._stack[-1], self._current, loops))
        self._stack.append(len(self.run.frames) - 1)
        self._loops.append([])
        RECORDER.frame = self._stack[-1]

    def leave(self, function: str) -> None:
        """A function ends."""
        self._stack.pop()
        self._loops.pop()
        RECORDER.frame = self._stack[-1]

    def argument(self, number: int, value: Any) -> Any:
        """An argument has this value."""
        return self._report(self.sites[number], 0, self.sites[number].names[0], value)

    def loop(self, number: int, make: Callable[[], Any]) -> Iterator[Any]:
        """Yield what a loop runs over."""
        loops, name = self._loops[-1], self.sites[number].names[0]
        depth = len(loops)
        patch = self.patches.get(number) if self._back else None
        self._done[number] += 1
        if self.watched is not None and self.watched[0] == number:
            self.watched[2](self._names(2))
        for value in make() if patch is None else patch(self._names(2)):
            loops[depth:] = [_turn(name, value)]
            yield value
        loops[depth:] = ["after"]

    def loop_over(self) -> None:
        """A loop has ended."""
        if self._loops[-1]:
            self._loops[-1].pop()

    def tap(self, number: int, make: Callable[[], Any], into: Callable[[], Any] | None = None) -> Any:
        """One value is made, and must fit what it is written into: else the very line stops, and may be passed over."""
        site = self.sites[number]
        value = self._made(site, 1, make, into)
        return self._report(site, 0, site.names[0] if site.names else "", value)

    def taps(self, number: int, make: Callable[[], Any]) -> Any:
        """Several values are made at once."""
        site = self.sites[number]
        values = self._made(site, len(site.names), lambda: list(make()))
        if len(values) != len(site.names):
            return tuple(values)
        return tuple(self._report(site, i, name, v) for i, (name, v) in enumerate(zip(site.names, values, strict=True)))

    part = tap

    def whole(self, number: int, value: Any) -> Any:
        """What `+=` has made."""
        return self._report(self.sites[number], 1, self.sites[number].names[0], value)

    def do(self, number: int, make: Callable[[], Any]) -> Any:
        """A statement that is an expression."""
        return self._made(self.sites[number], 0, make)

    def stored(self, number: int, names: Sequence[str], load: Callable[[], Any]) -> None:
        """A piece was written into buffers."""
        for i, (name, buffer) in enumerate(zip(names, load(), strict=True)):
            if isinstance(buffer, np.ndarray):
                right = self._report(self.sites[number], BUFFERS + i, name, buffer)
                if right is not buffer and not np.array_equal(stripped(right), stripped(buffer)):
                    buffer[...] = right

    def filled(self, function: str, line: int, names: Sequence[str], load: Callable[[], Any]) -> None:
        """An array of the forward pass is a value now."""
        for name, buffer in zip(names, load(), strict=True) if function in FORWARD_FUNCTIONS else ():
            if self._back or not is_float(buffer):
                continue
            key = self._next(name)
            if key in self.shifts:
                buffer[...] = buffer - self.shifts[key]
            if (node := node_of(buffer)) is not None:
                self.run.values[key] = node

    def _made(self, site: Site, count: int, make: Callable[[], Any], into: Callable[[], Any] | None = None) -> Any:
        outer, self._current = self._current, site.number
        try:
            self._done[site.number] += 1
            if self.watched is not None and self.watched[:2] == (site.number, self._done[site.number] - 1):
                self.watched[2](self._names(3))
            patch = self.patches.get(site.number) if self._back else None
            value = make() if patch is None else patch(self._names(3))
            if into is not None:
                must_fit(value, into, adds=site.kind == "part")
            return value
        except Enough:
            raise
        except (Exception, SystemExit) as error:
            found = self._passed_over(site, count, error)
            if found is None:
                raise
            return found
        finally:
            self._current = outer

    def _passed_over(self, site: Site, count: int, error: BaseException) -> Any:
        """Note that a statement has stopped; return what was handed in for its values, None where not all were."""
        wanted = [Place(site.number, i, "", self._turns[site.number, i, ""]) for i in range(count)]
        found = [self.overrides[place] for place in wanted if self._back and place in self.overrides]
        self._note(wanted[0] if wanted else Place(site.number, 0, "", 0), site, site.names[:1], None, error)
        if not wanted or len(found) < len(wanted):
            return None
        return found[0] if count == 1 else found

    def _names(self, depth: int) -> dict[str, Any]:
        """Return all names that the woven function knows from which this was called."""
        frame = sys._getframe(depth)
        return {**vars(self.script.woven.module), **frame.f_locals}

    def _report(self, site: Site, index: int, name: str, value: Any) -> Any:
        if type(value) is dict:
            return self._report_entries(site, index, name, value)
        if not is_float(value):
            if not (self._back and name.startswith("d_")):
                return value
            if type(value) is float and value != 0:  # in place of an array; a sum may begin with 0
                value = np.array(value)
            if isinstance(value, np.ndarray):  # or a mask for a product with it
                return self._event(site, index, "", name, site.line, value)
            return value
        lines = site.lines if not site.keys else ()
        return self._event(site, index, "", name, lines[index] if index < len(lines) else site.line, value)

    def _report_entries(self, site: Site, index: int, name: str, entries: dict[str, Any]) -> dict[str, Any]:
        for key, line in zip(site.keys, site.lines if site.keys else (), strict=True):
            if is_float(entries.get(key)):
                entries[key] = self._event(site, index, key, name, line, entries[key])
            elif site.kind == "return" and self._back:
                wrong = TypeError(f"{key} is no array of floating-point numbers")
                self._note(Place(site.number, index, key, 0), site, (key,), None, wrong, line)
        return entries

    def _event(self, site: Site, index: int, key: str, name: str, line: int, value: Any) -> Any:
        place = Place(site.number, index, key, self._turns[site.number, index, key])
        self._turns[place.line_of_code] += 1
        event = self._note(place, site, (key or name,), value, None, line)
        right = self.overrides.get(place) if self._back else None
        made = value
        if right is not None and (not place.is_buffer or np.shape(right) == np.shape(value)):
            value = np.array(right)
        named = self._key_of(site, place, name)
        if (shift := self.shifts.get(named)) is not None:
            made = value = value - shift
            event.value = np.array(stripped(value))
        return self._named(event, named, value, made) if self._following and is_float(value) else value

    def _named(self, event: Event, key: Key, value: Any, made: Any) -> Any:
        """Return a value that is followed as what an event has made, or else what was handed in for that.

        A buffer stays the array that it is.
        """
        node = self._node_of_event(event, made)
        node.seeded = event.seeded = node.seeded or value is not made
        if key is not NO_VALUE:
            self.run.values[key] = node
        if not event.place.is_buffer:
            return _renamed(value, node)
        if isinstance(value, Followed):
            value.node = node
        return value

    def _node_of_event(self, event: Event, value: Any) -> Node:
        before = node_of(value)
        node = identity(before) if before is not None else new_node([], None)
        node.event, node.frame = event.number, event.frame
        event.node, event.seeded = node, node.seeded
        return node

    def _key_of(self, site: Site, place: Place, name: str) -> Key:
        """Return the key of a value of the forward pass, `NO_VALUE` for anything else."""
        named = self.script.woven.values.get(site.number, ()) if (site.kind, place.part) != ("part", 0) else ()
        if self._back or place.is_buffer or place.key or name not in named:
            return NO_VALUE
        return self._next(name)

    def _next(self, name: str) -> Key:
        self._seen[name] += 1
        return Key("value", name, self._seen[name] - 1)

    def _note(
        self, place: Place, site: Site, names: Sequence[str], value: Any, error: BaseException | None, line: int = 0
    ) -> Event:
        if self.run.length > MOST_EVENTS:
            raise MemoryError("too many events to be followed")
        number = self.run.length
        self.run.length += 1
        if self.kept is not None and error is None and place not in self.kept and place != self.until:
            return NOT_KEPT
        copied = np.array(stripped(value)) if value is not None else None
        loops = tuple(self._loops[-1])
        name = names[0] if names else ""
        done = max(0, self._done[site.number] - 1)
        event = Event(number, place, site, done, name, line or site.line, self._stack[-1], loops, copied, stopped=error)
        self.run.events.append(event)
        if place == self.until:
            raise Enough
        return event


def _renamed(value: Any, node: Node) -> Any:
    """Return a value under another name; what is written into it is written into the one that had the first."""
    found = followed(stripped(value), node)
    if isinstance(value, Followed) and isinstance(found, Followed):
        found.source = (value, ALIAS)
    return found


def _turn(name: str, value: Any) -> str:
    if isinstance(value, tuple) and all(isinstance(v, int | np.integer) for v in value):
        return f"{name} = {value}"
    if isinstance(value, tuple):
        value = next((v for v in value if isinstance(v, str | int)), "")
    if isinstance(value, int | np.integer):
        return f"{'step' if name in ('t', 'step') else name} {value}"
    return value if isinstance(value, str) else ""
