"""Values, and the nodes that compute them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from dotnn.core.diagnostics import Span
from dotnn.ir.tensor import Attrs, TensorType

if TYPE_CHECKING:
    from dotnn.ir.op import Op


@dataclass(frozen=True, slots=True)
class Value:
    """One value of the graph: assigned once. Compared by identity number only.

    `role` is one of input, target, param, state, act, loss, seed, cotangent, grad.
    """

    id: int
    name: str = field(compare=False)
    type: TensorType = field(compare=False)
    role: str = field(compare=False, default="act")


@dataclass(frozen=True)
class Node:
    """One application of an op, its `rule`.

    `layer` is the path of the statement it belongs to; `phase` orders the graph.

    Only a `scan` has a `loop`, and more than one output.
    """

    rule: Op
    ins: tuple[Value, ...]
    outs: tuple[Value, ...]
    attrs: Attrs
    phase: str
    layer: str = ""
    span: Span | None = None
    loop: Loop | None = None

    @property
    def op(self) -> str:
        """The name of the op."""
        return self.rule.name

    @property
    def out(self) -> Value:
        """The only output."""
        (value,) = self.outs
        return value

    @property
    def hides_overflow(self) -> bool:
        """Whether the result is zero where what it is made of has overflowed; what training does not change has not."""
        return self.rule.vanishes and self.ins[0].role != "state"

    def all_nodes(self) -> Iterator[Node]:
        """Yield the node, and those of its loop."""
        yield self
        for node in self.loop.nodes if self.loop else ():
            yield from node.all_nodes()

    def map_values(self, change: Callable[[Value], Value]) -> Node:
        """Return the node with every value replaced by `change(value)`, those of its loop too."""
        loop = self.loop.map_values(change) if self.loop else None
        return replace(self, ins=tuple(map(change, self.ins)), outs=tuple(map(change, self.outs)), loop=loop)


@dataclass(frozen=True)
class Loop:
    """The body of a `scan`: nodes that run once for every time step, and how they meet the values outside.

    The operands of the scan are the sequences, the initial states, and the values that are the same in every step;
    its outputs are the sequences that it collects, states after the last step, and sums over time.

    steps      how many; `reverse`: the last comes first
    slices     sequence [B, T, …] -> its value [B, …] at the step, in the order of the first operands
    entering   the states when a step begins;  leaving  what they are when it ends
    collected  values of a step that become a sequence;  final  states whose last value is an output
    summed     values of a step that are added up
    recompute  whether its gradient computes again what its steps have computed, from what enters each of them

    A step may hold a loop itself: one of the second kind is that over the parts of a sequence.
    """

    steps: int
    nodes: tuple[Node, ...]
    slices: tuple[Value, ...]
    entering: tuple[Value, ...]
    leaving: tuple[Value, ...]
    collected: tuple[Value, ...] = ()
    final: tuple[Value, ...] = ()
    summed: tuple[Value, ...] = ()
    reverse: bool = False
    recompute: bool = False

    def map_values(self, change: Callable[[Value], Value]) -> Loop:
        """Return the loop with every value replaced by `change(value)`."""

        def all_of(values: tuple[Value, ...]) -> tuple[Value, ...]:
            return tuple(map(change, values))

        return replace(
            self,
            nodes=tuple(n.map_values(change) for n in self.nodes),
            slices=all_of(self.slices),
            entering=all_of(self.entering),
            leaving=all_of(self.leaving),
            collected=all_of(self.collected),
            final=all_of(self.final),
            summed=all_of(self.summed),
        )

    def sequences(self, operands: Sequence[Value]) -> Sequence[Value]:
        """Return those of the scan's operands that are cut into steps."""
        return operands[: len(self.slices)]

    def initial(self, operands: Sequence[Value]) -> Sequence[Value]:
        """Return those of the scan's operands that the states start from."""
        return operands[len(self.slices) : len(self.slices) + len(self.entering)]

    def order(self) -> str:
        """Return what the loop runs over, as Python says it."""
        return f"reversed(range({self.steps}))" if self.reverse else f"range({self.steps})"

    def outputs(self, outs: Sequence[Value]) -> tuple[Sequence[Value], Sequence[Value], Sequence[Value]]:
        """Return the scan's outputs in three parts: sequences, states after the last step, sums."""
        first, second = len(self.collected), len(self.collected) + len(self.final)
        return outs[:first], outs[first:second], outs[second:]

    @property
    def nested(self) -> bool:
        """Whether its steps hold loops themselves."""
        return any(node.loop is not None for node in self.nodes)

    def made(self) -> set[int]:
        """Return the numbers of the values that belong to one step."""
        return {v.id for v in (*self.slices, *self.entering, *(v for n in self.nodes for v in n.outs))}

    def free(self) -> list[Value]:
        """Return what the steps read of the values outside."""
        inner = self.made()
        return list({v.id: v for n in self.nodes for v in n.ins if v.id not in inner}.values())


def readers(nodes: Iterable[Node]) -> dict[int, list[Node]]:
    """Return the nodes that read each value, once for every operand."""
    found: dict[int, list[Node]] = {}
    for node in nodes:
        for value in node.ins:
            found.setdefault(value.id, []).append(node)
    return found
