"""What everything is called in the functions of one call, and the paragraphs that they consist of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from functools import cached_property
from itertools import groupby

from dotnn.codegen.names import Scope
from dotnn.core.diagnostics import Span
from dotnn.ir.node import Node, Value
from dotnn.targets.numpy.explain.calls import Call, Item
from dotnn.targets.numpy.explain.flow import Flow, Frame
from dotnn.targets.numpy.explain.functions import Pair, base_name, nodes_of
from dotnn.targets.numpy.explain.naming import Words, inside
from dotnn.targets.numpy.explain.spec_text import SpecText

FEW_PARAMS = 4
"""So many parameters of a layer are arguments of its function; more come as a dict."""
OWN = {
    "np", "math", "params", "batch", "cache", "training", "rng", "d_loss", "outputs", "grads", "part", "loss", "PARAMS",
}  # fmt: skip
"""The words of the functions themselves."""
Wanted = dict[Hashable, list[str]]


class LocalNames:
    """The names of one call: its forward and its backward function use the same ones.

    `served` says which functions the calls in it have. `flat` is the style of a network without functions: parameters
    and gradients have names of their own.
    """

    def __init__(
        self, flow: Flow, frame: Frame, words: Words, spec: SpecText, served: Mapping[Call, Pair], *, flat: bool = False
    ) -> None:
        self.flow, self.frame, self.call, self.words, self.spec = flow, frame, frame.call, words, spec
        self.served, self.flat = served, flat
        self.children = self.call.children
        self.alias: dict[int, Value] = {}
        self.scope = Scope(self._taken())
        self.explicit = self.call.kind == "layer" and len(self._own_params()) <= FEW_PARAMS
        self._name_values()

    def _taken(self) -> set[str]:
        nodes = [n for phase in ("forward", "backward") for i in self.call.items(phase) for n in nodes_of(i)]
        taken = set(OWN)
        taken |= {helper for n in nodes for helper in n.rule.functions(n)}
        taken |= {"t"} if any(n.loop for n in nodes) else set()
        taken |= {"p"} if self.call.parent else set()
        for call in self.children:
            base = base_name(call)
            taken |= {base, f"{base}_backward", "n", "d", "i"} | {f"{base}_{k}" for k in range(2, 5)}
        return taken

    def _own_params(self) -> list[str]:
        if self.call.step is None:
            return []
        read = {**self.frame.params, **self.frame.d_params}
        names = {self.flow.params[i] for i in read}
        return [name for name in self.call.step.params.values() if name in names]

    def paragraphs(self, phase: str) -> list[tuple[Span | None, list[Item]]]:
        """Return the items of a function by the statement they belong to, one after the other."""

        def key(item: Item) -> Span | None:
            return self.spec.statement(item) if isinstance(item, Call) else self.spec.in_call(item, self.call)

        return [(span, list(items)) for span, items in groupby(self.call.items(phase), key)]

    def _name_values(self) -> None:
        self.scope.add(self._operand_names())
        self.scope.add(self._result_names())
        primals: Wanted = {v.id: self.words.candidates(v, self.call) for v in self._primals()}
        for child in self.children:
            for v in self.flow.frames[child].leaving.values():
                primals[v.id] = self._of_child(child, v)
        self._aliases()
        self.scope.add({i: names for i, names in primals.items() if i not in self.alias})
        cotangents: Wanted = {v.id: self._cotangent(v) for v in self._cotangents()}
        self.scope.add(cotangents)

    def _operand_names(self) -> Wanted:
        """Return what forward is handed: under the block's own names of its inputs, x for a layer."""
        found: Wanted = {}
        call = self.call
        for v in self.frame.entering.values():
            if self.flow.params.get(v.id):
                found[v.id] = self.words.candidates(v, call)
        if call.use is not None:
            given = {self._path_value(path): name for name, path in reversed(list(call.use.inputs.items()))}
            found |= {i: [given[i]] for i in self.frame.entering if i in given}
        elif call.step is not None:
            names = operand_names(call)
            given = {
                self._path_value(path): name for path, name in reversed([*zip(call.step.ins, names, strict=False)])
            }
            found |= {i: [given[i]] for i in self.frame.entering if i in given}
        else:
            graph = self.flow.graph
            found |= {v.id: [name] for name, v in (*graph.inputs.items(), *graph.targets.items())}
            if graph.seed:
                self.scope.names[graph.seed.id] = "d_loss"
        return found

    def _path_value(self, path: str) -> int:
        return self.flow.graph.steps[path].id if path in self.flow.graph.steps else -1

    def _result_names(self) -> Wanted:
        """Return the names that the spec's statements give, and y for the only result."""
        found: Wanted = {}
        for statement, items in self.paragraphs("forward"):
            name = self.spec.defined(statement)
            last = items[-1] if items else None
            if name and last is not None:
                values = list(self.flow.frames[last].leaving.values()) if isinstance(last, Call) else list(last.outs)
                if values and self.call.kind != "layer":
                    found[values[-1].id] = [name]
        if self.call.parent is not None and len(self.frame.leaving) == 1:
            (v,) = self.frame.leaving.values()
            of_loop = any(isinstance(i, Node) and i.loop and v in i.loop.outputs(i.outs)[1] for i in self.call.forward)
            if v.id not in found and not of_loop:
                found[v.id] = ["y"]
        return {i: names for i, names in found.items() if i not in self.scope.names}

    def _of_child(self, child: Call, v: Value) -> list[str]:
        if len(self.flow.frames[child].leaving) == 1:
            parts = inside(child.path, self.call.path)
            names = ["_".join(parts[-k:]) for k in range(1, len(parts) + 1)]
            if names:
                return names
        return self.words.candidates(v, self.call)

    def _primals(self) -> Iterable[Value]:
        for v in self.frame.entering.values():
            yield v
        for item in self.call.forward:
            if isinstance(item, Node):
                yield from self._made(item)
        if self.call.parent is None:
            for node in self.flow.graph.phase("loss", "state"):
                yield from node.outs
        for v in {**self.frame.params, **self.frame.d_params}.values():
            yield v
        for v in self.frame.returning.values():
            if not self._is_cotangent(v):
                yield v
        for v in self._cotangents():
            primal, _ = self.words.of_cotangent(v)
            if primal is not None:
                yield primal

    def _is_cotangent(self, v: Value) -> bool:
        return v.id in self.flow.home_back or v.role == "seed"

    def _cotangents(self) -> Iterable[Value]:
        for v in self.frame.returning.values():
            if self._is_cotangent(v) and v.role != "seed":
                yield v
        for item in self.call.backward:
            if isinstance(item, Node):
                yield from self._made(item)
            else:
                yield from self.flow.frames[item].sent.values()

    def _made(self, node: Node) -> Iterable[Value]:
        yield from self.flow.makes(node)
        if node.loop is not None:
            yield from (*node.loop.slices, *node.loop.entering)
            for inner in node.loop.nodes:
                yield from inner.outs

    def _cotangent(self, v: Value) -> list[str]:
        primal, through = self.words.of_cotangent(v)
        if primal is None:
            parts, hint = self.words.parts(v, self.call)
            return [f"d_{hint or '_'.join(parts) or 'y'}"]
        base = f"d_{self.name(primal)}"
        child = self._senders.get(v.id)
        if child is not None:
            through = "_".join(inside(child.path, self.call.path)) or base_name(child)
            shared = v.id in self._summed
            short = through.rpartition("_")[2]
            return [f"{base}_from_{short}", f"{base}_from_{through}"] if shared else [base, f"{base}_from_{through}"]
        if not through:
            return [base]
        user = self.words.forward.get(through)
        name = self.name(user) if user is not None and self._is_local(user) else through
        if user is not None and user.id in self.flow.of_loss and primal.id in self.flow.params:
            return [f"{base}_from_{name.partition('_')[0]}", f"{base}_from_{name}"]
        return [f"{base}_from_{name}"] if self._shares(v) else [base, f"{base}_from_{name}"]

    def _shares(self, v: Value) -> bool:
        return v.id not in self.frame.sent

    @cached_property
    def _senders(self) -> dict[int, Call]:
        """The calls that send cotangents back, by the number of what they send."""
        calls = [item for item in self.call.backward if isinstance(item, Call)]
        return {i: call for call in calls for i in self.flow.frames[call].sent}

    @cached_property
    def _summed(self) -> set[int]:
        """The numbers of the cotangents that are shares of a sum."""
        nodes = [n for n in self.call.backward if isinstance(n, Node) and n.op == "accumulate"]
        return {v.id for n in nodes for v in n.ins}

    def _is_local(self, v: Value) -> bool:
        return self.resolved(v).id in self.scope.names

    def _aliases(self) -> None:
        """A loop's last state is called what the loop calls it; so is the zero that a loop starts from."""
        for item in self.call.forward:
            if not isinstance(item, Node) or item.loop is None:
                continue
            loop = item.loop
            _, final, _ = loop.outputs(item.outs)
            for out, inner in zip(final, loop.final, strict=True):
                if out.id in self.scope.names:
                    self.scope.names[inner.id] = self.scope.names.pop(out.id)
                self.alias[out.id] = inner
        for item in self.call.backward:
            if isinstance(item, Node) and item.loop is not None:
                held = {v.id for v in (*item.loop.leaving, *item.loop.summed)}
                passed = (n for n in item.loop.nodes if n.op == "pass_on" and n.out.id not in held)
                self.alias |= {n.out.id: n.ins[0] for n in passed}
        readers = Counter(v.id for item in self.call.forward for n in nodes_of(item) for v in set(n.ins))
        zeros = {n.out.id: n for n in self.call.forward if isinstance(n, Node) and n.op == "zero_state"}
        for item in self.call.forward:
            if isinstance(item, Node) and item.loop is not None:
                for first, last in zip(item.loop.initial(item.ins), item.loop.leaving, strict=True):
                    if first.id in zeros and readers[first.id] == 1 and first.id not in self.frame.saved:
                        self.alias[first.id] = last

    def resolved(self, v: Value) -> Value:
        """Return the value that gives another one its name."""
        while v.id in self.alias:
            v = self.alias[v.id]
        return v

    def name(self, v: Value) -> str:
        """Return the name of a value in this function."""
        v = self.resolved(v)
        if v.id not in self.scope.names:
            self.scope.add({v.id: self.words.candidates(v, self.call)})
        return self.scope.names[v.id]


def operand_names(call: Call) -> list[str]:
    """Return what a layer's function calls its operands."""
    step = call.step
    assert step is not None
    if "attention" in step.layer.name and len(step.ins) > 1:
        own = ["query", "value", "key", "mask"] if step.params else ["query", "key", "value", "mask"]
        return own[: len(step.ins)]
    return ["x", "mask"][: len(step.ins)] if len(step.ins) <= 2 else [f"x{k + 1}" for k in range(len(step.ins))]
