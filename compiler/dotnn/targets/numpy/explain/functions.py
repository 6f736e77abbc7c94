"""The functions of a network: one for every block and composite layer, written once for all of its equal uses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from dotnn.codegen import tree
from dotnn.codegen.printer import print_body
from dotnn.ir.node import Node
from dotnn.model.definitions.base import safe
from dotnn.targets.numpy.explain.calls import Call, Item


@dataclass
class Half:
    """The forward or the backward function of a call: argument names, body, the names of what it returns."""

    arguments: list[str]
    body: list[tree.Stmt]
    results: list[str]
    keys: list[str] = field(default_factory=list)

    @cached_property
    def code(self) -> list[str]:
        """The lines of the body, without comments."""
        return print_body(self.body)

    def beside(self, other: Half, *, turned: bool) -> Half:
        """Return the same function, where comments name the shapes of another use, too."""
        body = both(self.body, other.body, turned=turned)
        return self if body == self.body else replace(self, body=body)


@dataclass(eq=False)
class Pair:
    """A forward and a backward function; `cache` is what the first saves, by key, besides what functions in it do."""

    base: str
    call: Call
    forward: Half
    backward: Half | None
    cache: dict[str, str]
    inner_saves: bool = False
    name: str = ""
    shapes: str = ""
    uses: list[Call] = field(default_factory=list)

    def share_comments(self, other: Pair, *, first: Pair) -> None:
        """Let comments name the shapes of another use, too; `first` is the use that comes first."""
        turned = first is other
        self.forward = self.forward.beside(other.forward, turned=turned)
        if self.backward and other.backward:
            self.backward = self.backward.beside(other.backward, turned=turned)

    @property
    def saves(self) -> bool:
        """Whether the forward function returns a cache."""
        return self.backward is not None or bool(self.cache) or self.inner_saves


def covers(big: Pair, small: Pair) -> bool:
    """Whether the functions of one call can do what those of another do, and more."""
    one, other = big.forward, small.forward
    if (one.arguments, one.results, one.code) != (other.arguments, other.results, other.code):
        return False
    if any(big.cache.get(key) != text for key, text in small.cache.items()):
        return False
    if small.backward is None or big.backward is None:
        return small.backward is None
    return _goes_back_like(big.backward, small.backward) and _knows_no_more(big, small)


def _goes_back_like(back: Half, smaller: Half) -> bool:
    """Whether a backward function takes and returns what another one does, or more of the same."""
    params = {name for name in back.arguments if not name.startswith("d_")}
    cotangents, fewer = ([a for a in half.arguments if a not in params] for half in (back, smaller))
    more_given = set(smaller.arguments) <= set(back.arguments) and set(smaller.results) <= set(back.results)
    return cotangents == fewer and more_given and back.keys == smaller.keys and is_part(smaller.code, back.code)


def _knows_no_more(big: Pair, small: Pair) -> bool:
    """Whether the lines that a backward function has beyond another's know of no other shapes."""
    assert big.backward is not None and small.backward is not None
    known = small.backward.code
    more = [line for line in big.backward.code if line not in known]
    return sizes(more) <= sizes([*known, *small.forward.code])


def sizes(lines: Iterable[str]) -> set[str]:
    """Return the numbers that stand in lines, those in one bracket together: what a line knows of shapes."""
    text = re.sub(r"\.shape\[1:\d\]", "", "\n".join(lines))
    return set(re.findall(r"\([\d(), -]*\d[\d(), -]*\)|(?<![\w.])\d+(?![\w.])", text))


def is_part(some: Sequence[str], lines: Sequence[str]) -> bool:
    """Whether lines occur in others, in their order."""
    rest: Iterator[str] = iter(lines)
    return all(line in rest for line in some)


class Library:
    """The pairs of functions of a script, each with its name, in the order in which they are needed.

    `writers` are those of all calls, whichever network they are in.
    """

    def __init__(self) -> None:
        self.writers: dict[Call, Any] = {}
        self.pairs: list[Pair] = []
        self.by_base: dict[str, list[Pair]] = {}

    def add(self, pairs: Iterable[Pair]) -> dict[Call, Pair]:
        """Return for every call the pair that serves it; equal ones, and those that do less, share one."""
        served: dict[Call, Pair] = {}
        fresh: list[Pair] = []
        for pair in pairs:
            match = self._matched(pair, fresh)
            match.uses.append(pair.call)
            served |= dict.fromkeys(match.uses, match)
        for pair in fresh:
            number = self.by_base[pair.base].index(pair) + 1
            pair.name = pair.base if number == 1 else f"{pair.base}_{number}"
        return served

    def _matched(self, pair: Pair, fresh: list[Pair]) -> Pair:
        """Return the pair that serves a call: one that is there, or its own, which may stand for one that does less."""
        known = self.by_base.setdefault(pair.base, [])
        match = next((p for p in known if covers(p, pair)), None)
        if match is not None:
            match.share_comments(pair, first=match)
            return match
        less = next((p for p in known if p in fresh and covers(pair, p)), None)
        if less is not None:
            self._replace(less, pair, fresh)
        else:
            for pairs in (known, fresh, self.pairs):
                pairs.append(pair)
        return pair

    def _replace(self, less: Pair, pair: Pair, fresh: list[Pair]) -> None:
        """Let a pair stand for one that does less."""
        for pairs in (self.by_base[pair.base], fresh, self.pairs):
            pairs[pairs.index(less)] = pair
        pair.uses = less.uses
        pair.share_comments(less, first=less)


def both(one: Sequence[tree.Stmt], other: Sequence[tree.Stmt], *, turned: bool = False) -> list[tree.Stmt]:
    """Return the statements of the first of two uses of a function, where the comments name the shapes of both."""
    rest = list(other)
    made: list[tree.Stmt] = []
    for stmt in one:
        alike = next((s for s in rest if _same_code(stmt, s)), None)
        if alike is not None:
            del rest[: rest.index(alike) + 1]
        made.append(_both(stmt, alike, turned=turned) if alike is not None else stmt)
    return made


def _same_code(one: tree.Stmt, other: tree.Stmt) -> bool:
    if isinstance(one, tree.For) and isinstance(other, tree.For):
        return one.head == other.head
    if not (isinstance(one, tree.Assign) and isinstance(other, tree.Assign)):
        return False
    return (one.targets, one.value) == (other.targets, other.value)


def _both(one: tree.Stmt, other: tree.Stmt, *, turned: bool) -> tree.Stmt:
    if isinstance(one, tree.For) and isinstance(other, tree.For):
        return replace(one, body=tuple(both(one.body, other.body, turned=turned)))
    if not (isinstance(one, tree.Assign) and isinstance(other, tree.Assign)) or one.comment == other.comment:
        return one
    shape, _, rest = one.comment.partition("   ")
    added = other.comment.partition("   ")[0]
    if added in shape.split(" or "):
        return one
    pair = (added, shape) if turned else (shape, added)
    return replace(one, comment="   ".join([" or ".join(pair), *([rest] if rest else [])]))


def snake_case(name: str) -> str:
    """Return `ConvPool` as `conv_pool`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def base_name(call: Call) -> str:
    """Return what the function of a call is called, if it is the only one of its kind."""
    if call.use is not None:
        return safe(snake_case(call.use.block))
    assert call.step is not None
    return call.step.layer.name


def nodes_of(item: Item) -> list[Node]:
    """Return a node, and those of its loop; nothing for a call."""
    return list(item.all_nodes()) if isinstance(item, Node) else []
