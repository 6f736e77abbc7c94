"""How a forward function ends: what it returns, and what it leaves for the way back."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dotnn.codegen import tree
from dotnn.codegen.printer import print_body
from dotnn.codegen.wrap import INDENT, WIDTH

SHORT_END = 90
"""A cache and results of less text than this are returned on one line."""


@dataclass(frozen=True)
class Ending:
    """What a forward function returns: expressions of its `results`, and the entries of its cache.

    `caches` says that the functions which it calls leave caches in its own; where it `saves` nothing, it has none.
    `at` is where, in what is returned, its only result is found.
    """

    results: Sequence[str]
    cache: Mapping[str, str]
    caches: bool
    saves: bool
    at: tuple[int | str, ...] = (0,)

    def begun(self) -> list[tree.Stmt]:
        """Return what a body begins with."""
        return [tree.Assign(("cache",), "{}")] if self.caches else []

    def of(self, body: Sequence[tree.Stmt]) -> list[tree.Stmt]:
        """Return a body and its end; what its last line makes only to be returned is returned by that line."""
        *before, last = self._returned(self.results)
        if body and isinstance(body[-1], tree.Assign) and not before and isinstance(last, tree.Return):
            at_once = self._at_once(body, body[-1])
            if at_once is not None:
                return [*body[:-1], at_once]
        return [*body, *before, last]

    def _at_once(self, body: Sequence[tree.Stmt], last: tree.Assign) -> tree.Return | None:
        """Return a last assignment as a return; None where something else reads its value, or the page ends."""
        name = last.targets[0]
        named = re.compile(rf"(?<![\w.\"']){re.escape(name)}(?![\w\"'])")
        read = [*print_body(body[:-1]), last.value, *self.cache.values()]
        if len(last.targets) > 1 or last.sign != "=" or last.place or len(self.results) != 1:
            return None
        if any(named.search(line) for line in read) or len(named.findall(self.results[0])) != 1:
            return None
        result = named.sub(lambda _: last.value, self.results[0])
        made = self._returned([result])
        code = made[-1].value if len(made) == 1 and isinstance(made[-1], tree.Return) else ""
        if not code or len(f"return {code}") + INDENT > WIDTH:
            return None
        at = self.at if self.saves else self.at[1:]
        return tree.Return(code, last.origin, at)

    def _returned(self, results: Sequence[str]) -> list[tree.Stmt]:
        entries = "{" + ", ".join(f'"{key}": {text}' for key, text in self.cache.items()) + "}"
        if not self.saves:
            return [tree.Return(", ".join(results))]
        whole = entries if not self.caches else f"cache | {entries}" if self.cache else "cache"
        if len(whole) + sum(map(len, results)) < SHORT_END:
            return [tree.Return(", ".join([*results, whole]))]
        kept: list[tree.Stmt] = []
        if not self.caches:
            kept = [tree.Assign(("cache",), entries)]
        elif self.cache:
            kept = [tree.Assign(("cache",), entries, sign="|=")]
        return [*kept, tree.Return(", ".join([*results, "cache"]))]
