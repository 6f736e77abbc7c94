"""The update of a script: the optimizer's memory and its equations, the learning rate, the limits of weights."""

from __future__ import annotations

from collections.abc import Iterator

from dotnn.codegen import learning_rate, optimizer, tree
from dotnn.codegen.called import ONLY, Names
from dotnn.codegen.regime import constraint_places, constraints
from dotnn.core.arguments import show
from dotnn.ir.graph import Graph
from dotnn.model.model import Model
from dotnn.targets.numpy.explain.spec_text import SpecText

SHORT_SOURCE = 75
"""A source that makes the first line of `update` longer than this is cut to the paper."""
STATE_WIDTH = 98


def update_functions(model: Model, graph: Graph, spec: SpecText, names: Names = ONLY) -> list[tree.Item]:
    """Return `optimizer_state`, `update`, and where there are any, `learning_rate` and `constrain`."""
    written = _Update(model, graph, spec, names)
    return [written.memory(), written.update(), *written.learning_rate(), *written.constrain()]


class _Update:
    def __init__(self, model: Model, graph: Graph, spec: SpecText, names: Names) -> None:
        self.model, self.graph, self.spec, self.train = model, graph, spec, model.train
        self.names = names
        self.slots = optimizer.slots(self.train)
        self.counts = optimizer.counts_updates(self.train)

    def memory(self) -> tree.Function:
        """Return `optimizer_state`."""
        doc = "Return the optimizer's memory before the first update."
        return tree.Function(self.names.own("optimizer_state"), ("params",), doc, "", tuple(self._memory()))

    def _memory(self) -> Iterator[tree.Stmt]:
        trained = f" if name in {self.names.params}" if self.graph.state else ""
        texts = {
            slot: f"{{name: {optimizer.fresh(start)} for name, w in params.items(){trained}}}"
            for slot, start in self.slots.items()
        }
        if len(self.slots) < 2 or len({*texts.values()}) > 1:
            yield tree.Return(f"{{{', '.join(optimizer.entries(self.train, texts))}}}")
            return
        each = next(iter(texts.values()))
        names = ", ".join(f'"{slot}"' for slot in self.slots)
        table = f"{{slot: {each} for slot in ({names})}}"
        counted = ", ".join(optimizer.entries(self.train, {}))
        before = f"{{{counted}}} | " if counted else ""
        if len(before + table) <= STATE_WIDTH:
            yield tree.Return(f"{before}{table}")
            return
        yield tree.assign("fresh", each)
        yield tree.Return(f"{before}{{slot: dict(fresh) for slot in ({names})}}")

    def update(self) -> tree.Function:
        """Return `update`: the equations of the optimizer."""
        numbers = optimizer.arguments(self.train)
        arguments = ["params", "grads", "state", *(["lr"] * bool(self.train.schedule))]
        arguments += [f"{name}={show(value)}" for name, value in numbers.items()]
        bound = self.train.optimizer
        said = "; ".join(part for part in (self._source(), self.spec.place_of_key("optim")) if part)
        return tree.Function(self.names.own("update"), tuple(arguments), str(bound), said, tuple(self._update()))

    def _source(self) -> str:
        """Return where the equations come from, of a long text only the paper."""
        bound = self.train.optimizer
        source = str(bound.entry.source)
        if len(source) + len(str(bound)) < SHORT_SOURCE:
            return source
        return source.partition(";")[0].partition(" (")[0]

    def _update(self) -> Iterator[tree.Stmt]:
        if self.counts:
            yield tree.assign('state["t"]', "1", "+=")
        names = [*(["t"] * self.counts), *optimizer.run_lengths(self.train), *self.slots]
        if names:
            yield tree.Assign(tuple(names), ", ".join(f'state["{name}"]' for name in names))
        if len(self.graph.grads) > len(self.graph.params):
            yield tree.For(f"for name in {self.names.params}", (tree.assign("g", "grads[name]"), *self._step()))
        else:
            yield tree.For("for name, g in grads.items()", tuple(self._step()))

    def _step(self) -> Iterator[tree.Stmt]:
        """Yield the update of one parameter."""
        called = {"w": "params[name]", **{slot: f"{slot}[name]" for slot in self.slots}}
        if self.train.setting("rates"):
            yield tree.assign("rate", "lr * RATES.get(name, 1.0)")
            called["lr"] = "rate"
        if self.train.weight_decay:
            lr = called.get("lr", "lr")
            smaller = tree.assign("params[name]", f"params[name] - {lr} * weight_decay * params[name]")
            yield tree.If("name in DECAYED", (smaller,))
        for equation in optimizer.equations(self.train):
            numbers = optimizer.plain_numbers(self.train)
            yield tree.assign(*optimizer.numpy_assignment(equation, numbers, called))

    def learning_rate(self) -> Iterator[tree.Function]:
        """Yield `learning_rate`, where it is a formula."""
        written = learning_rate.written(self.train)
        if written:
            *before, (target, value) = written.assignments
            last = [tree.Return(value)] if target == "lr" else [tree.assign(target, value), tree.Return("lr")]
            source = f" Source: {written.source}." if written.source else ""
            doc = f"{written.call}: the rate of a step, counted from 0. {written.doc}{source}"
            body = (*(tree.assign(*line) for line in before), *last)
            yield tree.Function(self.names.own("learning_rate"), ("step", "steps", "steps_per_epoch"), doc, "", body)

    def constrain(self) -> Iterator[tree.Function]:
        """Yield `constrain`, where weights have limits."""
        places = constraint_places(self.model)
        lines = ((places.get(line[0]), tree.assign(*line)) for line in constraints(self.model))
        body = tuple(s for place, line in lines for s in ((tree.Note(*place), line) if place else (line,)))
        if body:
            doc = "Put weights that an update led out of their limits back."
            yield tree.Function(self.names.own("constrain"), ("params",), doc, "", body)
