"""Reading the `model` section: names are bound, blocks expanded, shapes inferred, one statement at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from dotnn.core.diagnostics import Diagnostic, Reporter, Span
from dotnn.core.limits import MAX_EXPRESSION_DEPTH, MAX_LAYERS, MAX_PARAMETERS, MAX_REPEAT, MAX_SIZE
from dotnn.library.layers import LAYERS, Layer
from dotnn.library.layers.base import ShapeError, shape_text
from dotnn.model import messages
from dotnn.model.bind import bind
from dotnn.model.blocks import use_block
from dotnn.model.constants import WORDS, Poison, Poisoned, describe, evaluate, integer
from dotnn.model.declare import read_declaration
from dotnn.model.messages import Fail, several
from dotnn.model.model import Declared
from dotnn.model.order import Circle, dependency_order
from dotnn.model.paths import Place, settle
from dotnn.model.scope import Draft, Scope, SharedLayer, Tensor, names_read, terms_of
from dotnn.model.shared import agree, define_shared, use_shared
from dotnn.syntax import nodes

JOINS = {"+": "sum", "-": "subtract", "*": "multiply"}
INSTEAD = {
    "/": "to scale a value write 0.5 * h",
    "@": "a product with weights is a layer: x -> dense(3, bias = false)",
    "^": "to square a value write h * h",
}
TOO_MANY_LAYERS = f"the model has more than {MAX_LAYERS:,} layers"
Definition = nodes.Assign | nodes.LayerDef | nodes.Output


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
        self.blocks_used = 0
        self.depth = 0
        self.scope = Scope(constants, None, None)
        self.section = section
        self._read(section)

    # ------------------------------------------------------------------------------------------------ statements

    def _read(self, section: nodes.ModelSection) -> None:
        declarations = [s for s in section.statements if isinstance(s, nodes.TensorDecl)]
        for decl in declarations:
            self.attempt(decl.name, self.scope, partial(self._declare, decl))
        self.body(section.statements, self.scope)
        outputs = [s for s in section.statements if isinstance(s, nodes.Output)]
        for statement in outputs:
            self._output(statement)
        if not any(d.role == "input" for d in declarations):
            self.report(messages.no_input(section.name.span))
        if not outputs:
            self.report(messages.no_output(section.name.span))
            self.scope.names.setdefault("", Poison())

    def _declare(self, decl: nodes.TensorDecl) -> None:
        name = decl.name.id
        first = self.inputs.get(name) or self.targets.get(name)
        if first is not None:
            raise Fail(messages.duplicate_name(decl.name.span, name, self.line(first.span)))
        self.check_name(decl.name, self.scope)
        declared = read_declaration(decl, self.scope.constants)
        if declared.role == "input":
            self.inputs[name] = declared
            self.scope.names[name] = Tensor(Place(None, name), declared.type, decl.span, label=name)
        else:
            self.targets[name] = declared

    def _output(self, statement: nodes.Output) -> None:
        if statement.name is None and not isinstance(statement.value, nodes.Name):
            keyword = Span(statement.span.start, statement.span.start + len("output"))
            self.report(messages.output_needs_name(keyword))
            self.scope.names[""] = Poison()
            return
        name = statement.name.id if statement.name else statement.value.id  # type: ignore[attr-defined]
        bound = self.scope.names.get(name)
        if isinstance(bound, Tensor):
            self.outputs[name] = bound
        elif statement.name is None and not isinstance(bound, Poison):
            self.attempt(statement.value, self.scope, partial(self.value, statement.value, self.scope))
            self.scope.names[name] = Poison()
        self.scope.used.add(name)

    def body(self, statements: Sequence[nodes.Stmt], scope: Scope) -> None:
        """Evaluate the definitions of a model or block in the order of their dependence."""
        definitions: dict[str, Definition] = {}
        for s in statements:
            if isinstance(s, (nodes.Assign, nodes.LayerDef, nodes.Output)):
                self._collect(s, definitions, scope)
        for name in self._ordered(definitions, scope):
            statement = definitions[name]
            self.attempt(statement.name, scope, partial(self._define, name, statement, scope))

    def _ordered(self, definitions: Mapping[str, Definition], scope: Scope) -> list[str]:
        """Return the names so that each comes after what it needs; circles are reported and left out."""
        reads = {name: names_read(s.value) & definitions.keys() for name, s in definitions.items()}
        while True:
            try:
                return dependency_order(reads)
            except Circle as circle:
                first = definitions[circle.names[0]]
                self.report(messages.cycle(first.name.span if first.name else first.span, circle.names))
                for name in circle.names:
                    scope.names[name] = Poison()
                    reads.pop(name)

    def _collect(self, s: Definition, definitions: dict[str, Definition], scope: Scope) -> None:
        if isinstance(s, nodes.Output) and s.name is None:
            if not isinstance(s.value, nodes.Name) or scope is not self.scope:
                definitions[""] = s
            return
        assert s.name is not None
        name = s.name.id
        earlier = definitions[name].span if name in definitions else None
        bound = scope.names.get(name)
        earlier = earlier or (bound.span if isinstance(bound, Tensor) else None)
        if scope is self.scope and name in self.targets:
            earlier = self.targets[name].span
        if earlier is not None:
            self.report(messages.duplicate_name(s.name.span, name, self.line(earlier)))
            return
        try:
            self.check_name(s.name, scope)
            definitions[name] = s
        except Fail as failure:
            self.report(failure.diagnostic)
            scope.names[name] = Poison()

    def check_name(self, name: nodes.Name, scope: Scope) -> None:
        """Raise `Fail` for a new name that already means something else."""
        if name.id in LAYERS or name.id in self.blocks or name.id == "repeat" or name.id in WORDS:
            raise Fail(messages.reserved_name(name.span, name.id))
        if name.id in scope.constants:
            raise Fail(messages.name_is_parameter(name.span, name.id))

    def _define(self, name: str, statement: Definition, scope: Scope) -> None:
        if isinstance(statement, nodes.Assign) and statement.limits is not None:
            help = "limits belong to the numbers in `params`: params { hidden = 4 in 2..64 }"
            what = "a range (`in …`)"
            self.report(messages.statement_not_allowed(statement.limits.span, what, "model", help))
        if isinstance(statement, nodes.LayerDef):
            scope.names[name] = define_shared(self, statement, scope)
            return
        scope.begin(name, statement.span)
        value = self.value(statement.value, scope)
        settle(scope.elements, named=bool(name))
        scope.names[name] = value.called(name)

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

    def line(self, span: Span) -> int:
        """Return the line of the spec where `span` starts."""
        return self.reporter.source.line_of(span)

    # ----------------------------------------------------------------------------------------------- expressions

    def value(self, expr: nodes.Expr, scope: Scope) -> Tensor:
        """Return the value that `expr` denotes, adding the steps it takes. Raises `Fail`."""
        self.depth += 1
        if self.depth + 4 * len(scope.blocks_open) > MAX_EXPRESSION_DEPTH:
            message = "calls and blocks nest too deep here"
            raise Fail(messages.limit(expr.span, message, "give the inner parts names of their own: part = …"))
        result = self._value(expr, scope)
        self.depth -= 1
        return result

    def _value(self, expr: nodes.Expr, scope: Scope) -> Tensor:
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
            case nodes.Unary(operand=operand) if self.is_value(operand, scope):
                value = self.value(operand, scope)
                return self.apply(LAYERS["scale"], {"factor": -1}, (value,), expr.span, scope)
            case nodes.Binary(op=op):
                raise Fail(messages.not_a_value(expr.span, f"an expression with `{op}`", INSTEAD.get(op, "")))
        help = "to join values write concat(a, b) or a + b" if isinstance(expr, nodes.List) else ""
        help = help or "to shift a value use the bias of a layer, to scale it write 2 * x"
        raise Fail(messages.not_a_value(expr.span, describe(evaluate(expr, scope.constants)), help))

    def _named(self, expr: nodes.Name, scope: Scope) -> Tensor:
        bound, name = scope.names.get(expr.id), expr.id
        scope.used.add(name)
        if isinstance(bound, Tensor):
            return bound
        if isinstance(bound, Poison):
            raise Poisoned
        if isinstance(bound, SharedLayer) or name in LAYERS or name in self.blocks:
            raise Fail(messages.layer_without_input(expr.span, name, name))
        if scope is not self.scope and (name in self.scope.names or name in self.targets):
            raise Fail(messages.outside_the_block(expr.span, name))
        if name in self.targets:
            help = "a target is compared with an output in the loss: loss = mse(y, t)"
            raise Fail(messages.not_a_value(expr.span, f"the target {name}", help))
        if name in scope.constants:
            evaluate(expr, scope.constants)
            raise Fail(messages.not_a_value(expr.span, f"the parameter {name}", f"to scale a value write {name} * x"))
        raise Fail(messages.unknown_name(expr.span, name, [n for n in scope.names if n]))

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
        terms = terms_of(expr)
        numbers = {id(e): n for e in terms if expr.op == "*" and (n := self._number(e, scope)) is not None}
        if numbers:
            return self._scaled(numbers, [e for e in terms if id(e) not in numbers], expr, scope)
        operands = [self.value(e, scope) for e in terms]
        return self.apply(LAYERS[JOINS[expr.op]], {}, tuple(operands), expr.span, scope)

    def _number(self, expr: nodes.Expr, scope: Scope) -> float | None:
        """Return the number that an expression is, None where it is a value or wrong."""
        if self.is_value(expr, scope):
            return None
        try:
            number = evaluate(expr, scope.constants)
        except (Fail, Poisoned):
            return None
        return number if isinstance(number, (int, float)) and not isinstance(number, bool) else None

    def _scaled(
        self, numbers: Mapping[int, float], others: Sequence[nodes.Expr], expr: nodes.Binary, scope: Scope
    ) -> Tensor:
        """Return a product of values times the numbers that stand among them, wherever they do."""
        values = tuple(self.value(e, scope) for e in others)
        product = values[0] if len(values) == 1 else self.apply(LAYERS[JOINS["*"]], {}, values, expr.span, scope)
        return self.apply(LAYERS["scale"], {"factor": math.prod(numbers.values())}, (product,), expr.span, scope)

    def stage(self, stage: nodes.Expr, value: Tensor, scope: Scope) -> Tensor:
        """Apply one stage of a pipe."""
        if isinstance(stage, nodes.Name):
            return self._call(nodes.Call(stage.span, stage, ()), (value,), scope)
        if isinstance(stage, nodes.Call):
            if stage.func.id == "repeat":
                return self._repeat(stage, value, scope)
            return self._call(stage, (value,), scope)
        text = self.reporter.source.text[stage.span.start : stage.span.end]
        raise Fail(messages.not_a_layer(stage.span, text, "an expression"))

    def _repeat(self, call: nodes.Call, value: Tensor, scope: Scope) -> Tensor:
        if len(call.args) != 2 or any(a.name for a in call.args):
            raise Fail(messages.repeat_form(call.span))
        count = integer(call.args[0].value, scope.constants, "the count of repeat", MAX_REPEAT)
        before = len(self.drafts)
        for done in range(count):
            value = self.stage(call.args[1].value, value, scope)
            if done == 0 and before + count * (len(self.drafts) - before) > MAX_LAYERS:
                raise Fail(messages.limit(call.args[0].span, TOO_MANY_LAYERS, "repeat less often"))
        return value

    def _call(self, call: nodes.Call, piped: tuple[Tensor, ...], scope: Scope) -> Tensor:
        """Apply a layer, block or shared layer to the piped value and to leading arguments that are values."""
        name = call.func.id
        bound = scope.names.get(name)
        if isinstance(bound, Poison) and name not in LAYERS:
            raise Poisoned
        if isinstance(bound, Tensor):
            raise Fail(messages.not_a_layer(call.func.span, name, "a value"))
        if not isinstance(bound, SharedLayer) and name not in LAYERS and name not in self.blocks:
            self._unknown_call(call, scope)
        operands, rest = list(piped), list(call.args)
        while rest and rest[0].name is None and (self.is_value(rest[0].value, scope) or self._takes_only_values(name)):
            operands.append(self.value(rest.pop(0).value, scope))
        if not operands:
            self._no_operand(call, scope)
        if isinstance(bound, SharedLayer):
            scope.used.add(name)
            return use_shared(self, bound, rest, operands, call, scope)
        if name in self.blocks:
            return use_block(self, self.blocks[name], rest, operands, call, scope)
        layer = LAYERS[name]
        attrs = bind(name, layer.args, rest, call.span, scope.constants)
        return self.apply(layer, attrs, tuple(operands), call.span, scope)

    def _unknown_call(self, call: nodes.Call, scope: Scope) -> None:
        name = call.func.id
        if name == "repeat":
            raise Fail(messages.layer_without_input(call.func.span, name, self.text(call.span)))
        if name in self.targets:
            raise Fail(messages.not_a_layer(call.func.span, name, "a target"))
        if name in scope.constants and name not in WORDS:
            raise Fail(messages.not_a_layer(call.func.span, name, "a parameter"))
        known = [*LAYERS, *self.blocks, *(n for n, b in scope.names.items() if isinstance(b, SharedLayer)), "repeat"]
        raise Fail(messages.unknown_layer(call.func.span, name, known))

    def _takes_only_values(self, name: str) -> bool:
        """Whether every argument by position must be a value: of a join, or of an activation without arguments."""
        layer = LAYERS.get(name)
        return layer is not None and (layer.arity[1] is None or not layer.args) and layer.family != "layer"

    def _no_operand(self, call: nodes.Call, scope: Scope) -> None:
        first = call.args[0] if call.args else None
        if first is not None and first.name is None and isinstance(first.value, nodes.Name):
            name = first.value.id
            if name not in scope.constants and name not in LAYERS:
                self._named(first.value, scope)
        raise Fail(messages.layer_without_input(call.func.span, call.func.id, self.text(call.span)))

    def text(self, span: Span) -> str:
        """Return what the spec says at `span`, in one line."""
        return " ".join(self.reporter.source.text[span.start : span.end].split())

    # --------------------------------------------------------------------------------------------- applying layers

    def apply(
        self, layer: Layer, attrs: Mapping[str, Any], operands: tuple[Tensor, ...], span: Span, scope: Scope,
        shared: SharedLayer | None = None,
    ) -> Tensor:  # fmt: skip
        """Add one step: check arity and shapes, make its parameters."""
        _check_arity(layer, operands, span)
        types = [t.type for t in operands]
        try:
            type = layer.infer(types, attrs)
            specs = layer.params(types, attrs)
        except ShapeError as error:
            raise Fail(messages.shape_mismatch(span, error.message, self.origins(operands), error.help)) from None
        self._check_limits(specs if shared is None or shared.specs is None else (), math.prod(type.example), span)
        element = scope.element(shared.name if shared else layer.name)
        element.has_params = bool(specs) and shared is None
        if shared is not None:
            agree(self, shared, specs, operands, span)
        place = shared.place if shared else element.params
        value = Tensor(element.value, type, span, layer, attrs)
        self.drafts.append(Draft(layer, attrs, operands, value, specs, place, span, scope.statement, scope.uses))
        return value

    def origins(self, operands: Sequence[Tensor]) -> str:
        """Say of what shape values are, and where they come from."""
        parts = []
        for t in operands[:4]:
            label = f"{t.label}: " if t.label else ""
            parts.append(f"{label}{shape_text(t.type)} from {t.origin} (line {self.line(t.span)})")
        return ";  ".join(parts)

    def _check_limits(self, specs: Sequence[Any], size: int, span: Span) -> None:
        self.size += sum(math.prod(s.shape) for s in specs)
        if self.size > MAX_PARAMETERS:
            message = f"the model would have more than {MAX_PARAMETERS:,} parameters ({self.size:,})"
            raise Fail(messages.limit(span, message, "make this layer smaller"))
        if size > MAX_SIZE:
            raise Fail(messages.limit(span, f"this would hold {size:,} numbers for each example, at most {MAX_SIZE:,}"))
        if len(self.drafts) >= MAX_LAYERS:
            raise Fail(messages.limit(span, TOO_MANY_LAYERS, "use fewer of them"))


def _check_arity(layer: Layer, operands: Sequence[Tensor], span: Span) -> None:
    least, most = layer.arity
    if least <= len(operands) and (most is None or len(operands) <= most):
        return
    expected = several(least, "value") if least == most else f"{least} to {most} values"
    expected = f"at least {several(least, 'value')}" if most is None else expected
    if layer.family == "join":
        help = f"write {layer.name}({', '.join('abcdefgh'[: max(least, 2)])}{', …' if most is None else ''})"
    else:
        help = f"join them first: concat(a, b) -> {layer.name}{'(…)' if layer.args else ''}"
    raise Fail(messages.wrong_arity(span, layer.name, expected, len(operands), help))
