"""A value that is used more than once: is one contribution to its cotangent wrong, or their sum?

Each reading of the value in the forward pass is displaced by itself, which gives the true contribution of that use.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np

from ..probing.evaluation import Evaluation
from ..probing.probes import Oracle
from ..reading.structure import Statement
from ..reading.types import Array, Key
from ..report.results import Pattern
from ..tracing.rows import EDGE, Row, fitted, group_notes
from .patterns import Truth, name_pattern

MOST_USES = 8
AGREE = 1e-8


@dataclass(frozen=True)
class Use:
    """One reading of a value."""

    key: Key
    statement: Statement

    @property
    def user(self) -> str:
        """What the reading statement computes."""
        return next(iter(self.statement.targets), "the loss")


@dataclass
class FanOut:
    """The uses of one value, and what each contributes along three directions.

    `step` counts the steps of the loop that assigns the value, in the order of the forward pass; None outside of one.
    """

    evaluation: Evaluation
    oracle: Oracle
    rng: np.random.Generator
    name: str
    row: Row
    step: int | None = None

    @cached_property
    def directions(self) -> list[Array]:
        """Three Gaussian directions of the value's shape."""
        return [self.rng.standard_normal(self.row.shape) for _ in range(3)]

    @cached_property
    def contributions(self) -> dict[Use, list[float]]:
        """The slopes through each use alone, along every direction; uses that contribute nothing are left out."""
        value = self.row.keys[0].name
        uses = list(_uses(self.evaluation, value, self.step))[:MOST_USES]
        found = {use: [self._slope(use.key, u) for u in self.directions] for use in uses}
        return {use: slopes for use, slopes in found.items() if any(slopes)}

    def _slope(self, key: Key, u: Array) -> float:
        return self.oracle.derivative(self.evaluation.evaluate, {key: u})

    def wrong_edge(self, batch_size: int) -> tuple[str, Pattern] | None:
        """Return the first contribution `d_v_from_<user>` that is not what the user's readings of `v` contribute."""
        notes = group_notes(self.evaluation.notes)
        batch_last = self.evaluation.script.structure.step is not None and self.row.kind == "cotangent"
        terms = [t for t in self.evaluation.script.structure.terms_in_backward(self.name) if EDGE in t]
        edges = [name for name in notes if name.startswith(self.name + EDGE)]
        if batch_last:  # an array that a contribution is made in, d_v_from_u_bordered, is none
            edges = [name for name in edges if name in terms]
        for edge in edges:
            place = -1 if self.step is None else -1 - self.step  # the backward pass begins with the last step
            claim = fitted(notes[edge][place], self.row.shape, batch_last) if -place <= len(notes[edge]) else None
            if claim is None:
                return edge, Pattern("wrong shape", "This contribution has another shape than its value.")
            named = _of_user(edge.removeprefix(self.name + EDGE), self.contributions)
            shared = terms.count(edge) > 1 or len(terms) < 2 or any(t.startswith(f"{edge}_") for t in terms)
            sums = map(self._total, _subsets(list(self.contributions), named, in_parts=shared))
            if not any(Truth(self.directions, slopes).agrees(claim) for slopes in sums):
                return edge, self._edge_pattern(claim, named, batch_size)
        return None

    def _edge_pattern(self, claim: Array, named: list[Use], batch_size: int) -> Pattern:
        if not named:
            return Pattern("no simple pattern", "This contribution is not the derivative through any use.")
        return name_pattern(claim, Truth(self.directions, self._total(named)), batch_size)

    def _total(self, uses: Sequence[Use]) -> list[float]:
        return [sum(column) for column in zip(*(self.contributions[use] for use in uses), strict=True)]

    def wrong_sum(self) -> Pattern | None:
        """Explain the error of the sum by one use that it leaves out or counts twice."""
        if len(self.contributions) < 2:
            return None
        key = self.row.keys[0]
        excess = [self.row.slopes({key: u})[0] - self._slope(key, u) for u in self.directions]
        for user, part in self._parts():
            times = round(excess[0] / part[0]) if part[0] else 0
            size = max(map(abs, part))
            if times in (-1, 1) and all(abs(e - times * p) <= AGREE * size for e, p in zip(excess, part, strict=True)):
                how, words = ("missing", "left out of the sum") if times < 0 else ("twice", "counted twice")
                return Pattern(f"accumulation: {user} {how}", f"The contribution through {user} is {words}.")
        return None

    def _parts(self) -> Iterator[tuple[str, list[float]]]:
        """Yield what each of several statements, and each single reading, contributes.

        Where one statement contributes everything, its share counted twice is a gradient that is twice too large.
        """
        statements = dict.fromkeys(use.statement for use in self.contributions)
        for statement in statements:
            uses = [use for use in self.contributions if use.statement == statement]
            if len(statements) > 1:
                yield uses[0].user, self._total(uses)
            if len(uses) > 1:
                yield from ((use.user, self.contributions[use]) for use in uses)


def _uses(evaluation: Evaluation, value: str, step: int | None) -> Iterator[Use]:
    """Yield the readings of a value; of one assigned in a loop, those of this step: what stands above is the next."""
    structure = evaluation.script.structure
    assigned = structure.stepwise["forward"].get(value, 0)
    readers = {statement.line: statement for statement in structure.readers(value)}
    names = structure.names_of(value)
    for site, (name, line) in enumerate(evaluation.script.uses):
        if name in names and line in readers:
            time = 0 if step is None else step + (line < assigned)
            yield Use(Key("use" if step is None else f"use@{time}", name, site), readers[line])


def _of_user(user: str, uses: dict[Use, list[float]]) -> list[Use]:
    """Return the uses that a contribution's name refers to: `fc2` also stands for `fc2_z = …`."""
    exact = [use for use in uses if user in use.statement.targets]
    return exact or [use for use in uses if any(t.startswith(user + "_") for t in use.statement.targets)]


def _subsets(uses: list[Use], named: list[Use], in_parts: bool) -> Iterator[list[Use]]:
    """Yield the sets of uses that one contribution may stand for.

    Those its name says, others besides, or a part of them where several contributions share the name: in h * h each
    factor contributes by itself.
    """
    inner, others = named or uses, [use for use in uses if named and use not in named]
    for count in range(1 if in_parts or not named else len(inner), len(inner) + 1):
        yield from map(list, combinations(inner, count))
    for count in range(1, len(others) + 1):
        for chosen in combinations(others, count):
            yield [*named, *chosen]
