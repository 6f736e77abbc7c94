"""The layout of black: two blanks before a comment, and what does not fit on its line broken at its brackets."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import pairwise
from tokenize import TokenInfo

from dotnn.codegen.lines import comment_lines
from dotnn.codegen.wrap import INDENT, WIDTH, wrapped

OPEN, CLOSE = "([{", ")]}"
CLAUSES = ("for", "lambda")
BINARY = ("*", "+")
LAYOUT = (tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.COMMENT)
WITHIN = getattr(tokenize, "FSTRING_START", None), getattr(tokenize, "FSTRING_END", None)
"""From Python 3.12 on a formatted string is several tokens."""


PARTS = re.compile(r"(?<=\n\n\n)(?=def |class |@)")
"""Functions and classes: what stands on either side of such a place is laid out by itself."""


def as_black(text: str) -> str:
    """Return a script in black's layout. Statements that need no change, and the meaning, stay as they are."""
    return "".join(map(_part_as_black, PARTS.split(text)))


@lru_cache(maxsize=1024)
def _part_as_black(text: str) -> str:
    """Lay out one part; many scripts have the same functions."""
    rows = text.split("\n")
    tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    remarked = {token.start[0] for token in tokens if token.type == tokenize.COMMENT}
    for token in tokens:
        if token.type == tokenize.COMMENT and (code := rows[token.start[0] - 1][: token.start[1]]).strip():
            rows[token.start[0] - 1] = f"{code.rstrip()}  {token.string}"
    for statement in reversed(list(_statements(tokens))):
        first, last = statement[0].start[0], statement[-1].end[0]
        if remarked.isdisjoint(range(first, last + 1)) and _is_unlike(rows[first - 1 : last]):
            indent = statement[0].start[1]
            rows[first - 1 : last] = _fitted(_joined(rows[first - 1 : last]), indent)
    return "\n".join(rows)


def _statements(tokens: Sequence[TokenInfo]) -> Iterator[list[TokenInfo]]:
    """Yield the tokens of each statement, of a compound one those of its head; none where a text has several rows."""
    statement: list[TokenInfo] = []
    for token in tokens:
        if token.type == tokenize.NEWLINE:
            if all(part.start[0] == part.end[0] for part in statement):
                yield statement
            statement = []
        elif token.type not in LAYOUT:
            statement.append(token)


def _is_unlike(rows: Sequence[str]) -> bool:
    """Whether a statement is too long for its row, or is broken in another way than black's.

    Broken elsewhere than behind a bracket, ended in the row of an item, with several items on a row, or though what is
    in the brackets fits on one.
    """
    if any(len(row) > WIDTH for row in rows):
        return True
    if len(rows) > 1 and (rows[0][-1] not in OPEN or rows[-1].strip()[0] not in CLOSE):
        return True
    inside = rows[1:-1]
    if len(inside) > 1 and inside[-1][-1] != "," and len(_joined(inside)) + _indent(inside[0]) <= WIDTH:
        return True
    return any(row.endswith(",") and _Line(row.strip()).commas for row in rows[1:-1])


def _indent(row: str) -> int:
    return len(row) - len(row.lstrip())


def _joined(rows: Sequence[str]) -> str:
    """Return a statement of several rows as one row, without the commas after the last items."""
    joined = ""
    for row in rows:
        row = row.strip()
        if row[0] in CLOSE:
            joined = joined.removesuffix(",")
        joined += row if not joined or joined[-1] in OPEN or row[0] in CLOSE else f" {row}"
    return joined


class _Line:
    """A line of code: what of it stands in no brackets.

    pairs      the brackets, each with the commas between its items; it has none where these cannot be told by commas,
               because one of them is a comprehension or a function
    commas     between the items of a list without brackets
    operators  signs of a sum or a product
    """

    def __init__(self, code: str) -> None:
        marks = list(_marks(code))
        outside = [(mark, place) for mark, place, depth in marks if depth == 0]
        self.pairs = _pairs(marks)
        self.commas = [place for mark, place in outside if mark == "," and place < len(code) - 1]
        self.operators = [
            place for mark, place in outside if mark in BINARY and code[place - 1 : place + 2] == f" {mark} "
        ]


def _marks(code: str) -> Iterator[tuple[str, int, int]]:
    """Yield (mark, place, how many brackets it stands in) for what shapes a line.

    A bracket stands in those around it; one that closes what another line has opened is left out.
    """
    depth = 0
    for token in _operators(code):
        closes = token.string in CLOSE
        if closes and depth == 0:
            continue
        depth -= closes
        yield token.string, token.start[1], depth
        depth += token.string in OPEN


def _pairs(marks: Sequence[tuple[str, int, int]]) -> list[tuple[int, int, list[int]]]:
    """Return the outermost brackets, each with its commas; the last may not be closed on this line."""
    brackets = [place for mark, place, depth in marks if depth == 0 and mark in OPEN + CLOSE]
    pairs = zip(brackets[::2], brackets[1::2], strict=False)
    return [(start, stop, _commas_between(marks, start, stop)) for start, stop in pairs]


def _commas_between(marks: Sequence[tuple[str, int, int]], start: int, stop: int) -> list[int]:
    """Return the places of the commas between the items of a pair of brackets."""
    inner = [(mark, place) for mark, place, depth in marks if depth == 1 and start < place < stop]
    return [] if any(mark in CLAUSES for mark, _ in inner) else [place for mark, place in inner if mark == ","]


def _operators(code: str) -> Iterator[TokenInfo]:
    """Yield the brackets, commas and sums, and what begins a comprehension or a function, of a part of a statement."""
    texts = 0
    with suppress(tokenize.TokenError):
        for token in tokenize.generate_tokens(io.StringIO(code).readline):
            texts += (token.type == WITHIN[0]) - (token.type == WITHIN[1])
            is_mark = token.type == tokenize.OP and token.string in (*OPEN, *CLOSE, ",", *BINARY)
            if not texts and (is_mark or token.string in CLAUSES):
                yield token


def _fitted(code: str, indent: int) -> list[str]:
    """Return the rows of a statement; what black would leave too long for a row as the printer breaks it."""
    rows = _laid_out(code, indent)
    return rows if max(map(len, rows)) <= WIDTH else wrapped(code, indent)


def _laid_out(code: str, indent: int, end: str = "") -> list[str]:
    """Return the rows of code that is followed by `end`: on one, or broken at its last brackets."""
    pairs = _Line(code).pairs if indent + len(code + end) > WIDTH else []
    if not pairs:
        return [f"{' ' * indent}{code}{end}"]
    # of a layer that is called at once, the arguments of the layer
    start, stop, commas = next((pair for pair in reversed(pairs) if indent + pair[0] < WIDTH), pairs[-1])
    inside = _laid_out_inside(code, start, commas, stop, indent + INDENT)
    return [f"{' ' * indent}{code[: start + 1]}", *inside, *_laid_out(code[stop:], indent, end)]


def _laid_out_inside(code: str, start: int, commas: Sequence[int], stop: int, indent: int) -> list[str]:
    """Return the rows of what stands between brackets: all arguments of a call on one, else one for each item."""
    body = code[start + 1 : stop]
    called = (code[start] == "(" and code[max(start - 1, 0)].isidentifier()) or not commas
    if called and indent + len(body) <= WIDTH:
        return [f"{' ' * indent}{body}"]
    end = "," if commas else ""
    return [row for item in _items(code, start, commas, stop) for row in _laid_out(item, indent, end)]


def _items(code: str, start: int, commas: Sequence[int], stop: int) -> list[str]:
    """Return what stands between brackets: the items, or the operands of a product or a sum, each with its operator."""
    if commas:
        items = [code[a + 1 : b].strip() for a, b in pairwise([start, *commas, stop])]
        return [item for item in items if item]
    body = code[start + 1 : stop]
    return [body[a:b].strip() for a, b in pairwise([0, *_Line(body).operators, len(body)])]


def with_remark(code: str, remark: str) -> list[str]:
    """Return a line of a function with a comment, or under it where they do not fit on one row."""
    if not remark:
        return [code]
    joined = f"{code}  # {remark}"
    return [joined] if INDENT + len(joined) <= WIDTH else [*comment_lines(remark, 0, INDENT), code]
