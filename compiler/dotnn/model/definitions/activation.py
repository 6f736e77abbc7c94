"""Activations that a spec defines: `activation swish(z, beta = 1) = z * sigmoid(beta * z)`."""

from __future__ import annotations

from collections.abc import Mapping

from dotnn.core.arguments import REQUIRED, Arg, show
from dotnn.core.diagnostics import Span
from dotnn.ir import expr as tree
from dotnn.ir.definition import OPERAND, Definition
from dotnn.ir.expr.derive import NoDerivative, in_arrays
from dotnn.ir.expr.simplify import without_units
from dotnn.ir.node import Value
from dotnn.ir.op import Builder
from dotnn.library.layers import ACTIVATIONS, LAYERS
from dotnn.library.layers.base import Layer, Lowering
from dotnn.library.ops import OPS
from dotnn.library.values import REDUCTIONS
from dotnn.model import messages
from dotnn.model.bind import match
from dotnn.model.constants import Defined, Poison, Poisoned, evaluate, is_number
from dotnn.model.definitions.base import DefinitionKind, Definitions, arguments, check_names, check_use, safe
from dotnn.model.formulas import ELEMENTWISE, EXTREMES, FormulaReader, Part, is_function
from dotnn.model.messages.base import Fail
from dotnn.model.scope import Scope
from dotnn.syntax import nodes

FORMULAS = {
    "identity": "z",
    "gelu": "z / 2 * (1 + tanh(0.7978845608028654 * (z + 0.044715 * z ** 3)))",
    "threshold": "where(z >= at, 1, 0)",
}
"""Of activations whose op has no formula that can be differentiated; the others are read from their ops."""
MIXING = ("softmax", "prelu")
"""What mixes elements, or has weights."""
FIRST = "its operand"
"""What stands for the first place of a call: no argument is called so."""


class _Reader(FormulaReader):
    """Reads one definition. Its operand and its parameters are names; nothing of the model is known here."""

    reader: None  # type: ignore[assignment]

    def __init__(self, section: nodes.Definition, known: Definitions) -> None:
        self.section, self.known, self.constants = section, known, known.constants
        self.scope = Scope(known.constants, None, None)
        self.operands = {}
        if not section.params:
            raise Fail(messages.formulas.no_operand(section.name.span, section.name.id))
        first, *rest = section.params
        if first.default is not None:
            raise Fail(messages.formulas.operand_with_default(first.span, first.name.id))
        self.operand = first.name.id
        self.params = {p.name.id: p for p in rest}
        check_names(section, known)

    def layer(self) -> Layer:
        """Return the definition as an activation of the language. Raises `Fail`."""
        section, name = self.section, self.section.name.id
        args = arguments(self.params.values(), self.known)
        body = self.number(section.value)
        check_use(section)
        params = tuple(safe(p, (OPERAND,)) for p in self.params)
        # Written anew: the text of the spec may have comments in it, and goes into no script as it is.
        said = f"{safe(name, (OPERAND,))}({', '.join((OPERAND, *params))}) = {body.tree}"
        definition = Definition(safe(name, (OPERAND,)), params, in_arrays(body.tree), said, section.name.span)
        try:
            definition.has_slope()  # else what cannot be differentiated would be found where it is used
        except NoDerivative as error:
            raise Fail(messages.formulas.no_derivative(section.value.span, name, str(error))) from None

        def lower(b: Builder, low: Lowering) -> Value:
            values = tuple(low.attrs[p] for p in self.params)
            return b.emit("defined", low.x, definition=definition, values=values)

        return Layer(
            name,
            self.known.documentation(section).text,
            lower,
            args,
            family="activation",
            equation=said,
            definition=definition,
        )

    # -------------------------------------------------------------------------------------------------- the body

    def is_part(self, expr: nodes.Expr) -> bool:
        """Whether arithmetic belongs to the formula: here all of it does."""
        return True

    def affine(self, expr: nodes.Binary) -> Part | None:
        """Return nothing: a definition has no parameters that are learnt."""
        return None

    def calls(self, call: nodes.Call) -> bool:
        """Whether a call is one of an elementwise function."""
        return is_function(call)

    def other(self, expr: nodes.Expr) -> Part:
        """Return a name, a number, or the call of an activation."""
        match expr:
            case nodes.Name(id=name) if name == self.operand:
                return Part(tree.Name(OPERAND), expr.span, ())
            case nodes.Name(id=name) if name in self.params:
                return Part(tree.Name(safe(name, (OPERAND,))), expr.span)
            case nodes.Name(id=name) if name not in self.constants:
                known = [self.operand, *self.params, *self.constants]
                raise Fail(messages.names.unknown_name(expr.span, name, known))
            case nodes.Call():
                return self.activation(expr)
            case nodes.Pipe() | nodes.Index() | nodes.Attribute() | nodes.Binary(op="@"):
                raise Fail(messages.formulas.not_elementwise(expr.span))
        return self.constant(expr)

    def constant(self, expr: nodes.Expr) -> Part:
        """Return a number of the spec as a part."""
        found = evaluate(expr, self.constants)
        if not is_number(found):
            raise Fail(messages.constants.bad_constant(expr.span, "a number is needed here", "for instance 0.5"))
        return Part(tree.number(found), expr.span)

    def activation(self, call: nodes.Call) -> Part:
        """Return the formula of another activation with the operand and the arguments of a call."""
        name = call.func.id
        own = self.constants.get(name)
        defined = own.member if isinstance(own, Defined) else None
        if isinstance(own, Poison):
            raise Poisoned
        if name in MIXING or name in REDUCTIONS or (name in LAYERS and name not in ACTIVATIONS):
            raise Fail(messages.formulas.not_elementwise(call.span))
        layer = defined if isinstance(defined, Layer) else ACTIVATIONS.get(name)
        if layer is None:
            known = [*ACTIVATIONS, *ELEMENTWISE, *EXTREMES, *self.known.sections]
            raise Fail(messages.formulas.unknown_function(call.func.span, name, known))
        given = match(name, [FIRST, *(a.name for a in layer.args)], call.args)
        if FIRST not in given:
            raise Fail(messages.formulas.called_without_operand(call.func.span, name, self.operand))
        operand = self.number(given.pop(FIRST))
        parts = {a.name: self.argument(layer, a, given.get(a.name), call.span) for a in layer.args}
        shape = next((p.shape for p in (operand, *parts.values()) if p.shape is not None), None)
        return Part(formula_of(layer, operand.tree, {n: p.tree for n, p in parts.items()}), call.span, shape)

    def argument(self, layer: Layer, arg: Arg, given: nodes.Expr | None, span: Span) -> Part:
        """Return an argument of another activation: any formula, or its default."""
        if given is not None:
            part = self.number(given)
            value = evaluate(given, self.constants) if isinstance(part.tree, tree.Number) else None
            if value is not None and arg.kind.accept(value) is None:
                found = f"not {show(value)}"
                raise Fail(messages.calls.wrong_kind(given.span, layer.name, arg.name, arg.kind.expected, found))
            return part
        if arg.default is REQUIRED:
            raise Fail(messages.calls.missing_argument(span, layer.name, arg.name, arg.doc))
        assert is_number(arg.default)  # as the arguments of all activations are
        return Part(tree.number(arg.default), span)

    def places(self, parts: object) -> str:
        """Say nothing of shapes: there are none here."""
        return ""


def formula_of(layer: Layer, operand: tree.Expr, arguments: Mapping[str, tree.Expr]) -> tree.Expr:
    """Return the formula of an activation of the language or of the spec, with these in place of its names."""
    if layer.definition is not None:
        values = dict(zip(layer.definition.params, arguments.values(), strict=True))
        return without_units(tree.substitute(layer.definition.body, {OPERAND: operand, **values}))
    text = FORMULAS.get(layer.name) or OPS[layer.name].numpy
    assert isinstance(text, str)
    return without_units(tree.substitute(tree.parse(text), {OPERAND: operand, **arguments}))


def _read(section: nodes.Definition, known: Definitions) -> Layer:
    return _Reader(section, known).layer()


ACTIVATION = DefinitionKind("activation", _read, ("activation",), ACTIVATIONS, "x -> dense(8, {name})")
