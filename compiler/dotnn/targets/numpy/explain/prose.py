"""Lines of a script that are no tree: prose with a few holes in it."""

from __future__ import annotations

from collections.abc import Iterable

from dotnn.codegen.wrap import INDENT, WIDTH, wrapped


def prose(lines: Iterable[str]) -> str:
    """Return lines as one text."""
    return "\n".join(lines)


def lines_of(code: str, depth: int = 1) -> list[str]:
    """Return a statement as lines that will be moved right by so many steps."""
    return wrapped(code, 0, WIDTH - INDENT * depth)


def function(head: str, doc: str, body: Iterable[str]) -> str:
    """Return a function; `doc` are the lines of its docstring, `body` its lines, not indented."""
    first, *rest = doc.split("\n")
    quoted = [f'    """{first}' + ('"""' if not rest else "")]
    quoted += [f"    {line}".rstrip() for line in rest] + (['    """'] if rest else [])
    return prose([head, *quoted, *(f"    {line}".rstrip() for line in body)])
