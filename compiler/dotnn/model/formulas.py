"""Formulas: what an expression computes element by element becomes one step, whatever its size."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from dotnn.core.arguments import Symbol
from dotnn.core.diagnostics import Span
from dotnn.core.limits import MAX_FORMULA
from dotnn.ir import expr as tree
from dotnn.ir.expr.derive import in_arrays
from dotnn.library.layers.base import shape_text
from dotnn.library.values import AFFINE_OF_FORMULA, EXPRESSION
from dotnn.model import messages
from dotnn.model.constants import describe, evaluate, is_number
from dotnn.model.messages.base import Fail
from dotnn.model.scope import Scope, Tensor, Weight
from dotnn.model.weights import affine_sum, of_parameters_alone, weight_of
from dotnn.syntax import nodes
from dotnn.syntax.walk import by_position, children

if TYPE_CHECKING:
    from dotnn.model.expressions import ExpressionReader

ARITHMETIC = {"+": "+", "-": "-", "*": "*", "/": "/", "^": "**", "mod": "mod"}
COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")
LOGIC = ("and", "or")
EXTREMES = {"min": "minimum", "max": "maximum"}
ELEMENTWISE = {
    **dict.fromkeys(("exp", "log", "log1p", "expm1", "sqrt", "abs", "sign", "sin", "cos", "erf", "floor"), 1),
    "clip": 3,
    "where": 3,
    "safe": 1,
}
"""The functions of a formula besides the activations, and how many operands they take."""

OF_PARAMETERS = ("sigmoid", "tanh", "softplus")
"""Activations that are functions of a formula where they are applied to parameters alone: `x @ softplus(W)`."""

Sizes = tuple[int, ...]


@dataclass(frozen=True)
class Part:
    """A part of a formula: its tree, the shape of an example (None: a plain number), and what of it is a mask.

    `reduced` are the axes of length 1 that a reduction left, each with the length that it had. What is made of
    parameters alone is the `same` for all examples; it meets the last axes of what is not. In formulas
    over whole arrays, a part that is `single` has one number for each example.
    """

    tree: tree.Expr
    span: Span
    shape: Sizes | None = None
    reduced: Mapping[int, int] = field(default_factory=dict)
    mask: bool = False
    same: bool = False
    single: bool = False

    def __post_init__(self) -> None:
        """Raise `Fail` for a formula beyond the limit: definitions that call each other grow without one."""
        size = tree.size(self.tree)
        if size > MAX_FORMULA:
            raise Fail(messages.formulas.too_large(self.span, size, MAX_FORMULA))


def is_function(call: nodes.Call) -> bool:
    """Whether a call may be one of an elementwise function; `max` of several values is a join, too."""
    return call.func.id in ELEMENTWISE or (call.func.id in EXTREMES and len(by_position(call)) > 1)


def operation(op: str) -> Callable[..., tree.Expr]:
    """Return what makes an expression of two operands."""
    return lambda a, b: tree.Call(op, (a, b)) if op.isalpha() else tree.Binary(op, a, b)


class FormulaReader:
    """Reads one formula. Its operands are values that are no part of it: names, and what layers make."""

    def __init__(self, reader: ExpressionReader, scope: Scope) -> None:
        self.reader = reader
        self.scope = scope
        self.operands: dict[str, Tensor] = {}
        self.weights: dict[str, Weight] = {}

    def value(self, expr: nodes.Expr) -> Tensor:
        """Return the value of a formula, whose step is added. Raises `Fail`."""
        return self.settled(self.read(expr))

    def product(self, expr: nodes.Binary) -> Tensor:
        """Return the product of a value with what is made of parameters alone: `x @ softplus(W)`. Raises `Fail`."""
        value, made = self.reader.value(expr.left, self.scope), self.number(expr.right)
        example, shape = value.type.example, made.shape or ()
        if value.type.dtype != "real" or len(shape) != 2 or not example or example[-1] != shape[0]:
            places = f"{self.reader.steps.origins([value])};  {self.places([made])}"
            raise Fail(messages.weights.no_product(expr.span, shape_text(value.type), shape_or_number(made), places))
        names = {name: f"x{i}" for i, name in enumerate(sorted(tree.reads(made.tree)))}
        weights = tuple(self.weights[name] for name in names)
        attrs = {"formula": in_arrays(tree.substitute(made.tree, names))}
        return self.reader.steps.apply(
            AFFINE_OF_FORMULA, attrs, (value,), expr.span, self.scope, weights=weights, kind="z"
        )

    def settled(self, part: Part) -> Tensor:
        """Return the value of what has been read."""
        if part.shape is None:
            raise Fail(messages.calls.not_a_value(part.span, "a number"))
        if part.mask:
            raise Fail(messages.formulas.mask_as_value(part.span))
        if part.same:
            raise Fail(messages.weights.weight_as_value(part.span, self.reader.source.words_at(part.span)))
        if isinstance(part.tree, tree.Name):
            return self.operands[part.tree.id]
        known = self.scope.formulas
        formula = _with_known(part.tree, {t: tree.Name(name) for t, (name, _) in known.items()})
        self.operands |= {name: t for name, t in known.values() if name in tree.reads(formula)}
        if isinstance(formula, tree.Name):
            return self.operands[formula.id]
        read = sorted(tree.reads(formula), key=lambda name: name in self.weights)  # values first
        names = {name: f"x{i}" for i, name in enumerate(read)}
        operands = tuple(self.operands[name] for name in names if name not in self.weights)
        weights = tuple(self.weights[name] for name in names if name in self.weights)
        attrs = {"formula": in_arrays(tree.substitute(formula, names))}
        made = self.reader.steps.apply(EXPRESSION, attrs, operands, part.span, self.scope, weights=weights)
        made = replace(made, reduced=dict(part.reduced))
        known[part.tree] = self.name(made), made
        return made

    def name(self, value: Tensor) -> str:
        """Return what a value is called in the formulas of a statement."""
        names = self.scope.formula_names
        return names.setdefault(id(value.part), f"v{len(names)}")

    def joined(self, op: str, values: Sequence[Tensor], span: Span) -> Tensor:
        """Return a join of values whose shapes meet on axes that a reduction left."""
        made, *others = (self.leaf(v, v.span) for v in values)
        for other in others:
            verb = f"join {shape_or_number(made)} and {shape_or_number(other)}"
            made = self.together(span, verb, (made, other), operation(op))
        return self.settled(made)

    # ----------------------------------------------------------------------------------------------------- reading

    def read(self, expr: nodes.Expr) -> Part:
        """Return a part of the formula. Raises `Fail`."""
        match expr:
            case nodes.Binary(op=op) if op in ARITHMETIC and self.is_part(expr):
                return self.affine(expr) or self.arithmetic(expr, self.read(expr.left), self.read(expr.right))
            case nodes.Binary(op=op) if op in (*COMPARISONS, *LOGIC):
                return self.mask(expr)
            case nodes.Unary(op="-") if self.is_part(expr):
                operand = self.number(expr.operand)
                return replace(operand, tree=tree.Unary("-", operand.tree), span=expr.span)
            case nodes.Unary(op="not"):
                operand = self.test(expr.operand)
                return replace(operand, tree=tree.Unary("not", operand.tree), span=expr.span)
            case nodes.Call() if self.calls(expr):
                return self.call(expr)
        return self.other(expr)

    def other(self, expr: nodes.Expr) -> Part:
        """Return what is no operation of the formula: a number, or an operand."""
        weight = weight_of(self.reader, expr, self.scope)
        if weight is not None:
            return self.weight(weight, expr.span)
        if not self.reader.is_value(expr, self.scope):
            return self.constant(expr)
        return self.leaf(self.reader.value(expr, self.scope), expr.span)

    def affine(self, expr: nodes.Binary) -> Part | None:
        """Return a sum of products with parameters, None for other arithmetic."""
        found = affine_sum(self.reader, expr, self.scope)
        return None if found is None else self.sum_with(expr, *found)

    def sum_with(self, expr: nodes.Binary, total: Tensor, terms: Sequence[nodes.Expr]) -> Part:
        """Return the sum of a value and more terms of an expression."""
        made = self.leaf(total, expr.span)
        for term in terms:
            other = self.number(term)
            verb = f"compute {shape_or_number(made)} + {shape_or_number(other)}"
            made = self.together(expr.span, verb, (made, other), operation("+"))
        return made

    def weight(self, weight: Weight, span: Span) -> Part:
        """Return a parameter as a part."""
        if weight.turned:
            raise Fail(messages.weights.turned_in_formula(span, self.reader.source.words_at(span)))
        name = self.scope.formula_names.setdefault(
            (id(weight.part), weight.spec.name), f"v{len(self.scope.formula_names)}"
        )
        self.weights[name] = weight
        return Part(tree.Name(name), span, weight.spec.shape, same=True)

    def leaf(self, value: Tensor, span: Span) -> Part:
        """Return an operand as a part."""
        if value.type.dtype != "real":
            message = "a formula needs real numbers, but this holds integers"
            origin = self.reader.steps.origins([value])
            raise Fail(messages.shapes.shape_mismatch(span, message, origin, "use embedding or one_hot first"))
        name = self.name(value)
        self.operands[name] = value
        return Part(tree.Name(name), span, value.type.example, value.reduced)

    def is_part(self, expr: nodes.Expr) -> bool:
        """Whether arithmetic belongs to the formula: it has a value in it, or a function of numbers."""
        return self.reader.is_value(expr, self.scope) or any(map(self.has_function, children(expr)))

    def has_function(self, expr: nodes.Expr) -> bool:
        """Whether a function is called anywhere in an expression."""
        return (isinstance(expr, nodes.Call) and self.calls(expr)) or any(map(self.has_function, children(expr)))

    def calls(self, call: nodes.Call) -> bool:
        """Whether a call is part of the formula; the maximum of values alone is a join."""
        if self.reader.is_own(call.func.id, self.scope):
            return False
        if call.func.id in OF_PARAMETERS:
            return of_parameters_alone(self.reader, call, self.scope)
        joins = call.func.id == "max" and all(self.reader.is_value(o, self.scope) for o in by_position(call))
        return is_function(call) and not joins

    def constant(self, expr: nodes.Expr) -> Part:
        """Return a number of the spec as a part."""
        found = evaluate(expr, self.scope.constants)
        if is_number(found):
            return Part(tree.number(found), expr.span)
        if isinstance(found, Symbol):
            self.reader.value(expr, self.scope)  # says what is wrong with the name
        raise Fail(messages.calls.not_a_value(expr.span, describe(found)))

    def number(self, expr: nodes.Expr) -> Part:
        """Return a part that holds numbers."""
        part = self.read(expr)
        if part.mask:
            raise Fail(messages.formulas.mask_as_value(part.span))
        return part

    def test(self, expr: nodes.Expr) -> Part:
        """Return a part that is a mask."""
        part = self.read(expr)
        if not part.mask:
            raise Fail(messages.formulas.no_mask(part.span))
        return part

    # ------------------------------------------------------------------------------------------------- combinations

    def arithmetic(self, expr: nodes.Binary, left: Part, right: Part) -> Part:
        """Return a sum, difference, product, quotient, power or remainder."""
        for side in (left, right):
            if side.mask:
                raise Fail(messages.formulas.mask_as_value(side.span))
        if expr.op in ("/", "mod") and right.tree == tree.Number(0):
            help = "divide by another number"
            raise Fail(messages.constants.bad_constant(expr.right.span, "division by zero", help, "this is 0"))
        verb = f"compute {shape_or_number(left)} {expr.op} {shape_or_number(right)}"
        return self.together(expr.span, verb, (left, right), operation(ARITHMETIC[expr.op]))

    def mask(self, expr: nodes.Binary) -> Part:
        """Return a comparison of numbers, or masks put together."""
        read = self.test if expr.op in LOGIC else self.number
        left, right = read(expr.left), read(expr.right)
        verb = f"compare {shape_or_number(left)} {expr.op} {shape_or_number(right)}"
        made = self.together(expr.span, verb, (left, right), lambda a, b: tree.Binary(expr.op, a, b))
        return replace(made, mask=True)

    def call(self, call: nodes.Call) -> Part:
        """Return a call of an elementwise function."""
        name = call.func.id
        named = next((a for a in call.args if a.name is not None), None)
        if named is not None and named.name is not None:
            raise Fail(messages.calls.unknown_argument(named.name.span, name, named.name.id, ()))
        operands, wanted = by_position(call), 1 if name in OF_PARAMETERS else ELEMENTWISE.get(name, 0)
        if wanted and len(operands) != wanted:
            count = f"{wanted} value{'s' * (wanted > 1)}"
            help = f"write {name}({', '.join(SIGNATURES.get(name, ('x',)))})"
            raise Fail(messages.calls.wrong_arity(call.func.span, name, count, len(operands), help))
        parts = [self.test(operands[0])] if name == "where" else []
        parts += [self.number(operand) for operand in operands[len(parts) :]]
        if name == "safe":
            return self.safe(parts[0], call)
        verb = f"compute {name}({', '.join(map(shape_or_number, parts))})"
        return self.together(call.span, verb, parts, _applied(EXTREMES.get(name, name)))

    def safe(self, quotient: Part, call: nodes.Call) -> Part:
        """Return a quotient that is 0 where both of its sides are."""
        match quotient.tree:
            case tree.Binary("/", above, below):
                zero = tree.Number(0)
                both = tree.Binary("and", tree.Binary("==", above, zero), tree.Binary("==", below, zero))
                divided = tree.Binary("/", above, tree.Call("where", (both, tree.Number(1), below)))
                return replace(quotient, tree=tree.Call("where", (both, zero, divided)), span=call.span)
        raise Fail(messages.formulas.no_quotient(call.args[0].span))

    def together(self, span: Span, verb: str, parts: Iterable[Part], combine: Callable[..., tree.Expr]) -> Part:
        """Return the parts in one; raise `Fail` where their shapes do not meet."""
        parts = list(parts)
        shaped = [p for p in parts if p.shape is not None]
        made = combine(*(p.tree for p in parts))
        if not shaped:
            return Part(made, span)
        result = replace(shaped[0], tree=made, span=span, mask=False)
        for part in shaped[1:]:
            met = meeting(result, part)
            if isinstance(met, str):
                raise Fail(messages.formulas.shapes_differ(span, verb, self.places(shaped), met))
            shape, reduced = met
            result = Part(made, span, shape, reduced, same=result.same and part.same)
        return result

    def places(self, parts: Iterable[Part]) -> str:
        """Say of what shape parts are, and where they stand."""
        source = self.reader.source
        known = {self.name(t): t for t in self.operands.values()}
        found = []
        for part in parts:
            if isinstance(part.tree, tree.Name) and part.tree.id in self.weights:
                found.append(self.weights[part.tree.id].says(source))
            elif isinstance(part.tree, tree.Name):
                found.append(self.reader.steps.origins([known[part.tree.id]]))
            else:
                text = f"[{', '.join(map(str, part.shape or ()))}]"
                found.append(f"{source.words_at(part.span)}: {text} ({source.place(part.span)})")
        return ";  ".join(dict.fromkeys(found))


SIGNATURES = {"clip": ("x", "low", "high"), "where": ("x > 0", "a", "b"), "safe": ("a / b",)}


def meeting(left: Part, right: Part) -> tuple[Sizes, Mapping[int, int]] | str:
    """Return the shape in which two parts meet and its reduced axes, or what is in the way."""
    rank = max(len(part.shape or ()) for part in (left, right))
    shapes = [_with_axes(part, rank) for part in (left, right)]
    if any(len(shape) != rank for shape in shapes):
        return ""
    sizes: list[int] = []
    for axis, pair in enumerate(zip(*shapes, strict=True)):
        longer = max(size for size in pair if size is not None)
        for size, part in zip(pair, (left, right), strict=True):
            if size not in (None, longer) and part.reduced.get(axis) != longer:
                return _reduced_from(part, axis)
        sizes.append(longer)
    marks = [p.reduced.items() for p, shape in zip((left, right), shapes, strict=True) if any(shape)]
    common = set.intersection(*map(set, marks)) if marks else set()
    return tuple(sizes), {axis: length for axis, length in common if sizes[axis] == 1}


def _with_axes(part: Part, rank: int) -> tuple[int | None, ...]:
    """Return the shape of a part; what is the same for all examples may have fewer axes, and fits on the others."""
    shape = part.shape or ()
    return (*(None for _ in range(rank - len(shape))), *shape) if part.same else shape


def _reduced_from(part: Part, axis: int) -> str:
    length = part.reduced.get(axis)
    return f"axis {axis} was reduced from {length}, and only meets an axis of {length}" if length else ""


def shape_or_number(part: Part) -> str:
    """Return the shape of a part as the spec writes it."""
    return "a number" if part.shape is None else f"[{', '.join(map(str, part.shape))}]"


def _applied(function: str) -> Callable[..., tree.Expr]:
    """Return what makes a call of its operands; an extreme of several takes two at a time."""

    def call(*operands: tree.Expr) -> tree.Expr:
        if function not in EXTREMES.values():
            return tree.Call(function, operands)
        made, *rest = operands
        for other in rest:
            made = tree.Call(function, (made, other))
        return made

    return call


def _with_known(formula: tree.Expr, known: Mapping[tree.Expr, tree.Expr]) -> tree.Expr:
    """Return a formula with values that the statement has computed already in place of what computes them."""
    if not known:
        return formula
    return known.get(formula) or tree.map_children(formula, lambda part: _with_known(part, known))
