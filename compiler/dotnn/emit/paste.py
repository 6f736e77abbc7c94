"""Pasting helpers: real, tested functions of `dotnn_runtime.script`, copied by source, only the ones used."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import textwrap
from collections.abc import Iterable
from functools import cache
from types import FunctionType, ModuleType

import dotnn_runtime.script as package


@cache
def _library() -> dict[str, tuple[ModuleType, object]]:
    """Return every function and class of the helper package by name, in the order of the source."""
    found: dict[str, tuple[ModuleType, object]] = {}
    for info in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"{package.__name__}.{info.name}")
        for name, value in vars(module).items():
            if isinstance(value, (FunctionType, type)) and value.__module__ == module.__name__:
                found[name] = (module, value)
    return found


@cache
def _source(name: str) -> str:
    return textwrap.dedent(inspect.getsource(_library()[name][1])).rstrip()  # type: ignore[arg-type]


@cache
def _reads(name: str) -> frozenset[str]:
    """Return the names a helper reads, its annotations left out: they are stripped when it is pasted."""
    return frozenset(n.id for n in ast.walk(ast.parse(_source(name))) if isinstance(n, ast.Name))


def needed(names: Iterable[str]) -> list[str]:
    """Return the helpers in `names` and all that they call, each after those it calls."""
    order: dict[str, None] = {}

    def visit(name: str) -> None:
        if name in order:
            return
        for other in sorted(_reads(name) & _library().keys() - {name}):
            visit(other)
        order[name] = None

    for name in sorted(set(names)):
        visit(name)
    return list(order)


def sources(names: Iterable[str]) -> list[str]:
    """Return the source text of the helpers, in the order of `needed`."""
    return [_source(name) for name in needed(names)]


def standard_modules(names: Iterable[str]) -> set[str]:
    """Return the standard modules that the helpers use, as they are imported where the helpers live."""
    used: set[str] = set()
    for name in needed(names):
        module = _library()[name][0]
        for read in _reads(name):
            value = getattr(module, read, None)
            if isinstance(value, ModuleType) and read != "np":
                used.add(value.__name__)
    return used
