"""Writing the step as the placement has it. `kernels` has how an op is written here; a line that is neither
that nor a formula is written in its explain form, through views with the batch in front."""

from __future__ import annotations

from dotnn.codegen.lines import Banners, loop_steps
from dotnn.ir.graph import Graph
from dotnn.ir.node import Loop, Node, Value, readers
from dotnn.model.model import Model
from dotnn.targets.numpy.fast.arrays import like, new_array, planes, repeated, turned
from dotnn.targets.numpy.fast.kernels import kernel_of
from dotnn.targets.numpy.fast.loops import LoopWriter
from dotnn.targets.numpy.fast.placement.batch import place
from dotnn.targets.numpy.fast.placement.places import Piece, Place, Rows
from dotnn.targets.numpy.fast.plan import STEP, Plan, PlanWriter, words

WRITTEN = ("same", "columns", "reshaped", "repeated", "parameters", "within")
"""The places whose numbers are there already."""


def names_in(graph: Graph) -> set[str]:
    """Return the names of all values that nodes assign, and of those that belong to steps of loops."""
    loops = [n.loop for n in graph.all_nodes() if n.loop]
    found = {v.name for n in graph.all_nodes() for v in n.outs}
    return found | {v.name for loop in loops for v in (*loop.slices, *loop.entering)}


class FastEmitter(PlanWriter):
    """Writes one graph: a training step, or a prediction. Ops see the methods without underscore."""

    def __init__(self, model: Model, graph: Graph) -> None:
        self.graph = graph
        super().__init__(set(words()) | {v.name for v in self.graph.sources()} | names_in(self.graph))
        self.placed = place(self.graph)
        self.folded, self.owners = self.placed.folded, self.placed.owners
        self._paths = {v.id: name for name, v in self.graph.params.items()}
        self.banners = Banners(model)
        self.producers = self.graph.producers()
        self.readers = readers(self.graph.nodes)
        self._ones: dict[int, str] = {}
        self._rows: dict[Rows, str] = {}
        self._made: set[int] = set()

    def emit(self) -> Plan:
        """Write all nodes."""
        self._bind_sources()
        layer, written = "", {id(n) for n in self.placed.pairs.values()}
        for node in self.graph.nodes:
            if id(node) not in written:
                if node.layer != layer:
                    layer, self.banner = node.layer, self.banners.of(node)
                self._node(node)
        self._copy_gradients()
        self._store_state()
        self.plan.results = {name: self.rows(value) for name, value in self.graph.outputs.items()}
        self.plan.drop_unread()
        return self.plan

    def _node(self, node: Node) -> None:
        loop = self.placed.loops.get(id(node))
        if loop is not None:
            LoopWriter(self, loop).write()
        elif node.loop is not None:
            self._loop(node, node.loop)
        elif self._place(node.out).how in WRITTEN and kernel_of(node).result != "first":
            self.out(node.out)
        elif not (write := kernel_of(node).write) or not write(self, node):
            self._generic(node)

    # --------------------------------------------------------------------------------------- what ops may call

    def out(self, value: Value) -> str:
        """Return the name of the array that `value` is written to."""
        if value.id in self.placed.places and value.id not in self._made:
            self._made.add(value.id)
            place = self._place(value)
            if place.of is not None:
                self.out(place.of)
            self._make(value, place)
        return value.name

    def features(self, value: Value, start: int, stop: int, hint: str) -> str:
        """Return a name for some features of a value's array."""
        return self.bind(f"{value.name}_{hint}", f"{self.out(value)}[{start}:{stop}]")

    def _place(self, value: Value) -> Place:
        return self.placed.places[value.id]

    def _make(self, value: Value, place: Place) -> None:
        """Bind a value's name to its place."""
        first = place.buffer.first if place.buffer else value
        if place.how not in ("kernel", "within"):
            said = "the last row stays 1: it carries the bias" if place.how == "carrier" else ""
            self.prepare(f"{value.name} = {self._expression(value, place, first)}", said)
        if place.how == "over":
            self.plan.reused.add(value.name)
        if place.how in ("new", "zeros"):
            self.sized(value.name, like(value))

    def _expression(self, value: Value, place: Place, first: Value) -> str:
        """Return what a value's name is bound to."""
        source = place.of.name if place.of else ""
        dims = ", ".join(map(str, like(value)))
        new = planes if self.planar(value) else turned if self.by_rows(value) else new_array
        spelled = {
            "rows": lambda: self.piece(place.piece) if place.piece else "",
            "new": lambda: new(like(value)),
            "zeros": lambda: new(like(value), start="0"),
            "over": lambda: first.name,
            "same": lambda: source,
            "columns": lambda: f"{source}[{place.start}:{place.stop}]",
            "part": lambda: f"{source}[{place.start}:{place.stop}]" if place.stop else f"{source}[{place.start}]",
            "reshaped": lambda: f"{source}.reshape({dims})",
            "repeated": lambda: repeated(source, value),
            "gradient": lambda: self._block("grads", place.paths),
            "parameters": lambda: self._block("params", place.paths),
            "carrier": lambda: f"{self._with_ones(value)}[:-1]",
        }
        return spelled[place.how]()

    def _block(self, table: str, paths: tuple[str, ...]) -> str:
        parts = ", ".join(f'{table}["{path}"]' for path in paths)
        return f"stacked({parts})" if len(paths) > 1 else parts

    def _with_ones(self, value: Value) -> str:
        rows = value.type.example[0] + 1
        name = self.once(f"{value.name}_1", new_array((rows, "size"), start="1"), value.id)
        self._ones[value.id] = self.sized(name, (rows, "size"))
        return name

    def piece(self, piece: Piece) -> str:
        """Return the expression of a piece of an array of all steps."""
        rows = f"{piece.start}" if piece.single else f"{piece.start or ''}:{'' if piece.stop is None else piece.stop}"
        if piece.columns:
            return f"{self.rows_of(piece.rows)}[{rows}, {piece.columns[0]}:{piece.columns[1]}]"
        return self.rows_of(piece.rows) + (f"[{rows}]" if rows != ":" else "")

    def rows_of(self, rows: Rows) -> str:
        """Return the name of an array of all steps."""
        if rows.sequence is not None:
            return self.out(rows.sequence)
        if rows not in self._rows:
            dims = (rows.steps, rows.width, "size")
            made = self.rows_of(rows.over) if rows.over else new_array(dims)
            name = self._rows[rows] = self.once(rows.name, made, rows)
            if rows.over:
                self.plan.reused.add(name)
            else:
                self.sized(name, dims)
            if rows.ones:
                self.prepare(f"{name}[:, -1] = 1")
        return self._rows[rows]

    def transposed(self, value: Value) -> str:
        """Return a name for the transpose of a value's matrix."""
        return self.bind(f"{value.name}_T", f"{value.name}.T")

    def blocks(self, value: Value, count: str) -> str:
        """Return a name for a value's array, as it lies, with its rows in so many blocks."""
        array = self.rows(value) if self.by_rows(value) else self.out(value)
        return self.bind(f"{array}_blocks", f"in_blocks({array}, {count})")

    def by_rows(self, value: Value) -> bool:
        """Whether a value's array is held with the examples first, as its name shows it turned round."""
        return self.placed.by_rows(value)

    def flat(self, value: Value) -> str:
        """Return a name for a value's numbers in one row; its array must be contiguous, in whatever order of axes."""
        array = f"np.moveaxis({value.name}, 2, 0)" if self.planar(value) else value.name
        return self.bind(f"{value.name}_flat", f"{array}.reshape(-1)")

    def planar(self, value: Value) -> bool:
        """Whether a value's array is held in planes: its view with the channels behind is not contiguous."""
        return self.placed.planar(value)

    def goes_back(self, value: Value) -> bool:
        """Whether the backward pass reads a value."""
        return any(node.phase == "backward" for node in self.readers.get(value.id, []))

    def contiguous(self, value: Value) -> bool:
        """Whether a value has an array of its own, features first."""
        return self.placed.contiguous(value)

    def repeat_array(self, value: Value, array: str) -> None:
        """Let `value` be a view in which the numbers of an array that is its own are repeated."""
        self.prepare(f"{value.name} = {repeated(array, value)}")

    def is_part(self, value: Value, whole: Value, start: int) -> bool:
        """Whether `value` was written straight into its place in a concatenation."""
        place = self.placed.places.get(value.id)
        return place is not None and place.how == "part" and place.of == whole and place.start == start

    def parameter_of(self, value: Value) -> Value | None:
        """Return the parameter whose gradient `value` is."""
        return self.graph.params.get(self.owners.get(value.id, ""))

    def example(self, source: Value) -> str:
        """Return the expression of an input's or target's whole array, batch first."""
        name = next(n for n, v in {**self.graph.inputs, **self.graph.targets}.items() if v.id == source.id)
        return f'examples["{name}"]'

    def seed(self, value: Value) -> str | None:
        """Return the cotangent of a loss as an expression, if it is known before the step runs."""
        factors = self.placed.cotangent(value)
        return None if factors is None else "".join(f"{factor} * " for factor in factors) + "d_loss"

    def with_gradient(self, node: Node) -> Node | None:
        """Return the node of a loss's gradient, if both are written together."""
        return self.placed.pairs.get(id(node))

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
        return self.bind(f"{value.name}_rows", self._batch_first(value))

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
        for name, value in self.graph.weights.items():
            if value.id in self.readers:
                setup.append(f'{value.name} = params["{name}"]')
        carried = {node.ins[0].id for node in self.folded.values()}
        # A class target that is only turned into rows has no reader, and needs no array in its own shape.
        read = self.readers.keys() | {v.id for v in self.graph.outputs.values()}
        for name, value in {**self.graph.inputs, **self.graph.targets}.items():
            if value.id not in read:
                continue
            axes = len(value.type.shape)
            if value.id in carried:
                rows = self.example_array(name, f'with_ones(as_rows(examples["{name}"], dtype))')
                self._ones[value.id] = self.bind(f"{value.name}_1", f"{rows}.T")
                setup.append(f"{value.name} = {self._ones[value.id]}[:-1]")
            elif value.type.dtype == "real":
                rows = self.example_array(name, f'as_rows(examples["{name}"], dtype)')
                turned = {1: rows, 2: f"{rows}.T"}.get(axes, f"np.moveaxis({rows}, 0, -1)")
                setup.append(f"{value.name} = {turned}")
                self._bound[self._batch_first(value)] = rows

    def _generic(self, node: Node) -> None:
        op, out = node.rule, node.out
        self.plan.helpers |= op.called(node)
        for value in node.ins:
            self.integers(value)
        line = op.line_of_both(node, self.rows)
        if self._place(out).how != "kernel":
            self.out(out)
            self.run(f"copyto({self.rows(out)}, {line})")
        elif self.seed(out) is not None:
            self.prepare(f"{out.name} = {line}")  # no step changes it
        else:
            self.run(f"{out.name} = {line}")

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
        for line in loop_steps(node, loop, self.rows, "{}[...]", STEP):
            self.run(line)
        for value, last in zip(final, loop.final, strict=True):
            self.run(f"copyto({self.rows(value)}, {last.name})")

    def _copy_gradients(self) -> None:
        """Copy a gradient that two parameters share, or that lives in another array, to where it belongs."""
        for name, value in self.graph.grads.items():
            place = self.placed.places.get(value.id)
            there = place is not None and place.how in ("gradient", "within") and self.owners.get(value.id) == name
            if not there:
                target = self.bind(f"d_{name.replace('.', '_')}_out", f'grads["{name}"]')
                self.run(f"copyto({target}, {self.rows(value)})")

    def _store_state(self) -> None:
        """Copy what replaces a state to where it belongs, unless it was written there."""
        late = [(n, v) for n, v in self.graph.new_state.items() if not self._renews_state(v)]
        if late:
            self.run("if training:")
        for name, value in late:
            self.run(f"    copyto({self.graph.state[name].name}, {self.rows(value)})")

    def _renews_state(self, value: Value) -> bool:
        """Whether a value is written over a state."""
        place = self.placed.places.get(value.id)
        return value.role == "state" or (
            place is not None and place.of is not None and place.how == "same" and self._renews_state(place.of)
        )
