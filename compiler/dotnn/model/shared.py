"""Shared layers: `layer s = dense(64)` names one set of weights, and every use of `s` shares it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dotnn.layers import LAYERS
from dotnn.layers.base import ShapeError, shape_text
from dotnn.model import messages
from dotnn.model.bind import bind
from dotnn.model.messages import Fail
from dotnn.model.places import Place
from dotnn.model.scope import Scope, SharedLayer, Tensor
from dotnn.syntax import nodes

if TYPE_CHECKING:
    from dotnn.model.network import Network


def define_shared(network: Network, statement: nodes.LayerDef, scope: Scope) -> SharedLayer:
    """Return the layer that a `layer` line names; its parameters are made at the first use. Raises `Fail`."""
    expr = statement.value
    call = nodes.Call(expr.span, expr, ()) if isinstance(expr, nodes.Name) else expr
    if not isinstance(call, nodes.Call):
        found = "a pipe" if isinstance(expr, nodes.Pipe) else "an expression"
        raise Fail(messages.shared_is_one_layer(expr.span, found))
    name = call.func.id
    if name in network.blocks:
        raise Fail(messages.shared_is_one_layer(call.func.span, f"the block {name}"))
    layer = LAYERS.get(name)
    if layer is None:
        raise Fail(messages.unknown_layer(call.func.span, name, LAYERS))
    attrs = bind(layer.name, layer.args, call.args, call.span, scope.constants)
    place = Place(scope.param_place, statement.name.id)
    return SharedLayer(statement.name.id, layer, attrs, place, statement.span)


def use_shared(
    network: Network, shared: SharedLayer, rest: Sequence[nodes.Arg], operands: Sequence[Tensor], call: nodes.Call,
    scope: Scope,
) -> Tensor:  # fmt: skip
    """Apply a shared layer; all its uses must want parameters of the same shapes."""
    if rest:
        raise Fail(messages.shared_arguments(rest[0].span, shared.name, network.line(shared.span)))
    if shared.first is None or shared.first_use is None:
        shared.first, shared.first_use = operands[0], call.span
    elif _params(shared, shared.first) != _params(shared, operands[0]):
        first, found = shape_text(shared.first.type), shape_text(operands[0].type)
        raise Fail(messages.shared_shape(call.span, shared.name, first, found, network.line(shared.first_use)))
    return network.apply(shared.layer, shared.attrs, tuple(operands), call.span, scope, shared)


def _params(shared: SharedLayer, operand: Tensor) -> object:
    try:
        return shared.layer.params([operand.type], shared.attrs)
    except (ShapeError, IndexError):
        return None  # the layer itself says what is wrong
