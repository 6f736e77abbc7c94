"""The printer's last resort: a statement of any kind over as many lines as it takes, opened bracket by bracket.

`wrap` breaks a statement where a person would; long names leave it no room for that. Here a line is a row of words and
brackets. What stands in a bracket may end a line behind a comma, else before the operator that binds least, and a text
goes on in the next line. What stands in no bracket is given one. Only a name, a number and an f-string stay whole.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

INDENT = 4
TEXT = r"""(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')"""
WORD = re.compile(rf"\s*((?:\b[rbfuRBFU]{{1,2}})?{TEXT}|[\w.]*\w|(?:\*\*|//|[-+*/@%&|^<>=!:])=?|.)")
"""A text with its prefix, a name or a number with its dots, an operator, or another character; blanks before it."""
LETTER = re.compile(r"\\(?:x..|u.{4}|U.{8}|N\{[^}]*\}|[0-7]{1,3}|.)|.")
"""A letter of a text, as it is written between quotes."""
CLOSING = {"(": ")", "[": "]", "{": "}"}
OPERATORS = (
    ("for", "if", "else"),
    ("or",),
    ("and",),
    ("not", "in", "is", "<", ">", "<=", ">=", "==", "!="),
    ("|",),
    ("&",),
    ("+", "-"),
    ("*", "/", "@", "//", "%"),
    ("**",),
)
"""What a line may begin with, from what binds least to what binds most."""
BEFORE_OPERANDS = {"=", ":", ",", *(word for words in OPERATORS for word in words)}
QUOTES = ('"', "'")
DIVIDED = {"for": "in", "assert": ","}
SIGNS = ("=", "+=", "-=", "*=", "/=", "|=", "@=")


@dataclass(frozen=True)
class Bracket:
    """What stands between two brackets, the opening one with the blanks before it."""

    opening: str
    inside: Row
    closing: str

    def __str__(self) -> str:
        return f"{self.opening}{flat(self.inside)}{self.closing}"


Row = tuple["str | Bracket", ...]
"""Words, with the blanks before them, and brackets."""


def flat(row: Iterable[str | Bracket]) -> str:
    """Return a row as one line."""
    return "".join(map(str, row)).strip()


def laid_out(code: str, indent: int, width: int) -> list[str]:
    """Return a statement of one line, or the head of a compound one, over as many lines as it takes.

    A comment behind it is put above it. What is no statement stays as it is.
    """
    words = [*WORD.finditer(code)]
    end = next((word.start(1) for word in words if word[1] == "#"), len(code))
    above, code = textwrap.wrap(code[end:].lstrip("# "), width - indent - 2), code[:end].rstrip()
    row, wrong = _row(iter(WORD.finditer(code)), "")
    made = [" " * indent + code] if wrong or not row or row[0] == "@" else _statement(row, indent, width)
    return [*(f"{' ' * indent}# {line}" for line in above), *made] if code else [f"{' ' * indent}# {x}" for x in above]


def in_a_bracket(code: str, indent: int, width: int) -> list[str]:
    """Return an expression, or an argument or an entry, that stands in a bracket, over as many lines as it takes."""
    row, wrong = _row(iter(WORD.finditer(code)), "")
    return [" " * indent + code] if wrong or not row else _broken("", row, "", indent, width)


def _row(words: Iterator[re.Match[str]], until: str) -> tuple[Row, str]:
    """Return the words up to a closing bracket as a row; what is wrong with the brackets, "" for nothing."""
    found: list[str | Bracket] = []
    for word in words:
        if word[1] == until:
            return tuple(found), ""
        if word[1] in CLOSING:
            inside, wrong = _row(words, CLOSING[word[1]])
            if wrong:
                return (), wrong
            found.append(Bracket(word[0], inside, CLOSING[word[1]]))
        else:
            found.append(word[0])
    return tuple(found), until


def _statement(row: Row, indent: int, width: int) -> list[str]:
    """Return a statement: what is assigned to, a word of Python, or nothing, and an expression."""
    tail = ":" if row[-1] == ":" else ""
    row = row[: len(row) - bool(tail)]
    first = str(row[0])
    if first == "def":
        return _opened("", row, tail, indent, width)
    at = _divided(first, _words(row))
    if not at:
        count = int(first in ("return", "if", "elif", "while", "raise", "assert", "del", "with"))
        head = f"{first} " * count
        return _value(head, row[count:], tail, indent, width)
    begun = f"{first} " if first in ("for", "assert") else ""
    sign = ", " if first == "assert" else f" {str(row[at]).strip()} "
    before = _value if first == "assert" else _target
    *lines, last = before(begun, row[bool(begun) : at], f"{sign}(", indent, width)
    return [*lines, *_value(last.strip(" ").removesuffix("("), row[at + 1 :], tail, indent, width)]


def _divided(first: str, words: Sequence[str]) -> int:
    """Return where the last sign of an assignment stands, or what divides another statement in two; 0 for none."""
    if first in DIVIDED:
        return words.index(DIVIDED[first]) if DIVIDED[first] in words else 0
    end = words.index("lambda") if "lambda" in words else len(words)
    return max((i for i in range(end) if words[i] in SIGNS), default=0)


def _target(head: str, row: Row, tail: str, indent: int, width: int) -> list[str]:
    """Return what is assigned to; of several targets in a bracket of their own."""
    if len(head + flat(row) + tail) + indent <= width:
        return [" " * indent + head + flat(row) + tail]
    if any(str(word) == "," for word in row):
        return _in_brackets(head, row, tail, indent, width)
    return _opened(head, row, tail, indent, width)


def _value(head: str, row: Row, tail: str, indent: int, width: int) -> list[str]:
    """Return `head value tail`, where the value stands in no bracket."""
    if len(head + flat(row) + tail) + indent <= width:
        return [" " * indent + head + flat(row) + tail]
    words = _words(row)
    if not _commas(words) and not _operators(words) and any(isinstance(word, Bracket) and word.inside for word in row):
        made = _opened(head, row, tail, indent, width)
        if max(map(len, made)) <= width:
            return made
    return _in_brackets(head, row, tail, indent, width)


def _in_brackets(head: str, row: Row, tail: str, indent: int, width: int) -> list[str]:
    inner = _broken("", row, "", indent + INDENT, width)
    return [f"{' ' * indent}{head}(", *inner, f"{' ' * indent}){tail}"]


def _words(row: Row) -> list[str]:
    """Return the words of a row without blanks, "" for a bracket."""
    return [word.strip() if isinstance(word, str) else "" for word in row]


def _commas(words: Sequence[str]) -> list[int]:
    """Return where the items of a list begin, but the first."""
    return [i + 1 for i, word in enumerate(words) if word == "," and i + 1 < len(words)]


def _operators(words: Sequence[str]) -> list[int]:
    """Return where the operators that bind least stand, between operands."""
    for operators in OPERATORS:
        found = [i for i, word in enumerate(words) if i and word in operators and words[i - 1] not in BEFORE_OPERANDS]
        if found:
            return found
    return []


def _broken(head: str, row: Row, tail: str, indent: int, width: int) -> list[str]:
    """Return `head row tail`, where the row stands in a bracket."""
    if len(head + flat(row) + tail) + indent <= width:
        return [" " * indent + head + flat(row) + tail]
    words = _words(row)
    commas = [] if {"for", "lambda"} & {*words} else _commas(words)
    key = next((i for i, word in enumerate(words) if word in (":", "=")), 0)
    if commas or "for" in words:
        return _rows(head, row, commas or _operators(words), tail, indent, width)
    if key and "lambda" not in words:
        return _entry(head, row, key, tail, indent, width)
    if "lambda" not in words and _operators(words):
        return _rows(head, row, _operators(words), tail, indent, width)
    if len(row) == 1 and words[0][:1] in QUOTES and words[0]:
        return _pieces(head, words[0], tail, indent, width)
    return _opened(head, row, tail, indent, width)


def _entry(head: str, row: Row, key: int, tail: str, indent: int, width: int) -> list[str]:
    """Return an entry, `key: value`, or an argument, `key=value`, whose sign stands at `key`."""
    sign = ": " if str(row[key]).strip() == ":" else "="
    *lines, last = _broken(head, row[:key], sign, indent, width)
    last = last.lstrip(" ")
    made = _broken(last, row[key + 1 :], tail, indent, width)
    made = made if max(map(len, made)) <= width else _in_brackets(last, row[key + 1 :], tail, indent, width)
    return [*lines, *made]


def _rows(head: str, row: Row, cuts: Sequence[int], tail: str, indent: int, width: int) -> list[str]:
    """Return the parts of a row between some cuts, as many on a line as there is room for."""
    lines: list[str] = []
    for start, stop in pairwise([0, *cuts, len(row)]):
        part, end = row[start:stop], tail * (stop == len(row))
        if lines and len(f"{lines[-1]} {flat(part)}{end}") <= width:
            lines[-1] += f" {flat(part)}{end}"
            continue
        words = _words(part)
        comma = "," * (words[-1] == ",")
        operator = words[0] if start and words[0] in BEFORE_OPERANDS and str(row[start - 1]) != "," else ""
        begun = f"{operator} " if operator else head * (not start)
        lines += _broken(begun, part[bool(operator) : len(part) - len(comma)], comma + end, indent, width)
    return lines


def _opened(head: str, row: Row, tail: str, indent: int, width: int) -> list[str]:
    """Return a row without operators, `a[…].b(…)`, with as many brackets opened as it takes, the longest first."""
    brackets = [i for i, word in enumerate(row) if isinstance(word, Bracket) and word.inside]
    brackets.sort(key=lambda i: len(str(row[i])), reverse=True)
    made = [" " * indent + head + flat(row) + tail]
    for count in range(1, len(brackets) + 1):
        made = _with_open(head, row, tail, indent, width, {*brackets[:count]})
        if max(map(len, made)) <= width:
            break
    return made


def _with_open(head: str, row: Row, tail: str, indent: int, width: int, some: Collection[int]) -> list[str]:
    """Return a row with some of its brackets opened, and what stands in them on lines of its own."""
    lines: list[str] = []
    current = ""
    for i, word in enumerate(row):
        if i in some and isinstance(word, Bracket):
            begun = f"{current}{word.opening}".strip(" ")
            lines.append(f"{' ' * indent}{begun if lines else head + begun}")
            lines += _broken("", word.inside, "", indent + INDENT, width)
            current = word.closing
        else:
            current += str(word)
    current = current.strip(" ")
    return [*lines, f"{' ' * indent}{current if lines else head + current}{tail}"]


def _pieces(head: str, text: str, tail: str, indent: int, width: int) -> list[str]:
    """Return a text as several, one after the other, which Python joins."""
    quote, first = text[0], " " * indent + head
    if len(first) > width // 2:  # too little room behind it, and within a bracket a line may end there
        return [first.rstrip(" "), *_pieces("", text, tail, indent, width)]
    lines = [first + quote]
    for letter in LETTER.findall(text[1:-1]):
        if len(lines[-1] + letter + quote + tail) > width:
            lines[-1] += quote
            lines.append(" " * indent + quote)
        lines[-1] += letter
    return [*lines[:-1], f"{lines[-1]}{quote}{tail}"]
