"""Lines of a script that are no tree: prose with a few holes in it."""

from __future__ import annotations

from collections.abc import Iterable


def prose(lines: Iterable[str]) -> str:
    """Return lines as one text."""
    return "\n".join(lines)


def function(head: str, doc: str, body: Iterable[str]) -> str:
    """Return a function; `doc` are the lines of its docstring, `body` its lines, not indented."""
    first, *rest = doc.split("\n")
    quoted = [f'    """{first}' + ('"""' if not rest else "")]
    quoted += [f"    {line}".rstrip() for line in rest] + (['    """'] if rest else [])
    return prose([head, *quoted, *(f"    {line}".rstrip() for line in body)])
