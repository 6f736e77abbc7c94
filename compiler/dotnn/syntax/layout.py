"""The pieces of one statement → its lines: what comes between two pieces, and where a line may end.

The layout never invents, drops or reorders a piece. A line ends where the user ended it, if that is a good place (after
an opening bracket or a comma, before a closing bracket, an arrow or an operator), after a comment, and before an
arrow of the outermost pipe when the next stage would not fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dotnn.syntax.scan import KEYWORDS, Piece

WIDTH = 100
INDENT = 2
CONTINUATION = 4
MAX_ARROW_COLUMN = 40

_OPENERS = ("(", "[")
_CLOSERS = (")", "]")
_TIGHT = ("..", "^", "**", ".")
_OPERATORS = frozenset(["+", "-", "*", "/", "@", "<", "<=", ">", ">=", "==", "!=", "..", "^", "**", "mod", "and", "or"])


@dataclass
class Line:
    """A line of the result; a comment after its text is kept apart, to be aligned later."""

    text: str
    comment: str = ""


@dataclass(frozen=True)
class _Bracket:
    inside: int  # the column where a line inside of it starts
    closing: int  # the column of its closer, should that start a line
    opener: str  # ( or [


class Layout:
    """Sets the pieces of one statement or section head; `pad` blanks go after the piece with index `padded`."""

    def __init__(self, text: str, pieces: Sequence[Piece], indent: int, padded: int = 0, pad: int = 0) -> None:
        self._text = text
        self._pieces = pieces
        self._indent = indent
        self._padding = {padded + 1: " " * pad}
        self._unary = _unary_signs(pieces)
        self._lines: list[Line] = []
        self._parts: list[str] = []
        self._column = 0
        self._line_indent = indent
        self._brackets: list[_Bracket] = []
        self._arrow_column: int | None = None

    def lines(self) -> list[Line]:
        """Return the finished lines."""
        self._start_line(self._indent)
        for index, piece in enumerate(self._pieces):
            if piece.kind == "comment":
                self._comment(index)
            else:
                self._place(index)
        self._end_line()
        return self._lines

    # -------------------------------------------------------------------------------------------------- one piece

    def _place(self, index: int) -> None:
        piece = self._pieces[index]
        is_arrow = piece.text == "->" and not self._brackets
        if self._breaks(index) or (is_arrow and self._column + self._width_of_stage(index) > WIDTH):
            self._end_line()
            self._start_line(self._column_for(piece))
        elif self._parts:
            self._write(self._gap(index) + self._padding.get(index, ""))
        if is_arrow:
            self._remember_arrow()
        self._write(piece.text)
        if piece.text in _OPENERS:
            self._open(index)
        elif piece.text in _CLOSERS:
            self._brackets.pop()

    def _remember_arrow(self) -> None:
        """Let the lines after this one that start with an arrow start below the first arrow, if that is near."""
        if self._arrow_column is None:
            self._arrow_column = self._column if self._column <= MAX_ARROW_COLUMN else self._indent + CONTINUATION

    def _comment(self, index: int) -> None:
        comment = self._pieces[index].text.rstrip()
        if self._parts and not self._is_on_new_line(index):
            self._end_line(comment)
        else:
            self._end_line()
            self._lines.append(Line(" " * self._column_for(self._pieces[index]) + comment))

    def _open(self, index: int) -> None:
        opener = self._pieces[index].text
        if self._breaks(index + 1) or self._pieces[index + 1].kind == "comment":
            self._brackets.append(_Bracket(self._line_indent + INDENT, self._line_indent, opener))
        else:
            self._brackets.append(_Bracket(self._column, self._column - 1, opener))

    # ------------------------------------------------------------------------------------------------ line breaks

    def _breaks(self, index: int) -> bool:
        """Tell whether a line ends in front of a piece, whatever its width."""
        if index == 0:
            return False
        previous, piece = self._pieces[index - 1], self._pieces[index]
        if previous.kind == "comment":
            return True
        is_good = previous.text in (*_OPENERS, ",") or piece.text in (*_CLOSERS, "->") or self._is_binary(index)
        return is_good and self._is_on_new_line(index)

    def _column_for(self, piece: Piece) -> int:
        """Return where a line starts that starts with this piece."""
        if self._brackets:
            return self._brackets[-1].closing if piece.text in _CLOSERS else self._brackets[-1].inside
        return self._indent + CONTINUATION if self._arrow_column is None else self._arrow_column

    def _width_of_stage(self, index: int) -> int:
        """Return the width from an arrow to the next one of the same pipe, or to the end of the line."""
        width, depth = 0, 0
        for i in range(index, len(self._pieces)):
            piece = self._pieces[i]
            is_next_arrow = piece.text == "->" and depth == 0
            if i > index and (is_next_arrow or piece.kind == "comment" or self._breaks(i)):
                break
            depth += (piece.text in _OPENERS) - (piece.text in _CLOSERS)
            width += len(self._gap(i)) + len(piece.text)
        return width

    def _is_on_new_line(self, index: int) -> bool:
        return "\n" in self._text[self._pieces[index - 1].end : self._pieces[index].start]

    def _start_line(self, indent: int) -> None:
        self._line_indent = self._column = indent

    def _write(self, text: str) -> None:
        self._parts.append(text)
        self._column += len(text)

    def _end_line(self, comment: str = "") -> None:
        if self._parts:
            self._lines.append(Line(" " * self._line_indent + "".join(self._parts), comment))
        self._parts = []

    # ---------------------------------------------------------------------------------------------------- spacing

    def _is_binary(self, index: int) -> bool:
        return self._pieces[index].text in _OPERATORS and index not in self._unary

    def _gap(self, index: int) -> str:
        """Return what comes between a piece and the one before in the same line."""
        previous, piece = self._pieces[index - 1], self._pieces[index]
        if piece.text in (*_CLOSERS, ",", ":", *_TIGHT) or previous.text in (*_OPENERS, *_TIGHT):
            return ""
        if index - 1 in self._unary or (piece.text in _OPENERS and _is_plain_name(previous)):
            return ""
        is_slice = previous.text == ":" and self._brackets and self._brackets[-1].opener == "["
        if is_slice or (piece.text == "[" and previous.text in _CLOSERS):
            return ""  # a part of what was in the brackets; the colon of a slice
        return " "


def _unary_signs(pieces: Sequence[Piece]) -> frozenset[int]:
    """Find the minus signs with nothing on their left to subtract from."""
    found = []
    ends_value = False
    for index, piece in enumerate(pieces):
        if piece.kind == "comment":
            continue
        if piece.text == "-" and not ends_value:
            found.append(index)
        ends_value = piece.kind in ("number", "string") or piece.text in _CLOSERS or _is_plain_name(piece)
    return frozenset(found)


def _is_plain_name(piece: Piece) -> bool:
    return piece.kind == "name" and piece.text not in KEYWORDS
