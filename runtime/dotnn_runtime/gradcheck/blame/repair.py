"""Trying other versions of a statement: the one that makes everything right shows what is wrong."""

from __future__ import annotations

import ast
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..tracing.run import Patch
from ..tracing.weave import Site
from .bench import Bench
from .edits import edits

MOST_TRIED = 4000
SECONDS = 4.0
"""A search ends after so long …"""
TRIAL = 5
"""… or after as many events as it may replay; to evaluate an expression costs as much as so many."""

Local = Callable[[Any], bool]


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


def value_of(site: Site) -> ast.expr | None:
    """Return the expression that a site evaluates."""
    node = site.node
    return node.iter if isinstance(node, ast.For) else getattr(node, "value", None)


def patch_of(expression: ast.expr) -> Callable[[dict[str, Any]], Any]:
    """Return what evaluates an expression."""
    code = compile(ast.Expression(expression), "<repair>", "eval")
    return lambda names: eval(code, names)


class Repairs:
    """Looks for repairs of single sites."""

    def __init__(self, bench: Bench, work: int) -> None:
        self.bench, self.follower = bench, bench.follower
        self.most_work, self.deadline = bench.work + work, time.process_time() + SECONDS

    def at(
        self, site: Site, execution: int, right: Callable[[], bool], local: Local | None, tier: int
    ) -> Iterator[Repair]:
        """Yield repairs of a site of one tier, the likeliest first, with which `right` holds.

        Its names are looked at in one `execution`. `local` judges the value of the expression there, where that is what
        must be right: then nothing has to be run for what is wrong.
        """
        names = self._names_at(site, execution)
        if names is None:
            return
        before, tried = self.follower.patches.get(site.number), set[str]()
        try:
            for rank, (new, patch, alone) in enumerate(self._versions(site, names, tier)):
                if self._is_late or len(tried) > MOST_TRIED:
                    return
                text = ast.unparse(new)
                if text in tried:
                    continue
                tried.add(text)
                self.bench.work += TRIAL
                if local is not None and alone and not _holds(lambda p=patch: local(p(dict(names)))):  # type: ignore[misc]
                    continue
                self.follower.patches[site.number] = patch
                if _holds(right):
                    yield Repair(site, new, patch, rank)
        finally:
            self.follower.patches.pop(site.number, None)
            if before is not None:
                self.follower.patches[site.number] = before

    @property
    def _is_late(self) -> bool:
        return self.bench.work > self.most_work or time.process_time() > self.deadline

    def _versions(self, site: Site, names: dict[str, Any], tier: int) -> Iterator[tuple[ast.expr, Patch, bool]]:
        """Yield other versions of a site; the last says that only its own value is another then."""
        node, whole = site.node, value_of(site)
        if whole is None:
            return
        if tier == 0 and isinstance(node, ast.Assign | ast.AugAssign):
            yield from ((new, patch, False) for new, patch in _other_accumulations(node, whole))
        for new in edits(whole, names, self._slopes(), tier):
            try:
                yield new, patch_of(new), True
            except (SyntaxError, ValueError):
                continue
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Subscript) and not isinstance(node, ast.For):
            for new in edits(target, names, (), tier):
                if isinstance(new, ast.Subscript):
                    yield new, _store_patch(target, new, whole, isinstance(node, ast.AugAssign)), False

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

    def _slopes(self) -> list[str]:
        functions = self.follower.script.structure.functions.values()
        return [f.name for f in functions if len(f.args.args) == 1 and not f.args.defaults]


def _holds(condition: Callable[[], bool]) -> bool:
    try:
        return condition()
    except (Exception, SystemExit):  # another version may do anything
        return False


def _other_accumulations(node: ast.Assign | ast.AugAssign, whole: ast.expr) -> Iterator[tuple[ast.expr, Patch]]:
    """Yield `v = v + e` for `v = e`, and `v = e`, `v -= e` for `v += e`."""
    target = node.targets[0] if isinstance(node, ast.Assign) else node.target
    if not isinstance(target, ast.Name | ast.Subscript):
        return
    was = ast.parse(ast.unparse(target), mode="eval").body
    sign = ast.Add() if isinstance(node, ast.Assign) else ast.Sub()
    new = ast.BinOp(was, sign, whole) if isinstance(node, ast.Assign) else ast.BinOp(whole, sign, was)
    others = [new, ast.UnaryOp(ast.USub(), whole)] if isinstance(node, ast.AugAssign) else [new]
    yield from ((ast.fix_missing_locations(e), patch_of(ast.fix_missing_locations(e))) for e in others)


def _store_patch(old: ast.Subscript, new: ast.Subscript, whole: ast.expr, adds: bool) -> Patch:
    """Return what stores a value elsewhere, and leaves what is stored at the old place as it was."""
    sign = "+=" if adds else "="
    code = compile(f"{ast.unparse(new)} {sign} __value__", "<repair>", "exec")
    value, place = patch_of(whole), patch_of(ast.parse(ast.unparse(old), mode="eval").body)

    def patch(names: dict[str, Any]) -> Any:
        before = np.array(place(names))
        exec(code, {**names, "__value__": value(names)})
        return 0 * before if adds else before

    return patch
