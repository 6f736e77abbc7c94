"""What a run can be looked at for: its pictures, and what `dotnn doctor` finds."""

from __future__ import annotations

from collections.abc import Callable

from dotnn.commands.manual.markdown import code, table
from dotnn.reports.findings import FINDINGS
from dotnn.reports.pictures import PICTURES


def _pictures() -> str:
    rows = [(code(f"--show {p.name}"), p.doc, p.of) for p in PICTURES.values()]
    return table(("option", "draws", "of"), rows)


def _findings() -> str:
    ranked = sorted(FINDINGS.values(), key=lambda finding: (finding.rank, finding.name))
    return table(("finding, the worst first", "is named where"), [(code(f.name), f.doc) for f in ranked])


SEEING: dict[str, Callable[[], str]] = {"pictures": _pictures, "findings": _findings}
"""What makes the tables of a page about runs."""
