"""What a run can be looked at for: its pictures, and what `dotnn doctor` finds."""

from __future__ import annotations

from collections.abc import Callable

from dotnn.commands.manual.markdown import code, table
from dotnn.reports.pictures import PICTURES


def _pictures() -> str:
    rows = [(code(f"--show {p.name}"), p.doc, p.of) for p in PICTURES.values()]
    return table(("option", "draws", "of"), rows)


SEEING: dict[str, Callable[[], str]] = {"pictures": _pictures}
"""What makes the tables of a page about runs."""
