"""Writing the step. `kernels` has how an op is written here; an op without a kernel is written in its explain form,
through views with the batch in front."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from dotnn.codegen.lines import Banners, loop_steps
from dotnn.ir.graph import Graph
from dotnn.ir.node import Loop, Node, Value, readers
from dotnn.model.model import Model
from dotnn.passes.simplify import drop_unread
from dotnn.targets.numpy.fast.arrays import Arrays
from dotnn.targets.numpy.fast.folding import foldable
from dotnn.targets.numpy.fast.kernels import kernel
from dotnn.targets.numpy.fast.kernels.pieces import like, repeated
from dotnn.targets.numpy.fast.loops import write_loop
from dotnn.targets.numpy.fast.plan import Plan, PlanWriter, words
from dotnn.targets.numpy.fast.sequences import names_in, time_first


class FastEmitter(PlanWriter):
    """Writes the step of one graph. Ops see the methods without underscore."""

    def __init__(self, model: Model, graph: Graph, *, reuse: bool = True, fold: bool = True) -> None:
        self.graph = drop_unread(graph)
        super().__init__(set(words()) | {v.name for v in self.graph.sources()} | names_in(self.graph))
        self.time_first = time_first(self.graph)
        self.arrays = Arrays(
            self.graph, self.plan, self.free_name, time_first=self.time_first, reuse=reuse
        )  # fmt: skip
        self.folded = foldable(self.graph) if fold else {}
        self._carried = {node.ins[0].id for node in self.folded.values()}
        self._paths = {v.id: name for name, v in self.graph.params.items()}
        self.banners = Banners(model)
        self.producers = self.graph.producers()
        self.readers = readers(self.graph.nodes)
        params = [(name, v) for name, v in self.graph.grads.items() if name in self.graph.params]
        self.owners = {v.id: name for name, v in reversed(params)}
        self._ones: dict[int, str] = {}
        self._copies: dict[int, str] = {}
        self._parts: dict[int, tuple[int, int]] = {}
        self.gate_of: dict[int, tuple[str, int, int, int]] = {}
        self._strided: set[int] = set()
        self._in_state = {v.id for v in self.graph.state.values()}
        self._written: set[int] = set()
        self._reading: list[Node] = []

    def emit(self) -> Plan:
        """Write all nodes."""
        self._bind_sources()
        layer = ""
        for node in self.graph.nodes:
            if id(node) not in self._written:
                if node.layer != layer:
                    layer, self.banner = node.layer, self.banners.of(node)
                self._reading = [node]
                write = write_loop if node.loop else kernel(node.rule)
                if write is None or not write(self, node):
                    self._written -= {id(other) for other in self._reading[1:]}  # what the kernel left after all
                    self._reading = [node]
                    self._loop(node, node.loop) if node.loop else self._generic(node)
            self.arrays.release(node)
        self._copy_shared_gradients()
        self._store_state()
        self.plan.drop_unread()
        return self.plan

    # --------------------------------------------------------------------------------------- what ops may call

    def out(self, value: Value, *, over: Sequence[Value] = ()) -> str:
        """Return the name of the array that `value` is written to; it may overwrite a dead operand among `over`."""
        if value.id in self.owners:
            self.arrays.fresh(value, f'grads["{self.owners[value.id]}"]', pinned=True)
        elif (parts := self._gradients(value)) is not None:
            self.arrays.fresh(value, parts, pinned=True)
        elif value.id in self._carried:
            whole = self.once(f"{value.name}_1", f"np.ones(({value.type.example[0] + 1}, size), dtype)", value.id)
            self._ones[value.id] = whole
            self.arrays.fresh(value, f"{whole}[:-1]  # the last row stays 1: it carries the bias", pinned=True)
        elif (part := self._part_of_concat(value)) is not None:
            self.arrays.fresh(value, part, pinned=True)
        elif not self.arrays.take_over(value, over, self._reading):
            self.arrays.empty(value)
        return value.name

    def _gradients(self, value: Value) -> str | None:
        """Return the block of the gradients that a value's rows are, where these lie one behind the other."""
        rows = self.readers.get(value.id, [])
        owners = [self.parameter_of(n.out) for n in rows if n.op == "rows"]
        known = [p for p in owners if p is not None]
        if not known or len(known) != len(rows) or not self.side_by_side(known):
            return None
        return self._block("grads", known)

    def holds_gradients(self, value: Value) -> bool:
        """Whether the rows of a value are gradients, in their places already."""
        return self._gradients(value) is not None

    def parameters(self, values: Sequence[Value]) -> str | None:
        """Return the block of these parameters, where they lie one behind the other."""
        if any(v.role != "param" for v in values) or not self.side_by_side(values):
            return None
        return self._block("params", values)

    def _block(self, table: str, values: Sequence[Value]) -> str:
        parts = ", ".join(f'{table}["{self.path_of(v)}"]' for v in values)
        return f"stacked({parts})"

    def transposed(self, value: Value) -> str:
        """Return a name for the transpose of a value's matrix."""
        return self.bind(f"{value.name}_T", f"{value.name}.T")

    def flat(self, value: Value) -> str:
        """Return a name for a value's numbers in one row; its array must be contiguous, in whatever order of axes."""
        array = f"np.moveaxis({value.name}, 2, 0)" if self.arrays.planar(value) else value.name
        return self.bind(f"{value.name}_flat", f"{self.time_first_name(value) or array}.reshape(-1)")

    def planar(self, value: Value) -> bool:
        """Whether a value's array is held in planes: its view with the channels behind is not contiguous."""
        return self.arrays.planar(value)

    def own(self, value: Value, expression: str) -> None:
        """Give a value an array of its own, which no other value takes over."""
        self.arrays.fresh(value, expression, pinned=True)

    def same(self, value: Value, source: Value) -> None:
        """Let `value` be another name of `source`."""
        self.arrays.alias(value, source, source.name)
        self._in_state |= {value.id} if source.id in self._in_state else set()
        self._strided |= {value.id} if source.id in self._strided else set()

    def view(self, value: Value, source: Value, expression: str) -> None:
        """Let `value` be a view of `source`; views of an array that is only cut into columns are independent."""
        cut = _disjoint(self.readers[source.id]) and source.id not in self.owners
        self.arrays.alias(value, source, expression, cut=cut)
        self._strided |= {value.id} if source.id in self._strided else set()

    def repeat(self, value: Value, source: Value) -> None:
        """Let `value` be a view in which the numbers of `source` are repeated; nothing is written into it."""
        self.arrays.alias(value, source, repeated(source.name, value), fixed=True)
        self._strided.add(value.id)

    def repeat_array(self, value: Value, array: str) -> None:
        """Let `value` be a view in which the numbers of an array that is its own are repeated."""
        self.prepare(f"{value.name} = {repeated(array, value)}")
        self.arrays.fixed.add(value.id)

    def concatenation(self, value: Value) -> None:
        """Make sure that the array of a concatenation exists."""
        if value.id not in self.arrays.of:
            self.arrays.fresh(value, f"np.empty(({value.type.example[0]}, size), dtype)", pinned=True)

    def is_part(self, value: Value, whole: Value, start: int) -> bool:
        """Whether `value` was written straight into its place in a concatenation."""
        return self._parts.get(value.id) == (whole.id, start)

    def parameter_of(self, value: Value) -> Value | None:
        """Return the parameter whose gradient `value` is."""
        return self.graph.params.get(self.owners.get(value.id, ""))

    def contiguous(self, value: Value) -> bool:
        """Whether a value has an array of its own, features first."""
        own = value.id in self.arrays.of and not self.arrays.planar(value)
        return own and not self.time_first_name(value) and value.id not in self._strided

    def example(self, source: Value) -> str:
        """Return the expression of an input's or target's whole array, batch first."""
        name = next(n for n, v in {**self.graph.inputs, **self.graph.targets}.items() if v.id == source.id)
        return f'examples["{name}"]'

    def seed(self, value: Value) -> str | None:
        """Return the cotangent of a loss as an expression, if it is known before the step runs."""
        if self.graph.seed is not None and value.id == self.graph.seed.id:
            return "d_loss"
        node = self.producers.get(value.id)
        if node is None or node.op not in ("scale", "pass_on"):
            return None
        inner = self.seed(node.ins[0])
        return inner if inner is None or node.op == "pass_on" else f"{node.attrs['factor']} * {inner}"

    def with_gradient(self, node: Node) -> Node | None:
        """Return the node of a loss's gradient, if both can be written together; it counts as written then."""
        for other in self.readers.get(node.ins[0].id, []):
            fits = other.op == f"{node.op}_gradient" and other.ins[1:] == node.ins and other.attrs == node.attrs
            if fits and id(other) not in self._written and self.seed(other.ins[0]) is not None:
                self._written.add(id(other))
                self._reading.append(other)
                return other
        return None

    def carrier(self, x: Value) -> str:
        """Return the name of x with its row of ones."""
        return self._ones[x.id]

    def packed(self, table: str, weight: Value) -> str:
        """Return W with its bias as the last row: one block of the flat buffer. `table` is params or grads."""
        path, bias_path = (self._paths[v.id] for v in (weight, self.folded[weight.id].ins[2]))
        prefix = "d_" if table == "grads" else ""
        return self.bind(f"{prefix}{weight.name}b", f'stacked({table}["{path}"], {table}["{bias_path}"])')

    def rows(self, value: Value) -> str:
        """Return a value's array with the batch in front."""
        axes = len(value.type.shape)
        if not value.type.batched or axes < 2 or value.type.dtype != "real":
            return value.name
        if steps := self.time_first_name(value):
            return self.bind(f"{value.name}_rows", f"{steps}.swapaxes(0, 1)")
        return self.bind(f"{value.name}_rows", self._batch_first(value))

    def zeros(self, value: Value) -> None:
        """Give a value zeros that nobody writes over."""
        dims = ", ".join(map(str, like(value)))
        self.arrays.fresh(value, f"np.zeros(({dims}{',' if len(like(value)) == 1 else ''}), dtype)", pinned=True)

    def time_first_name(self, value: Value) -> str:
        """Return the name of a sequence's array [time, batch, features], empty where it does not lie so."""
        return self.arrays.steps.get(value.id, "")

    def steps(self, value: Value) -> str:
        """Return the name of a sequence's array [time, batch, features]; of a copy, where it lies otherwise."""
        if name := self.time_first_name(value):
            return name
        if value.id not in self._copies:
            batch_first = self.bind(f"{value.name}_by_steps", f"{self.rows(value)}.swapaxes(0, 1)")
            time, features = value.type.example
            self._copies[value.id] = self.once(
                f"{value.name}_steps", f"np.empty(({time}, size, {features}), dtype)", ("steps", value.id)
            )
            self.run(f"copyto({self._copies[value.id]}, {batch_first})")
        return self._copies[value.id]

    def steps_elsewhere(self, value: Value, expression: str) -> str:
        """Return a name for the steps of a sequence that lies in another order itself."""
        self._copies[value.id] = self.bind(f"{value.name}_steps", expression)
        return self._copies[value.id]

    def long_rows(self, value: Value) -> str:
        """Return a name for the rows of all steps under each other: one product serves them all."""
        return self.bind(f"{value.name}_long", f"{self.steps(value)}.reshape(-1, {value.type.example[-1]})")

    def by_steps(self, value: Value) -> bool:
        """Whether a sequence is, or will be, held with time first."""
        return value.id in self.time_first

    def strided(self, value: Value, expression: str) -> None:
        """Let `value` be a view whose numbers do not lie side by side."""
        self.arrays.fresh(value, expression, pinned=True)
        self._strided.add(value.id)

    def note_gate(self, out: Value, array: str, home: tuple[Value, int, int] | None, made: Mapping[int, Node]) -> None:
        """Remember that a sequence lies in columns of an array that only holds gates."""
        if home is not None and home[0].id in made:
            self.gate_of[out.id] = (array.partition("[")[0], home[1], home[2], home[0].type.example[-1])

    def mark_written(self, nodes: Iterable[Node]) -> None:
        """Say that nodes are written already."""
        self._written |= {id(node) for node in nodes}

    def path_of(self, param: Value) -> str:
        """Return a parameter's name in the spec's terms."""
        return self._paths[param.id]

    def side_by_side(self, wanted: Sequence[Value]) -> bool:
        """Whether parameters lie one behind the other in the flat buffer, each row as long as the first one's."""
        order, ids = [v.id for v in self.graph.params.values()], [v.id for v in wanted]
        start = order.index(ids[0])
        matrices = [v for v in wanted if len(v.type.shape) == 2]
        # a matrix starts at a multiple of 64 bytes, which are 16 numbers at most
        follows = order[start : start + len(ids)] == ids
        return follows and all(math.prod(v.type.example) % 16 == 0 for v in matrices[:-1])

    def integers(self, value: Value) -> str:
        """Return the name of an input or target of integers, bound where an op reads it as it is."""
        for name, source in {**self.graph.inputs, **self.graph.targets}.items():
            if source.id == value.id and value.type.dtype != "real":
                rows = self.example_array(name, f'examples["{name}"]')
                alias = f"{value.name} = {rows}"
                if alias not in self.plan.setup:
                    self.plan.setup.append(alias)
        return value.name

    # ------------------------------------------------------------------------------------------------- inside

    def _batch_first(self, value: Value) -> str:
        return f"{value.name}.T" if len(value.type.shape) == 2 else f"np.moveaxis({value.name}, -1, 0)"

    def _bind_sources(self) -> None:
        setup = self.plan.setup
        for name, value in {**self.graph.params, **self.graph.state}.items():
            if value.id in self.readers:
                setup.append(f'{value.name} = params["{name}"]')
        for name, value in {**self.graph.inputs, **self.graph.targets}.items():
            if value.id not in self._read_as_is():
                continue
            axes = len(value.type.shape)
            if value.id in self._carried:
                rows = self.example_array(name, f'with_ones(np.asarray(examples["{name}"], dtype))')
                self._ones[value.id] = self.bind(f"{value.name}_1", f"{rows}.T")
                setup.append(f"{value.name} = {self._ones[value.id]}[:-1]")
            elif value.type.dtype == "real":
                rows = self.example_array(name, f'np.asarray(examples["{name}"], dtype)')
                turned = {1: rows, 2: f"{rows}.T"}.get(axes, f"np.moveaxis({rows}, 0, -1)")
                setup.append(f"{value.name} = {turned}")
                self._bound[self._batch_first(value)] = rows

    def _read_as_is(self) -> set[int]:
        """Return what some op reads in its own shape: a class target that is only turned into rows is not."""
        return {v.id for v in [*self.graph.inputs.values(), *self.graph.targets.values()] if v.id in self.readers}

    def _generic(self, node: Node) -> None:
        op, out = node.rule, node.out
        self.plan.helpers |= op.called(node)
        for value in node.ins:
            self.integers(value)
        line = op.line_of_both(node, self.rows)
        held = bool(out.type.shape) or out.id in self.owners  # in an array, as the gradient of a single number is, too
        if held and out.type.dtype == "real":  # whole numbers stay batch first, as they are read
            self.out(out)
            line = f"copyto({self.rows(out)}, {line})"
        else:
            line = f"{out.name} = {line}"
        self.run(line)

    def _loop(self, node: Node, loop: Loop) -> None:
        """Write a loop over time as explain does, on views with the batch in front."""
        for inner in node.all_nodes():
            self.plan.helpers |= inner.rule.called(inner)
        for value in node.ins:
            self.integers(value)
        for value in node.outs:
            self.out(value)
        _, final, summed = loop.outputs(node.outs)
        for value in summed:
            self.run(f"copyto({self.rows(value)}, 0)")
        for line in loop_steps(node, loop, self.rows, "{}[...]"):
            self.run(line)
        for value, last in zip(final, loop.final, strict=True):
            self.run(f"copyto({self.rows(value)}, {last.name})")

    def _part_of_concat(self, value: Value) -> str | None:
        """Return the slice of a concatenation that `value` can be written to directly."""
        for node in self.readers.get(value.id, []):
            if (
                node.op == "concat"
                and len(value.type.shape) == 2
                and value.role == "act"
                and node.ins.count(value) == 1
            ):
                widths = [v.type.example[-1] for v in node.ins]
                start = sum(widths[: node.ins.index(value)])
                self.concatenation(node.out)
                self._parts[value.id] = (node.out.id, start)
                return f"{node.out.name}[{start}:{start + value.type.example[-1]}]"
        return None

    def _copy_shared_gradients(self) -> None:
        """Copy a gradient that two parameters share, or that lives in another array, to where it belongs."""
        for name, value in self.graph.grads.items():
            held = self.arrays.of.get(value.id)
            if self.owners.get(value.id) != name or (held is not None and not held.pinned):
                target = self.bind(f"d_{name.replace('.', '_')}_out", f'grads["{name}"]')
                self.run(f"copyto({target}, {self.rows(value)})")

    def _store_state(self) -> None:
        """Copy what replaces a state to where it belongs, unless it was written there."""
        late = [(n, v) for n, v in self.graph.new_state.items() if v.id not in self._in_state]
        if late:
            self.run("if training:")
        for name, value in late:
            self.run(f"    copyto({self.graph.state[name].name}, {self.rows(value)})")


def _disjoint(nodes: Sequence[Node]) -> bool:
    """Whether all nodes cut columns out of their operand, and no two the same column."""
    if any(n.op != "columns" for n in nodes):
        return False
    pieces = sorted((n.attrs["start"], n.attrs["stop"]) for n in nodes)
    return all(before[1] <= after[0] for before, after in pairwise(pieces))
