"""A script with a traced twin: the same functions, which report to a tracer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from types import ModuleType

from ..reading.script import Script, execute, read_script
from .instrument import Instrumented, instrument
from .tracer import MODULE_NAME, Tracer


@dataclass(frozen=True)
class TracedScript(Script):
    """A script, its traced twin, and what looks on while that runs."""

    tracer: Tracer

    @cached_property
    def instrumented(self) -> Instrumented:
        """The syntax tree with calls of the tracer in it, and where its branches and readings of values are."""
        return instrument(self.structure)

    @cached_property
    def traced(self) -> ModuleType:
        """The traced twin of `plain`, made when it is first asked for."""
        return execute(self.instrumented.tree, self.filename, {MODULE_NAME: self.tracer})

    @property
    def sites(self) -> list[int]:
        """The line of every branch."""
        return self.instrumented.sites

    @property
    def uses(self) -> list[tuple[str, int]]:
        """The name and the line of every reading of a value."""
        return self.instrumented.uses


def load_script(source: str, filename: str) -> TracedScript:
    """Read a script and prepare it to be traced. Raises `ScriptError`."""
    script = read_script(source, filename)
    return TracedScript(script.filename, script.structure, script.plain, Tracer())
