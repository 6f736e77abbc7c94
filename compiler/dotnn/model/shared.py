"""Shared layers: `layer s = dense(64)` names one set of weights, and every use of `s` shares it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dotnn.core.diagnostics import Span
from dotnn.library.layers import LAYERS
from dotnn.library.layers.base import ParamSpec, shape_text
from dotnn.model import messages
from dotnn.model.bind import bind
from dotnn.model.messages.base import Fail
from dotnn.model.paths import Place
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
        raise Fail(messages.calls.shared_is_one_layer(expr.span, found))
    name = call.func.id
    if name in network.blocks:
        raise Fail(messages.calls.shared_is_one_layer(call.func.span, f"the block {name}"))
    layer = LAYERS.get(name)
    if layer is None:
        raise Fail(messages.calls.unknown_layer(call.func.span, name, LAYERS))
    attrs = bind(layer.name, layer.args, call.args, call.span, scope.constants)
    place = Place(scope.param_place, statement.name.id)
    return SharedLayer(statement.name.id, layer, attrs, place, statement.span)


def use_shared(
    network: Network, shared: SharedLayer, rest: Sequence[nodes.Arg], operands: Sequence[Tensor], call: nodes.Call,
    scope: Scope,
) -> Tensor:  # fmt: skip
    """Apply a shared layer. Raises `Fail`."""
    if rest:
        raise Fail(messages.calls.shared_arguments(rest[0].span, shared.name, network.line(shared.span)))
    return network.apply(shared.layer, shared.attrs, tuple(operands), call.span, scope, shared)


def agree(
    network: Network, shared: SharedLayer, specs: tuple[ParamSpec, ...], operands: Sequence[Tensor], span: Span
) -> None:
    """Make the parameters of a shared layer at its first use. Raises `Fail` at another one that wants other shapes."""
    found = ", ".join(shape_text(t.type) for t in operands)
    if shared.specs is None:
        shared.specs, shared.first, shared.first_use = specs, found, network.line(span)
    elif specs != shared.specs:
        raise Fail(messages.shapes.shared_shape(span, shared.name, shared.first, found, shared.first_use))
