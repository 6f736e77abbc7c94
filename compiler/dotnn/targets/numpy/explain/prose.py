"""Lines of a script that are no tree: prose with a few holes in it."""

from __future__ import annotations

from collections.abc import Iterable


def prose(lines: Iterable[str]) -> str:
    """Return lines as one text."""
    return "\n".join(lines)
