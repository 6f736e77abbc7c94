"""A script in which one value is moved on its way: what the values behind it do tells their derivatives."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from functools import lru_cache
from types import ModuleType

from dotnn.codegen.site import Site
from dotnn.running.observing import Array
from dotnn.running.scripts import FILE, run_script

HOOK = "dotnn_moved"
"""The name of the function that the script calls with the value."""


def displaced(text: str, site: Site, turn: int, move: Callable[[Array], Array]) -> ModuleType:
    """Return a script as a module in which a value goes on as `move(value)`.

    Its statement is that of the site; it runs for this value after `turn` other executions.
    """
    first, last = next(lines for lines in _functions(text) if lines[0] <= site.line <= lines[1])
    function = ast.parse("\n".join(text.split("\n")[first - 1 : last]))
    _Inserting(site).visit(ast.increment_lineno(function, first - 1))
    module, runs = run_script(text, "dotnn_displaced"), 0

    def moved(value: Array) -> Array:
        nonlocal runs
        runs += 1
        return move(value) if runs == turn + 1 else value

    vars(module)[HOOK] = moved
    exec(compile(ast.fix_missing_locations(function), FILE, "exec"), vars(module))
    return module


@lru_cache(maxsize=4)
def _functions(text: str) -> list[tuple[int, int]]:
    """Return the first and the last line of every function of a script, decorators included."""
    functions = (node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef))
    return [(min([n.lineno, *(d.lineno for d in n.decorator_list)]), n.end_lineno or 0) for n in functions]


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

    def visit_Return(self, node: ast.Return) -> ast.stmt:
        """Let the value go through the hook where it is, in what is returned."""
        if node.lineno == self.site.line and not self.site.target and node.value is not None:
            node.value = _hooked(node.value, self.site.at)
        return node


def _hooked(whole: ast.expr, at: Sequence[int | str]) -> ast.expr:
    """Return an expression in which the part at some place goes through the hook."""
    match whole, at:
        case ast.Tuple(elts), [int(index), *rest]:
            elts[index] = _hooked(elts[index], rest)
        case ast.Dict(keys, values), [key, *rest]:
            index = next(i for i, k in enumerate(keys) if isinstance(k, ast.Constant) and k.value == key)
            values[index] = _hooked(values[index], rest)
        case _:
            call = ast.Call(ast.Name(HOOK, ast.Load()), [whole], [])
            return ast.copy_location(call, whole)
    return whole
