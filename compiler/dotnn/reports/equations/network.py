"""The equations of a network, forward and backward, statement by statement."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

from dotnn.codegen import optimizer
from dotnn.codegen.spec_places import SpecPlaces
from dotnn.core.arguments import show
from dotnn.ir.expr import Call, Expr, Name
from dotnn.ir.graph import Graph
from dotnn.ir.maths.elements import Elements
from dotnn.ir.node import Loop, Node, Value
from dotnn.ir.tensor import Dim
from dotnn.library.layers.loop import RECOMPUTE
from dotnn.model.model import Model
from dotnn.reports.equations.derivation import Derivation, Equation, Part, Statement, Table
from dotnn.reports.equations.formulas import formula_of, key
from dotnn.reports.equations.rules import Rules, words
from dotnn.reports.equations.symbols import Symbols

CONVENTIONS = (
    "An example is a row: z = a W + b. B is the number of examples.",
    "⊙ multiplies element by element, a product without a sign is one of numbers or matrices; [c] is 1 where c holds, "
    "else 0.",
    "Indices count from 0, and a term whose index lies outside of its array is left out.",
    "δ is the derivative of the loss E with respect to z; v|u is the share of it that comes back through u.",
)
LineOf = Callable[[str], int]
"""The line of the script that computes a value, by the value's name; 0 for none."""


def derivation(model: Model, graph: Graph, line_of: LineOf) -> Derivation:
    """Return the equations of a network: its layers, the forward pass, the loss, the backward pass, the update."""
    return _Network(model, graph, line_of).derivation()


class _Network:
    def __init__(self, model: Model, graph: Graph, line_of: LineOf) -> None:
        self.model, self.graph, self.line_of = model, graph, line_of
        self.symbols = Symbols(model, graph)
        self.rules = Rules(graph, self.symbols)
        self.spec = SpecPlaces(model.source)
        self.steps = {step.path: step for step in model.steps}
        loops = [(node, node.loop) for node in graph.nodes if node.loop]
        self.of_steps = {
            v.id for node, loop in loops if node.phase == "forward" for v in (*loop.entering, *_made(loop))
        }
        self.wholes = (
            {v.id for v in (*graph.results(), *graph.steps.values())}
            | {v.id for node in graph.nodes for v in (node.ins[len(node.loop.slices) :] if node.loop else node.ins)}
            | {s.id for node, loop in loops for v, s in _sliced(node, loop) if v.id not in self.of_steps}
        )
        self.taken = {s.base for s in self.symbols.found.values() if not s.layer} | {self.symbols.now}

    def derivation(self) -> Derivation:
        """Return all parts."""
        graph = self.graph
        parts = [
            Part("The network", [*CONVENTIONS, *self._in_parts()], tables=[self._layers()]),
            Part("Forward", statements=self._statements(graph.phase("forward"))),
            Part("The loss", statements=self._statements(graph.phase("loss"))),
            Part("Backward", statements=self._statements(graph.phase("backward"))),
        ]
        if graph.new_state:
            parts.append(Part("What training keeps", statements=self._statements(graph.phase("state"))))
        parts.append(self._update())
        symbols = {f"@{name}": symbol for name, symbol in self.symbols.found.items()}
        values = [*graph.sources(), *(v for node in graph.all_nodes() for v in _all_values(node))]
        ranks = {key(v): len(v.type.shape) for v in values}
        shown = [part for part in parts if part.statements or part.tables]
        return Derivation(self.model.name, shown, symbols, ranks, self.symbols.now)

    def _in_parts(self) -> Iterator[str]:
        """Yield what is said of layers whose steps the script computes twice; their equations are the usual ones."""
        for step in self.model.steps:
            if every := step.attrs.get(RECOMPUTE):
                yield (
                    f"Of the states of {step.path} the script keeps one in {every}, and computes the others again on "
                    "the way back; the equations are the same."
                )

    def _layers(self) -> Table:
        rows = [
            (self.symbols.layer(s.path), s.path, s.call, str(s.type), ", ".join(s.params), self.spec.place(s.span))
            for s in self.model.steps
        ]
        return Table("Layers", ("l", "value", "layer", "shape", "parameters", "spec"), rows)

    # ------------------------------------------------------------------------------------------------- statements

    def _statements(self, nodes: Sequence[Node]) -> list[Statement]:
        """Return equations under the statements that they belong to, in the order of the script."""
        made = []
        for (text, place), some in groupby(nodes, self._heading):
            equations = [equation for node in some for equation in self._equations(node)]
            made.append(Statement(text, place, equations))
        return made

    def _heading(self, node: Node) -> tuple[str, str]:
        """Return what a node is of, as the spec says it, and the place of that."""
        step = self.steps.get(node.layer)
        if step is None:
            return node.layer or "what is used several times", self.spec.place(node.span)
        statement = step.places.statement
        text = self.spec.text(statement) if statement else step.path
        path = step.places.uses[-1].path if step.places.uses else ""
        return (f"{path}: {text}" if path else text), self.spec.place(statement or step.span)

    def _equations(self, node: Node) -> Iterator[Equation]:
        if node.loop is None:
            yield self._equation(node)
        else:
            yield from self._loop(node, node.loop)

    def _equation(self, node: Node, steps: Sequence[int] = ()) -> Equation:
        formula = None if node.rule.random else formula_of(node, self.taken, self.symbols.now)
        left: Expr = formula.left if formula else Name(key(node.out))
        law, more = self.rules.of(node)
        return Equation(
            left,
            formula.right if formula else left,
            formula.extents if formula else {},
            value=node.out.name,
            shape=str(node.out.type),
            rule=f"{law}{more}",
            law=law,
            line=self.line_of(node.out.name),
            steps=steps,
            said="" if formula else _drawn(node),
        )

    # ------------------------------------------------------------------------------------------------------ loops

    def _loop(self, node: Node, loop: Loop) -> Iterator[Equation]:
        """Yield what the steps of a loop begin with, what holds at each, and what they leave."""
        order = range(loop.steps)[:: -1 if loop.reverse else 1]
        for v, start, left in zip(loop.entering, loop.initial(node.ins), loop.leaving, strict=True):
            yield self._state(v, start, "the start", f"at {self.symbols.now} = {order[0]}", order[:1])
            if order[1:]:
                yield self._state(v, left, "carried on", "at the others, as the step before has left it", order[1:])
        for v, whole in _sliced(node, loop):
            if v.id not in self.of_steps:  # else it is the value of the loop that ran the other way
                yield self._slice(v, whole, order)
        for inner in loop.nodes:
            yield self._equation(inner, order)
        collected, final, sums = loop.outputs(node.outs)
        for out, v in zip(collected, loop.collected, strict=True):
            if out.id in self.wholes:
                yield self._collected(out, v, order)
        for out, v in zip(final, loop.final, strict=True):
            yield self._state(out, v, "the state that is left", f"after {self.symbols.now} = {order[-1]}", order[-1:])
        for out, v in zip(sums, loop.summed, strict=True):
            total = Call("sum_over", (Name(key(v)), Name(self.symbols.now)))
            yield Equation(Name(key(out)), total, {}, out.name, str(out.type), "the sum over the steps")

    def _state(self, v: Value, right: Value, rule: str, when: str, steps: range) -> Equation:
        offset = -steps.step if rule == "carried on" else 0
        line = self.line_of(v.name)
        return Equation(
            Name(key(v)), Name(key(right)), {}, v.name, str(v.type), rule, line, when, steps=steps, offset=offset
        )

    def _slice(self, v: Value, whole: Value, steps: range) -> Equation:
        left, right, extents = self._step_of(v, whole)
        return Equation(left, right, extents, v.name, str(v.type), "one step of the sequence", steps=steps)

    def _collected(self, out: Value, v: Value, steps: range) -> Equation:
        right, left, extents = self._step_of(v, out)
        return Equation(left, right, extents, out.name, str(out.type), "the sequence of all steps", steps=steps)

    def _step_of(self, v: Value, whole: Value) -> tuple[Expr, Expr, dict[str, Dim]]:
        """Return an element of a step's value, the same of the whole sequence, and what the indices run over."""
        e = Elements({key(x): x.type for x in (v, whole)}, taken=self.taken)
        n, *rest = e.free(v.type)
        return e.named(key(v), [n, *rest]), e.named(key(whole), [n, Name(self.symbols.now), *rest]), e.extents

    # ----------------------------------------------------------------------------------------------------- update

    def _update(self) -> Part:
        """Return the equations of the optimizer."""
        train = self.model.train
        numbers = ", ".join(f"{name} = {show(value)}" for name, value in optimizer.arguments(train).items())
        sentences = ["For every parameter w, with g = ∂E/∂w" + (f", {numbers}." if numbers else ".")]
        if train.schedule is not None:
            sentences.append(f"The learning rate lr follows {train.schedule}.")
        lines = [Equation(Name(e.target), e.value, sign="←", rule="the optimizer") for e in optimizer.equations(train)]
        return Part("The update", sentences, [Statement(str(train.optimizer), "", lines)])


def _made(loop: Loop) -> Iterator[Value]:
    return (node.out for node in loop.nodes)


def _sliced(node: Node, loop: Loop) -> Iterator[tuple[Value, Value]]:
    """Yield the values of a step that are cut out of sequences, each with its sequence."""
    return zip(loop.slices, loop.sequences(node.ins), strict=True)


def _all_values(node: Node) -> Iterator[Value]:
    yield from node.outs
    if node.loop is not None:
        yield from (*node.loop.slices, *node.loop.entering)


class _Lenient(dict[str, object]):
    def __missing__(self, name: str) -> str:
        return "{" + name + "}"


def _drawn(node: Node) -> str:
    """Return what is drawn by chance, in words."""
    return node.rule.equation.format_map(_Lenient(node.attrs)) or words(node)
