"""Sources, spans and diagnostics: how every stage says what is wrong, and where.

Nothing here knows the language. A stage collects `Diagnostic`s and raises one `CompileError` with all of them,
so that a person sees every error of a stage at once.
"""

from __future__ import annotations

import bisect
import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open range `[start, end)` of character offsets into a source text."""

    start: int
    end: int

    def to(self, other: Span) -> Span:
        """Return the span that reaches from the start of this one to the end of `other`."""
        return Span(min(self.start, other.start), max(self.end, other.end))


@dataclass(frozen=True)
class Source:
    """A text and the path under which the user named it (`<text>` for none)."""

    path: str
    text: str

    @cached_property
    def _line_starts(self) -> list[int]:
        starts = [0]
        starts.extend(i + 1 for i, char in enumerate(self.text) if char == "\n")
        return starts

    def line_column(self, offset: int) -> tuple[int, int]:
        """Return the 1-based line and column of a character offset."""
        line = bisect.bisect_right(self._line_starts, offset)
        return line, offset - self._line_starts[line - 1] + 1

    def line_of(self, span: Span | None) -> int:
        """Return the 1-based line where `span` starts, 0 for none."""
        return self.line_column(span.start)[0] if span else 0

    def line_text(self, line: int) -> str:
        """Return the text of a 1-based line without its line end."""
        start = self._line_starts[line - 1]
        end = self._line_starts[line] - 1 if line < len(self._line_starts) else len(self.text)
        return self.text[start:end].rstrip("\r")


@dataclass(frozen=True)
class Diagnostic:
    """One thing that is wrong (or, as a warning, doubtful), with its place and the likely fix.

    `note` stands behind the caret, `help` below it. `source` is set where the text is not the spec itself
    (a `--set` on the command line, a data file).
    """

    code: str
    message: str
    span: Span | None = None
    note: str = ""
    help: str = ""
    severity: str = "error"
    source: Source | None = None


class CompileError(Exception):
    """All the errors of one stage, ordered by their place."""

    def __init__(self, diagnostics: Iterable[Diagnostic], source: Source | None = None) -> None:
        self.diagnostics = tuple(sorted(diagnostics, key=lambda d: (d.span.start if d.span else -1, d.code)))
        self.source = source
        super().__init__("\n".join(f"{d.code}: {d.message}" for d in self.diagnostics))

    def render(self) -> str:
        """Return the text a person reads: every diagnostic, separated by blank lines."""
        return "\n\n".join(render(d, self.source) for d in self.diagnostics)


MAX_SHOWN_LINE = 160


def render(diagnostic: Diagnostic, source: Source | None = None) -> str:
    """Lay out a diagnostic: headline, `path:line:column | source line`, caret with note, help."""
    lines = [f"{diagnostic.severity}[{diagnostic.code}]: {diagnostic.message}"]
    source = diagnostic.source or source
    if source is not None and diagnostic.span is not None:
        lines += _excerpt(source, diagnostic.span, diagnostic.note)
    elif diagnostic.note:
        lines.append(f"  note: {diagnostic.note}")
    if diagnostic.help:
        lines.append(f"  help: {diagnostic.help}")
    return "\n".join(lines)


def _excerpt(source: Source, span: Span, note: str) -> list[str]:
    line, column = source.line_column(min(span.start, len(source.text)))
    text = source.line_text(line)
    width = max(1, min(span.end - span.start, len(text) - column + 1))
    first = max(0, column - 1 - MAX_SHOWN_LINE // 2) if len(text) > MAX_SHOWN_LINE else 0
    shown = _printable(text[first : first + MAX_SHOWN_LINE])
    width = max(1, min(width, MAX_SHOWN_LINE))
    place = f"  {source.path}:{line}:{column}"
    caret = " " * (column - 1 - first) + "^" * width
    return [f"{place} | {shown}".rstrip(), f"{' ' * len(place)} | {caret}  {note}".rstrip()]


def _printable(text: str) -> str:
    """Replace what would move the caret or the terminal: tabs by one blank, control characters by `?`."""
    return "".join(" " if c == "\t" else c if c.isprintable() else "?" for c in text)


def closest(word: str, known: Iterable[str]) -> str:
    """Return the known name most like `word`, or "" when none is near enough to be meant."""
    names = sorted(set(known))
    lowered = {name.lower(): name for name in reversed(names)}
    hits = difflib.get_close_matches(word.lower()[:80], lowered, n=1, cutoff=0.6)
    return lowered[hits[0]] if hits else ""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `did you mean "x"?`, or the list of what is known when nothing is near."""
    names = sorted(set(known))
    near = closest(word, names)
    if near:
        return f'did you mean "{near}"?'
    return f"known here: {join_names(names)}" if names else ""


def join_names(names: Sequence[str], most: int = 12) -> str:
    """Join names with commas, cutting a long list with its count."""
    if len(names) <= most:
        return ", ".join(names)
    return ", ".join(names[:most]) + f" … ({len(names)} in all)"


@dataclass
class Reporter:
    """Collects the diagnostics of one stage."""

    source: Source
    found: list[Diagnostic] = field(default_factory=list)

    def add(self, diagnostic: Diagnostic) -> None:
        """Keep one more diagnostic."""
        self.found.append(diagnostic)

    def stop_on_errors(self) -> None:
        """Raise `CompileError` with everything found, if any of it is an error."""
        errors = [d for d in self.found if d.severity == "error"]
        if errors:
            raise CompileError(errors, self.source)
