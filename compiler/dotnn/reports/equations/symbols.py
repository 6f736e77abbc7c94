"""Which symbol stands for which value: z and a with the number of the layer, δ for derivatives, words for the rest.

Layers are the steps of the model, numbered in the order in which they are computed. What a layer returns is a, or z
where no activation comes after its affine map; what happens on the way is called as in the script.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from dotnn.codegen.derivatives import NUMBERED, Derivatives
from dotnn.core.arguments import Bound
from dotnn.ir.builder import BEFORE, STEP
from dotnn.ir.graph import Graph
from dotnn.ir.maths.symbol import Symbol
from dotnn.ir.node import Loop, Value
from dotnn.model.model import Model, Step
from dotnn.passes.build import identifier

LOSS = "E"
CLOCKS = "ts"
"""What a step of time is called: the first letter that no input or target has."""


class Symbols:
    """The symbols of all values of a graph, by the values' names; no two have the same."""

    def __init__(self, model: Model, graph: Graph) -> None:
        self.model, self.graph = model, graph
        self.numbers = {step.path: str(number) for number, step in enumerate(model.steps, 1)}
        self.words = Derivatives(graph)
        self.results = {graph.steps[step.path].id: step for step in reversed(model.steps)}
        loops = [(node, node.loop) for node in graph.nodes if node.loop]
        self.now = next((c for c in CLOCKS if c not in {*graph.inputs, *graph.targets}), CLOCKS[0])
        self.sides = {v.id: f"{self.now}{side}" for _, loop in loops for v, side in _sides(loop)}
        self.made_by = {out.id: v for node, loop in loops for out, v in zip(node.outs, loop.collected, strict=False)}
        self.pieces = {v.id: whole for node, loop in loops for v, whole in zip(loop.slices, node.ins, strict=False)}
        self.found: dict[str, Symbol] = {v.name: self._source(v) for v in graph.sources()}
        for v in self._made():
            self.found.setdefault(v.name, self._symbol(v))
        self._part_equal_ones()

    def layer(self, path: str) -> str:
        """Return the number of a layer, "" for what is none."""
        return self.numbers.get(path, "")

    def _made(self) -> Iterator[Value]:
        """Yield what nodes and the steps of loops assign, the forward pass first."""
        for node in self.graph.nodes:
            yield from node.outs
            if node.loop is not None:
                yield from (*node.loop.slices, *node.loop.entering)
                for inner in node.loop.nodes:
                    yield from inner.outs

    def _source(self, v: Value) -> Symbol:
        names = {p.id: name for table in (self.graph.params, self.graph.state) for name, p in table.items()}
        if v.role == "seed":
            return Symbol(LOSS, is_slope=True)
        if v.id not in names:
            return Symbol(v.name)
        name = names[v.id]
        owners = (step for step in self.model.steps if name in step.params.values())
        owner = next(owners, None)
        if owner is None:
            return Symbol(name)
        short = next(short for short, full in owner.params.items() if full == name)
        return Symbol(short, self.layer(owner.path))

    def _symbol(self, v: Value) -> Symbol:
        if v.role == "cotangent":
            return self._slope(v)
        if v == self.graph.loss:
            return Symbol(LOSS)
        if v.id in self.results:
            step = self.results[v.id]
            return Symbol("z" if _is_linear(step) else "a", self.layer(step.path))
        layer = self.words.layers.get(v.id, "")
        prefix = f"{identifier(layer)}_"
        base = v.name.removeprefix(prefix) if layer in self.numbers else v.name
        return (
            self._of_step(v, base, self.layer(layer)) if v.id in self.words.inner else Symbol(base, self.layer(layer))
        )

    def _of_step(self, v: Value, base: str, layer: str) -> Symbol:
        """Return the symbol of a value of one time step: that of a state as it begins belongs to the step before."""
        base = NUMBERED.sub("", base)
        for suffix in (STEP, BEFORE):
            if base.endswith(f"_{suffix}"):
                return Symbol(base.removesuffix(f"_{suffix}"), layer, self.sides.get(v.id, self.now))
        return Symbol(base, layer, self.sides.get(v.id, self.now))

    def _slope(self, v: Value) -> Symbol:
        """Return the symbol of a derivative of the loss, or of the share of it that comes back through one use."""
        primal, through = self.words.of_cotangent(v)
        if primal is None:
            return self._piece(v) or self._carried(v)
        of = self.found.get(primal.name) or self._symbol(primal)
        user = self.words.forward.get(through)
        via = (self.found.get(user.name) or self._symbol(user)) if user is not None else None
        step = of.step or (self.now if v.id in self.words.inner else "")
        return Symbol(of.base, of.layer, step, True, via if via is not None or not through else Symbol(through))

    def _piece(self, v: Value) -> Symbol | None:
        """Return the symbol of what a sequence sends back to one of its steps; None for anything else."""
        whole = self.pieces.get(v.id)
        primal = self.words.of_cotangent(whole)[0] if whole is not None else None
        if primal is None or primal.id not in self.made_by:
            return None
        of = self._symbol(self.made_by[primal.id])
        return Symbol(of.base, of.layer, of.step, True, self.found.get(primal.name) or self._symbol(primal))

    def _carried(self, v: Value) -> Symbol:
        """Return the symbol of what the next step sends back to a state, or of what is no value's derivative."""
        rest = NUMBERED.sub("", v.name).removeprefix("d_")
        state = self.words.forward.get(f"{rest.removesuffix('_next')}_{STEP}")
        if rest.endswith("_next") and state is not None:
            of = self._symbol(state)
            return Symbol(of.base, of.layer, self.now, True, Symbol("", step=self.sides[v.id]))
        layer = self.words.layers.get(v.id, "")
        base = rest.removeprefix(f"{identifier(layer)}_") if layer in self.numbers else rest
        return Symbol(base, self.layer(layer), self.now if v.id in self.words.inner else "", True)

    def _part_equal_ones(self) -> None:
        """Give values whose symbols are the same the names that they have in the graph."""
        counts = Counter(self.found.values())
        for name, symbol in self.found.items():
            if counts[symbol] > 1:
                bare = name.removeprefix("d_") if symbol.is_slope else name
                self.found[name] = Symbol(bare, step=symbol.step, is_slope=symbol.is_slope)


def _sides(loop: Loop) -> Iterator[tuple[Value, str]]:
    """Yield the states as a step begins, each with the step that they come from."""
    side = "+1" if loop.reverse else "-1"
    for v in loop.entering:
        yield v, side


def _is_linear(step: Step) -> bool:
    """Whether a layer returns its pre-activation: it has no activation, and parameters of its own."""
    act = step.attrs.get("act")
    return isinstance(act, Bound) and act.name == "identity" and bool(step.params)
