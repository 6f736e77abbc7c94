"""Finding the rule that is wrong: the first wrong line of the backward pass.

The backward pass is a sequence of lines, each computing one cotangent, contribution or gradient from earlier ones.
A line whose result is wrong while everything before it was right holds the faulty rule.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..probing.evaluation import Evaluation
from ..probing.probes import Oracle, Outcome, element, judge, scale_of
from ..reading.structure import Place
from ..reading.types import Array, Key
from ..report.results import Blame, Element, Pattern
from ..tracing.rows import EDGE, Row, fitted
from .fanout import FanOut
from .patterns import MASK_MISSING, NO_PATTERN, Truth, measure, name_factor, name_pattern

FEW_ELEMENTS = 400
WORST = 3


def localise(evaluation: Evaluation, oracle: Oracle, rng: np.random.Generator) -> Blame | None:
    """Return the first wrong rule of the backward pass at this evaluation, None if every row is right."""
    return _Search(evaluation, oracle, rng).first_wrong()


@dataclass(frozen=True)
class _Step:
    """One result of the backward pass: where it comes in the order of the notes, its name, and what it claims."""

    position: int
    name: str
    row: Row


@dataclass
class _Search:
    evaluation: Evaluation
    oracle: Oracle
    rng: np.random.Generator
    _known: dict[Key, Array] = field(default_factory=dict)

    def first_wrong(self) -> Blame | None:
        rows = self.evaluation.rows()
        scale = scale_of(rows)
        for step in self._in_order(rows, scale):
            if self._is_wrong(step.row, scale):
                return self._blame(step)
        return None

    def _is_wrong(self, row: Row, scale: float) -> bool:
        direction = row.direction(self.rng)
        true = self.oracle.derivative(self.evaluation.evaluate, direction)
        return judge(row, direction, true, scale, self.oracle.tolerance).outcome is Outcome.WRONG

    def _in_order(self, rows: Sequence[Row], scale: float) -> list[_Step]:
        """Return what the backward pass computes, in the order in which it does."""
        structure = self.evaluation.script.structure
        by_name = {row.name: row for row in rows if row.kind == "cotangent"}
        returned = {row.name: row for row in rows if row.kind != "cotangent"}
        # d_h1_W may be assigned by a line of its own, or stand only in the returned dict
        of_result = {f"d_{name.replace('.', '_')}": [name] for name in returned}
        of_result |= {f"d_{alias}": [key.name] for alias, key in structure.aliases.items() if key.name in returned}
        of_result |= structure.result_arrays
        places: dict[str, list[int]] = {}
        for i, note in enumerate(self.evaluation.notes):
            places.setdefault(note.name, []).append(i)
        steps: list[_Step] = []
        for name, at in places.items():
            if name in by_name and len(by_name[name].keys) > 1:
                if self._is_wrong(by_name[name], scale):
                    steps += self._time_steps(by_name[name], at)
            elif name in by_name:
                steps.append(_Step(at[-1], name, by_name[name]))
            else:
                results = [r for r in of_result.get(name, ()) if r in returned and self._returns(at[-1], returned[r])]
                steps += [_Step(at[-1], name, returned.pop(result)) for result in results]
        # what is left has no line of its own: nearest to the loss first
        rest = [_Step(len(self.evaluation.notes), name, returned[name]) for name in reversed(list(returned))]
        return sorted(steps, key=lambda step: step.position) + rest

    def _returns(self, position: int, row: Row) -> bool:
        """Tell whether a note is what the backward pass returned, not a part of it."""
        if self.evaluation.script.structure.step is not None:
            return True  # the arrays of the fast style are returned as they are, or copied, or hold W and b at once
        return np.array_equal(self.evaluation.notes[position].array, row.claims[0][0])

    def _time_steps(self, row: Row, at: list[int]) -> Iterator[_Step]:
        """Yield the assignments of a loop one by one; the backward pass makes them from the last step to the first.

        Where one line of the loop does, what stands before the loop is what it starts from.
        """
        line = self.evaluation.step_line(row.keys[0].name, row.name)
        at = [position for position in at if not line or self.evaluation.notes[position].line == line]
        for position, key in zip(at, reversed(row.keys), strict=False):
            array = fitted(self.evaluation.notes[position].array, self.evaluation.base(key).shape)
            if array is not None:
                yield _Step(position, row.name, Row(row.name, row.kind, (key,), ((array,),), False))

    def _blame(self, step: _Step) -> Blame:
        name, row = step.name, step.row
        time = self._step_of(row.keys[0])
        if len(self.evaluation.tape.values.get(row.keys[0].name, ())) <= 1 or time is not None:
            fan_out = FanOut(self.evaluation, self.oracle, self.rng, name, row, time)
            edge = fan_out.wrong_edge(self._batch_size)
            if edge:
                return self._report(edge[0], row, edge[1])
            wrong_sum = fan_out.wrong_sum()
            if wrong_sum:
                place = None if time is None else step.position
                return replace(self._report(name, row, wrong_sum, place), worst=self._worst(row))
        pattern = self._missing_steps(name, row) or self._pattern(row)
        return replace(self._report(name, row, pattern, step.position), worst=self._worst(row))

    def _step_of(self, key: Key) -> int | None:
        """Return which step of a loop assigns a value, None where no loop does."""
        looped = key.kind == "value" and key.name in self.evaluation.script.structure.stepwise.get("forward", {})
        return key.at - int(self.evaluation.started(key.name)) if looped and self.evaluation.script.explains else None

    def _missing_steps(self, name: str, row: Row) -> Pattern | None:
        """Compare how often a loop assigns a value with how often the backward pass assigns its cotangent."""
        value = row.keys[0].name
        steps = len(self.evaluation.tape.values.get(value, ())) - int(self.evaluation.started(value))
        done = sum(note.name == name for note in self.evaluation.notes)
        if not 0 < done < steps:
            return None
        words = f"The forward pass assigns this value {steps} times, the backward pass its cotangent only {done} times."
        return Pattern(f"steps missing: {done} of {steps}", words)

    def _slope(self, direction: dict[Key, Array]) -> float:
        return self.oracle.derivative(self.evaluation.evaluate, direction)

    def _pattern(self, row: Row) -> Pattern:
        if self.evaluation.shifts:
            return _TIES
        got, key = row.claims[0][-1], row.keys[-1]
        truth = self._truth(key, got.shape)
        pattern = name_pattern(got, truth, self._batch_size)
        vague = pattern.id in (NO_PATTERN.id, MASK_MISSING)
        return (name_factor(got, truth, self._named_arrays(row)) if vague else None) or pattern

    def _named_arrays(self, row: Row) -> dict[str, Array]:
        """Return the values of the forward pass and the other cotangents: what a factor may be made of."""
        found = {name: arrays[-1] for name, arrays in self.evaluation.tape.values.items()}
        return found | {note.name: note.array for note in self.evaluation.notes if note.name != row.name}

    def _worst(self, row: Row) -> tuple[Element, ...]:
        """Return the worst elements of a small tensor."""
        got, key = row.claims[0][-1], row.keys[-1]
        elements = self._elements(key, got.shape)
        if elements is None:
            return ()
        error = np.abs(got - elements)
        order = [i for i in np.argsort(-error, axis=None, kind="stable")[:WORST] if error.flat[i]]
        places = [tuple(int(n) for n in np.unravel_index(i, got.shape)) for i in order]
        return tuple(Element(place, float(got[place]), float(elements[place])) for place in places)

    @property
    def _batch_size(self) -> int:
        return next((len(array) for array in self.evaluation.point.batch.values()), 1)

    def _truth(self, key: Key, shape: tuple[int, ...]) -> Truth:
        return measure(lambda u: self._slope({key: u}), shape, self.rng, self._elements(key, shape))

    def _elements(self, key: Key, shape: tuple[int, ...]) -> Array | None:
        """Return the right gradient, all of it, where it is small."""
        if int(np.prod(shape)) > FEW_ELEMENTS or self.oracle.name != "complex step":
            return None
        if key not in self._known:
            self._known[key] = np.zeros(shape)
            for index in np.ndindex(*shape):
                self._known[key][index] = element(self.evaluation.evaluate, key, shape, index)
        return self._known[key]

    def _report(self, name: str, row: Row, pattern: Pattern, position: int | None = None) -> Blame:
        structure, notes = self.evaluation.script.structure, self.evaluation.notes
        place = structure.assigned_in_backward(name)
        if not place.line:
            place = structure.place(next((note.line for note in reversed(notes) if note.name == name), 0))
        filled = name in structure.in_place.get(structure.backward_function, ())
        if position is not None and position < len(notes) and not filled:
            place = structure.place(notes[position].line)
        spec = place if place.spec_line else structure.defined_at(row.keys[0].name)
        if pattern is NO_PATTERN and "@" in place.text:
            pattern = Pattern(pattern.id, f"{pattern.words} Is a .T missing, or one too many?")
        pattern = self._with_doubts(name, pattern)
        return blame_at(name, row.name, place, spec, pattern)

    def _with_doubts(self, name: str, pattern: Pattern) -> Pattern:
        """Add the lines that this one reads and that cannot be checked, because no value belongs to them."""
        structure = self.evaluation.script.structure
        checked = {row.name for row in self.evaluation.rows()} | {f"d_{alias}" for alias in structure.aliases}
        unchecked = {note.name for note in self.evaluation.notes if EDGE not in note.name} - checked
        terms = dict.fromkeys(structure.views.get(term, term) for term in structure.terms_in_backward(name))
        doubtful = {
            note.name: note.line for note in self.evaluation.notes if note.name in unchecked and note.name in terms
        }
        if not doubtful:
            return pattern
        lines = [f"{term} in line {line}" for term, line in doubtful.items()]
        words = f"{pattern.words} If not here, the error is in {' or '.join(lines)}, which this line reads."
        return Pattern(pattern.id, words)


def blame_at(name: str, row_name: str, place: Place, spec: Place, pattern: Pattern) -> Blame:
    """Put a blame together; `row_name` is the parameter's own name where a parameter's rule is wrong."""
    layer = row_name.rpartition(".")[0] or spec.layer
    return Blame(name, layer, spec.op, spec.spec_line, place.line, place.text, pattern.id, pattern.words)


_TIES = Pattern(
    "only at ties",
    "Right everywhere but where a branch stands exactly on its edge: a >= in place of a >? The convention is "
    "relu'(0) = 0, and of equal maxima the first wins.",
)
