"""The operands of a call: values in front of its arguments, and those of a recurrent layer that are given by name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from dotnn.core.arguments import Symbol
from dotnn.library.layers import Layer
from dotnn.library.layers.base import shape_text
from dotnn.library.layers.loop import PLAIN, ROLES
from dotnn.library.layers.recurrent import RETURNS
from dotnn.library.values import PART
from dotnn.model import messages
from dotnn.model.constants import ConstCall
from dotnn.model.messages.base import Fail
from dotnn.model.scope import Scope, Tensor
from dotnn.syntax import nodes

if TYPE_CHECKING:
    from dotnn.model.expressions import ExpressionReader

MASK, INITIAL, FINAL, ACT = "mask", "initial", "final", "act"


def with_named(
    reader: ExpressionReader, layer: Layer, operands: Sequence[Tensor], args: Sequence[nodes.Arg], scope: Scope
) -> tuple[tuple[Tensor, ...], tuple[nodes.Arg, ...], dict[str, object]]:
    """Return all operands of a layer, the arguments that are none, and the attribute that says what each operand is.

    Raises `Fail` for an operand that is given twice, or is no value.
    """
    if not layer.optional:
        return tuple(operands), tuple(args), {}
    known = [*layer.inputs, *layer.optional]
    found = dict(zip(known, operands, strict=False))
    for arg in args:
        for role, expr in _named(layer, arg):
            if role in found:
                raise Fail(messages.calls.repeated_argument(arg.span, layer.name, role))
            if not reader.is_value(expr, scope):
                raise Fail(messages.timesteps.operand_by_name(expr.span, layer.name, role))
            found[role] = reader.value(expr, scope)
    rest = tuple(arg for arg in args if not list(_named(layer, arg)))
    roles = tuple(role for role in known if role in found)
    if len(operands) > len(known) or (layer.expand is None and roles in (PLAIN[:1], PLAIN)):
        return (*operands, *list(found.values())[len(operands) :]), rest, {}
    return tuple(found[role] for role in roles), rest, {ROLES: roles}


def _named(layer: Layer, arg: nodes.Arg) -> Iterator[tuple[str, nodes.Expr]]:
    """Yield what an argument gives to a recurrent layer besides its sequence; nothing where it is another argument."""
    name = arg.name.id if arg.name else ""
    if name == MASK:
        yield MASK, arg.value
    if name == INITIAL:
        values = arg.value.items if isinstance(arg.value, nodes.List) else (arg.value,)
        states = [role for role in layer.optional if role != MASK]
        if len(values) > len(states):
            raise Fail(messages.timesteps.too_many_states(arg.value.span, layer.name, len(states), len(values)))
        yield from zip(states, values, strict=False)


def last_state(reader: ExpressionReader, call: nodes.Call, scope: Scope) -> Tensor:
    """Return `final(h)`: what a recurrent layer hands out of the last step that it reads. Raises `Fail`."""
    if len(call.args) != 1 or call.args[0].name is not None:
        help = "for instance: final(h)"
        raise Fail(messages.calls.wrong_arity(call.func.span, FINAL, "1 value", len(call.args), help))
    value = reader.value(call.args[0].value, scope)
    if value.layer is None or RETURNS not in value.layer.args:
        raise Fail(messages.timesteps.no_last_state(call.args[0].span, reader.steps.origins([value])))
    if value.attrs[RETURNS.name] == "last":
        return value
    place = 0 if value.attrs["reverse"] else value.type.example[0] - 1
    return reader.steps.apply(PART, {"places": (place,)}, (value,), call.span, scope)


def block_as_act(
    reader: ExpressionReader, layer: Layer, args: Sequence[nodes.Arg], scope: Scope
) -> tuple[tuple[nodes.Arg, ...], nodes.Expr | None]:
    """Return the arguments of a layer without a block that is given as its activation, and that block.

    The block is applied to what the layer computes. Raises `Fail` for a recurrent layer: its activation is inside.
    """
    names = [arg.name for arg in layer.args]
    for place, arg in enumerate(args):
        name = arg.name.id if arg.name else names[place] if place < len(names) else ""
        block = _block_named(reader, arg.value, scope) if name == ACT else None
        if block is None:
            continue
        if RETURNS in layer.args:
            raise Fail(messages.weights.block_in_a_loop(arg.value.span, layer.name))
        plain = replace(arg, value=nodes.Name(arg.value.span, "identity"))
        return (*args[:place], plain, *args[place + 1 :]), block
    return tuple(args), None


def _block_named(reader: ExpressionReader, expr: nodes.Expr, scope: Scope) -> nodes.Expr | None:
    """Return the name or the call of a block that an expression is, itself or through a parameter."""
    called = expr.func if isinstance(expr, nodes.Call) else expr
    if not isinstance(called, nodes.Name):
        return None
    if called.id in reader.blocks:
        return expr
    chosen = scope.constants.get(called.id)
    if isinstance(chosen, Symbol) and chosen.id in reader.blocks:
        return nodes.Name(expr.span, chosen.id)
    if isinstance(chosen, ConstCall) and chosen.call.func.id in reader.blocks:
        return chosen.call
    return None


def through_block(reader: ExpressionReader, value: Tensor, block: nodes.Expr, scope: Scope) -> Tensor:
    """Return a value through the block that is its activation. Raises `Fail` where the block changes its shape."""
    made = reader.stage(block, value, scope)
    if made.type != value.type:
        name = reader.source.words_at(block.span)
        raise Fail(
            messages.weights.act_of_another_shape(block.span, name, shape_text(value.type), shape_text(made.type))
        )
    return made
