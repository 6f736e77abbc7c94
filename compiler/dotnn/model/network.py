"""Reading the `model` section: names are bound, blocks expanded, shapes inferred, one statement at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dotnn.diagnostics import Diagnostic, Reporter, Span
from dotnn.layers import LAYERS, Layer
from dotnn.layers.base import ShapeError, shape_text
from dotnn.limits import MAX_LAYERS, MAX_PARAMETERS, MAX_REPEAT
from dotnn.model import messages
from dotnn.model.bind import bind
from dotnn.model.constants import describe, evaluate, integer
from dotnn.model.messages import Fail
from dotnn.model.model import Declared
from dotnn.model.order import Circle, dependency_order
from dotnn.model.places import Place, settle
from dotnn.model.scope import Draft, Poison, Poisoned, Scope, SharedLayer, Tensor, names_read
from dotnn.ops.base import BATCH, TensorType
from dotnn.syntax import nodes

KINDS = ("int", "class")
JOINS = {"+": "sum", "-": "subtract", "*": "multiply"}


class Network:
    """The elaborated network: declarations, drafts of steps, outputs. Errors go to the reporter."""

    def __init__(
        self, section: nodes.ModelSection, blocks: Mapping[str, nodes.BlockSection], constants: Mapping[str, Any],
        reporter: Reporter,
    ) -> None:  # fmt: skip
        self.blocks = blocks
        self.reporter = reporter
        self.inputs: dict[str, Declared] = {}
        self.targets: dict[str, Declared] = {}
        self.outputs: dict[str, Tensor] = {}
        self.drafts: list[Draft] = []
        self.size = 0
        self.scope = Scope(constants, None, None)
        self.section = section
        self._read(section)

    # ------------------------------------------------------------------------------------------------ statements

    def _read(self, section: nodes.ModelSection) -> None:
        for statement in section.statements:
            if isinstance(statement, nodes.TensorDecl):
                self.attempt(statement, self.scope, lambda s=statement: self._declare(s))
        self.body(section.statements, self.scope)
        for statement in section.statements:
            if isinstance(statement, nodes.Output):
                self._output(statement)
        if not self.inputs:
            self.reporter.add(messages.no_input(section.name.span))
        if not any(isinstance(s, nodes.Output) for s in section.statements):
            self.reporter.add(messages.no_output(section.name.span))

    def _declare(self, decl: nodes.TensorDecl) -> None:
        if decl.name.id in self.inputs or decl.name.id in self.targets:
            first = self.inputs.get(decl.name.id) or self.targets[decl.name.id]
            raise Fail(messages.duplicate_name(decl.name.span, decl.name.id, self.line(first.span)))
        kind = decl.kind.id if decl.kind else "real"
        sizes = [integer(d, self.scope.constants, "a size") for d in decl.dims]
        declared = _declared(decl, kind, sizes)
        if declared.role == "input":
            self.inputs[declared.name] = declared
            place = Place(None, declared.name)
            self.scope.names[declared.name] = Tensor(place, declared.type, decl.span, "input", declared.name)
        else:
            self.targets[declared.name] = declared

    def _output(self, statement: nodes.Output) -> None:
        if statement.name is None and not isinstance(statement.value, nodes.Name):
            self.reporter.add(messages.output_needs_name(statement.span))
            return
        name = statement.name.id if statement.name else statement.value.id  # type: ignore[attr-defined]
        bound = self.scope.names.get(name)
        if isinstance(bound, Tensor):
            self.outputs[name] = bound
        elif statement.name is None and bound is None:
            known = [n for n, b in self.scope.names.items() if isinstance(b, Tensor)]
            self.reporter.add(messages.unknown_name(statement.value.span, name, known))
        self.scope.used.add(name)

    def body(self, statements: Sequence[nodes.Stmt], scope: Scope) -> None:
        """Evaluate the definitions of a model or block in the order of their dependence."""
        definitions: dict[str, nodes.Assign | nodes.LayerDef | nodes.Output] = {}
        for s in statements:
            if isinstance(s, (nodes.Assign, nodes.LayerDef, nodes.Output)):
                self._collect(s, definitions, scope)
        reads = {name: names_read(s.value) & definitions.keys() for name, s in definitions.items()}
        try:
            order = dependency_order(reads)
        except Circle as circle:
            names = [n for n in circle.names if n]
            self.report(messages.cycle(definitions[circle.names[0]].span, names))
            for name in definitions:
                scope.names.setdefault(name, Poison())
            return
        for name in order:
            self.attempt(definitions[name], scope, lambda n=name: self._define(n, definitions[n], scope))

    def _collect(self, s: nodes.Assign | nodes.LayerDef | nodes.Output, definitions: dict[str, Any], scope: Scope) -> None:
        if isinstance(s, nodes.Output) and s.name is None:
            if not isinstance(s.value, nodes.Name) or scope is not self.scope:
                definitions[""] = s
            return
        assert s.name is not None
        name = s.name
        earlier = definitions[name.id].span if name.id in definitions else None
        bound = scope.names.get(name.id)
        earlier = earlier or (bound.span if isinstance(bound, Tensor) else None)
        if scope is self.scope and name.id in self.targets:
            earlier = self.targets[name.id].span
        if earlier is not None:
            self.report(messages.duplicate_name(name.span, name.id, self.line(earlier)))
        elif name.id in LAYERS or name.id in self.blocks or name.id == "repeat":
            self.report(messages.reserved_name(name.span, name.id))
        else:
            definitions[name.id] = s

    def _define(self, name: str, statement: nodes.Assign | nodes.LayerDef | nodes.Output, scope: Scope) -> None:
        if isinstance(statement, nodes.Assign) and statement.limits is not None:
            raise Fail(messages.statement_not_allowed(statement.limits.span, "a range (`in …`)", "model"))
        if isinstance(statement, nodes.LayerDef):
            scope.names[name] = self._shared(statement, scope)
            return
        scope.begin(name)
        value = self.value(statement.value, scope)
        settle(scope.elements, named=bool(name))
        scope.names[name] = value.called(name)

    def attempt(self, statement: nodes.Stmt, scope: Scope, action: Callable[[], None]) -> None:
        """Run `action`; report a failure and poison the statement's name, so that one mistake gives one error."""
        try:
            action()
        except (Fail, Poisoned) as failure:
            if isinstance(failure, Fail):
                self.report(failure.diagnostic)
            name = getattr(statement, "name", None)
            scope.names.setdefault(name.id if name else "", Poison())

    def report(self, diagnostic: Diagnostic) -> None:
        """Report once: a block used twice repeats its errors."""
        if all((d.code, d.span, d.message) != (diagnostic.code, diagnostic.span, diagnostic.message) for d in self.reporter.found):
            self.reporter.add(diagnostic)

    def line(self, span: Span) -> int:
        """Return the line of the spec where `span` starts."""
        return self.reporter.source.line_of(span)

    # ----------------------------------------------------------------------------------------------- expressions

    def value(self, expr: nodes.Expr, scope: Scope) -> Tensor:
        """Return the value that `expr` denotes, adding the steps it takes. Raises `Fail`."""
        match expr:
            case nodes.Name():
                return self._named(expr, scope)
            case nodes.Pipe():
                value = self.value(expr.head, scope)
                for stage in expr.stages:
                    value = self.stage(stage, value, scope)
                return value
            case nodes.Call():
                return self._call(expr, (), scope)
            case nodes.Binary(op=op) if op in JOINS:
                return self._binary(expr, scope)
            case nodes.Unary():
                value = self.value(expr.operand, scope)
                return self.apply(LAYERS["scale"], {"factor": -1}, (value,), expr.span, scope)
            case nodes.Binary():
                raise Fail(messages.not_a_value(expr.span, "this", f"an expression with `{expr.op}`"))
        raise Fail(messages.not_a_value(expr.span, "this", describe(evaluate(expr, scope.constants))))

    def _named(self, expr: nodes.Name, scope: Scope) -> Tensor:
        bound = scope.names.get(expr.id)
        scope.used.add(expr.id)
        if isinstance(bound, Tensor):
            return bound
        if isinstance(bound, Poison):
            raise Poisoned
        if isinstance(bound, SharedLayer) or expr.id in LAYERS or expr.id in self.blocks:
            raise Fail(messages.layer_without_input(expr.span, expr.id))
        if expr.id in self.targets:
            raise Fail(messages.not_a_value(expr.span, "this", f"the target {expr.id}; targets belong in the loss"))
        if expr.id in scope.constants:
            raise Fail(messages.not_a_value(expr.span, "this", f"the parameter {expr.id} of `params`"))
        raise Fail(messages.unknown_name(expr.span, expr.id, [n for n in scope.names if n]))

    def is_value(self, expr: nodes.Expr, scope: Scope) -> bool:
        """Whether `expr` denotes a value of the network rather than a constant."""
        match expr:
            case nodes.Name(id=name):
                return isinstance(scope.names.get(name), (Tensor, Poison))
            case nodes.Pipe():
                return True
            case nodes.Binary(left=left, right=right):
                return self.is_value(left, scope) or self.is_value(right, scope)
            case nodes.Unary(operand=operand):
                return self.is_value(operand, scope)
            case nodes.Call(func=func, args=args):
                known = func.id in LAYERS or func.id in self.blocks or isinstance(scope.names.get(func.id), SharedLayer)
                return known and any(self.is_value(a.value, scope) for a in args if a.name is None)
        return False

    def _binary(self, expr: nodes.Binary, scope: Scope) -> Tensor:
        sides = [self.is_value(expr.left, scope), self.is_value(expr.right, scope)]
        if expr.op == "*" and sides in ([False, True], [True, False]):
            constant, value = (expr.left, expr.right) if sides[1] else (expr.right, expr.left)
            factor = evaluate(constant, scope.constants)
            if isinstance(factor, (int, float)) and not isinstance(factor, bool):
                return self.apply(LAYERS["scale"], {"factor": factor}, (self.value(value, scope),), expr.span, scope)
        operands = [self.value(e, scope) for e in _terms(expr)]
        return self.apply(LAYERS[JOINS[expr.op]], {}, tuple(operands), expr.span, scope)

    def stage(self, stage: nodes.Expr, value: Tensor, scope: Scope) -> Tensor:
        """Apply one stage of a pipe."""
        if isinstance(stage, nodes.Name):
            return self._call(nodes.Call(stage.span, stage, ()), (value,), scope)
        if isinstance(stage, nodes.Call):
            if stage.func.id == "repeat":
                return self._repeat(stage, value, scope)
            return self._call(stage, (value,), scope)
        raise Fail(messages.not_a_layer(stage.span, self.reporter.source.text[stage.span.start : stage.span.end], "an expression"))

    def _repeat(self, call: nodes.Call, value: Tensor, scope: Scope) -> Tensor:
        if len(call.args) != 2 or any(a.name for a in call.args):
            raise Fail(messages.too_many_arguments(call.span, "repeat", ["a count", "a layer or block"]))
        count = integer(call.args[0].value, scope.constants, "the count of repeat")
        if count > MAX_REPEAT:
            raise Fail(messages.limit(call.args[0].span, f"repeat({count}, …) exceeds the limit of {MAX_REPEAT} copies"))
        for _ in range(count):
            value = self.stage(call.args[1].value, value, scope)
        return value

    def _call(self, call: nodes.Call, piped: tuple[Tensor, ...], scope: Scope) -> Tensor:
        """Apply a layer, block or shared layer to the piped value and to leading arguments that are values."""
        name = call.func.id
        bound = scope.names.get(name)
        if isinstance(bound, Poison):
            raise Poisoned
        if isinstance(bound, Tensor):
            raise Fail(messages.not_a_layer(call.func.span, name, "a value"))
        if bound is None and name not in LAYERS and name not in self.blocks:
            known = [*LAYERS, *self.blocks, *(n for n, b in scope.names.items() if isinstance(b, SharedLayer)), "repeat"]
            raise Fail(messages.unknown_layer(call.func.span, name, known))
        operands, rest = list(piped), list(call.args)
        while rest and rest[0].name is None and self.is_value(rest[0].value, scope):
            operands.append(self.value(rest.pop(0).value, scope))
        if not operands:
            self._no_operand(call, scope)
        if isinstance(bound, SharedLayer):
            scope.used.add(name)
            return self._use_shared(bound, rest, operands, call.span, scope)
        if name in self.blocks:
            return self._use_block(self.blocks[name], rest, operands, call, scope)
        layer = LAYERS[name]
        attrs = bind(name, layer.args, rest, call.span, scope.constants)
        return self.apply(layer, attrs, tuple(operands), call.span, scope)

    def _no_operand(self, call: nodes.Call, scope: Scope) -> None:
        for arg in call.args:
            if arg.name is None and isinstance(arg.value, nodes.Name) and arg.value.id not in scope.constants:
                self._named(arg.value, scope)
        raise Fail(messages.layer_without_input(call.span, call.func.id))

    # --------------------------------------------------------------------------------------------- applying layers

    def apply(
        self, layer: Layer, attrs: Mapping[str, Any], operands: tuple[Tensor, ...], span: Span, scope: Scope,
        shared: SharedLayer | None = None,
    ) -> Tensor:  # fmt: skip
        """Add one step: check arity and shapes, make its parameters."""
        self._check_arity(layer, operands, span)
        types = [t.type for t in operands]
        try:
            type = layer.infer(types, attrs)
            specs = layer.params(types, attrs)
        except ShapeError as error:
            raise Fail(messages.shape_mismatch(span, error.message, self._origins(operands), error.help)) from None
        element = scope.element(shared.name if shared else layer.name)
        element.has_params = bool(specs) and shared is None
        if shared is None or shared.specs is None:
            self._count(specs, span)
        if shared is not None:
            shared.specs = shared.specs or specs
        draft = Draft(layer, attrs, operands, Tensor(element.value, type, span, ""), specs, shared.place if shared else element.params, span)
        draft.out = Tensor(element.value, type, span, draft.call)
        self.drafts.append(draft)
        return draft.out

    def _check_arity(self, layer: Layer, operands: tuple[Tensor, ...], span: Span) -> None:
        least, most = layer.arity
        if len(operands) < least or (most is not None and len(operands) > most):
            expected = str(least) if least == most else f"at least {least}" if most is None else f"{least} to {most}"
            raise Fail(messages.wrong_arity(span, layer.name, expected, len(operands)))

    def _origins(self, operands: Sequence[Tensor]) -> str:
        parts = [
            f"{t.label + ': ' if t.label else ''}{shape_text(t.type)} from {t.origin} (line {self.line(t.span)})" for t in operands
        ]
        return ";  ".join(parts[:4])

    def _count(self, specs: Sequence[Any], span: Span) -> None:
        self.size += sum(math.prod(s.shape) for s in specs)
        if self.size > MAX_PARAMETERS:
            raise Fail(
                messages.limit(span, f"the model would have more than {MAX_PARAMETERS:,} parameters ({self.size:,})", "make this layer smaller")
            )
        if len(self.drafts) >= MAX_LAYERS:
            raise Fail(messages.limit(span, f"the model has more than {MAX_LAYERS:,} layers"))

    def _shared(self, statement: nodes.LayerDef, scope: Scope) -> SharedLayer:
        expr = statement.value
        call = nodes.Call(expr.span, expr, ()) if isinstance(expr, nodes.Name) else expr
        if not isinstance(call, nodes.Call):
            raise Fail(messages.not_a_value(expr.span, "a shared layer", "a pipe: it names one layer such as dense(64)"))
        layer = LAYERS.get(call.func.id)
        if layer is None:
            raise Fail(messages.unknown_layer(call.func.span, call.func.id, LAYERS))
        attrs = bind(layer.name, layer.args, call.args, call.span, scope.constants)
        place = Place(scope.param_place, statement.name.id)
        return SharedLayer(statement.name.id, layer, attrs, place, statement.span)

    def _use_shared(self, shared: SharedLayer, rest: list[nodes.Arg], operands: list[Tensor], span: Span, scope: Scope) -> Tensor:
        if rest:
            raise Fail(messages.too_many_arguments(rest[0].span, f"the shared layer {shared.name}", []))
        if shared.first is None:
            shared.first = operands[0]
        elif shared.layer.params([shared.first.type], shared.attrs) != shared.layer.params([operands[0].type], shared.attrs):
            first, found = shape_text(shared.first.type), shape_text(operands[0].type)
            raise Fail(messages.shared_shape(span, shared.name, first, found, self.line(shared.first.span)))
        return self.apply(shared.layer, shared.attrs, tuple(operands), span, scope, shared)

    # ---------------------------------------------------------------------------------------------------- blocks

    def _use_block(
        self, block: nodes.BlockSection, rest: list[nodes.Arg], operands: list[Tensor], call: nodes.Call, scope: Scope
    ) -> Tensor:
        name = block.name.id
        if name in scope.blocks_open:
            raise Fail(messages.recursive_block(call.span, name))
        constants = self._block_constants(block, rest, call.span, scope)
        inputs = [s for s in block.statements if isinstance(s, nodes.TensorDecl)]
        if len(inputs) != len(operands):
            raise Fail(messages.wrong_arity(call.span, f"block {name}", str(len(inputs)), len(operands)))
        element = scope.element(name, is_block=True)
        inner = Scope(constants, element.value, element.params, blocks_open=(*scope.blocks_open, name))
        for decl, operand in zip(inputs, operands, strict=True):
            _unify(name, decl, operand, constants, call.span)
            inner.names[decl.name.id] = operand.called(decl.name.id)
        before = len(self.drafts)
        self.body(block.statements, inner)
        element.has_params = any(d.specs for d in self.drafts[before:])
        return self._block_result(block, inner)

    def _block_constants(self, block: nodes.BlockSection, rest: list[nodes.Arg], span: Span, scope: Scope) -> dict[str, Any]:
        owner = f"block {block.name.id}"
        names = [p.name.id for p in block.params]
        given: dict[str, nodes.Expr] = {}
        for position, arg in enumerate(rest):
            key = arg.name.id if arg.name else names[position] if position < len(names) else ""
            if not key:
                raise Fail(messages.too_many_arguments(arg.span, owner, names))
            if key not in names:
                raise Fail(messages.unknown_argument(arg.span, owner, key, names))
            if key in given:
                raise Fail(messages.repeated_argument(arg.span, owner, key))
            given[key] = arg.value
        constants = dict(self.scope.constants)
        values: dict[str, Any] = {}
        for param in block.params:
            expr = given.get(param.name.id)
            if expr is not None:
                values[param.name.id] = evaluate(expr, scope.constants)
            elif param.default is not None:
                values[param.name.id] = evaluate(param.default, {**constants, **values})
            else:
                raise Fail(messages.missing_argument(span, owner, param.name.id, "it has no default"))
        return {**constants, **values}

    def _block_result(self, block: nodes.BlockSection, inner: Scope) -> Tensor:
        outputs = [s for s in block.statements if isinstance(s, nodes.Output)]
        if len(outputs) != 1:
            raise Fail(messages.block_needs_one_output(block.name.span, block.name.id, len(outputs)))
        name = outputs[0].name.id if outputs[0].name else ""
        inner.used.add(name)
        self.unused(inner, block.statements)
        bound = inner.names.get(name)
        if not isinstance(bound, Tensor):
            raise Poisoned
        return bound

    def unused(self, scope: Scope, statements: Sequence[nodes.Stmt]) -> None:
        """Report every definition that nothing reads: it would be dropped without a word."""
        what = {nodes.Assign: "the value", nodes.LayerDef: "the layer", nodes.TensorDecl: "the input"}
        for s in statements:
            name = getattr(s, "name", None)
            if type(s) in what and name is not None and name.id not in scope.used:
                if isinstance(s, nodes.TensorDecl) and s.role != "input":
                    continue
                if not isinstance(scope.names.get(name.id), Poison):
                    self.report(messages.unused_value(name.span, name.id, what[type(s)]))


def _terms(expr: nodes.Binary) -> list[nodes.Expr]:
    """Return the operands of a chain `a + b + c` (or of `*`) as one list; `-` is never a chain."""
    if expr.op == "-":
        return [expr.left, expr.right]
    terms: list[nodes.Expr] = []
    left: nodes.Expr = expr
    while isinstance(left, nodes.Binary) and left.op == expr.op:
        terms.append(left.right)
        left = left.left
    return [left, *reversed(terms)]


def _declared(decl: nodes.TensorDecl, kind: str, sizes: list[int]) -> Declared:
    span = decl.kind.span if decl.kind else decl.span
    if kind == "class":
        if decl.role != "target" or len(sizes) != 1:
            raise Fail(messages.bad_declaration(span, "class[n] declares a target with n classes", "target y: class[10]"))
        return Declared(decl.name.id, decl.role, kind, TensorType((BATCH,), "int"), sizes[0], decl.span)
    if kind == "int":
        if decl.role != "input":
            raise Fail(messages.bad_declaration(span, "int[…] declares an input of integers", "for classes: target y: class[10]"))
        return Declared(decl.name.id, decl.role, kind, TensorType((BATCH, *sizes), "int"), 0, decl.span)
    if kind != "real":
        raise Fail(messages.unknown_entry(span, "kind of tensor", kind, KINDS))
    return Declared(decl.name.id, decl.role, kind, TensorType((BATCH, *sizes)), 0, decl.span)


def _unify(block: str, decl: nodes.TensorDecl, operand: Tensor, constants: dict[str, Any], span: Span) -> None:
    """Bind the free names in a block input's shape to the operand's sizes; the others must be equal."""
    found = operand.type.example
    declared = f"[{', '.join(_dim_text(d) for d in decl.dims)}]"
    fits = len(found) == len(decl.dims)
    for dim, size in zip(decl.dims, found, strict=False):
        if isinstance(dim, nodes.Name) and dim.id not in constants:
            constants[dim.id] = size
        elif integer(dim, constants, "a size") != size:
            fits = False
    if not fits:
        raise Fail(messages.block_shape(span, block, decl.name.id, declared, shape_text(operand.type)))


def _dim_text(dim: nodes.Expr) -> str:
    return dim.id if isinstance(dim, nodes.Name) else str(getattr(dim, "value", "…"))
