"""A loose scanner: pieces of text with their places, whether or not they make sense.

The grammar decides what a spec is. This scanner serves those who must look at a text beside the grammar: the limits
before parsing, the explanation of a syntax error, and the formatter, which must not lose a comment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from dotnn.core.diagnostics import Span

SECTION_WORDS = ("params", "model", "block", "data", "train", "check")
STATEMENT_WORDS = ("input", "target", "layer", "output")
DEFINITIONS = {
    "activation": "activation name(z, a = 1) = z * a",
    "loss": "loss name(y, t, a = 1) = mean(a * (y - t)^2)",
    "penalty": "penalty name(w, s) = s * sum(abs(w))",
    "constraint": "constraint name(w) = max(w, 0)",
    "metric": "metric name(y, t, a = 1) = mean(a * abs(y - t))",
    "init": "init name(sd = 1) = normal(sd) / sqrt(n_in)",
    "schedule": "schedule name(lr, rate = 0.9) = lr * rate ^ epoch",
    "optimizer": "optimizer name(lr = 0.01) { w = w - lr * g }",
}
"""The words that a definition begins with, each with an example."""
SOFT_SECTION_WORDS = ("optimizer", "cell")
"""Words of sections only where their forms follow."""
OPERATOR_WORDS = ("and", "or", "not", "mod")
KEYWORDS = frozenset(SECTION_WORDS + STATEMENT_WORDS + OPERATOR_WORDS + ("in",))
CLOSER_OF = {"(": ")", "[": "]", "{": "}"}

_PIECE = re.compile(
    r"""
      (?P<comment> \#[^\n]* )
    | (?P<string>  "(?:[^"\\\n]|\\.)*" )
    | (?P<number>  [0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?%? )
    | (?P<name>    [A-Za-z_][A-Za-z0-9_]* )
    | (?P<mark>    -> | \.\. | \*\* | [<>=!]= | [-+*/@^<>=:,.(){}\[\]] )
    | (?P<other>   [^ \t\r\n\f] )
    """,
    re.VERBOSE,
)
_TOKEN = re.compile(r'#[^\n]*|"[^"\n]*"|\[[-+0-9eE.,%\s\[\]]*\]|[A-Za-z0-9_.]+|[^\s#"]')
_BRACKET = re.compile(r'#[^\n]*|"(?:[^"\\\n]|\\.)*"|[\[\](){}]')


class Piece(NamedTuple):
    """A token or a comment; `kind` is comment, string, number, name, mark, other or end."""

    kind: str
    text: str
    start: int
    end: int

    @property
    def span(self) -> Span:
        """The place of the piece."""
        return Span(self.start, self.end)


def scan(text: str, start: int = 0) -> Iterator[Piece]:
    """Cut a text into pieces, from an offset between two of them; only white space is left out."""
    for match in _PIECE.finditer(text, start):
        yield Piece(match.lastgroup or "other", match[0], match.start(), match.end())


def has_more_tokens(text: str, most: int) -> bool:
    """Tell whether a text has more than `most` words and signs; a list of numbers counts as one."""
    found = _TOKEN.finditer(text)
    return next(islice(found, most, None), None) is not None


def brackets(text: str, start: int = 0) -> Iterator[tuple[str, int]]:
    """Give every bracket outside of strings and comments with its offset."""
    for match in _BRACKET.finditer(text, start):
        if len(match[0]) == 1 and match[0] in "()[]{}":
            yield match[0], match.start()


def open_brackets(text: str, end: int, most: int | None = None) -> list[int]:
    """Return the offsets of the brackets still open at `end`, or as soon as there are more than `most`."""
    opened: list[int] = []
    for bracket, offset in brackets(text):
        if offset >= end or (most is not None and len(opened) > most):
            break
        if bracket in CLOSER_OF:
            opened.append(offset)
        elif opened:
            opened.pop()
    return opened


def is_closed(text: str, opener: int) -> bool:
    """Tell whether the bracket at `opener` meets its own closer before a wrong one or the end."""
    wanted: list[str] = []
    for bracket, _ in brackets(text, opener):
        if bracket in CLOSER_OF:
            wanted.append(CLOSER_OF[bracket])
        elif bracket != wanted.pop():
            return False
        if not wanted:
            return True
    return False
