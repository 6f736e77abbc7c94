"""Sources, spans and diagnostics: how every stage says what is wrong, and where.

Nothing here knows the language. A stage collects `Diagnostic`s and raises one `CompileError` with all of them,
so that a person sees every error of a stage at once.
"""

from __future__ import annotations

import bisect
import difflib
import unicodedata
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
    """A text and the path under which the user named it (`<text>` for none); it may begin below line 1 of its file.

    The offsets of `used`, the files that a spec uses, count on from the end of its text, each after a line end.
    """

    path: str
    text: str
    first_line: int = 1
    used: tuple[Source, ...] = ()

    @property
    def whole(self) -> str:
        """The text of the spec, and of the files that it uses."""
        return "\n".join([self.text, *(part.text for part in self.used)])

    @property
    def file(self) -> str:
        """The name of the file, without its folder."""
        return self.path.replace("\\", "/").rpartition("/")[2]

    def at(self, offset: int) -> tuple[Source, int]:
        """Return the file that an offset lies in, and the offset there."""
        for part in (self, *self.used):
            if offset <= len(part.text):
                return part, offset
            offset -= len(part.text) + 1
        return (self.used or (self,))[-1], len((self.used or (self,))[-1].text)

    def local(self, span: Span) -> tuple[Source, Span]:
        """Return the file that a span lies in, and the span there."""
        part, start = self.at(span.start)
        return part, Span(start, start + span.end - span.start)

    def text_at(self, span: Span) -> str:
        """Return what the text says at a span."""
        part, span = self.local(span)
        return part.text[span.start : span.end]

    def place(self, span: Span | None) -> str:
        """Return `line 3`; where there are several files, `line 3 of mine.nn`."""
        part = self.at(span.start)[0] if span else self
        return f"line {self.line_of(span)}" + (f" of {part.file}" if self.used else "")

    @cached_property
    def _line_starts(self) -> list[int]:
        starts = [0]
        starts.extend(i + 1 for i, char in enumerate(self.text) if char == "\n")
        return starts

    def line_column(self, offset: int) -> tuple[int, int]:
        """Return the 1-based line and column of a character offset, in its own file."""
        part, offset = self.at(offset)
        if part is not self:
            return part.line_column(offset)
        line = bisect.bisect_right(self._line_starts, offset)
        return line + self.first_line - 1, offset - self._line_starts[line - 1] + 1

    def line_of(self, span: Span | None) -> int:
        """Return the 1-based line where `span` starts, 0 for none."""
        return self.line_column(span.start)[0] if span else 0

    def words_at(self, span: Span) -> str:
        """Return what the text says at `span`, in one line."""
        return " ".join(self.text_at(span).split())

    def line_text(self, line: int) -> str:
        """Return the text of a 1-based line without its line end."""
        index = line - self.first_line
        start = self._line_starts[index]
        end = self._line_starts[index + 1] - 1 if index + 1 < len(self._line_starts) else len(self.text)
        return self.text[start:end].rstrip("\r")


@dataclass(frozen=True)
class Diagnostic:
    """One thing that is wrong (or, as a warning, doubtful), with its place and the likely fix.

    `note` is shown after the caret, `help` below it. `source` is set where the text is not the spec itself
    (a `--set` on the command line, a data file).
    """

    code: str
    message: str
    span: Span | None = None
    note: str = ""
    help: str = ""
    severity: str = "error"
    source: Source | None = None

    def to_json(self, source: Source | None = None) -> dict[str, object]:
        """Return code, message, note and help, and the place: None where it has none. `source` is the spec."""
        source = self.source or source
        line, column = source.line_column(self.span.start) if source and self.span else (None, None)
        source = source.at(self.span.start)[0] if source and self.span else source
        shown = {"code": self.code, "message": self.message, "note": self.note, "help": self.help}
        return {**shown, "path": source.path if source else None, "line": line, "column": column}


class CompileError(Exception):
    """All the errors of one stage, ordered by their place; `more` when the stage gave up looking for others."""

    def __init__(self, diagnostics: Iterable[Diagnostic], source: Source | None = None, *, more: bool = False) -> None:
        self.diagnostics = tuple(sorted(diagnostics, key=_place))
        self.source = source
        self.more = more
        super().__init__("\n".join(f"{d.code}: {d.message}" for d in self.diagnostics))

    def __reduce__(self) -> tuple[object, ...]:
        """Take all parts along to another process."""
        return _compile_error, (self.diagnostics, self.source, self.more)

    def render(self) -> str:
        """Return the text a person reads: every diagnostic, separated by blank lines."""
        parts = [render(d, self.source) for d in self.diagnostics]
        if self.more:
            parts.append(f"There may be more: dotnn stops after {len(self.diagnostics)} errors.")
        return "\n\n".join(parts)

    def to_json(self) -> list[dict[str, object]]:
        """Return every diagnostic for another program; lines and columns count from 1."""
        return [d.to_json(self.source) for d in self.diagnostics]


def _place(diagnostic: Diagnostic) -> tuple[int, int, str]:
    """Return what diagnostics are ordered by: the line of a data file, the place in it or in the spec, the code."""
    first_line = diagnostic.source.first_line if diagnostic.source else 1
    return first_line, diagnostic.span.start if diagnostic.span else -1, diagnostic.code


def _compile_error(diagnostics: tuple[Diagnostic, ...], source: Source | None, more: bool) -> CompileError:
    return CompileError(diagnostics, source, more=more)


MAX_SHOWN_LINE = 160
MAX_SHOWN_TEXT = 600
"""Messages, notes and helps quote names of the spec, and a name may be a megabyte long."""


def render(diagnostic: Diagnostic, source: Source | None = None) -> str:
    """Lay out a diagnostic: headline, `path:line:column | source line`, caret with note, help."""
    lines = [f"{diagnostic.severity}[{diagnostic.code}]: {_cut(diagnostic.message)}"]
    source = diagnostic.source or source
    if source is not None and diagnostic.span is not None:
        lines += _excerpt(source, diagnostic.span, _cut(diagnostic.note))
    elif diagnostic.note:
        lines.append(f"  note: {_cut(diagnostic.note)}")
    if diagnostic.help:
        lines.append(f"  help: {_cut(diagnostic.help)}")
    return "\n".join(lines)


def _cut(text: str) -> str:
    """Return the text short enough for a screen, its middle left out, and without control characters."""
    if len(text) > MAX_SHOWN_TEXT:
        half = MAX_SHOWN_TEXT // 2
        text = f"{text[:half]} … {text[-half:]}"
    return "\n".join(_printable(line) for line in text.split("\n"))


def _excerpt(source: Source, span: Span, note: str) -> list[str]:
    source, span = source.local(span)
    line, column = source.line_column(span.start)
    text = source.line_text(line)
    first = max(0, column - 1 - MAX_SHOWN_LINE // 2) if len(text) > MAX_SHOWN_LINE else 0
    shown = _printable(text[first : first + MAX_SHOWN_LINE])
    before, marked = shown[: column - 1 - first], shown[column - 1 - first :][: span.end - span.start]
    place = f"  {_printable(source.path)}:{line}:{column}"
    caret = " " * _columns(before) + "^" * max(1, _columns(marked))
    return [f"{place} | {shown}".rstrip(), f"{' ' * _columns(place)} | {caret}  {note}".rstrip()]


def _printable(text: str) -> str:
    """Replace what would move the caret or the terminal: tabs by one blank, control characters by `?`."""
    return "".join(" " if c == "\t" else c if c.isprintable() else "?" for c in text)


def _columns(text: str) -> int:
    """Return how many columns of a terminal a text takes: none for an accent, two for a Chinese character."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


MANY_NAMES = 200


def closest(word: str, known: Iterable[str]) -> str:
    """Return the known name most like `word`, or "" when none is near enough to be meant."""
    wanted = word.lower()[:80]
    lowered = {name.lower(): name for name in reversed(_comparable(wanted, sorted(set(known))))}
    hits = difflib.get_close_matches(wanted, lowered, n=1, cutoff=0.6)
    if not hits and len(wanted) > 1:  # the ratio is harsh on short names
        hits = [name for name in lowered if _one_letter_apart(name, wanted)]
    return lowered[hits[0]] if hits else ""


def _comparable(wanted: str, names: list[str]) -> list[str]:
    """Return the names, or the likeliest of thousands: to compare with all of these would take seconds."""
    if len(names) <= MANY_NAMES:
        return names
    return [n for n in names if n[:1].lower() == wanted[:1] and abs(len(n) - len(wanted)) < 3][:MANY_NAMES]


def one_edit_apart(a: str, b: str) -> bool:
    """Whether one word becomes the other by a letter that is changed, added, left out, or exchanged with the next."""
    shorter, longer = sorted((a, b), key=len)
    if len(shorter) == len(longer):
        places = [i for i, (x, y) in enumerate(zip(a, b, strict=True)) if x != y]
        swapped = len(places) == 2 and a[places[0] : places[1] + 1] == b[places[0] : places[1] + 1][::-1]
        return len(places) == 1 or (swapped and places[1] == places[0] + 1)
    return any(longer[:i] + longer[i + 1 :] == shorter for i in range(len(longer)))


def _one_letter_apart(a: str, b: str) -> bool:
    return len(a) == len(b) and sum(x != y for x, y in zip(a, b, strict=True)) == 1


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `did you mean "x"?`, or the list of what is known when nothing is near."""
    names = sorted({name for name in known if name})
    near = closest(word, names)
    if near:
        return f'did you mean "{near}"?'
    return f"known here: {join_names(names)}" if names else ""


MAX_NAMES = 12
"""A list of names is cut after so many."""


def join_names(names: Sequence[str]) -> str:
    """Join names with commas, cutting a long list with its count."""
    shown = [name if len(name) <= 40 else f"{name[:39]}…" for name in names[:MAX_NAMES]]
    return ", ".join(shown) + (f" … ({len(names)} in all)" if len(names) > MAX_NAMES else "")


MAX_ERRORS = 20
"""Nobody reads more at once, and a file of ten thousand mistakes is to be refused as fast as any other."""


@dataclass
class Reporter:
    """Collects the diagnostics of one stage."""

    source: Source
    found: list[Diagnostic] = field(default_factory=list)

    def add(self, diagnostic: Diagnostic) -> None:
        """Keep one more diagnostic, once each. Raises `CompileError` when it is one error too many."""
        if diagnostic not in self.found:
            self.found.append(diagnostic)
        if diagnostic.severity == "error" and len(self.errors) > MAX_ERRORS:
            raise CompileError(self.errors[:MAX_ERRORS], self.source, more=True)

    @property
    def errors(self) -> list[Diagnostic]:
        """What was found that is no mere warning."""
        return [d for d in self.found if d.severity == "error"]

    def stop_on_errors(self) -> None:
        """Raise `CompileError` with everything found, if any of it is an error."""
        if self.errors:
            raise CompileError(self.errors, self.source)
