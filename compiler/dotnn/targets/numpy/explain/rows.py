"""Data that are large: a script holds them in memory once, and prepares rows of them where they are read."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from dotnn.codegen import tree
from dotnn.codegen.lines import table
from dotnn.codegen.preparing import Chain, applied, chains, fitted, in_type, is_affine
from dotnn.ir.graph import Graph
from dotnn.model.model import Data, Model
from dotnn.model.raw import raw_declarations

ROWS = '''
class Rows:
    """Rows of an array, prepared where they are read: the parts share the array, which stays as it came."""

    def __init__(self, values, rows, prepare):
        self.values, self.rows, self.prepare = values, rows, prepare

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, chosen):
        return self.prepare(self.values[self.rows[chosen]])
'''
FIGURES = '''
    def pieces(self):
        """Return the numbers of all rows, about a quarter of a million at a time."""
        size = 2**18 // self[:1].size + 1
        return (self[start : start + size] for start in range(0, len(self), size))

    def min(self, axis):
        return np.min([piece.min(axis=axis) for piece in self.pieces()], axis=0)

    def max(self, axis):
        return np.max([piece.max(axis=axis) for piece in self.pieces()], axis=0)

    def mean(self, axis):
        return self.total(lambda piece: piece) / len(self)

    def std(self, axis):
        mean = self.mean(axis)
        return np.sqrt(self.total(lambda piece: (piece - mean) ** 2) / len(self))

    def total(self, function):
        """Return the sum of a function of the rows: row after row, as the sum of an array is."""
        total = np.zeros(self.values.shape[1:])
        for piece in self.pieces():
            total = np.concatenate([total[None], function(piece)]).sum(axis=0)
        return total

    def reshape(self, *shape):
        return self[:].reshape(*shape)
'''
NUMBERS = 2**19
"""So many numbers, about, are read and computed at once where a part is evaluated."""
LEAST, MOST = 192, 4096
"""How many examples these are, at least and at most."""


def held_once(model: Model) -> bool:
    """Whether large data of a model need not be copied: mini-batches of arrays, whose preparation is of each row alone
    but for a shift and a scale, and whose parts are rows of one file.
    """
    data = model.data or Data()
    table = data.source is not None and data.source.entry.table
    texts = any(kind in ("text", "date") for kind, _ in raw_declarations(model).values())
    plain = not (table or texts or data.files or data.beside or any(way.drops for way in chains(model).values()))
    return bool(model.train.batch) and is_affine(model) and plain and not data.augment


def rows_class(model: Model) -> str:
    """Return the class of rows; it computes figures of them where a preparation is fitted to some."""
    fits = [step.fit("{here}") for chain in chains(model).values() for step in chain.steps]
    return ROWS.rstrip("\n") + (f"\n{FIGURES}" if any("{here}" in fit for fit in fits) else "")


def prepared(model: Model, arrays: Mapping[str, str]) -> Iterator[tree.Stmt]:
    """Yield what fits preparations to the `rows` of the training part, and returns the parts; `arrays` are expressions
    of prepared values `v`, by name.
    """
    for chain in chains(model).values():
        yield from _fitted(chain)
    entries = {name: f"lambda v: {text}" for name, text in arrays.items()}
    yield tree.assign("ways", table(entries))
    parts = "{part: {n: Rows(v, r, ways[n]) for n, v in arrays.items()} for part, r in rows.items()}"
    yield tree.Return(f"{parts}, {'scaling' if fitted(model) else '{}'}")


def _fitted(chain: Chain) -> Iterator[tree.Stmt]:
    known = f'scaling["{chain.name}"]'
    for i, step in enumerate(chain.steps):
        if step.entry.fit is not None:
            before = in_type(applied(chain.steps[:i], "v", bare=True), "float")
            rows = f'Rows(arrays["{chain.name}"], rows["train"], lambda v: {before})'
            first = not any(s.entry.fit for s in chain.steps[:i])
            yield tree.assign(known, step.fit(rows), "=" if first else "|=")


def chunk(graph: Graph) -> int:
    """Return how many examples are evaluated at once.

    That is a multiple of the rows that matrix products are made of (4, 6, 8, 12, 16, …, by processor), so that they are
    rounded as those of all examples are.
    """
    values = [*graph.inputs.values(), *(v for node in graph.phase("forward") for v in node.outs if v.type.batched)]
    numbers = sum(math.prod(v.type.example) for v in values)
    return max(LEAST, min(MOST, NUMBERS // max(1, numbers)) // LEAST * LEAST)
