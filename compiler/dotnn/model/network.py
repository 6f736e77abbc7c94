"""Reading the `model` section: declarations, definitions in the order of dependence, blocks, outputs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial

from dotnn.core.diagnostics import Diagnostic, Reporter, Span
from dotnn.core.limits import MAX_BLOCKS
from dotnn.library.layers import LAYERS
from dotnn.model import messages
from dotnn.model.blocks import BlockUse
from dotnn.model.cells import cell_layer
from dotnn.model.constants import WORDS, Constants, Poison, Poisoned
from dotnn.model.declare import read_declaration
from dotnn.model.expressions import ExpressionReader
from dotnn.model.messages.base import Fail
from dotnn.model.model import Declared
from dotnn.model.order import Circle, dependency_order
from dotnn.model.paths import PathPart, settle
from dotnn.model.scope import Scope, SharedBlock, Tensor, Weight, names_read, next_key
from dotnn.model.section import misplaced
from dotnn.model.shared import agree, define_shared
from dotnn.model.unused import unused_names
from dotnn.model.weights import declared_weight
from dotnn.syntax import nodes

Definition = nodes.Assign | nodes.LayerDef | nodes.Output | nodes.Next


class NetworkReader(ExpressionReader):
    """Reads a network: its inputs and targets, its steps, its outputs. Errors go to the reporter."""

    def __init__(
        self,
        section: nodes.ModelSection,
        blocks: Mapping[str, nodes.BlockSection],
        constants: Constants,
        reporter: Reporter,
        definitions: Collection[str] = (),
    ) -> None:
        cells = {name: cell for name, cell in blocks.items() if isinstance(cell, nodes.CellSection)}
        super().__init__({n: b for n, b in blocks.items() if n not in cells}, constants, reporter, definitions)
        self.section = section
        self.cells_open: list[str] = []
        for name, cell in cells.items():
            self.attempt(None, self.scope, partial(self._add_cell, name, cell))
        self.inputs: dict[str, Declared] = {}
        self.outputs: dict[str, Tensor] = {}
        self.blocks_used = 0
        self._read(section)

    def _read(self, section: nodes.ModelSection) -> None:
        declarations = [s for s in section.statements if isinstance(s, nodes.TensorDecl)]
        for decl in declarations:
            self.attempt(decl.name, self.scope, partial(self._declare, decl))
        for statement in section.statements:
            if isinstance(statement, nodes.ArrayDecl):
                self.report(misplaced(statement, "model"))
                self.scope.names.setdefault(statement.name.id, Poison())
        self.body(section.statements, self.scope)
        outputs = [s for s in section.statements if isinstance(s, nodes.Output)]
        for statement in outputs:
            self._output(statement)
        if not any(d.role == "input" for d in declarations):
            self.report(messages.sections.no_input(section.name.span))
        if not outputs:
            self.report(messages.sections.no_output(section.name.span))
            self.scope.names.setdefault("", Poison())

    def _add_cell(self, name: str, cell: nodes.CellSection) -> None:
        self.cells[name] = None
        self.cells[name] = cell_layer(cell, self)

    def _declare(self, decl: nodes.TensorDecl) -> None:
        name = decl.name.id
        first = self.inputs.get(name) or self.targets.get(name)
        if first is not None:
            raise Fail(messages.names.duplicate_name(decl.name.span, name, self.source.place(first.span)))
        self._check_name(decl.name, self.scope)
        declared = read_declaration(decl, self.scope.constants)
        if declared.role == "input":
            self.inputs[name] = declared
            self.scope.names[name] = Tensor(PathPart(None, name), declared.type, decl.span, label=name)
        else:
            self.targets[name] = declared

    def _output(self, statement: nodes.Output) -> None:
        named = statement.name or statement.value
        if not isinstance(named, nodes.Name):
            keyword = Span(statement.span.start, statement.span.start + len("output"))
            self.report(messages.sections.output_needs_name(keyword))
            self.scope.names[""] = Poison()
            return
        bound = self.scope.names.get(named.id)
        if isinstance(bound, Tensor):
            self.outputs[named.id] = bound
        elif statement.name is None and not isinstance(bound, Poison):
            self.attempt(statement.value, self.scope, partial(self.value, statement.value, self.scope))
            self.scope.names[named.id] = Poison()
        self.scope.used.add(named.id)

    # ----------------------------------------------------------------------------------------------- definitions

    def body(self, statements: Sequence[nodes.Stmt], scope: Scope) -> None:
        """Evaluate the definitions of a model or block in the order of their dependence."""
        definitions: dict[str, Definition] = {}
        for s in statements:
            if isinstance(s, nodes.Next) and scope.states:
                self._collect_next(s, definitions, scope)
            elif isinstance(s, nodes.Assign | nodes.LayerDef | nodes.Output):
                self._collect(s, definitions, scope)
            elif not isinstance(s, nodes.TensorDecl | nodes.ArrayDecl):
                where = "model" if scope is self.scope else "cell" if scope.states else "block"
                self.report(misplaced(s, where))
        for name in self._ordered(definitions, scope):
            statement = definitions[name]
            named = nodes.Name(statement.span, name) if isinstance(statement, nodes.Next) else statement.name
            self.attempt(named, scope, partial(self._define, name, statement, scope))

    def _collect(self, s: Definition, definitions: dict[str, Definition], scope: Scope) -> None:
        """Add a statement to the definitions, unless its name is taken; `output x` of the model defines nothing."""
        if s.name is None:
            if not isinstance(s.value, nodes.Name) or scope is not self.scope:
                definitions[""] = s
            return
        name = s.name.id
        earlier = self._earlier(name, definitions, scope)
        if earlier is not None:
            self.report(messages.names.duplicate_name(s.name.span, name, self.source.place(earlier)))
            return
        try:
            self._check_name(s.name, scope)
            definitions[name] = s
        except Fail as failure:
            self.report(failure.diagnostic)
            scope.names[name] = Poison()

    def _collect_next(self, s: nodes.Next, definitions: dict[str, Definition], scope: Scope) -> None:
        """Add what a state is after the step; only a cell has states."""
        key, states = next_key(s.name.id), [name for name in scope.names if name in scope.states]
        if s.name.id not in states:
            self.report(messages.timesteps.next_of_no_state(s.name.span, s.name.id, states))
        elif key in definitions:
            place = self.source.place(definitions[key].span)
            self.report(messages.names.duplicate_name(s.name.span, key, place))
        else:
            definitions[key] = s

    def _earlier(self, name: str, definitions: Mapping[str, Definition], scope: Scope) -> Span | None:
        """Return where a name has been declared or defined before, None where it has not."""
        if scope is self.scope and name in self.targets:
            return self.targets[name].span
        if name in definitions:
            return definitions[name].span
        bound = scope.names.get(name)
        return bound.span if isinstance(bound, Tensor | Weight) else None

    def _ordered(self, definitions: Mapping[str, Definition], scope: Scope) -> list[str]:
        """Return the names so that each comes after what it needs; circles are reported and left out."""
        reads = {name: names_read(s.value) & definitions.keys() for name, s in definitions.items()}
        while True:
            try:
                return dependency_order(reads)
            except Circle as circle:
                first = definitions[circle.names[0]]
                self.report(messages.names.cycle(first.name.span if first.name else first.span, circle.names))
                for name in circle.names:
                    scope.names[name] = Poison()
                    reads.pop(name)

    def _check_name(self, name: nodes.Name, scope: Scope) -> None:
        """Raise `Fail` for a new name that already means something else."""
        if name.id in LAYERS or name.id in self.blocks or name.id in self.cells or name.id in ("repeat", *WORDS):
            raise Fail(messages.names.reserved_name(name.span, name.id))
        if name.id in self.definitions:
            raise Fail(messages.names.reserved_name(name.span, name.id))
        if name.id in scope.constants:
            raise Fail(messages.names.name_is_parameter(name.span, name.id))

    def _define(self, name: str, statement: Definition, scope: Scope) -> None:
        if isinstance(statement, nodes.Assign) and statement.limits is not None:
            help = "limits belong to the numbers in `params`: params { hidden = 4 in 2..64 }"
            what = "a range (`in …`)"
            self.report(messages.sections.statement_not_allowed(statement.limits.span, what, "model", help))
        if isinstance(statement, nodes.LayerDef):
            scope.names[name] = define_shared(statement, self, scope)
            return
        scope.begin(statement.name.id if isinstance(statement, nodes.Next) else name, statement.span)
        value = self.value(statement.value, scope)
        settle(scope.elements, named=bool(name), taken=scope.names)
        scope.names[name] = value.called(name)

    # ---------------------------------------------------------------------------------------------------- blocks

    def use_block(self, use: BlockUse, scope: Scope, shared: SharedBlock | None = None) -> Tensor:
        """Expand a block: its inputs become the operands, its shape variables their sizes. Returns its output."""
        if use.name in scope.blocks_open:
            open_blocks = scope.blocks_open[scope.blocks_open.index(use.name) :]
            raise Fail(messages.sections.recursive_block(use.span, open_blocks))
        self.blocks_used += 1
        if self.blocks_used > MAX_BLOCKS:
            message = f"blocks are used more than {MAX_BLOCKS:,} times"
            raise Fail(messages.shapes.limit(use.call.span, message, "repeat them less often"))
        constants = use.constants(self.scope.constants, scope.constants, self.source)
        element = scope.element(shared.name if shared else use.name, is_block=True)
        params = shared.part if shared else element.params
        inner = Scope(constants, element.value, params, blocks_open=(*scope.blocks_open, use.name))
        frozen = use.frozen(scope.constants)
        inner.frozen = scope.frozen or frozen is not None
        for decl in use.inputs():
            self._check_name(decl.name, inner)
        use.bind_inputs(inner, constants, self.source)
        opened = use.opened(inner, constants, scope.statement)
        inner.uses = (*scope.uses, opened)
        before, errors = len(self.steps.drafts), len(self.reporter.errors)
        opened.weights.extend(self.declare_weights(use.block, inner))
        self.body(use.block.statements, inner)
        made = self.steps.drafts[before:]
        has_params = bool(opened.weights) or any(d.specs for d in made)
        if frozen is not None and not has_params:
            self.report(messages.weights.no_parameters(frozen, f"block {use.name}"))
        if shared:
            agree(shared, opened.weights, made, use, self.source)
        else:
            element.has_params = has_params
        return self._result(use.block, inner, whole=len(self.reporter.errors) == errors)

    def declare_weights(self, block: nodes.BlockSection, inner: Scope) -> Iterator[Weight]:
        """Make the parameters that a block or a cell declares; report what is wrong."""
        for statement in block.statements:
            if isinstance(statement, nodes.ArrayDecl) and statement.role == "param":
                self.attempt(statement.name, inner, partial(self._declare_weight, statement, inner))
                made = inner.names[statement.name.id]
                if isinstance(made, Weight) and made.span == statement.span:
                    yield made
            elif isinstance(statement, nodes.ArrayDecl) and not isinstance(block, nodes.CellSection):
                self.report(misplaced(statement, "block"))
                inner.names.setdefault(statement.name.id, Poison())

    def _declare_weight(self, decl: nodes.ArrayDecl, inner: Scope) -> None:
        self.check_new_name(decl.name, inner)
        assert inner.param_part is not None
        weight = declared_weight(decl, inner.param_part, inner.constants, frozen=inner.frozen)
        self.steps.declare(weight)
        inner.names[decl.name.id] = weight

    def check_new_name(self, name: nodes.Name, scope: Scope) -> None:
        """Raise `Fail` for a name that already means something else, in the language or in the scope."""
        self._check_name(name, scope)
        bound = scope.names.get(name.id)
        if bound is not None and not isinstance(bound, Poison):
            raise Fail(messages.names.duplicate_name(name.span, name.id, self.source.place(bound.span)))

    def _result(self, block: nodes.BlockSection, inner: Scope, *, whole: bool) -> Tensor:
        """Return the output; what is unused is only known where the `whole` block was understood."""
        outputs = [s for s in block.statements if isinstance(s, nodes.Output)]
        if len(outputs) != 1:
            raise Fail(messages.sections.block_needs_one_output(block.name.span, block.name.id, len(outputs)))
        name = outputs[0].name.id if outputs[0].name else ""
        inner.used.add(name)
        for diagnostic in unused_names(inner, block.statements) if whole else ():
            self.report(diagnostic)
        bound = inner.names.get(name)
        if not isinstance(bound, Tensor):
            raise Poisoned
        return bound.marked({})

    # ----------------------------------------------------------------------------------- what losses and metrics read

    def named_value(self, expr: nodes.Expr) -> Tensor:
        """Return the value that a loss or a metric names. Raises `Fail`."""
        if not isinstance(expr, nodes.Name):
            text = self.source.words_at(expr.span)
            help = f"give it a name in the model, such as output q = {text}, and write q here"
            raise Fail(messages.training.loss_form(expr.span, "the name of an output or value is needed here", help))
        names = self.scope.names
        bound = names.get(expr.id)
        self.scope.used.add(expr.id)
        if isinstance(bound, Tensor):
            return bound
        if isinstance(bound, Poison) or (bound is None and isinstance(names.get(""), Poison)):
            raise Poisoned
        known = [*self.outputs, *(n for n, b in names.items() if isinstance(b, Tensor))]
        raise Fail(messages.training.loss_output(expr.span, expr.id, known))

    # ----------------------------------------------------------------------------------------------------- errors

    def attempt(self, named: nodes.Expr | None, scope: Scope, action: Callable[[], object]) -> None:
        """Run `action`; report a failure and poison the name it defines, so that one mistake gives one error."""
        depth = self.depth
        try:
            action()
        except (Fail, Poisoned) as failure:
            if isinstance(failure, Fail):
                self.report(failure.diagnostic)
            scope.names.setdefault(named.id if isinstance(named, nodes.Name) else "", Poison())
        self.depth = depth

    def report(self, diagnostic: Diagnostic) -> None:
        """Report, once: a block used twice repeats its errors."""
        self.reporter.add(diagnostic)
