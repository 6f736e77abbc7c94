"""Pieces of the manual: Markdown tables, calls with their defaults, tables of arguments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dotnn.core.arguments import REQUIRED, Arg, show
from dotnn.targets import TARGETS

Rows = Iterable[Sequence[str]]

_NAMING = [target for target in TARGETS.values() if target.framework is not None]
TITLES = [target.framework.title for target in _NAMING if target.framework]
"""Frameworks that have names of their own for what the language has."""


def table(head: Sequence[str], rows: Rows) -> str:
    """Return a Markdown table; a bar inside a cell does not end it."""
    lines = [head, ["---"] * len(head), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def signature(name: str, args: Sequence[Arg], before: Sequence[str] = ()) -> str:
    """Return the call with all defaults written out."""
    shown = [*before, *(a.name if a.default is REQUIRED else f"{a.name} = {default(a)}" for a in args)]
    return f"`{name}({', '.join(shown)})`" if shown else f"`{name}`"


def default(arg: Arg) -> str:
    """Return the default of an argument as a spec would write it."""
    return arg.default if arg.kind.choices and isinstance(arg.default, str) else show(arg.default)


def code(text: str) -> str:
    """Return a text as code, "" for none."""
    return f"`{text}`" if text else ""


def arguments(entries: Iterable[tuple[str, Sequence[Arg]]]) -> str:
    """Return the table of all arguments; equal ones of several owners share a row."""
    owners: dict[tuple[str, ...], list[str]] = {}
    for name, args in entries:
        for arg in args:
            without = "must be given" if arg.default is REQUIRED else code(default(arg))
            owners.setdefault((code(arg.name), arg.kind.expected, without, arg.doc), []).append(code(name))
    rows = [(row[0], ", ".join(names), *row[1:]) for row, names in owners.items()]
    return table(("argument", "of", "must be", "default", "means"), rows)


def counterparts(family: str, member: str) -> list[str]:
    """Return what each target whose framework has names of its own calls a member."""
    return [target.framework.says(family, member) for target in _NAMING if target.framework]


def also(family: str, member: str) -> str:
    """Return the same as sentences."""
    return "".join(f" {title}: {says}." for title, says in zip(TITLES, counterparts(family, member), strict=True))
