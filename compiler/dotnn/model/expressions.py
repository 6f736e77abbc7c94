"""Expressions of the network: names, pipes, calls and arithmetic become values, step by step."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence

from dotnn.core.arguments import Symbol
from dotnn.core.diagnostics import Diagnostic, Reporter, Span, closest
from dotnn.core.limits import MAX_EXPRESSION_DEPTH, MAX_LAYERS, MAX_REPEAT
from dotnn.library.layers import ACTIVATIONS, LAYERS, Layer
from dotnn.library.values import REDUCTIONS
from dotnn.model import messages, parts
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
from dotnn.model.formulas import ELEMENTWISE, FormulaReader, is_function
from dotnn.model.messages.base import Fail
from dotnn.model.model import Declared
from dotnn.model.parts import is_reduction
from dotnn.model.scope import Binding, Scope, SharedLayer, Tensor, terms_of
from dotnn.model.steps import TOO_MANY_LAYERS, Steps
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
        self.depth = 0

    @abstractmethod
    def use_block(self, use: BlockUse, scope: Scope) -> Tensor:
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
                return self._named(expr, scope)
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

    def _named(self, expr: nodes.Name, scope: Scope) -> Tensor:
        bound = scope.names.get(expr.id)
        scope.used.add(expr.id)
        if isinstance(bound, Tensor):
            return bound
        if isinstance(bound, Poison):
            raise Poisoned
        if self._is_layer(expr.id, scope):
            raise Fail(messages.calls.layer_without_input(expr.span, expr.id, expr.id))
        raise Fail(self._no_value(expr, scope))

    def _no_value(self, expr: nodes.Name, scope: Scope) -> Diagnostic:
        """Return what is wrong with a name that denotes neither a value nor a layer."""
        name = expr.id
        if scope is not self.scope and (name in self.scope.names or name in self.targets):
            return messages.names.outside_the_block(expr.span, name)
        if name in self.targets:
            help = "a target is compared with an output in the loss: loss = mse(y, t)"
            return messages.calls.not_a_value(expr.span, f"the target {name}", help)
        if name in scope.constants:
            evaluate(expr, scope.constants)  # what is wrong with the parameter itself has been said
            return messages.calls.not_a_value(expr.span, f"the parameter {name}", f"to scale a value write {name} * x")
        return messages.names.unknown_name(expr.span, name, [n for n in scope.names if n])

    def _is_formula(self, expr: nodes.Expr, scope: Scope) -> bool:
        """Whether an expression is more than sums, products and multiples of values, which are joins."""
        match expr:
            case nodes.Binary(op="+" | "-" | "*" as op, left=left, right=right):
                shifted = op != "*" and self.is_value(left, scope) != self.is_value(right, scope)
                return shifted or self._is_formula(left, scope) or self._is_formula(right, scope)
            case nodes.Unary(op="-", operand=operand):
                return self._is_formula(operand, scope)
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
                    self._named(found, scope)
                case nodes.Call() as call if not is_function(call):
                    self._callee(call, scope)
                    raise Fail(self._no_operand(call, scope))
                case inner:
                    pending += reversed(children(inner))

    def is_own(self, name: str, scope: Scope) -> bool:
        """Whether the spec itself calls something so: a value, a shared layer, a block."""
        return name in scope.names or name in self.blocks

    def _is_layer(self, name: str, scope: Scope) -> bool:
        """Whether a name denotes a layer, a block or a shared layer."""
        shared = isinstance(scope.names.get(name), SharedLayer)
        return self.layer(name, scope) is not None or name in self.blocks or shared

    def layer(self, name: str, scope: Scope) -> Layer | None:
        """Return the layer of a name: one of the language, or an activation of the spec."""
        own = _activation_of(scope.constants.get(name))
        return own or LAYERS.get(name)

    def is_value(self, expr: nodes.Expr, scope: Scope) -> bool:
        """Whether `expr` denotes a value of the network rather than a constant."""
        match expr:
            case nodes.Name(id=name):
                return isinstance(scope.names.get(name), Tensor | Poison)
            case nodes.Pipe():
                return True
            case nodes.Binary() | nodes.Unary():
                return any(self.is_value(part, scope) for part in children(expr))
            case nodes.Index(value=value) | nodes.Attribute(value=value):
                return self.is_value(value, scope)
            case nodes.Call():
                return self._takes_values(expr, scope) and any(self.is_value(o, scope) for o in by_position(expr))
        return False

    def _takes_values(self, call: nodes.Call, scope: Scope) -> bool:
        called = _through_parameter(call, scope)
        return self._is_layer(called.func.id, scope) or is_function(called) or is_reduction(called)

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
                value = self.value(operand, scope)
                return self.steps.apply(SCALE, {"factor": -1}, (value,), expr.span, scope).marked(value.reduced)
        raise self._no_operation(expr, scope)

    def _binary(self, expr: nodes.Binary, scope: Scope) -> Tensor:
        sides = self.is_value(expr.left, scope), self.is_value(expr.right, scope)
        if expr.op == "*" and sides[0] != sides[1]:
            constant, value = (expr.left, expr.right) if sides[1] else (expr.right, expr.left)
            factor = evaluate(constant, scope.constants)
            if is_number(factor):
                operand = self.value(value, scope)
                scaled = self.steps.apply(SCALE, {"factor": factor}, (operand,), expr.span, scope)
                return scaled.marked(operand.reduced)
        terms = terms_of(expr)
        numbers = self._numbers(terms, scope) if expr.op == "*" else {}
        values = tuple(self.value(e, scope) for e in terms if id(e) not in numbers)
        joined = values[0] if len(values) == 1 else self._joined(expr.op, values, expr.span, scope)
        if not numbers:
            return joined
        scaled = self.steps.apply(SCALE, {"factor": math.prod(numbers.values())}, (joined,), expr.span, scope)
        return scaled.marked(joined.reduced)

    def _joined(self, op: str, values: tuple[Tensor, ...], span: Span, scope: Scope) -> Tensor:
        """Return the join of values; where a reduced axis meets the axis that it came from, it is a formula."""
        if any(v.reduced for v in values) and any(v.type != values[0].type for v in values):
            return FormulaReader(self, scope).joined(op, values, span)
        common = {k: n for k, n in values[0].reduced.items() if all(v.reduced.get(k) == n for v in values)}
        return self.steps.apply(LAYERS[JOINS[op]], {}, values, span, scope).marked(common)

    def _numbers(self, terms: Sequence[nodes.Expr], scope: Scope) -> dict[int, float]:
        """Return the numbers among the factors of a product of values, by the identity of their expression."""
        found: dict[int, float] = {}
        for term in terms:
            number = self._number(term, scope)
            if number is not None:
                found[id(term)] = number
        return found

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
        call = _through_parameter(call, scope)
        computed = None if piped else self._computed(call, scope)
        if computed is not None:
            return computed
        bound = self._callee(call, scope)
        operands, rest = self._operands(call, piped, scope)
        if isinstance(bound, SharedLayer):
            return self._use_shared(bound, operands, rest, call, scope)
        name = call.func.id
        if name in self.blocks:
            return self.use_block(BlockUse(self.blocks[name], rest, operands, call), scope)
        layer = self.layer(name, scope)
        assert layer is not None
        attrs = bind(name, layer.args, rest, call.span, scope.constants)
        if name == "max" and len(operands) > 1:
            return self._joined("maximum", operands, call.span, scope)
        made = self.steps.apply(layer, attrs, operands, call.span, scope)
        each_by_itself = layer.family == "activation" and name != "softmax"
        return made.marked(operands[0].reduced) if each_by_itself else made

    def _computed(self, call: nodes.Call, scope: Scope) -> Tensor | None:
        """Return the value of a call of a function or a reduction, None where it is of a layer or a block."""
        if self._is_formula(call, scope):
            return FormulaReader(self, scope).value(call)
        if is_reduction(call) and not self.is_own(call.func.id, scope):
            return parts.reduction(self, call, scope)
        return None

    def _callee(self, call: nodes.Call, scope: Scope) -> Binding | None:
        """Return what the called name is bound to, None for a layer or block. Raises `Fail` where it is no layer."""
        name = call.func.id
        bound = scope.names.get(name)
        if isinstance(bound, Poison) and name not in LAYERS:
            raise Poisoned
        if isinstance(bound, Tensor):
            raise Fail(messages.calls.not_a_layer(call.func.span, name, "a value"))
        if isinstance(scope.constants.get(name), Poison) and name in self.definitions:
            raise Poisoned
        if not self._is_layer(name, scope):
            raise Fail(self._no_layer(call, scope))
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
            raise Fail(self._no_operand(call, scope))
        return tuple(operands), tuple(rest)

    def _use_shared(
        self,
        shared: SharedLayer,
        operands: tuple[Tensor, ...],
        rest: Sequence[nodes.Arg],
        call: nodes.Call,
        scope: Scope,
    ) -> Tensor:
        scope.used.add(shared.name)
        if rest:
            line = self.source.line_of(shared.span)
            raise Fail(messages.calls.shared_arguments(rest[0].span, shared.name, line))
        return self.steps.apply_shared(shared, operands, call.span, scope)

    def _no_layer(self, call: nodes.Call, scope: Scope) -> Diagnostic:
        """Return what is wrong with the called name, which is no layer."""
        name, span = call.func.id, call.func.span
        if name == "repeat":
            return messages.calls.layer_without_input(span, name, self.source.words_at(call.span))
        if name in self.targets:
            return messages.calls.not_a_layer(span, name, "a target")
        if name in scope.constants and name not in WORDS:
            evaluate(call.func, scope.constants)  # what is wrong with the parameter itself has been said
            help = f"a layer takes its value as an argument, as in x -> dense({name}); or let it name an activation"
            return messages.calls.not_a_layer(span, name, "a parameter", help)
        shared = [n for n, bound in scope.names.items() if isinstance(bound, SharedLayer)]
        known = [*LAYERS, *self.blocks, *shared, *self.definitions, "repeat"]
        functions = [*ELEMENTWISE, *REDUCTIONS] if closest(name, [*ELEMENTWISE, *REDUCTIONS]) else []
        return messages.calls.unknown_layer(span, name, [*known, *functions])

    def _no_operand(self, call: nodes.Call, scope: Scope) -> Diagnostic:
        """Return what is wrong with a call that is given no value: often the value's name is misspelt."""
        first = next(iter(call.args), None)
        if first is not None and first.name is None and isinstance(first.value, nodes.Name):
            name = first.value.id
            if name not in scope.constants and name not in LAYERS:
                self._named(first.value, scope)
        return messages.calls.layer_without_input(call.func.span, call.func.id, self.source.words_at(call.span))


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


def _through_parameter(call: nodes.Call, scope: Scope) -> nodes.Call:
    """Return the call of the activation that a parameter chooses: `params { act = leaky_relu(0.2) }`, `x -> act`."""
    chosen = scope.constants.get(call.func.id)
    if isinstance(chosen, Symbol) and is_activation(chosen.id, scope):
        return nodes.Call(call.span, nodes.Name(call.func.span, chosen.id), call.args)
    if isinstance(chosen, ConstCall) and is_activation(chosen.call.func.id, scope):
        name = nodes.Name(call.func.span, chosen.call.func.id)
        return nodes.Call(call.span, name, (*call.args, *chosen.call.args))
    return call
