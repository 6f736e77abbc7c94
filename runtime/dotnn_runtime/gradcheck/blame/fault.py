"""A line that is wrong."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..report.results import Pattern
from ..tracing.run import Event, Run
from ..tracing.weave import Site
from .truth import Target


@dataclass
class Fault:
    """A line that is wrong: its site, what it made there, the value that shows it, and what would have been right.

    `doubts` are other lines that may be to blame, where no repair was found. `paths` say in which calls and turns it
    was met. A `pattern` that is known already is not looked for.
    """

    site: Site
    line: int
    event: Event
    wrong: Event
    run: Run
    right: Target | None = None
    repair: str = ""
    doubts: list[tuple[str, int]] = field(default_factory=list)
    paths: list[tuple[str, ...]] = field(default_factory=list)
    pattern: Pattern | None = None
