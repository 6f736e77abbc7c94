"""How a function refers to values: by name, or where they are stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from dotnn.codegen import tree
from dotnn.codegen.lines import literal
from dotnn.codegen.names import Scope
from dotnn.codegen.wrap import INDENT, WIDTH
from dotnn.ir.node import Node, Value
from dotnn.targets.numpy.explain.calls import Call, Item
from dotnn.targets.numpy.explain.flow import Flow, Frame
from dotnn.targets.numpy.explain.functions import Pair, base_name
from dotnn.targets.numpy.explain.local_names import LocalNames
from dotnn.targets.numpy.explain.naming import Words, inside
from dotnn.targets.numpy.explain.spec_text import SpecText

if TYPE_CHECKING:
    from dotnn.targets.numpy.explain.writer import Writer


Pairing = tuple[str, str]
"""A name, and where its value is stored."""
CONTAINERS = ("batch", "params", "p", "cache")
FEW_PAIRS, MOST_PAIRS, SHORT_PAIRS = 3, 4, 85
"""So many names, of so much text, may come from several places on one line; so many from one place."""


class References(LocalNames):
    """What a function reads: its own names, its arguments, and what is stored in `params`, `batch` and `cache`.

    `writers` are those of all calls so far, `within` what is written within the line that reads it, as an expression.
    """

    def __init__(
        self,
        flow: Flow,
        frame: Frame,
        words: Words,
        spec: SpecText,
        served: Mapping[Call, Pair],
        writers: Mapping[Call, Writer],
        *,
        flat: bool = False,
    ) -> None:
        super().__init__(flow, frame, words, spec, served, flat=flat)
        self.writers = writers
        self.child_keys = self._child_keys()
        self.keys = self._cache_keys()
        self.unpacked: dict[int, str] = {}
        self.within: dict[int, str] = {}
        self.targets: dict[int, list[str]] = {}

    def handed(self, child: Call, phase: str) -> list[Value | str]:
        """Return the arguments of a call: values, and words."""
        raise NotImplementedError

    def _child_keys(self) -> dict[Call, str]:
        scope, found = Scope(), {}
        for child in self.children:
            by_params = child.use is not None and child.params  # a loop over copies finds the parameters by this key
            parts = inside(child.params, self.call.params) if by_params else inside(child.path, self.call.path)
            key = ".".join(parts) or (child.step.layer.name if child.step else base_name(child))
            key = key if by_params else self._shortest(child, key)
            number, free = 1, key
            while free in scope.taken:
                number, free = number + 1, f"{key}_{number + 1}"
            scope.taken.add(free)
            found[child] = free
        return found

    def _shortest(self, child: Call, key: str) -> str:
        """Return the end of a path that no other function and no value that is saved has, or all of it."""
        others = [inside(c.path, self.call.path) for c in self.children if c is not child]
        saved = {self.name(v) for v in self.frame.saved.values()}
        parts = key.split(".")
        for k in range(1, len(parts)):
            end = parts[-k:]
            if all(other[-k:] != end for other in others) and ".".join(end) not in saved:
                return ".".join(end)
        return key

    def _cache_keys(self) -> dict[int, str]:
        scope = Scope()
        scope.taken = set(self.child_keys.values())
        keys = {}
        for v in self.frame.saved.values():
            name = self.name(v)
            keys[v.id] = scope.free(name if name not in scope.taken else f"{name}_y")
        return keys

    def stored(self, v: Value, phase: str) -> str:
        """Return where a value that the function does not compute is found: `params["h.W"]`; "" for an argument."""
        if self.flow.owns(self.call, v):
            return "" if self.explicit else self._own_param(v)
        if self.call.parent is None and v.id in self.flow.sources:
            return "" if v.role == "seed" else f'batch["{self._source(v)}"]'
        if phase == "forward" or self._is_at_hand(v):
            return ""
        return "cache" + "".join(f'["{key}"]' for key in self.cache_path(v))

    def _own_param(self, v: Value) -> str:
        path = ".".join(inside(self.flow.params[v.id], self.call.params))
        return f'{"p" if self.call.parent else "params"}["{path}"]'

    def _is_at_hand(self, v: Value) -> bool:
        """Whether a backward function has a value that no cache holds: it makes it, or is handed it."""
        flow = self.flow
        made = v.id in flow.home_back or v.id in flow.of_loss or v.id in self.words.inner or v.id in flow.repeated_steps
        return made or v.role == "seed" or v.id in self.frame.returning

    def _source(self, v: Value) -> str:
        graph = self.flow.graph
        return next(name for t in (graph.inputs, graph.targets) for name, x in t.items() if x.id == v.id)

    def cache_path(self, v: Value) -> tuple[str, ...]:
        """Return the keys that lead to a stored value, from the function's own cache inwards."""
        place = self.flow.saved_in(v, self.call)
        assert place is not None, v.name
        chain = [c for c in place.ancestors() if c not in list(self.call.ancestors())][::-1]
        keys = []
        writer: References = self
        for call in chain:
            keys.append(writer.child_keys[call])
            writer = writer.writers[call]
        return *keys, writer.keys[v.id]

    def ref(self, v: Value, phase: str) -> str:
        """Return a value as an expression of the function."""
        if v.id in self.unpacked:
            return self.unpacked[v.id]
        if v.id in self.targets:
            return self.targets[v.id][0]
        return self.stored(v, phase) or self.name(v)

    def wanted(self, phase: str, items: Iterable[Item]) -> list[Value]:
        """Return what items read, as often as they do."""
        found = []
        for item in items:
            if isinstance(item, Node):
                found += [*self._reads(item)]
            else:
                found += [v for v in self.handed(item, phase) if isinstance(v, Value)]
        return found

    def _reads(self, node: Node) -> list[Value]:
        if node.loop is None:
            return self.flow.reads_in_line(node)
        inner = node.loop.made()
        inside_reads = [v for n in node.loop.nodes for v in n.ins if v.id not in inner]
        return [*self.flow.reads(node), *inside_reads]

    def choose_unpacked(self, phase: str) -> set[int]:
        """Return the stored values that get a name first: all of a flat network, else what is read several times."""
        wanted = self.wanted(phase, self.call.items(phase))
        counts = Counter(v.id for v in wanted)
        return {v.id for v in wanted if self._is_named(v, self.stored(v, phase), counts[v.id])}

    def _is_named(self, v: Value, stored: str, count: int) -> bool:
        """Whether a stored value that is read so often gets a name."""
        if not stored:
            return False
        if stored.startswith("batch"):
            return count > 1 or v.id not in self._inputs or (self.flat and v.id in self._read_back)
        return self.flat or count > 1 or (self.call.kind == "layer" and stored.startswith("cache"))

    @cached_property
    def _inputs(self) -> set[int]:
        return {v.id for v in self.flow.graph.inputs.values()}

    @cached_property
    def _read_back(self) -> set[int]:
        """The numbers of the values that the loss and the way back read."""
        graph = self.flow.graph
        return {v.id for phase in ("loss", "backward") for node in graph.phase(phase) for v in node.ins}

    def unpack(self, values: Iterable[Value], phase: str) -> list[tree.Stmt]:
        """Return the statements that name stored values."""
        pairs = []
        for v in {v.id: v for v in values if v.id not in self.unpacked}.values():
            self.unpacked[v.id] = self.name(v)
            pairs.append((self.name(v), self.stored(v, phase)))
        return unpacking(pairs)


def unpacking(pairs: Sequence[Pairing]) -> list[tree.Stmt]:
    """Return `x, W = batch["x"], params["W"]` on one line if that is easily read, else a line for each container."""
    if len(set(map(_container, pairs))) > 1 and _is_short(pairs):
        return [_assigned(pairs)]
    batch, params, *others = [[p for p in pairs if _container(p) == container] for container in CONTAINERS]
    if batch and params and _is_short([*batch, *params]):
        return [_assigned([*batch, *params]), *_each_unpacked(others)]
    return _each_unpacked([batch, params, *others])


def _each_unpacked(groups: Iterable[Sequence[Pairing]]) -> list[tree.Stmt]:
    return [stmt for some in groups for stmt in _unpacked(some)]


def _container(pair: Pairing) -> str:
    return pair[1].partition("[")[0]


def _is_short(pairs: Sequence[Pairing]) -> bool:
    """Whether pairs are read easily on one line, though they come from several places."""
    return len(pairs) <= FEW_PAIRS and sum(len(a) + len(b) for a, b in pairs) < SHORT_PAIRS


def _unpacked(pairs: Sequence[Pairing]) -> list[tree.Stmt]:
    """Return `a, b = cache["a"], cache["b"]`, as much on a line as fits."""
    at_once = _by_name(pairs) if len(pairs) > FEW_PAIRS else None
    if at_once is not None and len(at_once.value) + len(", ".join(at_once.targets)) + 3 <= WIDTH - INDENT:
        return [at_once]
    made: list[tree.Stmt] = []
    some: list[Pairing] = []
    for pair in pairs:
        length = sum(len(a) + len(b) + 4 for a, b in [*some, pair])
        if some and (length > WIDTH - 2 * INDENT or len(some) == MOST_PAIRS):
            made.append(_assigned(some))
            some = []
        some.append(pair)
    return [*made, _assigned(some)] if some else made


def _by_name(pairs: Sequence[Pairing]) -> tree.Assign | None:
    """Return `a, b = (cache[n] for n in ("a", "b"))`, None where a name is not its own key."""
    names, container = tuple(name for name, _ in pairs), _container(pairs[0])
    if any(text != f'{container}["{name}"]' for name, text in pairs):
        return None
    return tree.Assign(names, f"({container}[n] for n in {literal(names)})")


def _assigned(pairs: Sequence[Pairing]) -> tree.Stmt:
    return tree.Assign(tuple(a for a, _ in pairs), ", ".join(b for _, b in pairs))
