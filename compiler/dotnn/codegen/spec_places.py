"""What a spec says at a place, and what that place is called."""

from __future__ import annotations

import re

from dotnn.core.diagnostics import Source, Span


class SpecPlaces:
    """The texts and places of a spec."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.file = _printable(source.file)

    def place(self, span: Span | None) -> str:
        """Return `xor.nn:9`, "" for no place."""
        return f"{_printable(self.source.at(span.start)[0].file)}:{self.source.line_of(span)}" if span else ""

    def text(self, span: Span) -> str:
        """Return what the spec says there, in one line and without its comments."""
        words = " ".join(re.sub(r"#.*", "", self.source.text_at(span)).split())
        return "".join(c if c.isprintable() else "?" for c in words)


def _printable(file: str) -> str:
    """Return the name of a file as a docstring may hold it."""
    return "".join(c if c.isprintable() and c not in '"\\' else "?" for c in file)
