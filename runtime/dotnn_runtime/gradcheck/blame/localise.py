"""Finding the rule that is wrong in a pass that is not followed itself: a fast step, a `loss_and_grads` by hand.

The pass is a sequence of statements, each writing one cotangent, contribution or gradient. Beside them stand the
right ones, of a forward pass that was followed. The first that is wrong while all before it are right is to blame.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..probing.evaluation import Evaluation
from ..reading.structure import Place
from ..reading.types import Array, Key
from ..report.results import Blame, Pattern
from ..tracing.follow import Follower
from ..tracing.notes import Spot as Written
from ..tracing.notes import fitted, spot_of
from ..tracing.rows import EDGE, Row
from ..tracing.run import Event, Run
from ..tracing.run import Place as Spot
from ..tracing.values import Node
from .fault import Fault
from .faults import blame_of
from .promises import Promises
from .truth import CLOSE, CLOSER, Target, Truths

MOST_FAULTS = 12
Settled = str | tuple[str, tuple[Key, ...]]
"""What has been blamed, and is right by now: a share of a sum, or a step."""


def localise(evaluation: Evaluation) -> list[Blame]:
    """Return the blames for the wrong rules of a pass in their order, none if all are right."""
    return [blame_of(evaluation.script, evaluation.point, f, bool(evaluation.shifts)) for f in faults_in(evaluation)]


def faults_in(evaluation: Evaluation) -> list[Fault]:
    """Return what is wrong in a pass in its order; nothing if all is right or `forward` cannot be followed.

    For each the right array is handed in, and the search goes on.
    """
    try:
        run = Follower(evaluation.script).follow(evaluation.point, shifts=evaluation.shifts)
    except (Exception, SystemExit):  # a script may do anything; the checks have found what is wrong already
        return []
    found = (_faults(evaluation, run, Truths(run.nodes, close)) for close in (CLOSE, CLOSER) if run.nodes)
    return next(filter(None, found), [])


def _faults(evaluation: Evaluation, run: Run, truths: Truths) -> list[Fault]:
    """Return one fault for every line that is wrong by more than rounding."""
    found: dict[tuple[int, str], Fault] = {}
    given: dict[Written, Array] = {}
    settled: set[Settled] = set()
    for _ in range(MOST_FAULTS):
        search = _Search(evaluation.handed(given) if given else evaluation, run, truths, frozenset(settled))
        step = search.first_wrong()
        if step is None:
            break
        for fault in search.faults(step):
            found.setdefault((fault.line, "" if fault.line else fault.event.name), fault)  # no line: it has its name
        shares = search.right_shares(step)
        given |= shares or search.right(step)
        settled |= {name for name, _, _ in shares} or {(step.row.name, step.row.keys)}
    return list(found.values())


@dataclass(frozen=True)
class _Step:
    """One result of the pass: where it comes in the order of the notes, its name, and what it claims."""

    position: int
    name: str
    row: Row


@dataclass
class _Search:
    evaluation: Evaluation
    run: Run
    truths: Truths
    settled: frozenset[Settled] = frozenset()

    def first_wrong(self) -> _Step | None:
        """Return the first step that is wrong and not settled, None if there is none."""
        left = (step for step in self._in_order() if (step.row.name, step.row.keys) not in self.settled)
        return next((step for step in left if self._is_wrong(step.row)), None)

    def right_shares(self, step: _Step) -> dict[Written, Array]:
        """Return what should be handed in for the wrong shares of a sum, where that is known of all of them."""
        found: dict[Written, Array] = {}
        for edge, _, targets in self._edges_of(step):
            at = [i for i, note in enumerate(self.evaluation.notes) if note.name == edge]
            if len(targets) != 1:
                return {}
            found[spot_of(self.evaluation.notes, at[-1])] = targets[0].value
        return found

    def right(self, step: _Step) -> dict[Written, Array]:
        """Return what should be handed in for a step: for a gradient nothing, since nobody reads it."""
        notes, node = self.evaluation.notes, self._node(step.row.keys[-1])
        if step.row.kind != "cotangent" or step.position >= len(notes) or node is None:
            return {}
        return {spot_of(notes, step.position): np.asarray(node.total)}

    def _node(self, key: Key) -> Node | None:
        nodes = {"param": self.run.params, "input": self.run.inputs}
        node = nodes[key.kind].get(key.name) if key.kind in nodes else self.run.values.get(key)
        if node is not None and node.total is None and not node.lost:
            node.total = np.zeros(self.evaluation.base(key).shape)  # the loss does not come from it
        while node is not None and len(node.uses) == 1 and node.uses[0][0].event is not None:
            node = node.uses[0][0]  # read under the name that it has in the script
        return node if node is not None and node.total is not None else None

    def _is_wrong(self, row: Row) -> bool:
        nodes = [node for key in row.keys if (node := self._node(key)) is not None]
        if len(nodes) < len(row.keys):
            return False  # no way back is known through what the loss makes of it
        pairs = (zip(claim, nodes, strict=True) for claim in row.claims)
        return not any(all(self.truths.same(a, np.asarray(node.total)) for a, node in pair) for pair in pairs)

    def _in_order(self) -> list[_Step]:
        """Return what the pass computes, in the order in which it does."""
        rows = self.evaluation.rows
        values = {row.name: row for row in rows if row.kind == "cotangent"}
        returned = {row.name: row for row in rows if row.kind != "cotangent"}
        places: dict[str, list[int]] = {}
        for i, note in enumerate(self.evaluation.notes):
            places.setdefault(note.name, []).append(i)
        steps: list[_Step] = []
        for name, at in places.items():
            steps += self._of_value(values[name], at) if name in values else self._of_results(name, at[-1], returned)
        # what is left has no line of its own: nearest to the loss first
        rest = [_Step(len(self.evaluation.notes), name, returned[name]) for name in reversed(list(returned))]
        return sorted(steps, key=lambda step: step.position) + rest

    def _of_value(self, row: Row, at: list[int]) -> Iterator[_Step]:
        if len(row.keys) == 1:
            yield _Step(at[-1], row.name, row)
        elif self._is_wrong(row):
            yield from self._time_steps(row, at)

    def _of_results(self, name: str, position: int, returned: dict[str, Row]) -> Iterator[_Step]:
        """Yield the gradients that an array is returned as, and take them out of what is `returned`."""
        for result in self._results.get(name, ()):
            if result in returned and self._returns(position, returned[result]):
                yield _Step(position, name, returned.pop(result))

    @cached_property
    def _results(self) -> dict[str, list[str]]:
        """The gradients that an array may be returned as: d_h1_W stands in the dict alone, or has a line of its own."""
        structure, grads = self.evaluation.script.structure, self.evaluation.grads
        found = {f"d_{name.replace('.', '_')}": [name] for name in grads}
        aliases = {f"d_{alias}": [key.name] for alias, key in structure.aliases.items() if key.name in grads}
        return found | aliases | structure.result_arrays

    def _returns(self, position: int, row: Row) -> bool:
        """Tell whether a note is what the backward pass returned, not a part of it."""
        if self.evaluation.script.structure.step is not None:
            return True  # the arrays of the fast style are returned as they are, or copied, or hold W and b at once
        return np.array_equal(self.evaluation.notes[position].array, row.claims[0][0])

    def _time_steps(self, row: Row, at: list[int]) -> Iterator[_Step]:
        """Yield the assignments of a loop one by one; the backward pass makes them from the last step to the first.

        Where one line of the loop does, what stands before the loop is what it starts from.
        """
        line = self.evaluation.cotangents.step_line(row.keys[0].name, row.name)
        at = [position for position in at if not line or self.evaluation.notes[position].line == line]
        for position, key in zip(at, reversed(row.keys), strict=False):
            array = fitted(self.evaluation.notes[position].array, self.evaluation.base(key).shape)
            if array is not None:
                yield _Step(position, row.name, Row(row.name, row.kind, (key,), ((array,),), False))

    # ------------------------------------------------------------------------------------------- what is to blame

    def faults(self, step: _Step) -> Iterator[Fault]:
        """Yield what is to blame for a step: shares of a sum, or its own line."""
        row, node = step.row, self._node(step.row.keys[-1])
        assert node is not None  # else it would not have been found to be wrong
        edges = self._edges_of(step)
        for edge, claim, targets in edges:
            yield self._made(self._place(edge).line, edge, claim, next(iter(targets), None))
        if edges:
            return
        place = self._place(step.name, step.position)
        fault = self._made(place.line, step.name, row.claims[0][-1], Target(node))
        fault.doubts = self._doubts(step.name)
        fault.pattern = self._steps_missing(step.name, row)
        yield fault

    def _made(self, line: int, name: str, value: Array, right: Target | None) -> Fault:
        site = max(self.evaluation.script.woven.sites, key=lambda site: site.line if site.line <= line else 0)
        spot = Spot(site.number, 0, "", 0)
        event = Event(len(self.run.events), spot, site, 0, name, line, 0, (), value)
        return Fault(site, line, event, event, self.run, right)

    def _place(self, name: str, position: int | None = None) -> Place:
        """Return the statement that writes an array, at this position of the notes, else the last one that does."""
        structure, notes = self.evaluation.script.structure, self.evaluation.notes
        filled = name in structure.in_place.get(structure.backward_function, ())
        if position is not None and position < len(notes) and not filled:
            return structure.place(notes[position].line)
        place = structure.assigned_in_backward(name)
        return place if place.line else structure.place(next((n.line for n in reversed(notes) if n.name == name), 0))

    def _edges_of(self, step: _Step) -> list[tuple[str, Array, list[Target]]]:
        """Return the wrong shares of a sum that are not settled."""
        node = self._node(step.row.keys[-1])
        if node is None or len(self.evaluation.tape.values.get(step.row.keys[0].name, ())) > 1:
            return []
        return [found for found in self._wrong_edges(step.name, step.row, node) if found[0] not in self.settled]

    def _wrong_edges(self, name: str, row: Row, node: Node) -> Iterator[tuple[str, Array, list[Target]]]:
        """Yield contributions `d_v_from_<user>` that are not what its uses of `v` contribute, and what may be."""
        promises = Promises(self.run, self.truths, {})
        terms = [t for t in self.evaluation.script.structure.terms_in_backward(name) if EDGE in t]
        for edge, array, claim in self._edges(name, row, terms):
            user = edge.removeprefix(name + EDGE)
            targets = list(promises.through(node, user, _is_shared(edge, terms)))
            if claim is None or not any(self.truths.same(claim, target.value) for target in targets):
                yield edge, array if claim is None else claim, targets

    def _edges(self, name: str, row: Row, terms: list[str]) -> Iterator[tuple[str, Array, Array | None]]:
        """Yield the contributions to a cotangent as they were noted, and in the shape of the value."""
        batch_last = self.evaluation.script.structure.step is not None and row.kind == "cotangent"
        for edge, notes in self.evaluation.cotangents.by_name.items():
            # of a fast step, an array that a contribution is made in, d_v_from_u_bordered, is none
            if edge.startswith(name + EDGE) and (edge in terms or not batch_last):
                yield edge, notes[-1].array, fitted(notes[-1].array, row.shape, batch_last)

    def _steps_missing(self, name: str, row: Row) -> Pattern | None:
        """Compare how often a loop assigns a value with how often the backward pass assigns its cotangent."""
        value = row.keys[0].name
        steps = len(self.evaluation.tape.values.get(value, ())) - int(self.evaluation.cotangents.started(value))
        done = sum(note.name == name for note in self.evaluation.notes)
        if not 0 < done < steps:
            return None
        words = f"The forward pass assigns this value {steps} times, the backward pass its cotangent only {done} times."
        return Pattern(f"steps missing: {done} of {steps}", words)

    def _doubts(self, name: str) -> list[tuple[str, int]]:
        """Return the lines that this one reads and that cannot be checked, because no value belongs to them."""
        structure, notes = self.evaluation.script.structure, self.evaluation.notes
        checked = {row.name for row in self.evaluation.rows} | {f"d_{alias}" for alias in structure.aliases}
        unchecked = {note.name for note in notes if EDGE not in note.name} - checked
        terms = {structure.views.get(term, term) for term in structure.terms_in_backward(name)}
        return list({note.name: note.line for note in notes if note.name in unchecked & terms}.items())


def blame_at(name: str, row_name: str, place: Place, spec: Place, pattern: Pattern) -> Blame:
    """Put a blame together; `row_name` is the parameter's own name where a parameter's rule is wrong."""
    layer = row_name.rpartition(".")[0] or spec.layer
    return Blame(name, layer, spec.op, spec.spec_line, place.line, place.text, pattern.id, pattern.words)


def _is_shared(edge: str, terms: list[str]) -> bool:
    """Whether a contribution may be one of several through the same statement: in h * h each factor has its own."""
    return terms.count(edge) > 1 or len(terms) < 2 or any(term.startswith(f"{edge}_") for term in terms)
