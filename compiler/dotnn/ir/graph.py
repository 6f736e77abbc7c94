"""The graph: values assigned once by nodes in an order that can be executed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from dotnn.ir.definition import Definition
from dotnn.ir.node import Node, Value

PHASES = ("forward", "loss", "state", "backward")


@dataclass(frozen=True)
class Graph:
    """One network with its loss and, once differentiated, its gradients.

    `inputs`, `targets`, `params`, `outputs` and `grads` map the names of the spec to values. `state` are the parameters
    that are not trained (running statistics), `new_state` what replaces them after a training step. `seed` is the
    cotangent of the loss (1 unless the caller gives another). `steps` holds the value of every step of the model, by
    its path; `remarks` are shown in the script where a pass changed what the reader would expect, by layer path.
    `hands` are entries of `grads` that no parameter has, each the gradient at this value.
    """

    nodes: tuple[Node, ...]
    inputs: Mapping[str, Value]
    targets: Mapping[str, Value]
    params: Mapping[str, Value]
    outputs: Mapping[str, Value]
    loss: Value | None = None
    seed: Value | None = None
    grads: Mapping[str, Value] = field(default_factory=dict)
    steps: Mapping[str, Value] = field(default_factory=dict)
    remarks: Mapping[str, str] = field(default_factory=dict)
    next_id: int = 0
    state: Mapping[str, Value] = field(default_factory=dict)
    new_state: Mapping[str, Value] = field(default_factory=dict)
    hands: Mapping[str, Value] = field(default_factory=dict)

    def phase(self, *phases: str) -> tuple[Node, ...]:
        """Return the nodes of the given phases, in order."""
        return tuple(n for n in self.nodes if n.phase in phases)

    def all_nodes(self) -> Iterator[Node]:
        """Yield every node, those inside loops too."""
        for node in self.nodes:
            yield from node.all_nodes()

    def definitions(self) -> tuple[Definition, ...]:
        """Return what the spec defines and the graph calls, each once."""
        found = (node.attrs["definition"] for node in self.all_nodes() if "definition" in node.attrs)
        return tuple(dict.fromkeys(found))

    @property
    def draws(self) -> bool:
        """Whether it draws random numbers, in training at least."""
        return any(node.rule.random for node in self.all_nodes())

    @property
    def samples(self) -> bool:
        """Whether it draws random numbers in prediction, too."""
        return any(node.rule.random and not node.rule.inference for node in self.all_nodes())

    @property
    def weights(self) -> dict[str, Value]:
        """All arrays that a network keeps: those that are trained, and state."""
        return {**self.params, **self.state}

    def differentiated(self, name: str) -> Value:
        """Return the value that an entry of `grads` is the gradient at."""
        return self.params.get(name) or self.hands.get(name) or self.inputs[name]

    def sources(self) -> list[Value]:
        """Return the values that no node assigns: inputs, targets, parameters, state, the seed."""
        seeds = [self.seed] if self.seed else []
        return [*self.inputs.values(), *self.targets.values(), *self.params.values(), *self.state.values(), *seeds]

    def results(self) -> list[Value]:
        """Return the values that are read from outside."""
        losses = [self.loss] if self.loss else []
        return [*self.outputs.values(), *losses, *self.new_state.values(), *self.grads.values()]

    def producers(self) -> dict[int, Node]:
        """Return the node that assigns each value, by the value's number."""
        return {v.id: n for n in self.nodes for v in n.outs}

    def needed_for(self, ends: Iterable[Value]) -> set[int]:
        """Return the numbers of all values that `ends` are made of, themselves included."""
        needed = {v.id for v in ends}
        for node in reversed(self.nodes):
            if any(v.id in needed for v in node.outs):
                needed.update(v.id for v in node.ins)
        return needed

    def with_nodes(self, nodes: Iterable[Node]) -> Graph:
        """Return the same graph with other nodes."""
        return replace(self, nodes=tuple(nodes))

    def map_values(self, change: Callable[[Value], Value]) -> Graph:
        """Return the graph with every value replaced by `change(value)` wherever it occurs."""

        def table(values: Mapping[str, Value]) -> dict[str, Value]:
            return {name: change(v) for name, v in values.items()}

        return replace(
            self,
            nodes=tuple(n.map_values(change) for n in self.nodes),
            steps=table(self.steps),
            inputs=table(self.inputs),
            targets=table(self.targets),
            params=table(self.params),
            outputs=table(self.outputs),
            grads=table(self.grads),
            state=table(self.state),
            new_state=table(self.new_state),
            hands=table(self.hands),
            loss=change(self.loss) if self.loss else None,
            seed=change(self.seed) if self.seed else None,
        )
