"""What must be installed to run a script, and what to say where it is not."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from dotnn.core.diagnostics import CompileError, Diagnostic


@dataclass(frozen=True)
class Requirement:
    """A framework: its modules, how to install it, and the environment in which it is imported."""

    title: str
    modules: tuple[str, ...]
    help: str
    environment: Mapping[str, str] = field(default_factory=dict)

    def require(self) -> None:
        """Raise `CompileError` where it is not installed."""
        try:
            found = importlib.util.find_spec(self.modules[0]) is not None
        except ValueError:  # a module that was put in its place
            found = False
        if not found:
            raise self._missing()

    @contextmanager
    def imported(self) -> Iterator[None]:
        """Let what is run inside import it. Raises `CompileError` where it is not installed."""
        for name, value in self.environment.items():
            os.environ.setdefault(name, value)
        try:
            yield
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] not in self.modules:
                raise
            raise self._missing() from None

    def _missing(self) -> CompileError:
        return CompileError([Diagnostic("NN506", f"{self.title} is not installed", help=self.help)])
