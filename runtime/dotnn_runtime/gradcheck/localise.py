"""Finding the rule that is wrong: the first wrong line of the backward pass.

The backward pass is a sequence of lines, each computing one cotangent, contribution or gradient from earlier ones.
A line whose result is wrong while everything before it was right holds the faulty rule.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from .anatomy import Place, Statement
from .kinds import Array, Key
from .patterns import Pattern, Truth, measure, name_pattern
from .probes import Oracle, Outcome, element, judge, scale_of
from .report import Blame
from .rows import EDGE, Row, fitted, group_notes
from .stand import Stand

FEW_ELEMENTS = 400
MOST_USES = 6
AGREE = 1e-8


def localise(stand: Stand, oracle: Oracle, rng: np.random.Generator) -> Blame | None:
    """Return the first wrong rule of the backward pass at this stand, None if every row is right."""
    return _Search(stand, oracle, rng).first_wrong()


@dataclass
class _Search:
    stand: Stand
    oracle: Oracle
    rng: np.random.Generator

    def first_wrong(self) -> Blame | None:
        rows = self.stand.rows()
        scale = scale_of(rows)
        for name, row in self._in_order(rows):
            direction = row.direction(self.rng)
            true = self.oracle.derivative(self.stand.evaluate, direction)
            if judge(row, direction, true, scale, self.oracle.tolerance).outcome is Outcome.WRONG:
                return self._blame(name, row)
        return None

    def _in_order(self, rows: Sequence[Row]) -> Iterator[tuple[str, Row]]:
        """Yield rows in the order in which the backward pass computes them, with the name of the line's result."""
        anatomy = self.stand.script.anatomy
        by_name = {row.name: row for row in rows if row.kind == "cotangent"}
        returned = {row.name: row for row in rows if row.kind != "cotangent"}
        # d_h1_W may be assigned by a line of its own, or stand only in the returned dict
        of_result = {f"d_{name.replace('.', '_')}": name for name in returned}
        of_result |= {f"d_{alias}": key.name for alias, key in anatomy.aliases.items() if key.name in returned}
        noted = group_notes(self.stand.notes)
        for name in noted:
            if name in by_name:
                yield name, by_name[name]
            elif of_result.get(name) in returned:
                yield name, returned.pop(of_result[name])
        # what is left: nearest to the loss first
        for name in reversed(list(returned)):
            yield name, returned[name]

    def _blame(self, name: str, row: Row) -> Blame:
        if len(row.keys) == 1:
            found = self._faulty_edge(name, row) or self._faulty_sum(name, row)
            if found:
                return found
        return self._report(name, row, self._pattern(row))

    def _slope(self, direction: dict[Key, Array]) -> float:
        return self.oracle.derivative(self.stand.evaluate, direction)

    def _pattern(self, row: Row) -> Pattern:
        got, key = row.claims[0][-1], row.keys[-1]
        return name_pattern(got, self._truth(key, got.shape), self._batch_size)

    @property
    def _batch_size(self) -> int:
        return next((len(array) for array in self.stand.point.batch.values()), 1)

    def _truth(self, key: Key, shape: tuple[int, ...]) -> Truth:
        elements = None
        if int(np.prod(shape)) <= FEW_ELEMENTS and self.oracle.name == "complex step":
            elements = np.zeros(shape)
            for index in np.ndindex(*shape):
                elements[index] = element(self.stand.evaluate, key, shape, index)
        return measure(lambda u: self._slope({key: u}), shape, self.rng, elements)

    def _use(self, value: str, readers: Sequence[Statement], u: Array) -> dict[Key, Array]:
        names = self.stand.script.anatomy.names_of(value)
        return {Key("use", name, reader.line): u for reader in readers for name in names & reader.reads}

    def _faulty_edge(self, name: str, row: Row) -> Blame | None:
        """Look at each contribution `d_v_from_<user>`: displace `v` only where that user reads it."""
        value = name.removeprefix("d_")
        readers = self.stand.script.anatomy.readers(value)
        edges = {n: a[-1] for n, a in group_notes(self.stand.notes).items() if n.startswith(name + EDGE)}
        directions = [row.direction(self.rng)[row.keys[0]] for _ in range(3)]
        slopes = {r: [self._slope(self._use(value, [r], u)) for u in directions] for r in readers} if edges else {}
        for edge, array in edges.items():
            claim = fitted(array, row.shape)
            named = _users(edge.removeprefix(name + EDGE), readers)
            candidates = [_total(slopes, chosen) for chosen in _subsets(readers, named)]
            if claim is None or not any(Truth(directions, s).agrees(claim) for s in candidates):
                expected = _total(slopes, named) if named else None
                pattern = _SHAPE if claim is None else self._edge_pattern(claim, directions, expected)
                return self._report(edge, row, pattern)
        return None

    def _edge_pattern(self, claim: Array, directions: list[Array], expected: list[float] | None) -> Pattern:
        if expected is None:
            return Pattern("no simple pattern", "This contribution is not the derivative through any single use.")
        return name_pattern(claim, Truth(directions, expected), self._batch_size)

    def _faulty_sum(self, name: str, row: Row) -> Blame | None:
        """Explain the error of a sum by one use that it leaves out or counts more than once."""
        value = name.removeprefix("d_") if row.kind == "cotangent" else row.keys[0].name
        readers = self.stand.script.anatomy.readers(value)
        if len(readers) < 2:
            return None
        directions = [row.direction(self.rng) for _ in range(3)]
        excess = [row.slopes(d)[0] - self._slope(d) for d in directions]
        for reader in readers:
            part = [self._slope(self._use(value, [reader], d[row.keys[0]])) for d in directions]
            times = excess[0] / part[0] if part[0] else 0.0
            size = max(map(abs, part))
            if round(times) in (-1, 1) and all(
                abs(e - round(times) * p) <= AGREE * size for e, p in zip(excess, part, strict=True)
            ):
                user = next(iter(reader.targets), "the loss")
                return self._report(name, row, _left_out(user) if round(times) == -1 else _twice(user))
        return None

    def _report(self, name: str, row: Row, pattern: Pattern) -> Blame:
        anatomy = self.stand.script.anatomy
        place = anatomy.assigned_in_backward(name)
        spec = place if place.spec_line else anatomy.defined_at(row.name.removeprefix("d_"))
        return blame_at(name, row.name, place, spec, pattern)


def blame_at(name: str, row_name: str, place: Place, spec: Place, pattern: Pattern) -> Blame:
    """Put a blame together; `row_name` is the parameter's own name where a parameter's rule is wrong."""
    layer = row_name.rpartition(".")[0] or spec.layer
    return Blame(name, layer, spec.op, spec.spec_line, place.line, place.text, pattern.id, pattern.words)


_SHAPE = Pattern("wrong shape", "This contribution has another shape than the value it belongs to.")


def _left_out(user: str) -> Pattern:
    return Pattern(f"accumulation: {user} missing", f"The contribution through {user} is left out of the sum.")


def _twice(user: str) -> Pattern:
    return Pattern(f"accumulation: {user} twice", f"The contribution through {user} is counted twice.")


def _users(user: str, readers: Sequence[Statement]) -> list[Statement]:
    """Return the readers that a contribution's name refers to: `fc2` also stands for `fc2_z = …`."""
    exact = [r for r in readers if user in r.targets]
    return exact or [r for r in readers if any(target.startswith(user + "_") for target in r.targets)]


def _subsets(readers: Sequence[Statement], named: Sequence[Statement]) -> Iterator[list[Statement]]:
    """Yield the sets of uses that one contribution may stand for: those its name says, and perhaps others."""
    others = [r for r in readers if r not in named][:MOST_USES]
    for count in range(len(others) + 1):
        for chosen in combinations(others, count):
            if named or chosen:
                yield [*named, *chosen]


def _total(slopes: dict[Statement, list[float]], readers: Sequence[Statement]) -> list[float]:
    return [sum(column) for column in zip(*(slopes[r] for r in readers), strict=True)]
