"""A script in which one value is moved on its way: what the values behind it do tells their derivatives."""

from __future__ import annotations

import ast
from collections.abc import Callable
from types import ModuleType

from dotnn.codegen.site import Site
from dotnn.running.observing import Array

HOOK = "dotnn_moved"
"""The name of the function that the script calls with the value."""


def displaced(text: str, site: Site, turn: int, move: Callable[[Array], Array]) -> ModuleType:
    """Return a script as a module in which a value goes on as `move(value)`.

    Its statement is that of the site; it runs for this value after `turn` other executions.
    """
    tree = ast.parse(text)
    _Inserting(site).visit(tree)
    module, runs = ModuleType("dotnn_displaced"), 0

    def moved(value: Array) -> Array:
        nonlocal runs
        runs += 1
        return move(value) if runs == turn + 1 else value

    vars(module)[HOOK] = moved
    module.__file__ = "dotnn_displaced.py"
    exec(compile(ast.fix_missing_locations(tree), "<dotnn_displaced>", "exec"), vars(module))
    return module


class _Inserting(ast.NodeTransformer):
    """Puts a statement behind that of a site: `h = dotnn_moved(h)`."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def visit_Assign(self, node: ast.Assign) -> ast.stmt | list[ast.stmt]:
        """Add the statement behind the one that begins in the line."""
        if node.lineno != self.site.line:
            return node
        (extra,) = ast.parse(f"{self.site.target} = {HOOK}({self.site.target})").body
        for part in ast.walk(extra):
            ast.copy_location(part, node)  # to whoever looks on, both are one statement
        return [node, extra]
