"""Activations that a spec defines: `activation swish(z, beta = 1) = z * sigmoid(beta * z)`."""

from __future__ import annotations

from dotnn.ir import expr as tree
from dotnn.ir.definition import OPERAND, Definition
from dotnn.ir.expr.derive import NoDerivative, in_arrays
from dotnn.ir.expr.stable import stable
from dotnn.ir.node import Value
from dotnn.ir.op import Builder
from dotnn.library.layers import ACTIVATIONS
from dotnn.library.layers.base import Layer, Lowering
from dotnn.model import messages
from dotnn.model.definitions.base import DefinitionKind, Definitions, arguments, check_names, check_use, safe
from dotnn.model.definitions.reader import DefinitionReader
from dotnn.model.formulas import Part
from dotnn.model.messages.base import Fail
from dotnn.syntax import nodes


def _read(section: nodes.Definition, known: Definitions) -> Layer:
    """Return the definition as an activation of the language. Raises `Fail`."""
    operand, *rest = _parameters(section, known)
    args = arguments(rest, known)
    params = tuple(_called(p.name.id) for p in rest)
    names = {p.name.id: Part(tree.Name(safe), p.span) for p, safe in zip(rest, params, strict=True)}
    parts = {operand.name.id: Part(tree.Name(OPERAND), operand.span, ()), **names}
    body = DefinitionReader(known, parts, section.keyword).number(section.value)
    check_use(section)
    # Written anew: the text of the spec may have comments in it, and goes into no script as it is.
    name = _called(section.name.id)
    said = f"{name}({', '.join((OPERAND, *params))}) = {body.tree}"
    definition = Definition(name, params, in_arrays(stable(body.tree), params), said, section.name.span)
    try:
        definition.has_slope()  # else what cannot be differentiated would be found where it is used
    except NoDerivative as error:
        place, name = section.value.span, section.name.id
        raise Fail(messages.definitions.no_derivative(place, section.keyword, name, str(error))) from None

    def lower(b: Builder, low: Lowering) -> Value:
        values = tuple(low.attrs[p.name.id] for p in rest)
        return b.emit("defined", low.x, definition=definition, values=values)

    doc = known.documentation(section).text
    return Layer(section.name.id, doc, lower, args, family="activation", equation=said, definition=definition)


def _parameters(section: nodes.Definition, known: Definitions) -> tuple[nodes.BlockParam, ...]:
    """Return the parameters, the operand first. Raises `Fail` where there is none."""
    if not section.params:
        raise Fail(messages.formulas.no_operand(section.name.span, section.name.id))
    first = section.params[0]
    if first.default is not None:
        raise Fail(messages.formulas.operand_with_default(first.span, first.name.id))
    kinds = [p.kind for p in section.params if p.kind is not None]
    if kinds:
        raise Fail(messages.formulas.kind_in_activation(kinds[0].span))
    check_names(section, known)
    return section.params


def _called(name: str) -> str:
    return safe(name, (OPERAND,))


ACTIVATION = DefinitionKind("activation", _read, ("activation",), ACTIVATIONS, "x -> dense(8, {name})")
