"""Pasting helpers: real, tested functions of `dotnn_runtime.script`, copied by source, only the ones used.

The package is read as text, not imported: it would bring NumPy in, which compiling does not need.
"""

from __future__ import annotations

import ast
import importlib.util
import re
import symtable
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from dotnn.codegen.lines import wrapped
from dotnn.codegen.wrap import WIDTH
from dotnn.core.registry import scripts

Packages = tuple[str, ...]
"""Packages whose functions a script may call; of two with one name the later package's is meant."""

SCRIPT: Packages = ("dotnn_runtime.script",)
CALL = re.compile(r"\b([A-Za-z_]\w*)\(")


@dataclass(frozen=True)
class Helper:
    """A function or class: its source text, the standard modules its file imports, and its file's own name as a module
    (`home`)."""

    source: str
    modules: frozenset[str]
    home: str

    @cached_property
    def reads(self) -> frozenset[str]:
        """Return the names that it reads from outside, by Python's rules of scope."""
        whole = symtable.symtable(self.source, self.home, "exec")
        symbols = (symbol for scope in _scopes(whole) for symbol in scope.get_symbols())
        return frozenset(s.get_name() for s in symbols if s.is_global() and s.is_referenced())


def _scopes(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    yield table
    for inner in table.get_children():
        yield from _scopes(inner)


def library(packages: Packages = SCRIPT) -> dict[str, Helper]:
    """Return every helper by name, those of packages that add members among them."""
    return _library((*packages, *scripts()))


@cache
def _library(packages: Packages) -> dict[str, Helper]:
    found: dict[str, Helper] = {}
    for package in packages:
        spec = importlib.util.find_spec(package)
        assert spec is not None and spec.submodule_search_locations
        folder = Path(spec.submodule_search_locations[0])
        for path in sorted(folder.rglob("*.py")):
            home = ".".join([package, *path.relative_to(folder).with_suffix("").parts])
            found |= _helpers_of(path.read_text(encoding="utf-8"), home)
    return found


def _helpers_of(text: str, home: str) -> dict[str, Helper]:
    tree, lines = ast.parse(text), text.split("\n")
    imports = [alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names]
    modules = frozenset(imports) & sys.stdlib_module_names
    return {
        node.name: Helper("\n".join(lines[_first_line(node) - 1 : node.end_lineno]), modules, home)
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }


def _first_line(node: ast.FunctionDef | ast.ClassDef) -> int:
    return min([node.lineno, *(d.lineno for d in node.decorator_list)])


def needed(names: Iterable[str], packages: Packages = SCRIPT) -> list[str]:
    """Return the helpers in `names` and all that they call, each after those it calls."""
    helpers = library(packages)
    order: dict[str, None] = {}

    def visit(name: str) -> None:
        if name in order:
            return
        for other in sorted(helpers[name].reads & helpers.keys() - {name}):
            visit(other)
        order[name] = None

    for name in sorted(set(names)):
        visit(name)
    return list(order)


def sources(names: Iterable[str], packages: Packages = SCRIPT) -> list[str]:
    """Return the source text of exactly these helpers."""
    return [library(packages)[name].source for name in names]


def imports(names: Iterable[str], packages: Packages = SCRIPT) -> list[str]:
    """Return the lines that import exactly these helpers, for a script that need not stand alone."""
    homes: dict[str, list[str]] = {}
    for name in sorted(names):
        homes.setdefault(library(packages)[name].home, []).append(name)
    lines = []
    for home, members in sorted(homes.items()):
        line = f"from {home} import {', '.join(members)}"
        lines += [line] if len(line) <= WIDTH else wrapped(f"from {home} import (", members, ")")
    return lines


def standard_modules(names: Iterable[str], packages: Packages = SCRIPT) -> set[str]:
    """Return the standard modules that these helpers use."""
    chosen = [library(packages)[name] for name in names]
    return {module for helper in chosen for module in helper.modules & helper.reads}


def called_in(text: str, packages: Packages = SCRIPT) -> set[str]:
    """Return the helpers that a piece of a script calls; a comment, which may quote the spec, calls nothing.

    A syntax tree would say the same, but take a quarter of the time and memory of a long compilation.
    """
    code = "\n".join(line.partition("# ")[0] for line in text.split("\n"))
    called = set(CALL.findall(code))
    return {name for name in library(packages) if name in called}
