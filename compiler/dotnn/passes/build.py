"""From the model to the graph: every step lowers to ops, then come the losses, the penalties and their sum."""

from __future__ import annotations

from dotnn.ir.builder import GraphBuilder
from dotnn.ir.graph import Graph
from dotnn.ir.node import Value
from dotnn.ir.tensor import TensorType
from dotnn.library.layers.base import Lowering
from dotnn.library.ops import OPS
from dotnn.model.model import LossTerm, Model, Step


def build(model: Model) -> Graph:
    """Return the graph of the forward pass and the loss, not differentiated yet."""
    return _Build(model).run()


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
            new_state={n: new_state[v.id][-1] for n, v in self.state.items() if v.id in new_state},
        )

    def step(self, step: Step) -> Value:
        params = {short: (self.params | self.state)[full] for short, full in step.params.items()}
        with self.builder.at(step.path, step.span, identifier(step.path)):
            ins = (*(self.values[path] for path in step.ins), *(self.params[name] for name in step.weights))
            value = step.layer.lower(self.builder, Lowering(ins, params, step.attrs))
        if value.type != step.type:
            raise AssertionError(f"{step.layer.name} declares {step.type}, its ops give {value.type}")
        return value

    def total(self) -> Value:
        """Return the loss that is differentiated: the weighted sum of all loss terms and penalties."""
        terms = [(self.loss(t), t.weight) for t in self.model.train.losses]
        for name, p in self.model.params.items():
            if p.penalty is not None:
                with self.builder.at(f"penalty of {name}", p.span, f"{p.penalty.name}_{identifier(name)}"):
                    terms.append((self.builder.emit(p.penalty.entry.op, self.params[name], **p.penalty.attrs), 1))
        if len(terms) == 1 and terms[0][1] == 1:
            return terms[0][0]
        with self.builder.at("loss", self.model.train.losses[0].span, "loss"):
            return self.builder.emit("total", *(v for v, _ in terms), weights=tuple(w for _, w in terms))

    def loss(self, term: LossTerm) -> Value:
        output, target = self.values[term.output], self.targets[term.target]
        attrs = {**term.attrs, "features": features(term, output)}
        label = f"{term.loss.name}({term.output}, {term.target})"
        single = len(self.model.train.losses) == 1 and not any(p.penalty for p in self.model.params.values())
        name = "loss" if single and term.weight == 1 else f"{term.loss.name}_{identifier(term.output)}"
        with self.builder.at(label, term.span, name):
            return self.builder.emit(term.loss.op, output, target, **attrs)


def features(term: LossTerm, output: Value) -> int:
    """Return what besides the batch the loss is divided by: features where it averages, positions of a class loss."""
    shape = output.type.example
    counted = shape if term.loss.averages else shape[:-1] if term.loss.target == "class" else ()
    count = 1
    for size in counted:
        count *= size
    return count


def identifier(path: str) -> str:
    """Return a path of the spec as an identifier: `h1.W` -> `h1_W`."""
    return path.replace(".", "_")
