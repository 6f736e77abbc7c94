"""The network of a script: forward, loss and backward, and the functions of blocks and layers that they call."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter

from dotnn.codegen import tree
from dotnn.codegen.lines import literal
from dotnn.codegen.printer import Mark
from dotnn.codegen.site import Site
from dotnn.core.arguments import Bound
from dotnn.ir.graph import Graph
from dotnn.ir.node import Node, Value
from dotnn.ir.tensor import Attrs
from dotnn.library.layers.cells import recurrence_of
from dotnn.model.model import Model
from dotnn.targets.numpy.explain.borders import settle_borders
from dotnn.targets.numpy.explain.calls import Call, call_tree
from dotnn.targets.numpy.explain.endings import Ending
from dotnn.targets.numpy.explain.flow import Flow
from dotnn.targets.numpy.explain.functions import Library, Pair, base_name
from dotnn.targets.numpy.explain.naming import Words
from dotnn.targets.numpy.explain.sites import sites
from dotnn.targets.numpy.explain.spec_text import SpecText
from dotnn.targets.numpy.explain.writer import Writer

SEEDED = "np.random.default_rng(SEED) if rng is None else rng"
"""What a prediction draws from where nobody says: the same numbers every time."""
FORWARD = ("params", "batch", "*", "training=False", "rng=None")
LOSS = ("params", "batch", "cache")
ONE_LINE = 96
"""A term of the loss and its formula of less text than this stand on one line."""


@dataclass(frozen=True)
class Network:
    """The functions of a network as trees: those of layers and blocks, and the contract's own.

    `metrics` says where `evaluate` finds what metrics are of, `vanishing`, by layer, the keys of values in the cache
    that no loss shows. `read` are the keys of what the loss and the metrics read of it; None where they read an input,
    too, or more than one cache holds it.
    """

    parts: list[tree.Item]
    functions: list[tree.Item]
    metrics: dict[str, str]
    vanishing: dict[str, tuple[str, ...]]
    flat: bool
    read: list[str] | None


class NetworkWriter:
    """Writes the functions of a network.

    Several that share parameters share a `library` of functions; `table` is what holds the names of what is trained.
    """

    def __init__(self, model: Model, graph: Graph, library: Library | None = None, table: str = "PARAMS") -> None:
        self.model, self.graph, self.table = model, graph, table
        self.root = call_tree(model, graph)
        self.words, self.spec = Words(graph), SpecText(model)
        settle_borders(self.root, graph, self._nameless())
        self.kept = [graph.steps[path] for path in self._measured() if not self._is_output(path)]
        self.kept += lsuv_values(model, graph)
        self.kept += [node.out for node in vanishing(graph)]
        self.flow = Flow(graph, self.root, [v for v in self.kept if v.id not in {i.id for i in graph.inputs.values()}])
        self.served: dict[Call, Pair] = {}
        self.library = Library() if library is None else library
        self.writers: dict[Call, Writer] = self.library.writers
        self.bodies: dict[Call, dict[str, list[tree.Stmt]]] = {call: {} for call in self.flow.inside_out}
        self.flat = not self.root.children
        if self.flat:
            self.flow.frames[self.root].saved = {v.id: v for n in graph.phase("forward") for v in n.outs}

    def sites(self, marks: Iterable[Mark]) -> dict[str, Site]:
        """Return where the script computes each value; `marks` are its lines."""
        names = {call: pair.name for call, pair in self.served.items()}
        return sites(self.root, self.bodies, names, marks)

    def _nameless(self) -> set[int]:
        """Return the numbers of the cotangents of values that no statement of the spec names."""
        named = {v.id for path, v in self.graph.steps.items() if self.spec.names(path)}
        named |= {v.id for v in self.graph.inputs.values()}
        sent = [v for node in self.graph.phase("backward") for v in node.outs]
        of = {v.id: self.words.of_cotangent(v)[0] for v in sent}
        return {i for i, primal in of.items() if primal is not None and primal.id not in named}

    def _measured(self) -> list[str]:
        """Return the paths of what metrics read of the network."""
        return [path for m in self.model.train.metrics for path in m.values]

    def _is_output(self, path: str) -> bool:
        return path in self.model.outputs.values() or path in self.model.inputs

    def run(self) -> Network:
        """Return the functions."""
        heights, known = _heights(self.root), len(self.library.pairs)
        for height in range(max(heights.values(), default=0) + 1):
            some = [call for call in self.flow.inside_out if heights[call] == height and call is not self.root]
            self.served |= self.library.add(self._pair(call) for call in some)
        root = self._writer(self.root)
        forward = self._forward(root)
        parts = [item for pair in self.library.pairs[known:] for item in self._functions(pair)]
        functions = [forward, *self._loss(root), self._backward(root)]
        metrics = {path: self._metric_source(path, root) for path in self._measured()}
        vanished = {node.layer: root.cache_path(node.out) for node in vanishing(self.graph)}
        return Network(parts, functions, metrics, vanished, self.flat, self._read(root))

    def _read(self, root: Writer) -> list[str] | None:
        """Return the keys of what the loss and the metrics read of the cache of `forward`."""
        nodes, metrics = self.graph.phase("loss"), self._measured()
        known = {v.id for node in nodes for v in node.outs} | {v.id for v in self.graph.targets.values()}
        read = [v for node in nodes for v in node.ins if v.id not in known and v.id not in self.flow.params]
        read += [self.graph.steps[path] for path in metrics if not self._is_output(path)]
        if any(path in self.model.inputs for path in metrics):
            return None
        if not all(v.id in root.keys and self.flow.saved_in(v, self.root) is self.root for v in read):
            return None
        return list(dict.fromkeys(root.keys[v.id] for v in read))

    def _writer(self, call: Call) -> Writer:
        frame = self.flow.frames[call]
        writer = Writer(self.flow, frame, self.words, self.spec, self.served, self.writers, flat=self.flat)
        self.writers[call] = writer
        return writer

    def _pair(self, call: Call) -> Pair:
        writer = self._writer(call)
        forward = writer.forward()
        cache = writer.cache()
        cache = dict(sorted(cache.items())) if call.kind == "layer" and len(cache) > 12 else cache
        back = writer.backward()
        self.bodies[call] = {"forward": forward.body, "backward": back.body if back else []}
        return Pair(base_name(call), call, forward, back, cache, self._inner_saves(call))

    def _inner_saves(self, call: Call) -> bool:
        """Whether a function that is called in that of a call returns a cache."""
        return any(self.served[c].saves for c in call.children)

    # -------------------------------------------------------------------------------------------------- functions

    def _functions(self, pair: Pair) -> list[tree.Item]:
        call = pair.call
        forward, back = pair.forward, pair.backward
        ending = Ending(forward.results, pair.cache, self._inner_saves(call), pair.saves)
        body = [*ending.begun(), *ending.of(forward.body)]
        doc, place = self._doc(pair)
        made: list[tree.Item] = [tree.Function(pair.name, tuple(forward.arguments), doc, place, tuple(body))]
        if back is not None:
            own = bool(back.keys)
            begin: list[tree.Stmt] = [tree.Assign(("grads",), "{}")] if own else []
            results = ", ".join([*back.results, *(["grads"] if own else [])])
            end: list[tree.Stmt] = [tree.Return(results)] if results else []
            text = (*begin, *back.body, *end)
            made.append(tree.Function(f"{pair.name}_backward", tuple(back.arguments), self._back_doc(pair), "", text))
        return made

    def _doc(self, pair: Pair) -> tuple[str, str]:
        call = pair.call
        if call.use is not None:
            given = [dict(one.use.args) for one in pair.uses if one.use is not None]
            args = ", ".join(
                name if any(other.get(name) != value for other in given) else f"{name} = {value}"
                for name, value in call.use.args.items()
            )
            first, *others = dict.fromkeys(self._shapes(pair, one) for one in pair.uses)
            name = f"{first.partition(' ')[0]} " if len(self.flow.frames[call].entering) == 1 else ""
            shapes = " or ".join([first, *(text.removeprefix(name) for text in others)])
            return f"block {call.use.block}{f'({args})' * bool(args)}: {shapes}", self.spec.place(call.use.declared)
        assert call.step is not None
        layer = call.step.layer
        if call.step.layer.expand is not None:
            return f"cell {self.spec.text(call.step.span)}: {self._shapes(pair)}", self.spec.place(
                recurrence_of(call.step.attrs).declared
            )
        return " ".join((_with_functions(layer.equation, call.step.attrs) or layer.doc).split()), ""

    def _shapes(self, pair: Pair, use: Call | None = None) -> str:
        """Return the shapes of what a function takes and returns, at the first or at another use."""
        frame, writer = self.flow.frames[use or pair.call], self.writers[pair.call]
        names = [writer.name(v) for v in self.flow.frames[pair.call].entering.values()]
        ins = ", ".join(f"{name} {v.type}" for name, v in zip(names, frame.entering.values(), strict=True))
        outs = ", ".join(str(v.type) for v in frame.leaving.values())
        return f"{ins} -> {outs}"

    def _back_doc(self, pair: Pair) -> str:
        """Return the docstring of a backward function: only a loop has one, for the last line says what is returned."""
        loops = pair.call.use is None and any(node.loop for node in pair.call.direct("backward"))
        return "Backpropagation through time: the loop of the forward pass, back from its last step." if loops else ""

    # ------------------------------------------------------------------------------------------------------- root

    def _forward(self, root: Writer) -> tree.Function:
        half = root.forward()
        outputs = "{" + ", ".join(f'"{n}": {root.ref(v, "forward")}' for n, v in self.graph.outputs.items()) + "}"
        needed = [v for v in self.graph.outputs.values() if v.id in self.flow.sources]
        half.body[:0] = root.unpack([v for v in needed if v.id not in root.unpacked], "forward")
        outputs = "{" + ", ".join(f'"{n}": {root.ref(v, "forward")}' for n, v in self.graph.outputs.items()) + "}"
        ending = Ending([outputs], root.cache(), self._inner_saves(self.root), saves=True, at=(0, *self.graph.outputs))
        begin = [tree.assign("rng", SEEDED)] if self.graph.samples else []
        body = [*begin, *ending.begun(), *ending.of(half.body)]
        self.bodies[self.root]["forward"] = body
        doc = "Return the outputs, and values that the backward pass needs."
        return tree.Function("forward", FORWARD, doc, "", tuple(body))

    def _loss(self, root: Writer) -> list[tree.Item]:
        nodes = self.graph.phase("loss")
        root.unpacked, root.targets = {}, {}
        if len(nodes) == 1:
            (node,) = nodes
            heading, *said = self._term(node, root)
            read = self._read_by([node], root)
            last = tree.Return(root.expression(node, "backward"), root.origin(node))
            self.bodies[self.root]["total_loss"] = [last]
            return [tree.Function("total_loss", LOSS, heading.text, heading.place, (*read, *said, last))]
        made: list[tree.Stmt] = []
        for _, group in itertools.groupby(nodes, key=attrgetter("layer")):
            term = list(group)
            heading, *said = self._term(term[-1], root)
            made += [heading, *self._read_by(term, root), *said]
            made += [line for node in term for line in root.node(node, "backward")]
        total = made.pop()
        assert isinstance(total, tree.Assign)
        doc = "Return the number that training makes small."
        body = self.bodies[self.root]["total_loss"] = [*made, tree.Return(total.value, total.origin)]
        return [tree.Function("total_loss", LOSS, doc, "", tuple(body))]

    def _read_by(self, nodes: Sequence[Node], root: Writer) -> list[tree.Stmt]:
        """Return what names the stored values that a term of the loss reads; single parameters need no name."""
        computed = {v.id for node in nodes for v in node.outs}
        read = [v for node in nodes for v in node.ins if v.id not in computed]
        stored = {v.id: (v, root.stored(v, "backward")) for v in read}
        named = [v for v, text in stored.values() if text and (self.flat or not text.startswith("params"))]
        return root.unpack(named, "backward")

    def _term(self, node: Node, root: Writer) -> list[tree.Heading | tree.Note]:
        """Return what heads a term of the loss: what the spec says and, where there is room, the textbook's line."""
        said, text, place = self._loss_comment(node), self._label(node, root), self.spec.place(node.span)
        if said and len(text) + len(said) + len(place) < ONE_LINE:
            return [tree.Heading(f"{text}: {said}", place)]
        return [tree.Heading(text, place), *([tree.Note(said)] if said else [])]

    def _label(self, node: Node, root: Writer) -> str:
        if node.layer in self.graph.remarks:
            z = root.name(node.ins[0])
            return f"{node.layer}, from {z}"
        return node.layer

    def _loss_comment(self, node: Node) -> str:
        return node.attrs.get("said") or node.rule.equation.format_map(_Lenient(node.attrs))

    def _backward(self, root: Writer) -> tree.Function:
        half = root.backward()
        grads = self.graph.grads
        body: list[tree.Stmt] = []
        if half is not None:
            body = list(half.body)
        if self.flat:
            entries = ", ".join(f'"{name}": {root.ref(v, "backward")}' for name, v in grads.items())
            end: list[tree.Stmt] = [tree.Return("{" + entries + "}")]
        else:
            body[:0] = [tree.Assign(("grads",), "{}")]
            for name, v in grads.items():  # what no statement has put there
                if v.id not in root.targets:
                    body.append(tree.Assign((f'grads["{name}"]',), root.ref(v, "backward")))
            more = [name for name in grads if name not in self.graph.params]
            names = self.table if not more else f"(*{self.table}, {', '.join(map(literal, more))})"
            end = [tree.Return(f"{{name: grads[name] for name in {names}}}")]
        self.bodies[self.root]["backward"] = body
        doc = "Return the gradient of the loss: the chain rule from the loss back to every parameter."
        return tree.Function("backward", ("params", "batch", "cache", "d_loss=1.0"), doc, "", (*body, *end))

    def renewal(self) -> tree.Function | None:
        """Return `renew_state`, None where there is no state."""
        if not self.graph.new_state:
            return None
        root = self.writers[self.root]
        root.unpacked, root.targets = {}, {}
        final = {v.id: f'params["{name}"]' for name, v in self.graph.new_state.items()}
        made: list[tree.Stmt] = []
        for node in self.graph.phase("state"):
            step = self.spec.steps[node.layer]
            statement = step.places.uses[0].statement if step.places.uses else step.places.statement
            heading = tree.Heading(self.spec.text(statement), self.spec.place(statement)) if statement else None
            if heading and heading not in made:
                made.append(heading)
            target = final.get(node.out.id) or root.name(node.out)
            made.append(tree.Assign((target,), root.expression(node, "backward"), origin=root.origin(node)))
        self.bodies[self.root]["renew_state"] = made
        doc = "Replace the arrays of STATE in `params`, after a forward pass in training mode."
        return tree.Function("renew_state", ("params", "cache"), doc, "", tuple(made))

    def _metric_source(self, path: str, root: Writer) -> str:
        """Return where `evaluate` finds the value that a metric is of."""
        for name, output in self.model.outputs.items():
            if output == path:
                return f'outputs["{name}"]'
        if path in self.model.inputs:
            return f'examples["{path}"]'
        return root.stored(self.graph.steps[path], "backward")


def _with_functions(equation: str, attrs: Attrs) -> str:
    """Return the equation of a layer with the activations that it was given in place of its arguments' names."""
    for name, given in attrs.items():
        if isinstance(given, Bound):
            equation = re.sub(rf"\b{name}\(", f"{given.name}(", equation)
    return equation


class _Lenient(dict):  # type: ignore[type-arg]
    def __missing__(self, key: str) -> str:
        return "{" + key + "}"


def lsuv_values(model: Model, graph: Graph) -> list[Value]:
    """Return the values whose variance an initialiser looks at."""
    from dotnn.codegen.training import rescaled

    return list(rescaled(model, graph).values())


def vanishing(graph: Graph) -> list[Node]:
    """Return what makes values that are zero where what they are made of has overflowed: no loss shows that."""
    return [node for node in graph.phase("forward") if node.hides_overflow]


def _heights(root: Call) -> dict[Call, int]:
    heights: dict[Call, int] = {}

    def visit(call: Call) -> int:
        found = max((visit(c) for c in call.children), default=-1) + 1
        heights[call] = found
        return found

    visit(root)
    return heights
