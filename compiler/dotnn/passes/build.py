"""From the model to the graph: every step lowers to ops, then come the losses, the penalties and their sum."""

from __future__ import annotations

import math

from dotnn.core.arguments import Bound, show
from dotnn.ir.builder import GraphBuilder
from dotnn.ir.expr import Expr
from dotnn.ir.graph import Graph
from dotnn.ir.node import Value
from dotnn.ir.tensor import TensorType
from dotnn.library.layers.base import Lowering
from dotnn.library.ops import OPS
from dotnn.library.ops.whole import Writer
from dotnn.library.penalties import Penalty
from dotnn.model.definitions.loss import DefinedLoss
from dotnn.model.definitions.penalty import WEIGHT, DefinedPenalty
from dotnn.model.definitions.whole import said
from dotnn.model.model import LossTerm, Model, Parameter, Step


def build(model: Model) -> Graph:
    """Return the graph of the forward pass and the loss, not differentiated yet."""
    return _Build(model).run()


PENALTY_OF = "penalty of "
"""What the label of a penalty's nodes begins with; the name of the parameter follows."""


class _Build:
    def __init__(self, model: Model) -> None:
        self.model = model
        self.builder = GraphBuilder(OPS)
        value = self.builder.value
        self.inputs = {n: value(n, d.type, "input") for n, d in model.inputs.items()}
        self.targets = {n: value(n, d.type, "target") for n, d in model.targets.items()}
        self.params, self.state = (
            {
                n: value(identifier(n), TensorType(p.shape), role)
                for n, p in model.params.items()
                if p.trained is trained
            }
            for role, trained in (("param", True), ("state", False))
        )
        self.arrays = {**self.params, **self.state}
        self.values: dict[str, Value] = dict(self.inputs)

    def run(self) -> Graph:
        for step in self.model.steps:
            self.values[step.path] = self.step(step)
        self.builder.phase = "loss"
        loss = self.total()
        new_state = self.builder.new_state
        return Graph(
            (*self.builder.nodes, *self.builder.state_updates),
            self.inputs,
            self.targets,
            self.params,
            {name: self.values[path] for name, path in self.model.outputs.items()},
            loss,
            steps=self.values,
            next_id=self.builder.next_id,
            state=self.state,
            hands={h.name: self.values[self.model.outputs[h.of]] for h in self.model.hands},
            new_state={n: new_state[v.id][-1] for n, v in self.state.items() if v.id in new_state},
        )

    def step(self, step: Step) -> Value:
        params = {short: self.arrays[full] for short, full in step.params.items()}
        with self.builder.at(step.path, step.span, identifier(step.path)):
            ins = (*(self.values[path] for path in step.ins), *(self.arrays[name] for name in step.weights))
            value = step.layer.lower(self.builder, Lowering(ins, params, step.attrs, step.frozen))
        if value.type != step.type:
            raise AssertionError(f"{step.layer.name} declares {step.type}, its ops give {value.type}")
        return value

    def total(self) -> Value:
        """Return the loss that is differentiated: the weighted sum of all loss terms and penalties."""
        terms = [(self.loss(t), t.weight) for t in self.model.train.losses]
        for name, p in self.model.params.items():
            if p.penalty is not None:
                entry = p.penalty.entry
                span = entry.formula.section.span if isinstance(entry, DefinedPenalty) else p.span
                with self.builder.at(f"{PENALTY_OF}{name}", span, f"{p.penalty.name}_{identifier(name)}"):
                    terms.append((self.penalty(p, p.penalty), 1))
        if len(terms) == 1 and terms[0][1] == 1:
            return terms[0][0]
        with self.builder.at("loss", self.model.train.losses[0].span, "loss"):
            return self.builder.emit("total", *(v for v, _ in terms), weights=tuple(w for _, w in terms))

    def loss(self, term: LossTerm) -> Value:
        label = f"{term.loss.name}({', '.join([*term.operands, *_numbers(term)])})"
        single = len(self.model.train.losses) == 1 and not any(p.penalty for p in self.model.params.values())
        name = "loss" if single and term.weight == 1 else f"{term.loss.name}_{identifier(term.output)}"
        if term.formula is not None:
            return self.defined(term, term.formula, label, name)
        output, target = self.values[term.output], self.targets[term.target]
        with self.builder.at(label, term.span, name):
            weights = self.weights(term, output)
            attrs = {**term.attrs, "features": features(term, output, *weights)}
            said = {"said": _weighted(term)} if weights else {}
            return self.builder.emit(term.loss.op, output, target, *weights, **attrs, **said)

    def weights(self, term: LossTerm, like: Value) -> tuple[Value, ...]:
        """Return how much the examples or their steps count, given a value with a row for each; () for all alike."""
        known = {**self.targets, **self.values}
        mask = known[term.mask.name] if term.mask.name else None
        given = self.targets.get(self.model.weights)
        if mask is not None and mask.type.dtype == "int":
            mask = self.builder.emit("nonzero", mask, name="counted")
        if mask is not None and mask.type.shape != like.type.shape[: len(mask.type.shape)]:
            mask = self.builder.emit("reshape", mask, name="counted", shape=())
        if mask is None or given is None:
            return tuple(v for v in (mask, given) if v is not None)
        return (self.builder.emit("weigh", given, mask, name="weight"),)

    def penalty(self, p: Parameter, penalty: Bound[Penalty]) -> Value:
        """Write the penalty of a parameter."""
        weight, entry = self.params[p.name], penalty.entry
        if not isinstance(entry, DefinedPenalty):
            return self.builder.emit(entry.op, weight, **penalty.attrs)
        formula = entry.of(p.shape, penalty.attrs, p.span)
        return Writer(self.builder, {WEIGHT: weight}, weight).total(formula, "sum", "", said(entry.formula))

    def defined(self, term: LossTerm, formula: Expr, label: str, name: str) -> Value:
        """Write the formula of a loss that the spec defines; its nodes come from the line of the definition."""
        reads = term.reads.items()
        values = {n: self.values[r.value] if r.value else self.targets[r.target] for n, r in reads}
        like = next(v for v in values.values() if v.type.dtype == "real")
        prefix = term.loss.name if len(self.model.train.losses) > 1 else ""
        name = name.removeprefix(f"{prefix}_")
        span = term.loss.formula.section.span if isinstance(term.loss, DefinedLoss) else term.span
        with self.builder.at(label, span, prefix):
            weights = self.weights(term, like)
            said = _weighted(term) if weights else term.loss.equation
            return Writer(self.builder, values, like).total(formula, term.attrs["reduce"], name, said, weights)


def _weighted(term: LossTerm) -> str:
    """Return what is said of a loss in which not all examples or steps count alike."""
    return f"{term.loss.equation}, weighted: sum m l{' / sum m' if term.attrs['reduce'] == 'mean' else ''}"


def _numbers(term: LossTerm) -> list[str]:
    """Return the arguments of a loss that the spec defines, as the spec would have them."""
    args = [a.name for a in term.loss.args if a.name != "reduce"] if term.formula is not None else []
    return [f"{name} = {show(term.attrs[name])}" for name in args]


def features(term: LossTerm, output: Value, weights: Value | None = None) -> int:
    """Return what besides the batch the loss is divided by: features where it averages, positions of a class loss.

    Positions that have weights of their own are counted by these.
    """
    shape = output.type.example
    counted = shape if term.loss.averages else shape[:-1] if term.loss.target == "class" else ()
    return math.prod(counted[len(weights.type.example) if weights else 0 :])


def identifier(path: str) -> str:
    """Return a path of the spec as an identifier: `h1.W` -> `h1_W`."""
    return path.replace(".", "_")
