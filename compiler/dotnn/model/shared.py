"""Shared layers: `layer s = dense(64)` names one set of weights, and every use of `s` shares it."""

from __future__ import annotations

from collections.abc import Collection

from dotnn.library.layers import LAYERS
from dotnn.model import messages
from dotnn.model.bind import bind
from dotnn.model.messages.base import Fail
from dotnn.model.paths import PathPart
from dotnn.model.scope import Scope, SharedLayer
from dotnn.syntax import nodes


def define_shared(statement: nodes.LayerDef, blocks: Collection[str], scope: Scope) -> SharedLayer:
    """Return the layer that a `layer` line names; its parameters are made at the first use. Raises `Fail`."""
    expr = statement.value
    call = nodes.Call(expr.span, expr, ()) if isinstance(expr, nodes.Name) else expr
    if not isinstance(call, nodes.Call):
        found = "a pipe" if isinstance(expr, nodes.Pipe) else "an expression"
        raise Fail(messages.calls.shared_is_one_layer(expr.span, found))
    name = call.func.id
    if name in blocks:
        raise Fail(messages.calls.shared_is_one_layer(call.func.span, f"the block {name}"))
    layer = LAYERS.get(name)
    if layer is None:
        raise Fail(messages.calls.unknown_layer(call.func.span, name, LAYERS))
    attrs = bind(layer.name, layer.args, call.args, call.span, scope.constants)
    part = PathPart(scope.param_part, statement.name.id)
    return SharedLayer(statement.name.id, layer, attrs, part, statement.span)
