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


@dataclass(frozen=True)
class _Step:
    """One result of the backward pass: where it comes in the order of the notes, its name, and what it claims."""

    position: int
    name: str
    row: Row


@dataclass
class _Search:
    stand: Stand
    oracle: Oracle
    rng: np.random.Generator

    def first_wrong(self) -> Blame | None:
        rows = self.stand.rows()
        scale = scale_of(rows)
        for step in self._in_order(rows, scale):
            if self._is_wrong(step.row, scale):
                return self._blame(step)
        return None

    def _is_wrong(self, row: Row, scale: float) -> bool:
        direction = row.direction(self.rng)
        true = self.oracle.derivative(self.stand.evaluate, direction)
        return judge(row, direction, true, scale, self.oracle.tolerance).outcome is Outcome.WRONG

    def _in_order(self, rows: Sequence[Row], scale: float) -> list[_Step]:
        """Return what the backward pass computes, in the order in which it does."""
        anatomy = self.stand.script.anatomy
        by_name = {row.name: row for row in rows if row.kind == "cotangent"}
        returned = {row.name: row for row in rows if row.kind != "cotangent"}
        # d_h1_W may be assigned by a line of its own, or stand only in the returned dict
        of_result = {f"d_{name.replace('.', '_')}": name for name in returned}
        of_result |= {f"d_{alias}": key.name for alias, key in anatomy.aliases.items() if key.name in returned}
        places: dict[str, list[int]] = {}
        for i, note in enumerate(self.stand.notes):
            places.setdefault(note.name, []).append(i)
        steps: list[_Step] = []
        for name, at in places.items():
            if name in by_name and len(by_name[name].keys) > 1:
                if self._is_wrong(by_name[name], scale):
                    steps += self._time_steps(by_name[name], at)
            elif name in by_name:
                steps.append(_Step(at[-1], name, by_name[name]))
            elif of_result.get(name) in returned and self._returns(at[-1], returned[of_result[name]]):
                steps.append(_Step(at[-1], name, returned.pop(of_result[name])))
        # what is left has no line of its own: nearest to the loss first
        rest = [_Step(len(self.stand.notes), name, returned[name]) for name in reversed(list(returned))]
        return sorted(steps, key=lambda step: step.position) + rest

    def _returns(self, position: int, row: Row) -> bool:
        """Tell whether a note is what the backward pass returned, not a part of it."""
        return np.array_equal(self.stand.notes[position].array, row.claims[0][0])

    def _time_steps(self, row: Row, at: list[int]) -> Iterator[_Step]:
        """Yield the assignments of a loop one by one; the backward pass makes them from the last step to the first."""
        for position, key in zip(at, reversed(row.keys), strict=False):
            array = fitted(self.stand.notes[position].array, self.stand.base(key).shape)
            if array is not None:
                yield _Step(position, row.name, Row(row.name, row.kind, (key,), ((array,),), False))

    def _blame(self, step: _Step) -> Blame:
        name, row = step.name, step.row
        if len(self.stand.tape.values.get(row.keys[0].name, ())) <= 1:
            found = self._faulty_edge(name, row) or self._faulty_sum(name, row)
            if found:
                return found
        return self._report(name, row, self._missing_steps(name) or self._pattern(row), step.position)

    def _missing_steps(self, name: str) -> Pattern | None:
        """Compare how often a loop assigns a value with how often the backward pass assigns its cotangent."""
        steps = len(self.stand.tape.values.get(name.removeprefix("d_"), ()))
        done = sum(note.name == name for note in self.stand.notes)
        if not 0 < done < steps:
            return None
        words = f"The forward pass assigns this value {steps} times, the backward pass its cotangent only {done} times."
        return Pattern(f"steps missing: {done} of {steps}", words)

    def _slope(self, direction: dict[Key, Array]) -> float:
        return self.oracle.derivative(self.stand.evaluate, direction)

    def _pattern(self, row: Row) -> Pattern:
        if self.stand.shifts:
            return _TIES
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
        parts = {r: [self._slope(self._use(value, [r], d[row.keys[0]])) for d in directions] for r in readers}
        parts = {reader: slopes for reader, slopes in parts.items() if any(slopes)}  # `h.shape` is no use of h
        for reader, part in parts.items() if len(parts) > 1 else ():
            times = excess[0] / part[0] if part[0] else 0.0
            size = max(map(abs, part))
            if round(times) in (-1, 1) and all(
                abs(e - round(times) * p) <= AGREE * size for e, p in zip(excess, part, strict=True)
            ):
                user = next(iter(reader.targets), "the loss")
                return self._report(name, row, _left_out(user) if round(times) == -1 else _twice(user))
        return None

    def _report(self, name: str, row: Row, pattern: Pattern, position: int | None = None) -> Blame:
        anatomy, notes = self.stand.script.anatomy, self.stand.notes
        place = anatomy.assigned_in_backward(name)
        filled = name in anatomy.in_place.get(anatomy.backward_function, ())
        if position is not None and position < len(notes) and not filled:
            place = anatomy.place(notes[position].line)
        spec = place if place.spec_line else anatomy.defined_at(row.name.removeprefix("d_"))
        return blame_at(name, row.name, place, spec, pattern)


def blame_at(name: str, row_name: str, place: Place, spec: Place, pattern: Pattern) -> Blame:
    """Put a blame together; `row_name` is the parameter's own name where a parameter's rule is wrong."""
    layer = row_name.rpartition(".")[0] or spec.layer
    return Blame(name, layer, spec.op, spec.spec_line, place.line, place.text, pattern.id, pattern.words)


_TIES = Pattern(
    "only at ties",
    "Right everywhere but where a branch stands exactly on its edge: a >= in place of a >? The convention is "
    "relu'(0) = 0, and of equal maxima the first wins.",
)
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
