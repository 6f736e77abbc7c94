"""Expressions of the network: names, pipes, calls and arithmetic become values, step by step."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence

from dotnn.core.arguments import Symbol
from dotnn.core.diagnostics import Reporter, Span
from dotnn.core.limits import MAX_EXPRESSION_DEPTH, MAX_LAYERS, MAX_REPEAT
from dotnn.ir.tensor import Attrs
from dotnn.library.layers import ACTIVATIONS, LAYERS, Layer
from dotnn.model import messages, misnamed, parts
from dotnn.model.bind import bind
from dotnn.model.blocks import BlockUse
from dotnn.model.constants import (
    WORDS,
    Constant,
    Constants,
    ConstCall,
    Defined,
    Poison,
    Poisoned,
    describe,
    evaluate,
    integer,
    is_number,
)
from dotnn.model.drawing import drawn, is_drawn
from dotnn.model.formulas import ELEMENTWISE, FormulaReader, is_function
from dotnn.model.freezing import without_trainable
from dotnn.model.messages.base import Fail
from dotnn.model.model import Declared
from dotnn.model.operands import FINAL, block_as_act, last_state, through_block, with_named
from dotnn.model.parts import is_reduction
from dotnn.model.scope import Binding, Scope, SharedBlock, SharedLayer, Tensor, Weight, terms_of
from dotnn.model.steps import TOO_MANY_LAYERS, Steps
from dotnn.model.weights import has_weights, weight_of
from dotnn.syntax import nodes
from dotnn.syntax.walk import by_position, children

JOINS = {"+": "sum", "-": "subtract", "*": "multiply", "maximum": "max"}
SCALE = LAYERS["scale"]


class ExpressionReader(ABC):
    """Evaluates expressions in a scope; every layer that is applied adds a step."""

    def __init__(
        self,
        blocks: Mapping[str, nodes.BlockSection],
        constants: Constants,
        reporter: Reporter,
        definitions: Collection[str] = (),
    ) -> None:
        self.blocks = blocks
        self.reporter = reporter
        self.source = reporter.source
        self.targets: dict[str, Declared] = {}
        self.steps = Steps(reporter.source)
        self.scope = Scope(constants, None, None)
        self.definitions = definitions
        self.cells: dict[str, Layer | None] = {}
        self.depth = 0

    @abstractmethod
    def use_block(self, use: BlockUse, scope: Scope, shared: SharedBlock | None = None) -> Tensor:
        """Expand a block, whose statements are read like those of the model. Raises `Fail`."""

    def value(self, expr: nodes.Expr, scope: Scope) -> Tensor:
        """Return the value that `expr` denotes, adding the steps it takes. Raises `Fail`."""
        self.depth += 1
        if self.depth + 4 * len(scope.blocks_open) > MAX_EXPRESSION_DEPTH:
            message = "calls and blocks nest too deep here"
            raise Fail(messages.shapes.limit(expr.span, message, "give the inner parts names of their own: part = …"))
        result = self._value(expr, scope)
        self.depth -= 1
        return result

    def _value(self, expr: nodes.Expr, scope: Scope) -> Tensor:
        match expr:
            case nodes.Name():
                return self.named(expr, scope)
            case nodes.Pipe():
                return self._piped(expr, scope)
            case nodes.Call() if expr.func.id in ELEMENTWISE and not self.is_own(expr.func.id, scope):
                return FormulaReader(self, scope).value(expr)
            case nodes.Call():
                return self._call(expr, (), scope)
            case nodes.Index():
                return parts.part(self, expr, scope)
            case nodes.Attribute():
                return parts.transposed(self, expr, scope)
            case nodes.Binary() | nodes.Unary():
                return self._arithmetic(expr, scope)
        raise self._no_operation(expr, scope)

    def _piped(self, expr: nodes.Pipe, scope: Scope) -> Tensor:
        value = self.value(expr.head, scope)
        for stage in expr.stages:
            value = self.stage(stage, value, scope)
        return value

    def _no_operation(self, expr: nodes.Expr, scope: Scope) -> Fail:
        """Return the error for an expression that makes no value of the network."""
        help = "to shift a value use the bias of a layer, to scale it write 2 * x"
        if isinstance(expr, nodes.List):
            help = "to join values write concat(a, b) or a + b"
        return Fail(messages.calls.not_a_value(expr.span, describe(evaluate(expr, scope.constants)), help))

    # ------------------------------------------------------------------------------------------------------ names

    def named(self, expr: nodes.Name, scope: Scope) -> Tensor:
        """Return the value of a name. Raises `Fail`."""
        bound = scope.names.get(expr.id)
        scope.used.add(expr.id)
        if isinstance(bound, Tensor):
            return bound
        if isinstance(bound, Poison):
            raise Poisoned
        if isinstance(bound, Weight):
            raise Fail(messages.weights.weight_as_value(expr.span, expr.id))
        if self._is_layer(expr.id, scope):
            raise Fail(messages.calls.layer_without_input(expr.span, expr.id, expr.id))
        raise Fail(misnamed.no_value(self, expr, scope))

    def _is_formula(self, expr: nodes.Expr, scope: Scope) -> bool:
        """Whether an expression is more than sums, products and multiples of values, which are joins."""
        arithmetic = isinstance(expr, nodes.Unary) or (isinstance(expr, nodes.Binary) and expr.op != "@")
        in_a_step = bool(scope.states) and arithmetic and self.is_value(expr, scope)
        return in_a_step or has_weights(self, expr, scope) or self._computes(expr, scope)

    def _computes(self, expr: nodes.Expr, scope: Scope) -> bool:
        match expr:
            case nodes.Binary(op="+" | "-" | "*" as op, left=left, right=right):
                shifted = op != "*" and self.is_value(left, scope) != self.is_value(right, scope)
                return shifted or self._computes(left, scope) or self._computes(right, scope)
            case nodes.Unary(op="-", operand=operand):
                return self._computes(operand, scope)
            case nodes.Binary(op="@"):
                return False
            case nodes.Call():
                return self.is_value(expr, scope) and FormulaReader(self, scope).calls(expr)
            case nodes.Binary() | nodes.Unary():
                return self.is_value(expr, scope)
        return False

    def _explain_names(self, expr: nodes.Expr, scope: Scope) -> None:
        """Raise `Fail` for the first name in arithmetic that is neither a value nor a number."""
        pending = [expr]
        while pending:
            match pending.pop():
                case nodes.Name(id=name) as found if name not in scope.constants and name not in WORDS:
                    self.named(found, scope)
                case nodes.Call() as call if not is_function(call):
                    self._callee(call, scope)
                    raise Fail(misnamed.no_operand(self, call, scope))
                case inner:
                    pending += reversed(children(inner))

    def is_own(self, name: str, scope: Scope) -> bool:
        """Whether the spec itself calls something so: a value, a shared layer, a block."""
        return name in scope.names or name in self.blocks or name in self.cells

    def _through_parameter(self, call: nodes.Call, scope: Scope) -> nodes.Call:
        """Return the call of the layer that a parameter chooses: `params { act = leaky_relu(0.2) }`, `x -> act`."""
        match scope.constants.get(call.func.id):
            case Symbol(id=name):
                more: tuple[nodes.Arg, ...] = ()
            case ConstCall(call=chosen):
                name, more = chosen.func.id, chosen.args
            case _:
                return call
        if name not in self.blocks and self.layer(name, scope) is None:
            return call
        return nodes.Call(call.span, nodes.Name(call.func.span, name), (*call.args, *more))

    def _is_layer(self, name: str, scope: Scope) -> bool:
        """Whether a name denotes a layer, a block or a shared layer."""
        shared = isinstance(scope.names.get(name), SharedLayer | SharedBlock)
        return self.layer(name, scope) is not None or name in self.blocks or name in self.cells or shared

    def layer(self, name: str, scope: Scope) -> Layer | None:
        """Return the layer of a name: one of the language, or an activation or a cell of the spec."""
        own = _activation_of(scope.constants.get(name)) or self.cells.get(name)
        return own or LAYERS.get(name)

    def is_value(self, expr: nodes.Expr, scope: Scope) -> bool:
        """Whether `expr` denotes a value of the network rather than a constant."""
        match expr:
            case nodes.Name(id=name):
                return isinstance(scope.names.get(name), Tensor | Weight | Poison)
            case nodes.Pipe():
                return True
            case nodes.Binary() | nodes.Unary():
                return any(self.is_value(part, scope) for part in children(expr))
            case nodes.Attribute(value=value):
                return self.is_value(value, scope) or weight_of(self, expr, scope) is not None
            case nodes.Index(value=value):
                return self.is_value(value, scope)
            case nodes.Call():
                given = self.takes_values(expr, scope) and any(self.is_value(o, scope) for o in by_position(expr))
                return given or is_drawn(self, expr, scope)
        return False

    def takes_values(self, call: nodes.Call, scope: Scope) -> bool:
        """Whether what is called takes values of the network: a layer, a function, a reduction."""
        called = self._through_parameter(call, scope)
        name = called.func.id
        return self._is_layer(name, scope) or name == FINAL or is_function(called) or is_reduction(called)

    # ------------------------------------------------------------------------------------------------- arithmetic

    def _arithmetic(self, expr: nodes.Binary | nodes.Unary, scope: Scope) -> Tensor:
        match expr:
            case nodes.Binary(op="@") if self.is_value(expr, scope):
                return parts.product(self, expr, scope)
            case _ if self._is_formula(expr, scope):
                return FormulaReader(self, scope).value(expr)
            case _ if not self.is_value(expr, scope):
                self._explain_names(expr, scope)
                if FormulaReader(self, scope).has_function(expr):
                    return FormulaReader(self, scope).value(expr)  # which says that it is a number
            case nodes.Binary(op="+" | "-" | "*"):
                return self._binary(expr, scope)
            case nodes.Unary(op="-", operand=operand) if self.is_value(operand, scope):
                return self._scaled(self.value(operand, scope), -1, expr.span, scope)
        raise self._no_operation(expr, scope)

    def _binary(self, expr: nodes.Binary, scope: Scope) -> Tensor:
        sides = self.is_value(expr.left, scope), self.is_value(expr.right, scope)
        if expr.op == "*" and sides[0] != sides[1]:
            constant, value = (expr.left, expr.right) if sides[1] else (expr.right, expr.left)
            factor = evaluate(constant, scope.constants)
            if is_number(factor):
                return self._scaled(self.value(value, scope), factor, expr.span, scope)
        terms = terms_of(expr)
        numbers = self._numbers(terms, scope) if expr.op == "*" else {}
        values = tuple(self.value(e, scope) for e in terms if id(e) not in numbers)
        joined = values[0] if len(values) == 1 else self._joined(expr.op, values, expr.span, scope)
        return self._scaled(joined, math.prod(numbers.values()), expr.span, scope) if numbers else joined

    def _scaled(self, value: Tensor, factor: float, span: Span, scope: Scope) -> Tensor:
        """Return a value times a number."""
        return self.steps.apply(SCALE, {"factor": factor}, (value,), span, scope).marked(value.reduced)

    def _joined(self, op: str, values: tuple[Tensor, ...], span: Span, scope: Scope) -> Tensor:
        """Return the join of values; where a reduced axis meets the axis that it came from, it is a formula."""
        if any(v.reduced for v in values) and any(v.type != values[0].type for v in values):
            return FormulaReader(self, scope).joined(op, values, span)
        common = {k: n for k, n in values[0].reduced.items() if all(v.reduced.get(k) == n for v in values)}
        return self.steps.apply(LAYERS[JOINS[op]], {}, values, span, scope).marked(common)

    def _numbers(self, terms: Sequence[nodes.Expr], scope: Scope) -> dict[int, float]:
        """Return the numbers among the factors of a product of values, by the identity of their expression."""
        found = {id(term): self._number(term, scope) for term in terms}
        return {term: number for term, number in found.items() if number is not None}

    def _number(self, expr: nodes.Expr, scope: Scope) -> float | None:
        """Return the number that an expression is, None where it is a value or wrong."""
        if self.is_value(expr, scope):
            return None
        try:
            number = evaluate(expr, scope.constants)
        except (Fail, Poisoned):
            return None
        return number if is_number(number) else None

    # ------------------------------------------------------------------------------------------- stages and calls

    def stage(self, stage: nodes.Expr, value: Tensor, scope: Scope) -> Tensor:
        """Apply one stage of a pipe."""
        if isinstance(stage, nodes.Name):
            return self._call(nodes.Call(stage.span, stage, ()), (value,), scope)
        if not isinstance(stage, nodes.Call):
            text = self.source.text_at(stage.span)
            raise Fail(messages.calls.not_a_layer(stage.span, text, "an expression"))
        if stage.func.id == "repeat":
            return self._repeat(stage, value, scope)
        return self._call(stage, (value,), scope)

    def _repeat(self, call: nodes.Call, value: Tensor, scope: Scope) -> Tensor:
        if len(call.args) != 2 or len(by_position(call)) != 2:
            raise Fail(messages.calls.repeat_form(call.span))
        count = integer(call.args[0].value, scope.constants, "the count of repeat", MAX_REPEAT)
        before = len(self.steps.drafts)
        for done in range(count):
            value = self.stage(call.args[1].value, value, scope)
            if done == 0 and before + count * (len(self.steps.drafts) - before) > MAX_LAYERS:
                raise Fail(messages.shapes.limit(call.args[0].span, TOO_MANY_LAYERS, "repeat less often"))
        return value

    def _call(self, call: nodes.Call, piped: tuple[Tensor, ...], scope: Scope) -> Tensor:
        """Apply a layer, block or shared layer to the piped value and to leading arguments that are values."""
        call = self._through_parameter(call, scope)
        if is_drawn(self, call, scope):
            return drawn(self, call, piped, scope)
        computed = None if piped else self._computed(call, scope)
        if computed is not None:
            return computed
        bound = self._callee(call, scope)
        operands, rest = self._operands(call, piped, scope)
        if isinstance(bound, SharedLayer | SharedBlock):
            return self._use_shared(bound, operands, rest, call, scope)
        name = call.func.id
        if name in self.blocks:
            return self.use_block(BlockUse(self.blocks[name], rest, operands, call), scope)
        layer = self.layer(name, scope)
        assert layer is not None
        operands, rest, roles = with_named(self, layer, operands, rest, scope)
        rest, act = block_as_act(self, layer, rest, scope)
        rest, frozen = without_trainable(name, [a.name for a in layer.args], rest, scope.constants)
        attrs = bind(name, layer.args, rest, call.span, scope.constants) | roles
        if name == "max" and len(operands) > 1:
            return self._joined("maximum", operands, call.span, scope)
        made = self.steps.apply(layer, attrs, operands, call.span, scope, frozen=frozen)
        if act is not None:
            return through_block(self, made, act, scope)
        each_by_itself = layer.family == "activation" and name != "softmax"
        return made.marked(operands[0].reduced) if each_by_itself else made

    def _computed(self, call: nodes.Call, scope: Scope) -> Tensor | None:
        """Return the value of a call of a function or a reduction, None where it is of a layer or a block."""
        if self._is_formula(call, scope):
            return FormulaReader(self, scope).value(call)
        if self.is_own(call.func.id, scope):
            return None
        if call.func.id == FINAL:
            return last_state(self, call, scope)
        return parts.reduction(self, call, scope) if is_reduction(call) else None

    def _callee(self, call: nodes.Call, scope: Scope) -> Binding | None:
        """Return what the called name is bound to, None for a layer or block. Raises `Fail` where it is no layer."""
        name = call.func.id
        bound = scope.names.get(name)
        if isinstance(bound, Poison) and name not in LAYERS:
            raise Poisoned
        if isinstance(bound, Tensor | Weight):
            what = "a value" if isinstance(bound, Tensor) else "a parameter"
            raise Fail(messages.calls.not_a_layer(call.func.span, name, what))
        if isinstance(scope.constants.get(name), Poison) and name in self.definitions:
            raise Poisoned
        if name in self.cells and self.cells[name] is None:
            raise Poisoned
        if not self._is_layer(name, scope):
            raise Fail(misnamed.no_layer(self, call, scope))
        return bound

    def _operands(
        self, call: nodes.Call, piped: tuple[Tensor, ...], scope: Scope
    ) -> tuple[tuple[Tensor, ...], tuple[nodes.Arg, ...]]:
        """Return the values that a call is given, and the arguments after them. Raises `Fail` for no value at all."""
        operands, rest = list(piped), list(call.args)
        takes_only_values = _takes_only_values(call.func.id)
        while rest and rest[0].name is None and (takes_only_values or self.is_value(rest[0].value, scope)):
            operands.append(self.value(rest.pop(0).value, scope))
        if not operands:
            raise Fail(misnamed.no_operand(self, call, scope))
        return tuple(operands), tuple(rest)

    def _use_shared(
        self,
        shared: SharedLayer | SharedBlock,
        operands: tuple[Tensor, ...],
        rest: tuple[nodes.Arg, ...],
        call: nodes.Call,
        scope: Scope,
    ) -> Tensor:
        scope.used.add(shared.name)
        roles: Attrs = {}
        if isinstance(shared, SharedLayer):
            operands, rest, roles = with_named(self, shared.layer, operands, rest, scope)
        if rest:
            line = self.source.line_of(shared.span)
            raise Fail(messages.calls.shared_arguments(rest[0].span, shared.name, line))
        if isinstance(shared, SharedBlock):
            return self.use_block(BlockUse(shared.block, shared.args, operands, call), scope, shared)
        return self.steps.apply_shared(shared, operands, call.span, scope, roles)


def _takes_only_values(name: str) -> bool:
    """Whether every argument by position must be a value: of a join, or of an activation without arguments."""
    layer = LAYERS.get(name)
    return layer is not None and (layer.arity[1] is None or not layer.args) and layer.family != "layer"


def is_activation(name: str, scope: Scope) -> bool:
    """Whether a name is that of an activation, of the language or of the spec."""
    return name in ACTIVATIONS or _activation_of(scope.constants.get(name)) is not None


def _activation_of(value: Constant | None) -> Layer | None:
    """Return the activation that a definition of the spec is, None where it is something else."""
    return value.member if isinstance(value, Defined) and isinstance(value.member, Layer) else None
