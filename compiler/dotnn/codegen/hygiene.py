"""The names of the spec and those of the script cannot meet, by the mark of hygienic macros (Kohlbecker et al. 1986).

While a script is written, every name that comes from the spec carries a mark: its first character is replaced by a
letter of another alphabet, which is as wide. In the text that results, what has no mark is the script's own, so that
nobody needs to keep a list of its words. Where a name of the spec is one of them, the script is written again, with
another name for the value; else the marks are taken off.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from dotnn.ir.graph import Graph
from dotnn.ir.node import Value
from dotnn.passes.name import LOSS_NAME, SEED_NAME

PLAIN = string.ascii_uppercase + string.ascii_lowercase
ALPHABETS = [0x1D400 + 52 * number for number in (0, 2, 4, 7, 8, 9, 10, 11, 12)]
"""Where Unicode's mathematical alphabets of 52 letters begin that have no gaps: bold, bold italic, …, monospace."""

BLOCK = re.compile(r"^(?=\S)(?![)\]}#])", re.MULTILINE)
NO_CODE = re.compile(r'(?P<f>\bf)?("""(?:.|\n)*?"""|"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\')|#.*')
WORD = re.compile(r"(?<![\w.])[^\W\d]\w*(?!\w|=(?!=))")  # no attribute, and no name of an argument in a call
HEAD = re.compile(r"^\s*def .*", re.MULTILINE)
INNER = re.compile(r"(?<=\S) for ([\w, ]+) in ")
TOP = re.compile(r"^(?:def |class |import )?([A-Za-z_]\w*)(?: =|\(|:|$)", re.MULTILINE)


_TO_PLAIN = {first + i: letter for first in ALPHABETS for i, letter in enumerate(PLAIN)}


def unmarked(name: str) -> str:
    """Return a name without its mark, whichever it is."""
    return name if name.isascii() else name.translate(_TO_PLAIN)


class NamesMeet(Exception):
    """A script has words of its own that are names of the spec, too."""

    def __init__(self, words: set[str]) -> None:
        self.words = words
        super().__init__(", ".join(sorted(words)))


@dataclass(frozen=True)
class Mark:
    """The mark of the names of one spec: the first letter is one of an alphabet of which the spec has no letter."""

    letters: str
    """The 52 letters of the alphabet."""

    @classmethod
    def for_text(cls, text: str) -> Mark:
        """Return a mark that cannot be mistaken for anything in the text of a spec."""
        used = {ord(c) for c in text if not c.isascii()}
        first = next((a for a in ALPHABETS if not any(a <= c < a + 52 for c in used)), ALPHABETS[0])
        return cls("".join(map(chr, range(first, first + 52))))

    def put(self, name: str) -> str:
        """Return a name of the spec with the mark; an underscore in front of it stays."""
        start = len(name) - len(name.lstrip("_" + string.digits))
        return f"{name[:start]}{self.letters[PLAIN.index(name[start])]}{name[start + 1 :]}"

    def plain(self, text: str) -> str:
        """Return a text without marks."""
        for marked, letter in zip(self.letters, PLAIN, strict=True):  # faster than translate, by far
            text = text.replace(marked, letter)
        return text

    def on(self, graph: Graph) -> Graph:
        """Return the graph with the mark on the names of all values; the loss and its seed are the script's own."""
        known: dict[int, Value] = {}

        def marked(value: Value) -> Value:
            if value.id not in known:
                own = value.name in (LOSS_NAME, SEED_NAME)
                known[value.id] = value if own else replace(value, name=self.put(value.name))
            return known[value.id]

        return graph.map_values(marked)

    def off(self, script: str, names: Iterable[str]) -> str:
        """Return the script without marks. Raises `NamesMeet` where one of these names is also a word of its own."""
        met = set(names) & self.words_of(script)
        if met:
            raise NamesMeet(met)
        return self.plain(script)

    def words_of(self, script: str) -> set[str]:
        """Return the script's own words: what it defines, and what is read or bound where there are values."""
        marked = re.compile(f"[{self.letters[0]}-{self.letters[-1]}]")
        code = NO_CODE.sub(_code, script)
        starts = [m.start() for m in BLOCK.finditer(code)]
        blocks = [code[a:b] for a, b in zip(starts, [*starts[1:], len(code)], strict=True)]
        mixed = "\n".join(block for block in blocks if marked.search(block))
        found = set().union(*(_words(line, plain=not marked.search(line)) for line in {*mixed.split("\n")}))
        found |= {word for head in HEAD.findall(mixed) for word in re.findall(r"\w+", head)}
        return {word for word in found if not marked.search(word)} | set(TOP.findall(code))


def _words(line: str, *, plain: bool) -> set[str]:
    """Return the words of a line; in one without values, those of a comprehension are its own."""
    inner = re.findall(r"\w+", " ".join(INNER.findall(line))) if plain else []
    return {*WORD.findall(line)} - {*inner}


def _code(match: re.Match[str]) -> str:
    """Return what is left of a text or comment: of a text with values in it, the expressions."""
    return " ".join(re.findall(r"\{([^{}]*)\}", match[2])) if match["f"] and match[2] else '""' if match[2] else ""


def names_of(*graphs: Graph) -> set[str]:
    """Return the names of all values of graphs but the loss and its seed."""
    values = [v for graph in graphs for v in _values_of(graph)]
    return {v.name for v in values} - {LOSS_NAME, SEED_NAME}


def _values_of(graph: Graph) -> Iterator[Value]:
    yield from graph.sources()
    for node in graph.all_nodes():
        yield from node.outs
        if node.loop:
            yield from (*node.loop.slices, *node.loop.entering)
