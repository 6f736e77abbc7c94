"""The surroundings of a syntax error, as the table of `errors` asks about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from dotnn.core.diagnostics import Source, closest
from dotnn.syntax.scan import (
    DEFINITIONS,
    KEYWORDS,
    SECTION_WORDS,
    SOFT_SECTION_WORDS,
    STATEMENT_WORDS,
    Piece,
    is_closed,
)

_OPERATORS = frozenset(["+", "-", "*", "/", "@", "^", "**", "..", "<", "<=", ">", ">=", "==", "!=", "mod", "and", "or"])
_VALUE_KINDS = frozenset(["name", "number", "string"])


@dataclass(frozen=True)
class ParseContext:
    """The piece that does not fit, its neighbours, what would have fitted, and the brackets open around it."""

    source: Source
    pieces: Sequence[Piece]  # without comments, closed by one of kind "end"
    index: int  # of the piece that does not fit
    expected: frozenset[str]  # names of the grammar's terminals
    opener: Piece | None  # the innermost open bracket

    @property
    def found(self) -> Piece:
        """The piece that does not fit."""
        return self.pieces[self.index]

    @property
    def after(self) -> Piece:
        """The piece after it (the end, at the end)."""
        return self.pieces[min(self.index + 1, len(self.pieces) - 1)]

    @property
    def before(self) -> Piece:
        """The piece before it, an empty one at the very start."""
        return self._back(1)

    @property
    def earlier(self) -> Piece:
        """The piece two before it."""
        return self._back(2)

    def _back(self, steps: int) -> Piece:
        return self.pieces[self.index - steps] if self.index >= steps else Piece("start", "", 0, 0)

    # ----------------------------------------------------------------------------------- what would have fitted

    @property
    def at_file_level(self) -> bool:
        """A section was expected."""
        return "MODEL" in self.expected

    @property
    def at_statement(self) -> bool:
        """A statement could have begun."""
        return "INPUT" in self.expected

    @property
    def wants_value(self) -> bool:
        """A value was due."""
        return "NUMBER" in self.expected

    @property
    def has_value(self) -> bool:
        """A value had been read and could have gone on."""
        return bool(self.expected & {"PLUS", "ARROW"})

    @property
    def in_brackets(self) -> bool:
        """The place is inside `(` or `[`."""
        return self.opener is not None and self.opener.text != "{"

    @property
    def in_columns(self) -> bool:
        """The place is inside the brackets of a data section, where columns are named."""
        return self.in_brackets and self.header.startswith("data") and not self.on_new_line

    @property
    def wants_body(self) -> bool:
        """The `{` of a section was due."""
        return "LBRACE" in self.expected

    def wants_only(self, *terminals: str) -> bool:
        """Nothing but these terminals would have fitted."""
        return self.expected == set(terminals)

    # ------------------------------------------------------------------------------------------- what was found

    @property
    def on_new_line(self) -> bool:
        """The line ends between the piece and the one before."""
        return "\n" in self.source.text[self.before.end : self.found.start]

    @property
    def before_on_new_line(self) -> bool:
        """The line ends between the two pieces before."""
        return "\n" in self.source.text[self.earlier.end : self.before.start]

    @property
    def is_glued(self) -> bool:
        """Nothing separates the piece from the one before."""
        return self.before.end == self.found.start > 0

    def is_glued_to(self, *texts: str) -> bool:
        """Directly before the piece is one of these."""
        return self.is_glued and self.before.text in texts

    @property
    def is_keyword(self) -> bool:
        """A reserved word was found."""
        return self.found.text in KEYWORDS

    @property
    def is_section(self) -> bool:
        """A section begins here: `data {`, `model Name {`, `block Name(`."""
        return self.found.text in SECTION_WORDS and (self.after.text == "{" or self.after.kind == "name")

    @property
    def is_file_level(self) -> bool:
        """What stands outside of all sections begins here, in a line of its own: `data {`, `loss f(`, `use std.`."""
        heads = self.on_new_line and self.after.text != "="
        definition = self.found.text in (*DEFINITIONS, *SOFT_SECTION_WORDS) and self.after.kind == "name"
        used = self.found.text == "use" and self.after.kind in ("name", "string")
        return self.is_section or (heads and (definition or used))

    @property
    def is_statement(self) -> bool:
        """A statement seems to begin here: `name =` or a keyword such as `output`."""
        named = self.found.kind == "name" and self.after.text == "="
        return named or (self.found.text in STATEMENT_WORDS and self.after.text not in ("=", ",", ")"))

    @property
    def is_value(self) -> bool:
        """A value seems to begin here."""
        return self.found.kind in _VALUE_KINDS or self.found.text in ("(", "[")

    @property
    def is_closer(self) -> bool:
        """A closing bracket was found."""
        return self.found.text in (")", "]", "}")

    @property
    def is_operator(self) -> bool:
        """An operator was found."""
        return self.found.text in _OPERATORS

    @cached_property
    def is_unclosed(self) -> bool:
        """The innermost open bracket never meets its closer."""
        return self.opener is not None and not is_closed(self.source.text, self.opener.start)

    @property
    def is_new_statement(self) -> bool:
        """A statement seems to begin here, in a line of its own."""
        return self.is_statement and self.on_new_line

    @property
    def is_header(self) -> bool:
        """A word was found that a section could begin with, were it a keyword: `modle X`, `param {`."""
        return self.found.kind == "name" and (self.after.text in ("{", ":") or self.after.kind == "name")

    @property
    def is_point(self) -> bool:
        """A point was found at the side of a number."""
        ahead = self.after.kind == "number" and self.after.start == self.found.end
        return self.found.text == "." and (ahead or (self.is_glued and self.before.kind == "number"))

    @property
    def is_hyphen(self) -> bool:
        """A minus was found between two words of what was meant as one name: `my-x`."""
        inside = self.is_glued and self.found.end == self.after.start
        return self.found.text == "-" and inside and self.before.kind == self.after.kind == "name"

    def starts(self, *texts: str) -> bool:
        """The text at the place starts with one of these."""
        return self.source.text.startswith(texts, self.found.start)

    # ------------------------------------------------------------------------------------------------- wording

    @property
    def near_statement(self) -> str:
        """The statement keyword that the word before may have meant."""
        return closest(self.before.text, STATEMENT_WORDS)

    @property
    def digits(self) -> str:
        """A number without the `_` between its digits, "" where there is none: `1000` for `1_000`."""
        for number, rest in ((self.earlier, self.before), (self.before, self.found)):
            is_one = number.kind == "number" and number.end == rest.start
            if is_one and rest.text.startswith("_") and rest.text.replace("_", "").isdigit():
                return number.text + rest.text.replace("_", "")
        return ""

    @property
    def header(self) -> str:
        """The head of the section around the place, as written: `block B(n)`."""
        return self._written_since(SECTION_WORDS + SOFT_SECTION_WORDS)

    @property
    def declared(self) -> str:
        """The declaration around the place, as far as its name: `input x`."""
        return " ".join(self._written_since(STATEMENT_WORDS).split()[:2]).rstrip(":")

    def _written_since(self, words: Sequence[str]) -> str:
        first = next((p for p in reversed(self.pieces[: self.index]) if p.text in words), self.before)
        return self.source.text[first.start : self.before.end]
