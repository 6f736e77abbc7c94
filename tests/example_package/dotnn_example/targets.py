"""A target: the graph of a network as a table, a line for each value."""

from __future__ import annotations

from dotnn.passes.base import Pipeline
from dotnn.passes.pipelines import plain
from dotnn.targets.base import Draft, Style, Target
from dotnn.targets.options import Options


def _passes(options: Options, words: frozenset[str]) -> Pipeline:
    return plain(words=words)


def _write(draft: Draft) -> str:
    """Return a script that prints the name, the op and the shape of every value of the forward pass."""
    rows = [(node.out.name, node.op, str(node.out.type)) for node in draft.graph.phase("forward") if node.loop is None]
    return f"for row in {rows!r}:\n    print(*row, sep=chr(9))\n"


TABLE = Target(
    "table", "a table", _write, (Style("plain", "to be read", _passes),), suffix="_table", reason="it is a table"
)
