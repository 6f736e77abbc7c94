"""What is wrong with a name in the network that denotes nothing that fits its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dotnn.core.diagnostics import Diagnostic, closest
from dotnn.library.layers import LAYERS
from dotnn.library.values import REDUCTIONS
from dotnn.model import messages
from dotnn.model.constants import WORDS, evaluate
from dotnn.model.formulas import ELEMENTWISE
from dotnn.model.scope import Scope, SharedBlock, SharedLayer
from dotnn.syntax import nodes

if TYPE_CHECKING:
    from dotnn.model.expressions import ExpressionReader


def no_value(reader: ExpressionReader, expr: nodes.Name, scope: Scope) -> Diagnostic:
    """Return what is wrong with a name that denotes neither a value nor a layer."""
    name = expr.id
    if scope is not reader.scope and (name in reader.scope.names or name in reader.targets):
        return messages.names.outside_the_block(expr.span, name)
    if name in reader.targets:
        help = "a target is compared with an output in the loss: loss = mse(y, t)"
        return messages.calls.not_a_value(expr.span, f"the target {name}", help)
    if name in scope.constants:
        evaluate(expr, scope.constants)  # what is wrong with the parameter itself has been said
        return messages.calls.not_a_value(expr.span, f"the parameter {name}", f"to scale a value write {name} * x")
    return messages.names.unknown_name(expr.span, name, [n for n in scope.names if n])


def no_layer(reader: ExpressionReader, call: nodes.Call, scope: Scope) -> Diagnostic:
    """Return what is wrong with the called name, which is no layer."""
    name, span = call.func.id, call.func.span
    if name == "repeat":
        return messages.calls.layer_without_input(span, name, reader.source.words_at(call.span))
    if name in reader.targets:
        return messages.calls.not_a_layer(span, name, "a target")
    if name in scope.constants and name not in WORDS:
        evaluate(call.func, scope.constants)  # what is wrong with the parameter itself has been said
        help = f"a layer takes its value as an argument, as in x -> dense({name}); or let it name an activation"
        return messages.calls.not_a_layer(span, name, "a parameter", help)
    shared = [n for n, bound in scope.names.items() if isinstance(bound, SharedLayer | SharedBlock)]
    known = [*LAYERS, *reader.blocks, *reader.cells, *shared, *reader.definitions, "repeat"]
    functions = [*ELEMENTWISE, *REDUCTIONS] if closest(name, [*ELEMENTWISE, *REDUCTIONS]) else []
    return messages.calls.unknown_layer(span, name, [*known, *functions])


def no_operand(reader: ExpressionReader, call: nodes.Call, scope: Scope) -> Diagnostic:
    """Return what is wrong with a call that is given no value: often the value's name is misspelt."""
    first = next(iter(call.args), None)
    if first is not None and first.name is None and isinstance(first.value, nodes.Name):
        name = first.value.id
        if name not in scope.constants and name not in LAYERS:
            reader.named(first.value, scope)
    return messages.calls.layer_without_input(call.func.span, call.func.id, reader.source.words_at(call.span))
