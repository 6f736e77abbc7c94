"""Blocks: a user's own piece of network, expanded afresh at every use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dotnn.core.diagnostics import Span
from dotnn.core.limits import MAX_BLOCKS, MAX_SIZE
from dotnn.library.layers.base import shape_text
from dotnn.model import messages
from dotnn.model.bind import match
from dotnn.model.constants import Poisoned, evaluate, integer
from dotnn.model.messages import Fail
from dotnn.model.scope import OpenUse, Scope, Tensor
from dotnn.model.unused import unused_names
from dotnn.syntax import nodes

if TYPE_CHECKING:
    from dotnn.model.network import Network


def use_block(
    network: Network, block: nodes.BlockSection, args: Sequence[nodes.Arg], operands: Sequence[Tensor],
    call: nodes.Call, scope: Scope,
) -> Tensor:  # fmt: skip
    """Expand a block: its inputs become the operands, its shape variables their sizes. Returns its output."""
    name = block.name.id
    if name in scope.blocks_open:
        raise Fail(messages.recursive_block(call.func.span, scope.blocks_open[scope.blocks_open.index(name) :]))
    network.blocks_used += 1
    if network.blocks_used > MAX_BLOCKS:
        raise Fail(
            messages.limit(call.span, f"blocks are used more than {MAX_BLOCKS:,} times", "repeat them less often")
        )
    constants = _constants(network, block, args, call, scope)
    element = scope.element(name, is_block=True)
    inner = Scope(constants, element.value, element.params, blocks_open=(*scope.blocks_open, name))
    _bind_inputs(network, block, operands, call, inner)
    bound = {n: t for n, t in inner.names.items() if isinstance(t, Tensor)}
    own = {param.name.id: constants[param.name.id] for param in block.params}
    use = OpenUse(name, own, bound, element, call.span, scope.statement, block.span)
    inner.uses = (*scope.uses, use)
    before, errors = len(network.drafts), len(network.reporter.errors)
    network.body(block.statements, inner)
    element.has_params = any(d.specs for d in network.drafts[before:])
    return _result(network, block, inner, whole=len(network.reporter.errors) == errors)


def _constants(
    network: Network, block: nodes.BlockSection, args: Sequence[nodes.Arg], call: nodes.Call, scope: Scope
) -> dict[str, Any]:
    """Return the constants that the block sees: the spec's parameters and its own."""
    name = block.name.id
    given = match(f"block {name}", [p.name.id for p in block.params], args)
    outer = network.scope.constants
    values: dict[str, Any] = {}
    for param in block.params:
        expr = given.get(param.name.id)
        if expr is not None:
            values[param.name.id] = evaluate(expr, scope.constants)
        elif param.default is not None:
            values[param.name.id] = evaluate(param.default, {**outer, **values})
        else:
            raise Fail(messages.missing_block_argument(call.func.span, name, param.name.id))
    return {**outer, **values}


def _bind_inputs(
    network: Network, block: nodes.BlockSection, operands: Sequence[Tensor], call: nodes.Call, inner: Scope
) -> None:
    declared = [s for s in block.statements if isinstance(s, nodes.TensorDecl)]
    name = block.name.id
    for decl in declared:
        if decl.role != "input":
            help = "declare it in the model; a block only computes"
            raise Fail(messages.statement_not_allowed(decl.span, "a target", "block", help))
        network.check_name(decl.name, inner)
    if len(declared) != len(operands):
        names = ", ".join(d.name.id for d in declared)
        help = f"pass one value for each input: {name}({names})" if declared else "declare an input in the block"
        expected = messages.several(len(declared), "value")
        raise Fail(messages.wrong_arity(call.func.span, f"block {name}", expected, len(operands), help))
    for decl, operand in zip(declared, operands, strict=True):
        if decl.name.id in inner.names:
            first = next(d for d in declared if d.name.id == decl.name.id)
            raise Fail(messages.duplicate_name(decl.name.span, decl.name.id, network.line(first.span)))
        assert isinstance(inner.constants, dict)
        unify(name, decl, operand, inner.constants, call.func.span)
        inner.names[decl.name.id] = operand.called(decl.name.id)


def _result(network: Network, block: nodes.BlockSection, inner: Scope, *, whole: bool) -> Tensor:
    """Return the output; what is unused is only known where the `whole` block was understood."""
    outputs = [s for s in block.statements if isinstance(s, nodes.Output)]
    if len(outputs) != 1:
        raise Fail(messages.block_needs_one_output(block.name.span, block.name.id, len(outputs)))
    name = outputs[0].name.id if outputs[0].name else ""
    inner.used.add(name)
    for diagnostic in unused_names(inner, block.statements) if whole else ():
        network.report(diagnostic)
    bound = inner.names.get(name)
    if not isinstance(bound, Tensor):
        raise Poisoned
    return bound


def unify(block: str, decl: nodes.TensorDecl, operand: Tensor, constants: dict[str, Any], span: Span) -> None:
    """Bind the free names in a block input's shape to the operand's sizes; the others must be equal."""
    found = operand.type.example
    declared = f"[{', '.join(_dim_text(d) for d in decl.dims)}]"
    notes = []
    if len(found) != len(decl.dims):
        notes.append(
            f"declared with {messages.several(len(decl.dims), 'axis').replace('axiss', 'axes')}, not {len(found)}"
        )
    for dim, size in zip(decl.dims, found, strict=False):
        if isinstance(dim, nodes.Name) and dim.id not in constants:
            constants[dim.id] = size
            continue
        wanted = integer(dim, constants, "a size", MAX_SIZE)
        if wanted != size:
            notes.append(
                f"{_dim_text(dim)} is {wanted}, not {size}"
                if isinstance(dim, nodes.Name)
                else f"{wanted} is not {size}"
            )
    if notes:
        shape = shape_text(operand.type)
        raise Fail(messages.block_shape(span, block, decl.name.id, declared, shape, notes[0]))


def _dim_text(dim: nodes.Expr) -> str:
    return dim.id if isinstance(dim, nodes.Name) else str(getattr(dim, "value", "…"))
