"""Trying other versions of a statement: the one that makes everything right shows what is wrong."""

from __future__ import annotations

import ast
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np

from ..tracing.run import Patch
from ..tracing.weave import Site
from .bench import Bench
from .edits import Script, edits

MOST_TRIED = 4000
SECONDS = 4.0
"""A search ends after so long …"""
TRIAL = 5
"""… or after as many events as it may replay; to evaluate an expression costs as much as so many."""

Condition = Callable[[], bool]
Local = Callable[[dict[str, Any], Patch], bool]
"""Judges a patch by the names that its statement knows."""


@dataclass(frozen=True)
class Repair:
    """Another expression for a site, what evaluates it, and how unlikely it is."""

    site: Site
    expression: ast.expr
    patch: Patch
    rank: int

    @property
    def text(self) -> str:
        """The expression as it would be written."""
        return ast.unparse(self.expression)

    @property
    def only_removes(self) -> bool:
        """Whether it is what is there without a part of it: a minus, a factor, a term, an index."""
        before, after = Counter(_words(value_of(self.site))), Counter(_words(self.expression))
        return after < before


def _words(expression: ast.expr | None) -> Iterator[str]:
    """Yield the names, numbers and operators of an expression."""
    for node in ast.walk(expression) if expression is not None else ():
        if isinstance(node, ast.Name | ast.Attribute | ast.Constant | ast.operator | ast.unaryop | ast.cmpop):
            fields = (value for _, value in ast.iter_fields(node) if not isinstance(value, ast.AST))
            yield " ".join([type(node).__name__, *map(str, fields)])


def value_of(site: Site) -> ast.expr | None:
    """Return the expression that a site evaluates."""
    node = site.node
    return node.iter if isinstance(node, ast.For) else getattr(node, "value", None)


def patch_of(text: str) -> Patch:
    """Return what evaluates an expression: its text is compiled faster than its tree."""
    code = compile(text, "<repair>", "eval")
    return lambda names: eval(code, names)


class _Version(NamedTuple):
    """Another expression for a site, what compiles its text, and whether only the site's own value is another then."""

    expression: ast.expr
    compile: Callable[[str], Patch]
    alone: bool


def _compiled(version: Callable[[str], Patch], text: str) -> Patch | None:
    """Return what evaluates a version, None where Python refuses it."""
    try:
        return version(text)
    except (SyntaxError, ValueError):
        return None


def _is_literal(value: ast.expr) -> bool:
    parts = ast.Constant | ast.Tuple | ast.expr_context
    return all(isinstance(part, parts) for part in ast.walk(value))


class Repairs:
    """Looks for repairs of single sites."""

    def __init__(self, bench: Bench, work: int) -> None:
        self.bench, self.follower = bench, bench.follower
        self.most_work, self.deadline = bench.work + work, time.process_time() + SECONDS

    def at(self, site: Site, execution: int, right: Condition, local: Local | None, tier: int) -> Iterator[Repair]:
        """Yield repairs of a site of one tier, the likeliest first, with which `right` holds.

        Its names are looked at in one `execution`. `local` judges the value of the expression there, where that is what
        must be right: then nothing has to be run for what is wrong.
        """
        names = self._names_at(site, execution)
        if names is None:
            return
        before = self.follower.patches.get(site.number)
        try:
            for repair, alone in self._distinct(site, names, tier):
                if self._is_late:
                    return
                self.bench.work += TRIAL
                by_value = partial(local, names) if local is not None and alone else None
                if self._holds(site, repair.patch, right, by_value):
                    yield repair
        finally:
            self.follower.patches.pop(site.number, None)
            if before is not None:
                self.follower.patches[site.number] = before

    def _holds(
        self, site: Site, patch: Patch, right: Callable[[], bool], local: Callable[[Patch], bool] | None
    ) -> bool:
        """Whether everything is right with a patch; it may do anything."""
        try:
            if local is not None and not local(patch):
                return False
            self.follower.patches[site.number] = patch
            return right()
        except (Exception, SystemExit):
            return False

    @property
    def _is_late(self) -> bool:
        return self.bench.work > self.most_work or time.process_time() > self.deadline

    def _distinct(self, site: Site, names: dict[str, Any], tier: int) -> Iterator[tuple[Repair, bool]]:
        """Yield what differs in its text and can be compiled, and whether only the site's own value is another then."""
        compiles: dict[str, bool] = {}
        rank = -1
        for new, patch_for, alone in self._versions(site, names, tier):
            text, patch = ast.unparse(new), None
            if text not in compiles:
                patch = _compiled(patch_for, text)
                compiles[text] = patch is not None
            rank += compiles[text]
            if patch is not None:
                yield Repair(site, new, patch, rank), alone
            if len(compiles) > MOST_TRIED:
                return

    def _versions(self, site: Site, names: dict[str, Any], tier: int) -> Iterator[_Version]:
        """Yield other versions of a site."""
        node, whole = site.node, value_of(site)
        if whole is None:
            return
        if tier == 0 and isinstance(node, ast.Assign | ast.AugAssign):
            yield from (_Version(new, patch_of, False) for new in _other_accumulations(node, whole))
        yield from (_Version(new, patch_of, True) for new in edits(whole, names, self._script, tier))
        if isinstance(node, ast.Assign | ast.AugAssign):
            yield from (_Version(new, store, False) for new, store in _other_places(node, whole, names, tier))

    def _names_at(self, site: Site, execution: int) -> dict[str, Any] | None:
        seen: list[dict[str, Any]] = []

        def watch(names: dict[str, Any]) -> None:
            if not seen:
                copied = {n: v.copy() if isinstance(v, np.ndarray) else v for n, v in names.items()}
                seen.append({n: dict(v) if isinstance(v, dict) else v for n, v in copied.items()})

        self.follower.watched = (site.number, execution, watch)
        try:
            self.bench.again()
        finally:
            self.follower.watched = None
        return seen[0] if seen else None

    @cached_property
    def _script(self) -> Script:
        structure = self.follower.script.structure
        slopes = [f.name for f in structure.functions.values() if len(f.args.args) == 1 and not f.args.defaults]
        passed = (node for node in ast.walk(structure.tree) if isinstance(node, ast.Call))
        owned = (k for call in passed if ast.unparse(call.func) in structure.functions for k in call.keywords)
        return Script(slopes, list({ast.unparse(k): k for k in owned if k.arg and _is_literal(k.value)}.values()))


def _other_places(
    node: ast.Assign | ast.AugAssign, whole: ast.expr, names: dict[str, Any], tier: int
) -> Iterator[tuple[ast.expr, Callable[[str], Patch]]]:
    """Yield the places beside the one where a value is stored, `d_x[:, t - 1] = e` for `d_x[:, t] = e`."""
    target = node.targets[0] if isinstance(node, ast.Assign) else node.target
    for new in edits(target, names, Script(), tier) if isinstance(target, ast.Subscript) else ():
        if isinstance(new, ast.Subscript):
            yield new, partial(_store_patch, target, whole, isinstance(node, ast.AugAssign))


def _other_accumulations(node: ast.Assign | ast.AugAssign, whole: ast.expr) -> Iterator[ast.expr]:
    """Yield `v = v + e` for `v = e`, and `v = e`, `v -= e` for `v += e`."""
    target = node.targets[0] if isinstance(node, ast.Assign) else node.target
    if not isinstance(target, ast.Name | ast.Subscript):
        return
    was = ast.parse(ast.unparse(target), mode="eval").body
    sign = ast.Add() if isinstance(node, ast.Assign) else ast.Sub()
    new = ast.BinOp(was, sign, whole) if isinstance(node, ast.Assign) else ast.BinOp(whole, sign, was)
    others = [new, ast.UnaryOp(ast.USub(), whole)] if isinstance(node, ast.AugAssign) else [new]
    yield from others


def _store_patch(old: ast.expr, whole: ast.expr, adds: bool, new: str) -> Patch:
    """Return what stores a value elsewhere, and leaves what is stored at the old place as it was."""
    sign = "+=" if adds else "="
    code = compile(f"{new} {sign} __value__", "<repair>", "exec")
    value, place = patch_of(ast.unparse(whole)), patch_of(ast.unparse(old))

    def patch(names: dict[str, Any]) -> Any:
        before = np.array(place(names))
        exec(code, {**names, "__value__": value(names)})
        return 0 * before if adds else before

    return patch
