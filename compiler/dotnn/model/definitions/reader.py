"""Reads the formula of a definition: names, numbers, functions, and the activations that it calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from dotnn.core.arguments import REQUIRED, Arg, show
from dotnn.core.diagnostics import Span
from dotnn.ir import expr as tree
from dotnn.ir.definition import OPERAND
from dotnn.ir.expr.simplify import without_units
from dotnn.library.layers import ACTIVATIONS, LAYERS
from dotnn.library.layers.base import Layer
from dotnn.library.ops import OPS
from dotnn.library.values import REDUCTIONS
from dotnn.model import messages
from dotnn.model.bind import match
from dotnn.model.constants import Defined, Poison, Poisoned, evaluate, is_number
from dotnn.model.definitions.base import Definitions
from dotnn.model.formulas import ELEMENTWISE, EXTREMES, FormulaReader, Part, is_function, shape_or_number
from dotnn.model.messages.base import Fail
from dotnn.model.scope import Scope
from dotnn.syntax import nodes

T = TypeVar("T")

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


class DefinitionReader(FormulaReader):
    """Reads one definition: `keyword` is its kind, `parts` its parameters by name. The model is not known here."""

    reader: None  # type: ignore[assignment]

    def __init__(self, known: Definitions, parts: Mapping[str, Part], keyword: str) -> None:
        self.known, self.constants, self.parts, self.keyword = known, known.constants, parts, keyword
        self.scope = Scope(known.constants, None, None)
        self.operands, self.weights = {}, {}

    def refuse(self, expr: nodes.Expr) -> Fail:
        """Return the error for what has no place in this kind of definition."""
        return Fail(messages.formulas.not_elementwise(expr.span, self.keyword))

    def find(self, name: str, family: type[T]) -> T | None:
        """Return what the spec defines under a name, None where that is nothing of this family. Raises `Poisoned`."""
        own = self.constants.get(name)
        if isinstance(own, Poison):
            raise Poisoned
        return own.member if isinstance(own, Defined) and isinstance(own.member, family) else None

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
            case nodes.Name(id=name) if name in self.parts:
                return replace(self.parts[name], span=expr.span)
            case nodes.Name(id=name) if name not in self.constants:
                raise Fail(messages.names.unknown_name(expr.span, name, [*self.parts, *self.constants]))
            case nodes.Call():
                return self.activation(expr)
            case nodes.Pipe() | nodes.Index() | nodes.Attribute() | nodes.Binary(op="@"):
                raise self.refuse(expr)
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
        defined = self.find(name, Layer)
        if name in MIXING or name in REDUCTIONS or (name in LAYERS and name not in ACTIVATIONS):
            raise self.refuse(call)
        layer = defined or ACTIVATIONS.get(name)
        if layer is None:
            known = [*ACTIVATIONS, *ELEMENTWISE, *EXTREMES, *self.known.sections]
            raise Fail(messages.formulas.unknown_function(call.func.span, name, known))
        given = match(name, [FIRST, *(a.name for a in layer.args)], call.args)
        if FIRST not in given:
            raise Fail(messages.formulas.called_without_operand(call.func.span, name, next(iter(self.parts))))
        operand = self.number(given.pop(FIRST))
        parts = {a.name: self.argument(layer, a, given.get(a.name), call.span) for a in layer.args}
        part = self.together(
            call.span,
            f"compute {name}({', '.join(map(shape_or_number, (operand, *parts.values())))})",
            (operand, *parts.values()),
            lambda z, *given: formula_of(layer, z, dict(zip(parts, given, strict=True))),
        )
        return replace(part, tree=without_units(part.tree))

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
        return tree.substitute(layer.definition.body, {OPERAND: operand, **values})
    text = FORMULAS.get(layer.name) or OPS[layer.name].numpy
    assert isinstance(text, str)
    return tree.substitute(tree.parse(text), {OPERAND: operand, **arguments})
