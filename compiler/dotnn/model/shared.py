"""Shared layers: `layer s = dense(64)` names one set of weights, and every use of `s` shares it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dotnn.core.diagnostics import Source
from dotnn.library.layers import LAYERS
from dotnn.library.layers.base import shape_text
from dotnn.model import messages
from dotnn.model.bind import bind
from dotnn.model.blocks import BlockUse
from dotnn.model.constants import Poisoned
from dotnn.model.freezing import without_trainable
from dotnn.model.messages.base import Fail
from dotnn.model.paths import PathPart
from dotnn.model.scope import Draft, Scope, SharedBlock, SharedLayer, Weight
from dotnn.syntax import nodes

if TYPE_CHECKING:
    from dotnn.model.expressions import ExpressionReader


def define_shared(statement: nodes.LayerDef, reader: ExpressionReader, scope: Scope) -> SharedLayer | SharedBlock:
    """Return the layer or block that a `layer` line names; its parameters are made at the first use. Raises `Fail`."""
    expr = statement.value
    call = nodes.Call(expr.span, expr, ()) if isinstance(expr, nodes.Name) else expr
    if not isinstance(call, nodes.Call):
        found = "a pipe" if isinstance(expr, nodes.Pipe) else "an expression"
        raise Fail(messages.calls.shared_is_one_layer(expr.span, found))
    name, part = call.func.id, PathPart(scope.param_part, statement.name.id)
    if name in reader.blocks:
        return SharedBlock(statement.name.id, reader.blocks[name], call.args, part, statement.span)
    layer = reader.cells.get(name) or LAYERS.get(name)
    if layer is None:
        if name in reader.cells:
            raise Poisoned
        raise Fail(messages.calls.unknown_layer(call.func.span, name, [*LAYERS, *reader.blocks, *reader.cells]))
    args, frozen = without_trainable(layer.name, [a.name for a in layer.args], call.args, scope.constants)
    attrs = bind(layer.name, layer.args, args, call.span, scope.constants)
    return SharedLayer(statement.name.id, layer, attrs, part, statement.span, frozen)


def agree(
    shared: SharedBlock, weights: Sequence[Weight], drafts: Sequence[Draft], use: BlockUse, source: Source
) -> None:
    """Keep the shapes of a shared block's parameters at its first use. Raises `Fail` at another that wants others."""
    found = {weight.spec.name: weight.spec.shape for weight in weights}
    for draft in drafts:
        owner = draft.params.path_from(shared.part)
        found |= {f"{owner}.{spec.name}": spec.shape for spec in draft.specs if owner is not None}
    inputs = ", ".join(shape_text(t.type) for t in use.operands)
    if shared.shapes is None:
        shared.shapes, shared.first, shared.first_use = found, inputs, source.line_of(use.call.span)
    elif shared.shapes != found:
        raise Fail(messages.shapes.shared_shape(use.span, shared.name, shared.first, inputs, shared.first_use))
