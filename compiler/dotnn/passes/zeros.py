"""Gradients that are zero whatever the data and the parameters are, proven on the differentiated graph.

The graph is run forward once, on facts in place of numbers. Of every value it is known

- which linear combination it is of terms that stand for themselves: two layers of a siamese net send d and -d back to
  the bias that they share, and their sum is the empty combination, zero;
- which properties all its elements have (`ops.algebra.Property`): a PReLU of values that are never negative never uses
  its slope, and a softmax sends nothing back where its cotangent is level, as behind a sum over its outputs.

The rules belong to the ops (`Op.algebra`). What a normalisation takes out again is found in `passes.invariance`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from dotnn.ir.algebra import SIGNS, Property
from dotnn.ir.graph import Graph
from dotnn.ir.node import Loop, Node, Value
from dotnn.ir.tensor import TensorType
from dotnn.passes.invariance import shift_invariant_parameters

MOST_TERMS = 16
"""A product of sums is multiplied out up to so many terms."""

OPPOSITE = {
    Property.NON_NEGATIVE: Property.NON_POSITIVE,
    Property.NON_POSITIVE: Property.NON_NEGATIVE,
}

Combination = tuple[tuple[int, Fraction], ...]
"""The number and the coefficient of each term, none of them 0, in order; an empty one is zero."""


def zero_gradients(graph: Graph) -> tuple[str, ...]:
    """Return the names of the parameters and inputs whose gradient is zero everywhere in training mode, in order."""
    facts = _Facts()
    facts.run(graph.nodes)
    proven = {name for name, grad in graph.grads.items() if facts.of(grad).zero}
    return tuple(sorted({*proven, *shift_invariant_parameters(graph)}))


@dataclass(frozen=True)
class Fact:
    """What is known of one value."""

    terms: Combination
    properties: frozenset[Property] = frozenset()

    @property
    def zero(self) -> bool:
        """Whether the value is zero."""
        return not self.terms

    def has(self, wanted: Property) -> bool:
        """Whether a property is known to hold; zero has all of them."""
        return self.zero or wanted in self.properties


@dataclass
class _Facts:
    """The facts by value number; `numbers` gives equal terms one number."""

    known: dict[int, Fact] = field(default_factory=dict)
    numbers: dict[object, int] = field(default_factory=dict)

    def of(self, value: Value) -> Fact:
        """Return what is known of a value; nothing but its type tells about a source."""
        return self.known.setdefault(value.id, self._opaque(value))

    def run(self, nodes: Iterable[Node]) -> None:
        """Note the facts about the results of `nodes`."""
        for node in nodes:
            if node.loop is not None:
                self._loop(node, node.loop)
            else:
                self.known[node.out.id] = self._result(node)

    def _opaque(self, value: Value, properties: Iterable[Property] = ()) -> Fact:
        return _fact(self._term(("value", value.id)), properties, value.type)

    def _term(self, key: object) -> Combination:
        return ((self.numbers.setdefault(key, len(self.numbers)), Fraction(1)),)

    def _result(self, node: Node) -> Fact:
        op, operands = node.rule, [self.of(v) for v in node.ins]
        algebra, properties = op.algebra, _properties(node, operands)
        linear = algebra.linear_in(node)
        if (
            Property.ZERO in algebra.has
            or any(operands[i].has(p) for i, p in algebra.zero_where.items())
            or any(operands[i].zero for i in linear)
        ):
            return Fact(())
        if op.random:
            return self._opaque(node.out, properties)
        weights = algebra.weights(node)
        if weights is not None:
            terms = _sum(zip(weights, (f.terms for f in operands), strict=True))
        else:
            terms = self._multiplied_out(node, operands, linear)
        return _fact(terms, properties, node.out.type)

    def _multiplied_out(self, node: Node, operands: Sequence[Fact], linear: Sequence[int]) -> Combination:
        """Return f(a + 2b, …) as f(a, …) + 2 f(b, …), for every operand in which the op is linear."""
        if math.prod(len(operands[i].terms) for i in linear) > MOST_TERMS:
            linear = ()
        choices = [
            [(c, ((t, Fraction(1)),)) for t, c in fact.terms] if i in linear else [(Fraction(1), fact.terms)]
            for i, fact in enumerate(operands)
        ]
        attrs, type = repr(sorted(node.attrs.items())), str(node.out.type)
        products = (
            (math.prod(c for c, _ in choice), self._term((node.op, attrs, type, tuple(t for _, t in choice))))
            for choice in itertools.product(*choices)
        )
        return _sum(products)

    def _loop(self, node: Node, loop: Loop) -> None:
        """A fact about a step must hold in every step: what enters the first one must come out of each."""
        once = loop.steps == 1
        for piece, whole in zip(loop.slices, loop.sequences(node.ins), strict=True):
            self.known[piece.id] = self._in_a_step(piece, self.of(whole))
        entering = {v: self.of(first) for v, first in zip(loop.entering, loop.initial(node.ins), strict=True)}
        if not once:
            entering = {v: self._in_a_step(v, fact) for v, fact in entering.items()}
        while True:
            self.known |= {v.id: fact for v, fact in entering.items()}
            self.run(loop.nodes)
            weaker = self._weaker(loop, entering)
            if once or weaker == entering:
                break
            entering = weaker
        self._results_of_loop(node, loop, once)

    def _in_a_step(self, value: Value, fact: Fact) -> Fact:
        """Return what a fact about a whole says of one step, or the other way round: its properties."""
        return fact if fact.zero else self._opaque(value, fact.properties)

    def _weaker(self, loop: Loop, entering: Mapping[Value, Fact]) -> dict[Value, Fact]:
        """Return what holds of the states both before and after a step."""
        left = {v: self.of(last) for v, last in zip(loop.entering, loop.leaving, strict=True)}
        return {v: self._both(v, fact, left[v]) for v, fact in entering.items()}

    def _both(self, value: Value, before: Fact, after: Fact) -> Fact:
        """Return what holds of a state before and after a step alike."""
        if before.zero and after.zero:
            return before
        shared = (p for p in Property if before.has(p) and after.has(p))
        return self._opaque(value, shared)

    def _results_of_loop(self, node: Node, loop: Loop, once: bool) -> None:
        collected, final, summed = loop.outputs(node.outs)
        for out, of in zip(collected, loop.collected, strict=True):
            self.known[out.id] = self._in_a_step(out, self.of(of))
        for out, of in zip((*final, *summed), (*loop.final, *loop.summed), strict=True):
            self.known[out.id] = self.of(of) if once else self._in_a_step(out, self.of(of))


def _properties(node: Node, operands: Sequence[Fact]) -> frozenset[Property]:
    algebra, weights = node.rule.algebra, node.rule.algebra.weights(node)
    kept = algebra.keeps | ({Property.LEVEL} if node.rule.elementwise or weights else frozenset())
    found = algebra.has | _shared(_kept_from(node, operands), kept)
    if algebra.alike_from is not None and len({fact.terms for fact in operands[algebra.alike_from :]}) == 1:
        found |= {Property.LEVEL}
    if weights is not None:
        found |= _shared([_turned(f) if w < 0 else f for w, f in zip(weights, operands, strict=True)], SIGNS)
    return found


def _kept_from(node: Node, operands: Sequence[Fact]) -> list[Fact]:
    """Return the facts of the real operands whose properties the result may keep."""
    numbered = enumerate(zip(operands, node.ins, strict=True))
    return [fact for i, (fact, v) in numbered if v.type.dtype == "real" and i in node.rule.algebra.keeps_from]


def _shared(facts: Sequence[Fact], wanted: Iterable[Property]) -> frozenset[Property]:
    """Return the wanted properties that all facts have; none where there are no facts."""
    return frozenset(p for p in wanted if facts and all(fact.has(p) for fact in facts))


def _turned(fact: Fact) -> Fact:
    """Return the signs of minus a value."""
    return replace(fact, properties=frozenset(OPPOSITE.get(p, p) for p in fact.properties))


def _fact(terms: Combination, properties: Iterable[Property], type: TensorType) -> Fact:
    found = frozenset(properties)
    if found >= SIGNS:
        return Fact(())
    if not type.shape or type.shape[-1] == 1:
        found |= {Property.LEVEL}
    return Fact(terms, found)


def _sum(parts: Iterable[tuple[Fraction | int, Combination]]) -> Combination:
    total: dict[int, Fraction] = {}
    for weight, terms in parts:
        for term, coefficient in terms:
            total[term] = total.get(term, Fraction(0)) + weight * coefficient
    return tuple(sorted((term, c) for term, c in total.items() if c))
