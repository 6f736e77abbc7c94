"""A script with a woven twin: the same functions, which report to whoever listens."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property

from ..reading.script import Script, read_script
from .listen import Woven


@dataclass(frozen=True)
class TracedScript(Script):
    """A script, its woven twin, and how often a displacement would have changed a decision, by the line of that."""

    kinks: Counter[int] = field(default_factory=Counter)

    @cached_property
    def woven(self) -> Woven:
        """The twin, made when it is first asked for."""
        return Woven.of(self.structure, self.filename)


def load_script(source: str, filename: str) -> TracedScript:
    """Read a script and prepare it to be traced. Raises `ScriptError`."""
    script = read_script(source, filename)
    return TracedScript(script.filename, script.structure, script.plain)
