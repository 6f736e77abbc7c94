"""The statements of one call's functions, with names of its own."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby

from dotnn.codegen import tree
from dotnn.codegen.names import Scope
from dotnn.codegen.wrap import WIDTH
from dotnn.core.diagnostics import Span
from dotnn.ir.node import Loop, Node, Value
from dotnn.ir.tensor import BATCH
from dotnn.targets.numpy.explain.calls import Call, Item
from dotnn.targets.numpy.explain.flow import Flow, Frame
from dotnn.targets.numpy.explain.functions import Half, Pair, snake_case
from dotnn.targets.numpy.explain.naming import Words, inside
from dotnn.targets.numpy.explain.spec_text import SpecText

FEW_PARAMS = 4
"""So many parameters of a layer are arguments of its function; more come as a dict."""
OWN = {"np", "math", "params", "batch", "cache", "training", "rng", "d_loss", "outputs", "grads", "part", "loss"}
NUMBERS = {2: "two", 3: "three", 4: "four"}


class Writer:
    """Writes the forward and the backward function of one call.

    `served` says which functions the calls in it have. `flat` is the style of a network without functions: parameters
    and gradients have names of their own.
    """

    def __init__(
        self, flow: Flow, frame: Frame, words: Words, spec: SpecText, served: Mapping[Call, Pair], *, flat: bool = False
    ) -> None:
        self.flow, self.frame, self.call, self.words, self.spec = flow, frame, frame.call, words, spec
        self.served, self.flat = served, flat
        self.writers: dict[Call, Writer] = {}
        self.alias: dict[int, Value] = {}
        self.scope = Scope(self._taken())
        self.explicit = self.call.kind == "layer" and len(self._own_params()) <= FEW_PARAMS
        self.child_keys = self._child_keys()
        self._name_values()
        self.keys = self._cache_keys()
        self.unpacked: dict[int, str] = {}
        self.targets: dict[int, list[str]] = {}

    # ------------------------------------------------------------------------------------------------------ names

    def _taken(self) -> set[str]:
        nodes = [n for phase in ("forward", "backward") for i in self.call.items(phase) for n in _nodes(i)]
        taken = set(OWN)
        taken |= {helper for n in nodes for helper in n.rule.helpers}
        taken |= {"t"} if any(n.loop for n in nodes) else set()
        taken |= {"p"} if self.call.parent else set()
        for call in self.call.children:
            base = base_name(call)
            taken |= {base, f"{base}_backward", "n", "d"} | {f"{base}_{k}" for k in range(2, 5)}
        return taken

    def _own_params(self) -> list[str]:
        if self.call.step is None:
            return []
        read = {**self.frame.params, **self.frame.d_params}
        names = {self.flow.params[i] for i in read}
        return [name for name in self.call.step.params.values() if name in names]

    def _child_keys(self) -> dict[Call, str]:
        scope, found = Scope(), {}
        for child in self.call.children:
            path = ".".join(inside(child.params if child.use and child.params else child.path, self.call.path))
            key = path or (child.step.layer.name if child.step else base_name(child))
            number, free = 1, key
            while free in scope.taken:
                number, free = number + 1, f"{key}_{number + 1}"
            scope.taken.add(free)
            found[child] = free
        return found

    def _cache_keys(self) -> dict[int, str]:
        scope = Scope()
        scope.taken = set(self.child_keys.values())
        keys = {}
        for v in self.frame.saved.values():
            name = self.name(v)
            keys[v.id] = scope.free(name if name not in scope.taken else f"{name}_y")
        return keys

    def _name_values(self) -> None:
        self.scope.add(self._operand_names())
        self.scope.add(self._result_names())
        primals = {v.id: self.words.candidates(v, self.call) for v in self._primals()}
        for child in self.call.children:
            for v in self.flow.frames[child].leaving.values():
                primals[v.id] = self._of_child(child, v)
        self._aliases()
        self.scope.add({i: names for i, names in primals.items() if i not in self.alias})
        cotangents = {v.id: self._cotangent(v) for v in self._cotangents()}
        self.scope.add(cotangents)

    def _operand_names(self) -> dict[int, list[str]]:
        """Return what forward is handed: under the block's own names of its inputs, x for a layer."""
        found: dict[int, list[str]] = {}
        call = self.call
        for v in self.frame.entering.values():
            if self.flow.params.get(v.id):
                found[v.id] = self.words.candidates(v, call)
        if call.use is not None:
            given = {self._path_value(path): name for name, path in reversed(call.use.inputs.items())}
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

    def _result_names(self) -> dict[int, list[str]]:
        """Return the names that the spec's statements give, and y for the only result."""
        found: dict[int, list[str]] = {}
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
        return {i: [*names, *self._longer(i)] for i, names in found.items() if i not in self.scope.names}

    def _longer(self, i: int) -> list[str]:
        return []

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
        child = self._sender(v)
        if child is not None:
            through = "_".join(inside(child.path, self.call.path)) or base_name(child)
            shared = any(v in n.ins for n in self.call.backward if isinstance(n, Node) and n.op == "accumulate")
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

    def _sender(self, v: Value) -> Call | None:
        for item in self.call.backward:
            if isinstance(item, Call) and v.id in self.flow.frames[item].sent:
                return item
        return None

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
        readers = Counter(v.id for item in self.call.forward for n in _nodes(item) for v in set(n.ins))
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

    # ------------------------------------------------------------------------------------------------- references

    def stored(self, v: Value, phase: str) -> str:
        """Return where a value that the function does not compute is found: `params["h.W"]`; "" for an argument."""
        if self.flow.owns(self.call, v):
            name = self.flow.params[v.id]
            if self.explicit:
                return ""
            return f'{"p" if self.call.parent else "params"}["{".".join(inside(name, self.call.params))}"]'
        if phase == "forward":
            return f'batch["{self._source(v)}"]' if self.call.parent is None and v.id in self.flow.sources else ""
        flow = self.flow
        elsewhere = v.id in flow.home_back or v.id in flow.of_loss or v.id in self.words.inner
        if elsewhere or v.role == "seed" or v.id in self.frame.returning:
            return ""
        if self.call.parent is None and v.id in self.flow.sources:
            return f'batch["{self._source(v)}"]'
        return "cache" + self._cache_path(v)

    def _source(self, v: Value) -> str:
        graph = self.flow.graph
        return next(name for t in (graph.inputs, graph.targets) for name, x in t.items() if x.id == v.id)

    def _cache_path(self, v: Value) -> str:
        place = self.flow.saved_in(v, self.call)
        assert place is not None, v.name
        chain = [c for c in place.ancestors() if c not in list(self.call.ancestors())][::-1]
        text, writer = "", self
        for call in chain:
            text += f'["{writer.child_keys[call]}"]'
            writer = writer.writers[call]
        return f'{text}["{writer.keys[v.id]}"]'

    def ref(self, v: Value, phase: str) -> str:
        """Return a value as an expression of the function."""
        if v.id in self.unpacked:
            return self.unpacked[v.id]
        if v.id in self.targets:
            return self.targets[v.id][0]
        return self.stored(v, phase) or self.name(v)

    # ------------------------------------------------------------------------------------------------- paragraphs

    def paragraphs(self, phase: str) -> list[tuple[Span | None, list[Item]]]:
        """Return the items of a function by the statement they belong to, one after the other."""

        def key(item: Item) -> Span | None:
            return self.spec.statement(item) if isinstance(item, Call) else self.spec.in_call(item, self.call)

        return [(span, list(items)) for span, items in groupby(self.call.items(phase), key)]

    def heading(self, span: Span | None, items: Sequence[Item]) -> list[tree.Stmt]:
        """Return the heading of a paragraph; a layer's function needs none."""
        if self.call.kind == "layer":
            return []
        if span is not None:
            return [tree.Heading(self.spec.text(span), self.spec.place(span))]
        first = next((n for i in items for n in _nodes(i)), None)
        if first is None or not first.layer:
            return [tree.Blank()]
        if first.op in ("accumulate", "zeros_like") and first.span is None:
            shared = first.op == "accumulate"
            return [tree.Heading("what is used several times" if shared else "what the loss does not depend on")]
        return [tree.Heading(first.layer, self.spec.place(first.span))]

    def wanted(self, phase: str, items: Iterable[Item]) -> list[Value]:
        """Return what items read, as often as they do."""
        found = []
        for item in items:
            if isinstance(item, Node):
                found += [*self._reads(item)]
            else:
                found += [v for v in self.handed(item, phase) if isinstance(v, Value)]
        return found

    def _reads(self, node: Node) -> list[Value]:
        if node.loop is None:
            text = node.rule.line_of_both(node, lambda v: f"<{v.id}>")
            return [v for v in node.ins for _ in range(max(1, text.count(f"<{v.id}>") // node.ins.count(v)))]
        inner = node.loop.made()
        inside_reads = [v for n in node.loop.nodes for v in n.ins if v.id not in inner]
        return [*self.flow.reads(node), *inside_reads]

    def choose_unpacked(self, phase: str) -> set[int]:
        """Return the stored values that get a name first: all of a flat network, else what is read several times."""
        counts = Counter(v.id for v in self.wanted(phase, self.call.items(phase)))
        values = {v.id: v for v in self.wanted(phase, self.call.items(phase))}
        chosen = set()
        for i, v in values.items():
            stored = self.stored(v, phase)
            if not stored:
                continue
            layer_cache = self.call.kind == "layer" and stored.startswith("cache")
            flat = self.flat and (stored.startswith(("params", "batch", "cache")))
            often = counts[i] > 1 or stored.startswith("batch")
            if layer_cache or flat or often or (stored.count("[") > 1 and counts[i] > 1):
                chosen.add(i)
        return chosen

    def unpack(self, values: Iterable[Value], phase: str) -> list[tree.Stmt]:
        """Return the statements that name stored values."""
        groups: dict[str, list[Value]] = {}
        for v in {v.id: v for v in values}.values():
            if v.id not in self.unpacked:
                groups.setdefault(self.stored(v, phase).partition("[")[0], []).append(v)
        made: list[tree.Stmt] = []
        few = [(self.name(v), self.stored(v, phase)) for some in groups.values() for v in some]
        if 1 < len(few) <= 3 and len(groups) > 1 and sum(len(a) + len(b) for a, b in few) < 85:
            self.unpacked |= {v.id: self.name(v) for some in groups.values() for v in some}
            return [_pairs(few)]
        for container in ("batch", "params", "p", "cache"):
            chosen = groups.get(container, [])
            pairs = [(self.name(v), self.stored(v, phase)) for v in chosen]
            made += unpacking(container, pairs)
            self.unpacked |= {v.id: self.name(v) for v in chosen}
        return made

    # ---------------------------------------------------------------------------------------------------- forward

    def forward(self) -> Half:
        """Return the forward function."""
        self.unpacked = {}
        body = self._body("forward", self.forward_call)
        return Half(self.arguments("forward"), body, [self.name(v) for v in self.leaving()])

    def leaving(self) -> list[Value]:
        """Return what forward returns, in order."""
        return list(self.frame.leaving.values())

    def cache(self) -> dict[str, str]:
        """Return what forward saves itself, by key."""
        return {self.keys[v.id]: self.ref(v, "forward") for v in self.frame.saved.values()}

    def _body(self, phase: str, write_call: Callable[[Call, Sequence[Call]], list[tree.Stmt]]) -> list[tree.Stmt]:
        chosen = self.choose_unpacked(phase)
        body: list[tree.Stmt] = []
        at_top = phase == "backward" and (self.call.kind == "layer" or (self.flat and len(chosen) <= 9))
        at_top = at_top or self.call.kind == "layer"
        if at_top:
            wanted = self.wanted(phase, self.call.items(phase))
            body += self.unpack([v for v in wanted if v.id in chosen], phase)
        for span, items in self.paragraphs(phase):
            made: list[tree.Stmt] = []
            copies = self.copies(items)
            skipped = {c for run in copies.values() for c in run[1:]}
            for item in items:
                if isinstance(item, Call) and item in skipped:
                    continue
                made += self.unpack([v for v in self.wanted(phase, [item]) if v.id in chosen], phase)
                made += self.node(item, phase) if isinstance(item, Node) else write_call(item, copies.get(item, [item]))
            if made:
                body += [*self.heading(span, items), *made]
        return body

    def handed(self, child: Call, phase: str) -> list[Value | str]:
        """Return the arguments of a call: values, and words."""
        frame, writer = self.flow.frames[child], self.writers[child]
        pair = self.served[child]
        if phase == "forward":
            values: list[Value | str] = list(frame.entering.values())
            params = writer.param_arguments("forward", self.writer_of(pair))
            modes = ["training"] * (frame.modes or frame.draws) + ["rng"] * frame.draws
            return [*values, *params, *modes]
        values = list(writer.returning())
        return [*values, *writer.param_arguments("backward", self.writer_of(pair))]

    def writer_of(self, pair: Pair) -> Writer:
        """Return the writer of a pair of functions."""
        return self.root_writers[pair.call]

    root_writers: Mapping[Call, Writer]

    def param_arguments(self, phase: str, model: Writer) -> list[Value | str]:
        """Return the parameters that a call's function is handed: the values, or `p` for all of them."""
        frame = model.frame
        read = frame.params if phase == "forward" else frame.d_params
        if not model.explicit:
            return ["p"] if read else []
        short = [name.rpartition(".")[2] for name in model.in_order(read)]
        step = self.call.step
        assert step is not None
        graph = self.flow.graph
        every = {**graph.params, **graph.state}
        return [every[step.params[name]] for name in short]

    def in_order(self, read: Mapping[int, Value]) -> list[str]:
        """Return the names of parameters in the order of the layer."""
        assert self.call.step is not None
        names = {self.flow.params[i] for i in read}
        return [name for name in self.call.step.params.values() if name in names]

    def returning(self) -> list[Value]:
        """Return what backward is handed besides parameters and cache: the results' cotangents first."""
        order = {self.resolved(v).id: k for k, v in enumerate(self.leaving())}
        order |= {v.id: k for k, v in enumerate(self.leaving())}

        def place(v: Value) -> int:
            primal, _ = self.words.of_cotangent(v)
            return order.get(primal.id, len(order)) if primal is not None else len(order)

        return sorted(self.frame.returning.values(), key=place)

    def arguments(self, phase: str) -> list[str]:
        """Return the names of a function's arguments."""
        if self.call.parent is None:
            return []
        frame = self.frame
        if phase == "forward":
            names = [self.name(v) for v in frame.entering.values()]
            names += self._param_names("forward")
            return names + ["training"] * (frame.modes or frame.draws) + ["rng"] * frame.draws
        cached = ["cache"] if self.reads_cache() else []
        return [*(self.name(v) for v in self.returning()), *self._param_names("backward"), *cached]

    def reads_cache(self) -> bool:
        """Whether backward reads what forward has saved."""
        return bool(self.frame.saved) or any(self.served[c].saves for c in self.call.children)

    def _param_names(self, phase: str) -> list[str]:
        read = self.frame.params if phase == "forward" else self.frame.d_params
        if not self.explicit:
            return ["p"] if read else []
        every = {**self.flow.graph.params, **self.flow.graph.state}
        return [self.name(every[name]) for name in self.in_order(read)]

    def copies(self, items: Sequence[Item]) -> dict[Call, list[Call]]:
        """Return the runs of equal copies of a block, by their first call, where a loop can run through them."""
        found: dict[Call, list[Call]] = {}
        run: list[Call] = []
        for item in [*items, None]:
            if isinstance(item, Call) and item.use and run and self._goes_on(run[-1], item):
                run.append(item)
                continue
            if len(run) > 1:
                found[run[0]] = list(run)
            run = [item] if isinstance(item, Call) and item.use else []
        return found

    def _goes_on(self, one: Call, other: Call) -> bool:
        """Whether a call does the same as the one before it, with what that has made alone."""
        if one.use is None or other.use is None or one.use.span != other.use.span:
            return False
        if self.served[one] is not self.served[other]:
            return False
        forward = sorted((one, other), key=lambda c: self.call.forward.index(c))
        first, second = (self.flow.frames[c] for c in forward)
        chained = list(first.leaving) == list(second.entering) and len(first.leaving) == 1
        copies = [c for c in self.call.children if c.use and c.use.span == one.use.span]
        alone = all(len(self.flow.frames[c].returning) <= 1 for c in copies)
        sends = self._back_alike(copies)
        read = self.flow.graph.outputs.values()
        shown = any(v.id in first.leaving for v in read) or bool(first.leaving.keys() & self.frame.saved.keys())
        return chained and alone and sends and not shown and bool(second.call.params or not first.params)

    def _back_alike(self, copies: Sequence[Call]) -> bool:
        """Whether all copies go back in a row, or none does."""
        places = [self.call.backward.index(c) for c in copies if c in self.call.backward]
        if not places:
            return True
        in_a_row = len(places) == len(copies) and max(places) - min(places) == len(places) - 1
        return in_a_row and all(self._sent_alike(c) for c in copies)

    def _sent_alike(self, call: Call) -> bool:
        frame = self.flow.frames[call]
        others = [v for v in frame.sent.values() if not self.writers[call].keyed(v)]
        final = self.final_entries()
        entries = [final.get(v.id, []) for v in frame.sent.values() if v not in others]
        back = self.served[call].backward
        one = len(self.flow.frames[call].returning) == 1 and back is not None and len(back.results) <= 1
        return one and len(others) <= 1 and all(len(keys) == 1 for keys in entries)

    def forward_call(self, child: Call, copies: Sequence[Call]) -> list[tree.Stmt]:
        """Return the statement that calls a function, or the loop over copies of a block."""
        pair, frame = self.served[child], self.flow.frames[copies[-1]]
        results = [self.name(v) for v in frame.leaving.values()]
        origin = tree.Origin("call", pair.base, child.path)
        if len(copies) == 1:
            targets = [*results, *([f'cache["{self.child_keys[child]}"]'] if pair.saves else [])]
            code = f"{pair.name}({', '.join(self._texts(child, 'forward'))})"
            return [tree.Assign(tuple(targets), code, origin=origin) if targets else tree.Do(code, origin)]
        (entering,) = self.flow.frames[child].entering.values()
        state = results[0]
        start = self.ref(entering, "forward")
        arguments = [state, *self._texts(child, "forward", loop=True)[1:]]
        targets = [state, *(["cache[n]"] if pair.saves else [])]
        step = tree.Assign(tuple(targets), f"{pair.name}({', '.join(arguments)})", origin=origin)
        begin = [tree.Assign((state,), start)] if start != state else []
        return [*begin, self._loop(copies, step)]

    def _loop(self, copies: Sequence[Call], *steps: tree.Stmt) -> tree.For:
        keys = [self.child_keys[c] for c in copies]
        texts = [f'"{key}"' for key in keys]
        numbered = [re.fullmatch(r"(.*?)(\d+)", key) for key in keys]
        prefixes = {m[1] for m in numbered if m}
        numbers = [int(m[2]) for m in numbered if m]
        if len(keys) > 3 and len(prefixes) == 1 and len(numbers) == len(keys):
            up = numbers[1] > numbers[0]
            order = f"range({min(numbers)}, {max(numbers) + 1})"
            order = order if up else f"reversed({order})"
            name = tree.Assign(("n",), f'f"{prefixes.pop()}{{i}}"')
            return tree.For(f"for i in {order}", (name, *steps))
        return tree.For(f"for n in ({', '.join(texts)})", tuple(steps))

    def _texts(self, child: Call, phase: str, *, loop: bool = False) -> list[str]:
        texts = []
        for word in self.handed(child, phase):
            if isinstance(word, Value):
                texts.append(self.ref(word, phase))
            elif word == "p":
                texts.append(self._part(child, loop=loop))
            else:
                texts.append(word)
        return texts

    def _part(self, child: Call, *, loop: bool) -> str:
        own = "p" if self.call.parent else "params"
        path = ".".join(inside(child.params, self.call.params)) if child.params != self.call.params else ""
        if loop:
            return f"part({own}, n)"
        return f'part({own}, "{path}")' if path else own

    # --------------------------------------------------------------------------------------------------- backward

    def keyed(self, v: Value) -> str:
        """Return the key under which backward returns a parameter's gradient, "" for what is no entry of that dict."""
        if self.call.parent is None or self.explicit or v.id not in self.frame.sent:
            return ""
        primal, _ = self.words.of_cotangent(v)
        if primal is None or not self.flow.owns(self.call, primal):
            return ""
        return ".".join(inside(self.flow.params[primal.id], self.call.params))

    def final_entries(self) -> dict[int, list[str]]:
        """Return the values that are entries of this function's own dict of gradients, with their keys."""
        if self.call.parent is not None:
            return {v.id: [key] for v in self.frame.sent.values() if (key := self.keyed(v))}
        found: dict[int, list[str]] = {}
        for name, v in self.flow.graph.grads.items():
            found.setdefault(v.id, []).append(name)
        return found

    def sent(self) -> list[Value]:
        """Return what backward returns besides the dict, in order: operands, then parameters."""
        order = {i: k for k, i in enumerate(self.frame.entering)}
        if self.call.step is not None:
            names = list(self.call.step.params.values())
            every = {**self.flow.graph.params, **self.flow.graph.state}
            order |= {every[name].id: len(order) + k for k, name in enumerate(names)}

        def place(v: Value) -> int:
            primal, _ = self.words.of_cotangent(v)
            return order.get(primal.id, len(order)) if primal is not None else len(order)

        return sorted((v for v in self.frame.sent.values() if not self.keyed(v)), key=place)

    def entries(self) -> list[str]:
        """Return the keys of the dict that backward returns."""
        return [key for v in self.frame.sent.values() if (key := self.keyed(v))]

    def backward(self) -> Half | None:
        """Return the backward function, None where nothing goes back."""
        if not self.call.backward:
            return None
        self.unpacked = {}
        self.targets = {}
        if not self.flat:
            self.targets = {i: [f'grads["{key}"]' for key in keys] for i, keys in self.final_entries().items()}
        body = self._body("backward", self.backward_call)
        results = [self.ref(v, "backward") for v in self.sent()]
        return Half(self.arguments("backward"), body, results, self.entries())

    def backward_call(self, child: Call, copies: Sequence[Call]) -> list[tree.Stmt]:
        """Return the statements that call a backward function, and take its gradients over."""
        pair, writer = self.served[child], self.writers[child]
        back = pair.backward
        assert back is not None
        if len(copies) > 1:
            return self._back_through(copies)
        own = {writer.ref(v, "backward"): v for v in writer.sent()}
        targets = [self._target(own[name]) if name in own else "_" for name in back.results]
        values = [v for v in self.flow.frames[child].sent.values() if writer.keyed(v)]
        final = self.final_entries() if not self.flat else {}
        alone = sum(c.params == child.params for c in self.call.children) == 1
        whole = bool(values) and (alone or all(v.id in final for v in values))
        whole = whole and all(len(final.get(v.id, [""])) == 1 for v in values)
        dictionary = "d" if whole or not values else self.scope.free(f"d_{base_name(child)}_params")
        prefix = "".join(f"{part}." for part in inside(child.params, self.call.params))
        for v in values:
            if v.id not in final:
                key = writer.keyed(v)
                self.targets[v.id] = [f'grads["{prefix}{key}"]' if whole else f'{dictionary}["{key}"]']
        if back.keys:
            targets.append(dictionary if values else "_")
        arguments = [*self._texts(child, "backward"), *self._cache_of(child, back, f'"{self.child_keys[child]}"')]
        code, origin = f"{pair.name}_backward({', '.join(arguments)})", tree.Origin("call", pair.base, child.path)
        step: tree.Stmt = tree.Assign(tuple(targets), code, origin=origin) if targets else tree.Do(code, origin)
        more = [
            tree.Assign((other,), texts[0])
            for v in own.values()
            for texts in [self.targets.get(v.id, [])]
            for other in texts[1:]
        ]
        return [step, *self._take(child, values, dictionary, whole=whole), *more]

    def _cache_of(self, child: Call, back: Half, key: str) -> list[str]:
        return [f"cache[{key}]"] if "cache" in back.arguments else []

    def _back_through(self, copies: Sequence[Call]) -> list[tree.Stmt]:
        """Return the loop back through the copies of a block; one cotangent is carried by its name."""
        pair = self.served[copies[0]]
        back = pair.backward
        assert back is not None
        (first,) = self.writers[copies[0]].returning()
        state = self.name(first)
        targets = [*(state for _ in back.results), *(["d"] if back.keys else [])]
        arguments = [state, *self._texts(copies[0], "backward", loop=True)[1:], *self._cache_of(copies[0], back, "n")]
        origin = tree.Origin("call", pair.base, copies[0].path)
        steps: list[tree.Stmt] = [
            tree.Assign(tuple(targets), f"{pair.name}_backward({', '.join(arguments)})", origin=origin)
        ]
        if back.keys:
            steps.append(tree.Assign(("grads",), '{f"{n}.{name}": g for name, g in d.items()}', sign="|="))
        start = self.ref(first, "backward")
        begin = [tree.Assign((state,), start)] if start != state else []
        after = [tree.Assign((self._target(v),), state) for v in self.writers[copies[-1]].sent()]
        return [*begin, self._loop(copies, *steps), *(a for a in after if a.targets[0] != state)]

    def _take(self, child: Call, values: Sequence[Value], dictionary: str, *, whole: bool) -> list[tree.Stmt]:
        """Return the statements that put a call's gradients among this function's own."""
        if whole:
            path = ".".join(inside(child.params, self.call.params)) if child.params != self.call.params else ""
            text = f'{{f"{path}.{{name}}": g for name, g in {dictionary}.items()}}' if path else dictionary
            return [tree.Assign(("grads",), text, sign="|=")]
        key = self.writers[child].keyed
        return [
            tree.Assign((target,), f'{dictionary}["{key(v)}"]')
            for v in values
            for target in self.targets.get(v.id, [])
            if target != f'{dictionary}["{key(v)}"]'
        ]

    # ------------------------------------------------------------------------------------------------------ nodes

    def node(self, node: Node, phase: str) -> list[tree.Stmt]:
        """Return the statements of one node."""
        if node.loop is not None:
            return self.loop(node, node.loop, phase)
        targets = self.targets.get(node.out.id) or [self.name(node.out)]
        made: list[tree.Stmt] = [
            tree.Assign((targets[0],), self.expression(node, phase), self.comment(node), origin=self.origin(node))
        ]
        return [*made, *(tree.Assign((other,), targets[0]) for other in targets[1:])]

    def origin(self, node: Node) -> tree.Origin:
        """Return where a statement comes from."""
        line = self.spec.source.line_of(node.span)
        return tree.Origin(node.op, node.outs[0].name if node.outs else "", node.layer, line)

    def expression(self, node: Node, phase: str, inner: Mapping[int, str] = {}) -> str:
        """Return the right side of a node's statement; `inner` are expressions for values of a loop."""
        text = node.rule.line_of_both(node, lambda v: inner.get(v.id) or self.ref(v, phase))
        like = self.flow.sized_like(node, self.call)
        if like is not None:
            size = str(tuple(node.attrs["size"]))
            text = text.replace(f"size={size}", f"size={self.ref(like, phase)}.shape[1:{1 + len(node.attrs['size'])}]")
        return re.sub(r"\bstep\b", "t", text) if node.rule.uses_step else text

    def comment(self, node: Node) -> str:
        """Return the shape of a result, and what its layer says of it."""
        shape = str(node.out.type) if node.out.type.shape else ""
        says = node.attrs.get("says", "")
        if node.op == "accumulate" and not says:
            primal, _ = self.words.of_cotangent(node.out)
            count = NUMBERS.get(len(node.ins), str(len(node.ins)))
            says = f"{count} uses of {self.name(primal)}" if primal is not None else ""
        return "   ".join(part for part in (shape, says) if part)

    # ------------------------------------------------------------------------------------------------------ loops

    def loop(self, node: Node, loop: Loop, phase: str) -> list[tree.Stmt]:
        """Return a loop over time."""
        collected, final, summed = loop.outputs(node.outs)
        record = self.flow.records.get(node.outs[0].id) if phase == "forward" else None
        arrays = [
            (out, v) for out, v in zip(collected, loop.collected, strict=True) if out.id not in self.flow.record_of
        ]
        like = self._like(node, phase)
        made = self._arrays([out for out, _ in arrays], like)
        made += [tree.Assign((self._target(out),), self._zeros(out, like)) for out in summed]
        if record:
            start = f"[None] * {loop.steps}" if loop.reverse else "[]"
            made.append(tree.Assign((self.name(record.whole),), start))
        made += self._states(node, loop, phase)
        body = self._step(node, loop, phase)
        for out, v in arrays:
            body.append(tree.Assign((f"{self._target(out)}[:, t]",), self._inner(loop, v)))
        if record:
            values = ", ".join(self._inner(loop, v) for v in record.inner)
            values = f"({values}{',' if len(record.inner) == 1 else ''})"
            steps = self.name(record.whole)
            body.append(tree.Assign((f"{steps}[t]",), values) if loop.reverse else tree.Do(f"{steps}.append({values})"))
        head = loop.order().replace("step", "t")
        made.append(tree.For(f"for t in {head}", tuple(body)))
        for out, v in zip(final, loop.final, strict=True):
            if out.id not in self.alias:
                made.append(tree.Assign((self._target(out),), self.name(v)))
        for out in node.outs:
            made += [tree.Assign((t,), self.targets[out.id][0]) for t in self.targets.get(out.id, [])[1:]]
        return made

    def _target(self, v: Value) -> str:
        return self.targets[v.id][0] if v.id in self.targets else self.name(v)

    def _inner(self, loop: Loop, v: Value) -> str:
        return self.sliced.get(v.id) or self.name(v)

    sliced: dict[int, str] = {}

    def _like(self, node: Node, phase: str) -> str:
        real = [v for v in node.ins if v.type.dtype == "real" and v.type.batched and v.id not in self.flow.record_of]
        if real:
            return self.ref(real[0], phase)
        (record,) = [self.flow.record_of[v.id] for v in node.ins if v.id in self.flow.record_of][:1]
        return f"{self.ref(record.whole, phase)}[0][0]"

    def _arrays(self, values: Sequence[Value], like: str) -> list[tree.Stmt]:
        return [tree.Assign((self._target(v),), self._zeros(v, like), str(v.type)) for v in values]

    def _zeros(self, v: Value, like: str) -> str:
        dims = [f"len({like})" if size == BATCH else str(size) for size in v.type.shape]
        return f"np.zeros(({', '.join(dims)}{',' if len(dims) == 1 else ''}), {like}.dtype)"

    def _states(self, node: Node, loop: Loop, phase: str) -> list[tree.Stmt]:
        pairs = [
            (self.name(last), self.ref(first, phase))
            for last, first in zip(loop.leaving, loop.initial(node.ins), strict=True)
        ]
        return [
            tree.Assign(tuple(a for a, _ in some), ", ".join(b for _, b in some))
            for some in [[(a, b) for a, b in pairs if a != b]]
            if some
        ]

    def _step(self, node: Node, loop: Loop, phase: str) -> list[tree.Stmt]:
        """Return the statements of one step."""
        body: list[tree.Stmt] = []
        pairs = [(self.name(v), self.name(last)) for v, last in zip(loop.entering, loop.leaving, strict=True)]
        pairs = [(a, b) for a, b in pairs if a != b]
        if pairs:
            body.append(tree.Assign(tuple(a for a, _ in pairs), ", ".join(b for _, b in pairs)))
        sliced = self._slices(node, loop, phase, body)
        self.sliced = sliced
        added = {v.id: self._target(out) for v, out in zip(loop.summed, loop.outputs(node.outs)[2], strict=True)}
        for inner in loop.nodes:
            if inner.out.id in self.alias:
                continue
            expression = self.expression(inner, phase, sliced)
            origin = self.origin(inner)
            if inner.out.id in added:
                shape = str(inner.out.type)
                body.append(tree.Assign((added[inner.out.id],), expression, shape, "+=", origin))
            else:
                body.append(tree.Assign((self.name(inner.out),), expression, self.comment(inner), origin=origin))
        return body

    def _slices(self, node: Node, loop: Loop, phase: str, body: list[tree.Stmt]) -> dict[int, str]:
        """Return what the values of the step are called that are cut out of sequences; append what names them."""
        uses = Counter(v.id for n in loop.nodes for v in n.ins)
        sliced: dict[int, str] = {}
        record_names: dict[int, str] = {}
        for v, whole in zip(loop.slices, loop.sequences(node.ins), strict=True):
            record = self.flow.record_of.get(whole.id)
            if record is not None:
                record_names[v.id] = self.name(v)
                continue
            text = f"{self.ref(whole, phase)}[:, t]"
            if uses[v.id] <= 1 and whole.id not in self.targets:
                sliced[v.id] = text
            else:
                body.append(tree.Assign((self.name(v),), text))
        for record in {
            self.flow.record_of[w.id].whole.id: self.flow.record_of[w.id]
            for w in loop.sequences(node.ins)
            if w.id in self.flow.record_of
        }.values():
            names = [record_names.get(v.id, "_") for v in record.inner]
            body.append(
                tree.Assign((*names, *([""] if len(names) == 1 else [])), f"{self.ref(record.whole, phase)}[t]")
            )
        return sliced


def _nodes(item: Item) -> list[Node]:
    """Return a node, and those of its loop; nothing for a call."""
    return list(item.all_nodes()) if isinstance(item, Node) else []


def base_name(call: Call) -> str:
    """Return what the function of a call is called, if it is the only one of its kind."""
    if call.use is not None:
        return snake_case(call.use.block)
    assert call.step is not None
    return call.step.layer.name


def operand_names(call: Call) -> list[str]:
    """Return what a layer's function calls its operands."""
    step = call.step
    assert step is not None
    if "attention" in step.layer.name and len(step.ins) > 1:
        own = ["query", "value", "key", "mask"] if step.params else ["query", "key", "value", "mask"]
        return own[: len(step.ins)]
    return ["x", "mask"][: len(step.ins)] if len(step.ins) <= 2 else [f"x{k + 1}" for k in range(len(step.ins))]


def unpacking(container: str, pairs: Sequence[tuple[str, str]]) -> list[tree.Stmt]:
    """Return `a, b = cache["a"], cache["b"]`, as much on a line as fits."""
    plain = all(text == f'{container}["{name}"]' for name, text in pairs)
    if len(pairs) > 3 and plain:
        names = ", ".join(name for name, _ in pairs)
        keys = ", ".join(f'"{name}"' for name, _ in pairs)
        line = f"{names} = ({container}[n] for n in ({keys}))"
        if len(line) <= WIDTH - 4:
            return [tree.Assign(tuple(name for name, _ in pairs), f"({container}[n] for n in ({keys}))")]
    made: list[tree.Stmt] = []
    some: list[tuple[str, str]] = []
    for pair in pairs:
        longer = [*some, pair]
        length = sum(len(a) + len(b) + 4 for a, b in longer)
        if some and (length > WIDTH - 8 or len(longer) > 4):
            made.append(_pairs(some))
            longer = [pair]
        some = longer
    return [*made, _pairs(some)] if some else made


def _pairs(pairs: Sequence[tuple[str, str]]) -> tree.Stmt:
    return tree.Assign(tuple(a for a, _ in pairs), ", ".join(b for _, b in pairs))
