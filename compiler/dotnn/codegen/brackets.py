"""Where the brackets of a line of Python are, those in texts left out."""

from __future__ import annotations

import itertools
import re

DOTTED = re.compile(r"[\w.]+")
"""A name, or one of a module's or an object's."""
BRACKET = re.compile(r"""[()\[\]{}]|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'""")
"""A bracket, or a text, whose brackets are none."""
BRACKET_OR_COMMA = re.compile(f"{BRACKET.pattern}|,")


def to_open(value: str) -> list[tuple[int, int]]:
    """Return where the insides of round brackets lie, the longest first; of `list(zip(…))` only the inner one."""
    spans = sorted(_spans(value), key=lambda s: s[0] - s[1])
    calls = {stop: start for start, stop in spans if start > 1 and DOTTED.match(value[start - 2])}
    inner = ((span, calls.get(span[1] - 1, 0)) for span in spans)
    return [(a, b) for (a, b), call in inner if not (a < call and DOTTED.fullmatch(value, a, call - 1))]


def _spans(value: str) -> list[tuple[int, int]]:
    """Return where the insides of round brackets lie."""
    found, stack = [], []
    for at, char in ((match.start(), match[0]) for match in BRACKET.finditer(value)):
        if char in "([{":
            stack.append((char, at + 1))
        elif stack and char in ")]}":
            opened, start = stack.pop()
            if opened == "(" and at > start:
                found.append((start, at))
    return found


def items_of(text: str) -> list[str]:
    """Return what stands between the commas of a text that are in no brackets."""
    cuts, depth = [0], 0
    for match in BRACKET_OR_COMMA.finditer(text):
        depth += (match[0] in "([{") - (match[0] in ")]}")
        cuts += [match.end()] * (match[0] == "," and not depth)
    return [text[a:b].strip(" ,") for a, b in itertools.pairwise([*cuts, len(text)])]
