"""Activations that a spec defines: `activation swish(z, beta = 1) = z * sigmoid(beta * z)`."""

from __future__ import annotations

import builtins
import keyword
from collections.abc import Collection, Mapping, Sequence

from dotnn.core.arguments import NUMBER, REQUIRED, Arg, show
from dotnn.core.arguments import number as number_kind
from dotnn.core.diagnostics import Reporter, Span
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
from dotnn.model.constants import WORDS, Constant, Constants, Poison, Poisoned, covers, evaluate, is_number, limits_of
from dotnn.model.formulas import ELEMENTWISE, EXTREMES, FormulaReader, Part, is_function
from dotnn.model.messages.base import Fail
from dotnn.model.order import Circle, dependency_order
from dotnn.model.scope import Scope, names_read
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
_WORDS = """
    np math d evaluate forward total_loss backward loss_and_grads init_params optimizer_state update
    renew_state train predict load_data main part training_pass step size dtype tf keras model variables
    trained weights assign fit prepare make_optimizer make_epoch build_model
"""
SCRIPT_WORDS = frozenset(_WORDS.split())
"""Names that scripts give a meaning, besides those of Python."""


def read_definitions(
    sections: Sequence[nodes.Section], blocks: Collection[str], constants: Constants, reporter: Reporter
) -> dict[str, Constant]:
    """Return the activations that a spec defines, by name; a wrong one is `Poison`, and has been reported."""
    definitions: dict[str, nodes.Definition] = {}
    for section in sections:
        if isinstance(section, nodes.Definition):
            problem = _name_problem(section, definitions, blocks, constants, reporter)
            if problem is None:
                definitions[section.name.id] = section
            else:
                reporter.add(problem.diagnostic)
    found: dict[str, Constant] = {}
    for name in _ordered(definitions, found, reporter):
        try:
            found[name] = _Reader(definitions[name], {**constants, **found}, reporter, definitions).layer()
        except (Fail, Poisoned) as failure:
            if isinstance(failure, Fail):
                reporter.add(failure.diagnostic)
            found[name] = Poison()
    return found


def _name_problem(
    section: nodes.Definition,
    definitions: Mapping[str, nodes.Definition],
    blocks: Collection[str],
    constants: Constants,
    reporter: Reporter,
) -> Fail | None:
    name, span = section.name.id, section.name.span
    if name in definitions:
        return Fail(messages.names.duplicate_name(span, name, reporter.source.line_of(definitions[name].span)))
    if name in constants:
        return Fail(messages.names.name_is_parameter(span, name))
    if name in LAYERS or name in blocks or name in WORDS or name in (*ELEMENTWISE, *REDUCTIONS, "repeat"):
        return Fail(messages.names.reserved_name(span, name))
    return None


def _ordered(definitions: Mapping[str, nodes.Definition], found: dict[str, Constant], reporter: Reporter) -> list[str]:
    """Return the names so that each comes after what it calls; one that calls itself is reported and left out."""
    reads = {name: names_read(d.value) & definitions.keys() for name, d in definitions.items()}
    while True:
        try:
            return dependency_order(reads)
        except Circle as circle:
            span = definitions[circle.names[0]].name.span
            help = "a definition is a formula: it cannot repeat itself; write out what it computes"
            reporter.add(messages.names.cycle(span, circle.names, help))
            for name in circle.names:
                found[name] = Poison()
                reads.pop(name)


def safe(name: str) -> str:
    """Return a name of the spec as one that Python and the script have no other meaning for."""
    taken = keyword.iskeyword(name) or hasattr(builtins, name) or name in SCRIPT_WORDS or name in tree.FUNCTIONS
    return f"{name}_" if taken or name == OPERAND else name


class _Reader(FormulaReader):
    """Reads one definition. Its operand and its parameters are names; nothing of the model is known here."""

    reader: None  # type: ignore[assignment]

    def __init__(
        self, section: nodes.Definition, constants: Constants, reporter: Reporter, others: Collection[str]
    ) -> None:
        self.section, self.constants, self.reporter, self.others = section, constants, reporter, others
        self.scope = Scope(constants, None, None)
        self.operands = {}
        if not section.params:
            raise Fail(messages.formulas.no_operand(section.name.span, section.name.id))
        first, *rest = section.params
        if first.default is not None:
            raise Fail(messages.formulas.operand_with_default(first.span, first.name.id))
        self.operand = first.name.id
        self.params = {p.name.id: p for p in rest}
        for i, p in enumerate(section.params):
            if p.name.id in [q.name.id for q in section.params[:i]]:
                line = reporter.source.line_of(section.params[0].span)
                raise Fail(messages.names.duplicate_name(p.name.span, p.name.id, line))

    def layer(self) -> Layer:
        """Return the definition as an activation of the language. Raises `Fail`."""
        section, name = self.section, self.section.name.id
        args = tuple(map(self.arg, self.params.values()))
        body = self.number(section.value)
        read = names_read(section.value)
        for p in section.params:
            if p.name.id not in read:
                raise Fail(messages.names.unused_value(p.name.span, p.name.id, "parameter"))
        params = tuple(map(safe, self.params))
        # Written anew: the text of the spec may have comments in it, and goes into no script as it is.
        said = f"{safe(name)}({', '.join((OPERAND, *params))}) = {body.tree}"
        definition = Definition(safe(name), params, in_arrays(body.tree), said, section.name.span)
        try:
            definition.has_slope()  # else what cannot be differentiated would be found where it is used
        except NoDerivative as error:
            raise Fail(messages.formulas.no_derivative(section.value.span, name, str(error))) from None

        def lower(b: Builder, low: Lowering) -> Value:
            values = tuple(low.attrs[p] for p in self.params)
            return b.emit("defined", low.x, definition=definition, values=values)

        doc = f"Defined in line {self.reporter.source.line_of(section.span)}."
        return Layer(name, doc, lower, args, family="activation", equation=said, definition=definition)

    def arg(self, param: nodes.BlockParam) -> Arg:
        """Return a parameter as an argument: a number, within its limits."""
        kind, name = NUMBER, param.name.id
        limits, text = limits_of(param.limits, self.constants) if param.limits else (None, "")
        if limits is not None:
            kind = number_kind(f"a number in {text}", lambda v: covers(limits, v))
        if param.default is None:
            return Arg(name, kind, doc=kind.expected)
        default = evaluate(param.default, self.constants)
        if not is_number(default):
            message = f"the default of {name} must be a number"
            raise Fail(messages.constants.bad_constant(param.default.span, message, f"for instance {name} = 1"))
        if kind.accept(default) is None:
            line = self.reporter.source.line_of(param.span)
            raise Fail(messages.constants.out_of_range(param.default.span, name, show(default), text, line))
        return Arg(name, kind, default, kind.expected)

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
                return Part(tree.Name(safe(name)), expr.span)
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
        if isinstance(own, Poison):
            raise Poisoned
        if name in MIXING or name in REDUCTIONS or (name in LAYERS and name not in ACTIVATIONS):
            raise Fail(messages.formulas.not_elementwise(call.span))
        layer = own if isinstance(own, Layer) else ACTIVATIONS.get(name)
        if layer is None:
            known = [*ACTIVATIONS, *ELEMENTWISE, *EXTREMES, *self.others]
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
