"""What everything is called in the functions of one call, and the paragraphs that they consist of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from functools import cached_property
from itertools import groupby

from dotnn.codegen.names import Scope
from dotnn.core.diagnostics import Span
from dotnn.ir.node import Loop, Node, Value
from dotnn.library.layers.loop import PLAIN, ROLES
from dotnn.targets.numpy.explain.calls import Call, Item
from dotnn.targets.numpy.explain.flow import Flow, Frame
from dotnn.targets.numpy.explain.functions import Pair, base_name, nodes_of
from dotnn.targets.numpy.explain.naming import LATER, Words, inside
from dotnn.targets.numpy.explain.spec_text import SpecText

FEW_PARAMS = 4
"""So many parameters of a layer or block are arguments of its function; more come as a dict."""
LEAST_FUNCTIONS = 4
"""So many names of functions are kept free where there are fewer, so that values keep theirs when a layer is added."""
OWN = {
    "np",
    "math",
    "params",
    "batch",
    "cache",
    "training",
    "rng",
    "d_loss",
    "outputs",
    "grads",
    "part",
    "loss",
    "PARAMS",
}
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
        self.explicit = self._takes_few()
        self._name_values()

    def _taken(self) -> set[str]:
        nodes = [n for phase in ("forward", "backward") for i in self.call.items(phase) for n in nodes_of(i)]
        nested = any(n.loop is not None and n.loop.nested for n in nodes)
        words = {
            "t": any(n.loop for n in nodes),
            "k": nested,
            "p": bool(self.call.parent),
            "order": self.call in self.flow.orders,
        }
        taken = OWN | {word for word in words if words[word]}
        taken |= set().union(*(n.rule.functions(n) for n in nodes))
        calls = Counter(base_name(call) for call in self.flow.frames if call.parent)  # so many may bear it
        for base in map(base_name, self.children):
            names = [base, *(f"{base}_{k}" for k in range(2, max(calls[base], LEAST_FUNCTIONS) + 1))]
            taken |= {"n", "inner", "i"}.union(*((name, f"{name}_backward") for name in names))
        return taken

    @cached_property
    def owned(self) -> dict[str, str]:
        """The parameters of a layer or block by the rest of their names, in order."""
        if self.call.step is not None:
            return dict(self.call.step.params)
        graph, prefix = self.flow.graph, f"{self.call.params}."
        every = (name for name in (*graph.params, *graph.state) if self.call.params and name.startswith(prefix))
        return {name.removeprefix(prefix): name for name in every}

    def in_order(self, read: Mapping[int, Value]) -> list[str]:
        """Return the names of parameters in the order of the layer or block."""
        names = {self.flow.params[i] for i in read}
        return [name for name in self.owned.values() if name in names]

    def _takes_few(self) -> bool:
        """Whether parameters are arguments of their own: few of a layer, or of a block that no loop runs through."""
        whole = self.call.kind == "layer" or (
            self.call.use is not None and not self.children and self.call.use.block not in self.flow.repeated
        )
        return whole and len(self.in_order({**self.frame.params, **self.frame.d_params})) <= FEW_PARAMS

    def paragraphs(self, phase: str) -> list[tuple[Span | None, list[Item]]]:
        """Return the items of a function by the statement they belong to, one after the other; a layer has but one.

        Every loss and every penalty is a paragraph of its own.
        """
        if self.call.kind == "layer":
            return [(None, [*self.call.items(phase)])]

        def key(item: Item) -> tuple[Span | None, str]:
            if isinstance(item, Call):
                return self.spec.statement(item), ""
            span = self.spec.in_call(item, self.call)
            return span, item.layer if span is None else ""

        return [(span, list(items)) for (span, _), items in groupby(self.call.items(phase), key)]

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
        entering = self.frame.entering
        found: Wanted = {i: self.words.candidates(v, self.call) for i, v in entering.items() if i in self.flow.params}
        if self.call.parent is None:
            graph = self.flow.graph
            if graph.seed:
                self.scope.names[graph.seed.id] = "d_loss"
            return found | {v.id: [name] for name, v in (*graph.inputs.items(), *graph.targets.items())}
        given = {self._path_value(path): name for path, name in reversed(self._operands())}
        return found | {i: [given[i]] for i in entering if i in given}

    def _operands(self) -> list[tuple[str, str]]:
        """Return the operands of a block or layer by their paths, each with its name."""
        if self.call.use is not None:
            return [(path, name) for name, path in self.call.use.inputs.items()]
        assert self.call.step is not None
        return [*zip(self.call.step.ins, operand_names(self.call), strict=False)]

    def _path_value(self, path: str) -> int:
        return self.flow.graph.steps[path].id if path in self.flow.graph.steps else -1

    def _result_names(self) -> Wanted:
        """Return the names that the spec's statements give, and y for the only result."""
        found = self._defined() if self.call.kind != "layer" else {}
        if self.call.parent is not None and len(self.frame.leaving) == 1:
            (v,) = self.frame.leaving.values()
            if v.id not in found and not self._is_state(v):
                found[v.id] = ["y"]
        return {i: names for i, names in found.items() if i not in self.scope.names}

    def _defined(self) -> Wanted:
        """Return the names that statements of the spec give to what they make."""
        found: Wanted = {}
        for statement, items in self.paragraphs("forward"):
            name, last = self.spec.defined(statement), items[-1]
            values = list(self.flow.frames[last].leaving.values()) if isinstance(last, Call) else list(last.outs)
            if name and values:
                found[values[-1].id] = [name]
        return found

    def _is_state(self, v: Value) -> bool:
        """Whether a value is the last state of a loop."""
        return any(node.loop and v in node.loop.outputs(node.outs)[1] for node in self.call.direct("forward"))

    def _of_child(self, child: Call, v: Value) -> list[str]:
        if len(self.flow.frames[child].leaving) == 1:
            parts = inside(child.path, self.call.path)
            names = ["_".join(parts[-k:]) for k in range(1, len(parts) + 1)]
            if names:
                return names
        return self.words.candidates(v, self.call)

    def _primals(self) -> Iterable[Value]:
        frame = self.frame
        yield from frame.entering.values()
        for node in self.call.direct("forward"):
            yield from self._made(node)
        if self.call.parent is None:
            yield from (v for node in self.flow.graph.phase("loss", "state") for v in node.outs)
        yield from {**frame.params, **frame.d_params}.values()
        yield from (v for v in frame.returning.values() if not self._is_cotangent(v))
        primals = (self.words.of_cotangent(v)[0] for v in self._cotangents())
        yield from (primal for primal in primals if primal is not None)

    def _is_cotangent(self, v: Value) -> bool:
        return (v.id in self.flow.home_back and v.id not in self.flow.again) or v.role == "seed"

    def _cotangents(self) -> Iterable[Value]:
        for v in self.frame.returning.values():
            if self._is_cotangent(v) and v.role != "seed":
                yield v
        for item in self.call.backward:
            if isinstance(item, Node):
                nested = item.loop is not None and item.loop.nested
                made = (v for v in self._made(item) if v.id not in self.flow.again)
                yield from (v for v in made if not nested or (v.role == "cotangent" and v.id not in self.alias))
            else:
                yield from self.flow.frames[item].sent.values()

    def _made(self, node: Node) -> Iterable[Value]:
        yield from self.flow.makes(node)
        for inner in node.all_nodes():
            yield from inner.outs if inner is not node else ()
            yield from (*inner.loop.slices, *inner.loop.entering) if inner.loop is not None else ()

    def _cotangent(self, v: Value) -> list[str]:
        """Return what a derivative may be called: `d_v`, or `d_v_from_u` where it is a share."""
        primal, through = self.words.of_cotangent(v)
        if primal is None:
            parts, hint = self.words.parts(v, self.call)
            return [f"d_{hint.removeprefix('step_') or '_'.join(parts) or 'y'}"]
        base = f"d_{self.name(primal)}"
        if v.id in self._senders:
            return self._from_call(base, self._senders[v.id], is_share=v.id in self._summed)
        return self._through(v, primal, base, through) if through else [base]

    def _through(self, v: Value, primal: Value, base: str, through: str) -> list[str]:
        """Return what the share of a derivative may be called that comes back through the value of that name."""
        user = self.words.forward.get(through)
        name = self.name(user) if user is not None and self._is_local(user) else through
        if user is not None and user.id in self.flow.of_loss and primal.id in self.flow.params:
            return [f"{base}_from_{name.partition('_')[0]}", f"{base}_from_{name}"]
        is_share = self._shares(v) and (through == LATER or self._shared_out[primal.id] > 1)
        return [f"{base}_from_{name}"] if is_share else [base, f"{base}_from_{name}"]

    @cached_property
    def _shared_out(self) -> Counter[int]:
        """How many derivatives with respect to each value the function has, shares and sums, by the value's number.

        One share alone is the whole derivative: the others have been worked into the formulas of one line.
        """
        primals = (self.words.of_cotangent(v)[0] for v in self._cotangents())
        return Counter(primal.id for primal in primals if primal is not None)

    def _from_call(self, base: str, child: Call, *, is_share: bool) -> list[str]:
        """Return what a derivative may be called that a call sends back."""
        through = "_".join(inside(child.path, self.call.path)) or base_name(child)
        return [f"{base}_from_{through.rpartition('_')[2]}" if is_share else base, f"{base}_from_{through}"]

    def _shares(self, v: Value) -> bool:
        """Whether a name says that a derivative is a share: what is handed in or out is all that the function knows."""
        return v.id not in self.frame.sent and not (self.call.parent is not None and v.id in self.frame.returning)

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
        for node in self.call.direct("forward"):
            if node.loop is not None:
                self._alias_last_states(node, node.loop)
        for node in (*self.call.direct("forward"), *self.call.direct("backward")):
            if node.loop is not None and node.loop.nested:
                self._alias_parts(node, node.loop)
        self.alias |= self.flow.again
        for node in self.call.direct("backward"):
            self.alias |= _passed_on(node.loop) if node.loop else {}
        own_zeros = self._own_zeros()
        for node in self.call.direct("forward"):
            for first, last in zip(node.loop.initial(node.ins), node.loop.leaving, strict=True) if node.loop else ():
                if first.id in own_zeros:
                    self.alias[first.id] = last

    def _alias_last_states(self, node: Node, loop: Loop) -> None:
        for out, inner in zip(loop.outputs(node.outs)[1], loop.final, strict=True):
            if out.id in self.scope.names:
                self.scope.names[inner.id] = self.scope.names.pop(out.id)
            self.alias[out.id] = inner

    def _alias_parts(self, node: Node, loop: Loop) -> None:
        """Let the states between parts be called as those of the steps, and what is computed again as it was."""
        values = {v.id: v for n in self.call.direct("forward") for inner in n.all_nodes() for v in _every(inner)}
        self.alias |= {new: values[old] for new, old in node.attrs.get("again", {}).items()}
        summed = {v.id: out for v, out in zip(loop.summed, loop.outputs(node.outs)[2], strict=True)}
        for inner in (n for n in loop.nodes if n.loop is not None):
            assert inner.loop is not None
            self._alias_last_states(inner, inner.loop)
            between = zip(inner.loop.initial(inner.ins), inner.loop.leaving, strict=True)
            self.alias |= {first.id: last for first, last in between if first.id not in self.alias}
            self.alias |= {v.id: summed[v.id] for v in inner.outs if v.id in summed}
            self.alias |= _passed_on(inner.loop) if inner.phase == "backward" else {}

    def _own_zeros(self) -> set[int]:
        """Return the numbers of first states that nothing but one loop reads."""
        readers = Counter(v.id for item in self.call.forward for n in nodes_of(item) for v in set(n.ins))
        zeros = {node.out.id for node in self.call.direct("forward", "zero_state")}
        return {i for i in zeros if readers[i] == 1 and i not in self.frame.saved}

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


def _every(node: Node) -> Iterable[Value]:
    """Return what a node assigns and, if it is a loop, what its steps begin with."""
    return (*node.outs, *node.loop.slices, *node.loop.entering) if node.loop is not None else node.outs


def _passed_on(loop: Loop) -> dict[int, Value]:
    """Return what the steps of a loop pass on to themselves as it is, by the number of the result."""
    held = {v.id for v in (*loop.leaving, *loop.summed)}
    return {n.out.id: n.ins[0] for n in loop.nodes if n.op == "pass_on" and n.out.id not in held}


def operand_names(call: Call) -> list[str]:
    """Return what a layer's function calls its operands."""
    step = call.step
    assert step is not None
    if "attention" in step.layer.name and len(step.ins) > 1:
        own = ["query", "value", "key", "mask"] if step.params else ["query", "key", "value", "mask"]
        return own[: len(step.ins)]
    if step.layer.inputs:
        roles = step.attrs.get(ROLES, PLAIN)
        return [
            f"{role.removeprefix('initial ')}_0" if role not in (*step.layer.inputs, "mask") else role for role in roles
        ]
    return ["x", "mask"][: len(step.ins)] if len(step.ins) <= 2 else [f"x{k + 1}" for k in range(len(step.ins))]
