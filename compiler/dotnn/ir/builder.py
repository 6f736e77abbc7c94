"""Writing nodes: the one implementation of `ir.op.Builder`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

from dotnn.core.diagnostics import Span
from dotnn.ir.node import Loop, Node, Value
from dotnn.ir.op import Op
from dotnn.ir.tensor import TensorType

STEP, BEFORE = "t", "before"
"""How the value of one step is called: `h_t`; and the state that the step before left: `h_before`."""

T = TypeVar("T")


class GraphBuilder:
    """Appends nodes of the given ops; infers the type of every output; remembers phase, layer and place in the spec."""

    def __init__(self, ops: Mapping[str, Op], next_id: int = 0) -> None:
        self.ops = ops
        self.nodes: list[Node] = []
        self.state_updates: list[Node] = []
        self.new_state: dict[int, list[Value]] = {}
        self.next_id = next_id
        self.phase = "forward"
        self.layer = ""
        self.span: Span | None = None
        self.prefix = ""
        self.suffix = ""

    def value(self, name: str, type: TensorType, role: str = "act") -> Value:
        """Return a fresh value."""
        self.next_id += 1
        return Value(self.next_id, name, type, role)

    def emit(self, op: str, *ins: Value, name: str = "", **attrs: object) -> Value:
        """Append a node and return its output. `name` completes the current prefix: `h1` + `z` -> `h1_z`."""
        rule = self.ops[op]
        type = rule.infer([v.type for v in ins], attrs)
        out = self.result(type, name or ("" if self.prefix else op))
        self.nodes.append(Node(rule, ins, (out,), attrs, self.phase, self.layer, self.span))
        return out

    def result(self, type: TensorType, name: str = "", suffix: str | None = None) -> Value:
        """Return a fresh value for a result: `h1` + `z` -> `h1_z`, inside a loop `h1_z_t`."""
        words = [self.prefix, name, self.suffix if suffix is None else suffix]
        return self.value("_".join(filter(None, words)), type, "cotangent" if self.phase == "backward" else "act")

    def scan(
        self,
        sequences: Mapping[str, Value],
        states: Mapping[str, Value],
        body: Callable[[Mapping[str, Value]], Mapping[str, Value]],
        *,
        collect: Mapping[str, str] = {},
        final: Mapping[str, str] = {},
        reverse: bool = False,
        **attrs: object,
    ) -> tuple[Value, ...]:
        """Append a loop over time; see `ir.op.Builder`."""
        wholes = {v.id: v for v in sequences.values()}  # one that has two names is cut once
        hints = {v.id: n.replace(".", "_") for n, v in sequences.items()}
        cut = {i: self.result(at_a_step(v.type), hints[i], STEP) for i, v in wholes.items()}
        slices = {n: cut[v.id] for n, v in sequences.items()}
        entering = {n: self.result(v.type, n, BEFORE) for n, v in states.items()}
        nodes, leaving = self.inner(lambda: body({**slices, **entering}))
        steps = next(iter(sequences.values())).type.example[0]
        loop = Loop(
            steps,
            nodes,
            tuple(cut.values()),
            tuple(entering.values()),
            tuple(leaving[n] for n in states),
            collected=tuple(leaving[n] for n in collect),
            final=tuple(leaving[n] for n in final),
            reverse=reverse,
        )
        outs = [self.result(over_time(leaving[n].type, steps), hint) for n, hint in collect.items()]
        outs += [self.result(leaving[n].type, hint) for n, hint in final.items()]
        self.append_loop(loop, (*wholes.values(), *states.values()), outs, **attrs)
        return tuple(outs)

    def inner(self, write: Callable[[], T], inner_suffix: str = STEP) -> tuple[tuple[Node, ...], T]:
        """Return the nodes that `write` writes, which belong to one step of a loop, and what it returns."""
        outside, suffix = self.nodes, self.suffix
        self.nodes, self.suffix = [], inner_suffix
        result = write()
        nodes, self.nodes, self.suffix = tuple(self.nodes), outside, suffix
        return nodes, result

    def append_loop(self, loop: Loop, operands: Iterable[Value], outs: Iterable[Value], **attrs: object) -> Node:
        """Append a scan; what its steps read of the values outside follows the other operands."""
        ins = (*operands, *loop.free())
        self.nodes.append(Node(self.ops["scan"], ins, tuple(outs), attrs, self.phase, self.layer, self.span, loop))
        return self.nodes[-1]

    @contextmanager
    def within(self, name: str, span: Span | None = None) -> Iterator[None]:
        """Let the names of what is written inside begin with `name`, after the prefix, and its place be `span`."""
        saved = self.prefix, self.span
        self.prefix, self.span = "_".join(filter(None, [self.prefix, name])), span or self.span
        yield
        self.prefix, self.span = saved

    def update_state(self, state: Value, op: str, *ins: Value, **attrs: object) -> None:
        """Keep the node whose output replaces `state` after a training step; `build` appends it after the loss.

        A layer that is used several times updates its state once per use: each starts from what the one before it left.
        """
        made = self.new_state.setdefault(state.id, [])
        ins = tuple(made[-1] if made and v.id == state.id else v for v in ins)
        name = f"{state.name}_next" + f"_{len(made) + 1}" * bool(made)
        made.append(self.value(name, self.ops[op].infer([v.type for v in ins], attrs)))
        self.state_updates.append(Node(self.ops[op], ins, (made[-1],), attrs, "state", self.layer, self.span))

    @contextmanager
    def at(self, layer: str, span: Span | None, prefix: str | None = None) -> Iterator[None]:
        """Attribute the nodes written inside to a statement of the spec."""
        saved = self.layer, self.span, self.prefix
        self.layer, self.span = layer, span
        self.prefix = layer if prefix is None else prefix
        yield
        self.layer, self.span, self.prefix = saved


def at_a_step(type: TensorType) -> TensorType:
    """Return the type of one step of a sequence."""
    return TensorType((type.shape[0], *type.shape[2:]), type.dtype)


def over_time(type: TensorType, steps: int) -> TensorType:
    """Return the type of a sequence of such values."""
    return TensorType((type.shape[0], steps, *type.shape[1:]), type.dtype)


def loop_types(loop: Loop) -> tuple[TensorType, ...]:
    """Return the types of a scan's outputs."""
    sequences = (over_time(v.type, loop.steps) for v in loop.collected)
    return (*sequences, *(v.type for v in (*loop.final, *loop.summed)))
