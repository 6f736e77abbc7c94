"""Parameters as values: `x @ W`, `h @ encode.W.T`, `s * x + b`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dotnn.core.arguments import Bound, Symbol
from dotnn.core.limits import MAX_SIZE
from dotnn.library.inits import INITS, Init
from dotnn.library.layers.base import INHERIT, ParamSpec, shape_text
from dotnn.library.values import AFFINE, STEP_AFFINE, TIED
from dotnn.model import messages
from dotnn.model.bind import bind_entry
from dotnn.model.constants import Constants, evaluate, integer, is_number
from dotnn.model.messages.base import Fail
from dotnn.model.paths import PathPart
from dotnn.model.scope import Draft, Scope, SharedBlock, SharedLayer, Tensor, Weight, names_read, terms_of
from dotnn.syntax import nodes
from dotnn.syntax.walk import children, labels

if TYPE_CHECKING:
    from dotnn.model.expressions import ExpressionReader

KINDS = {"weight": True, "bias": False}


# ---------------------------------------------------------------------------------------------------- declarations


def declared_weight(decl: nodes.ArrayDecl, part: PathPart, constants: Constants, *, frozen: bool) -> Weight:
    """Return the parameter that `param W: [n, m] = init as weight` declares, owned by `part`. Raises `Fail`."""
    shape = tuple(integer(dim, constants, "a size", MAX_SIZE) for dim in decl.dims)
    is_weight = len(shape) > 1
    if decl.kind is not None:
        is_weight = KINDS[decl.kind.id]
    penalty = INHERIT if is_weight else None
    start = _init(decl.start, constants)
    spec = ParamSpec(decl.name.id, shape, start, penalty, is_weight=is_weight, frozen=frozen)
    return Weight(spec, part, decl.span, decl.name.id)


def _init(start: nodes.Expr | None, constants: Constants) -> Bound[Init] | Symbol:
    """Return what a parameter starts as: a number everywhere, an initialiser, or what the train section says."""
    if start is None:
        return INHERIT
    value = evaluate(start, constants)
    if is_number(value):
        return Bound(INITS["constant"], {"value": value})
    bound = bind_entry("init", value, start.span, constants)
    assert isinstance(bound.entry, Init)
    return Bound(bound.entry, bound.attrs)


# ------------------------------------------------------------------------------------------------------- look-ups


def weight_of(reader: ExpressionReader, expr: nodes.Expr, scope: Scope) -> Weight | None:
    """Return the parameter that an expression denotes: `W`, `W.T`, `encode.W`, `encode.dense1.W.T`; else None.

    Raises `Fail` for a part that a layer has not.
    """
    match expr:
        case nodes.Name(id=name):
            found = scope.names.get(name)
            if isinstance(found, Weight):
                scope.used.add(name)
                return found
        case nodes.Attribute(value=value, name=nodes.Name(id="T")):
            whole = weight_of(reader, value, scope)
            return None if whole is None else whole.transposed()
        case nodes.Attribute():
            return _of_a_layer(reader, expr, scope)
    return None


def _of_a_layer(reader: ExpressionReader, expr: nodes.Attribute, scope: Scope) -> Weight | None:
    owner, *_ = words = labels(expr)
    bound = scope.names.get(owner)
    if not isinstance(bound, Tensor | SharedLayer | SharedBlock):
        return None
    scope.used.add(owner)
    wanted = ".".join(words)
    found = {name: weight for name, weight in _known(reader.steps.drafts, scope) if name.startswith(f"{owner}.")}
    if not found:
        return None
    if wanted not in found:
        raise Fail(messages.weights.no_such_weight(expr.name.span, wanted, owner, list(found)))
    return found[wanted].called(wanted)


def _known(drafts: Sequence[Draft], scope: Scope) -> Iterator[tuple[str, Weight]]:
    """Yield the trained parameters that the statements of a scope have made so far, by their names there."""
    for draft in drafts:
        own = (Weight(spec, draft.params, draft.span, spec.name) for spec in draft.specs if spec.trained)
        for weight in (*own, *draft.weights):
            owner = weight.part.path_from(scope.param_part)
            if owner:
                yield f"{owner}.{weight.spec.name}", replace(weight, turned=False)


def of_parameters_alone(reader: ExpressionReader, expr: nodes.Expr, scope: Scope) -> bool:
    """Whether an expression reads parameters, and nothing that differs from example to example."""
    return _reads_parameters(reader, expr, scope) or False


def _reads_parameters(reader: ExpressionReader, expr: nodes.Expr, scope: Scope) -> bool | None:
    """Return whether all that an expression reads are parameters, None where it reads nothing of the network.

    Every part is looked at once: calls may nest deep.
    """
    if weight_of(reader, expr, scope) is not None:
        return True
    computes = isinstance(expr, nodes.Binary | nodes.Unary)
    if computes or (isinstance(expr, nodes.Call) and reader.takes_values(expr, scope)):
        found = [_reads_parameters(reader, part, scope) for part in children(expr)]
        return all(found) if (found := [one for one in found if one is not None]) else None
    return False if reader.is_value(expr, scope) else None


# ------------------------------------------------------------------------------------------------------- products


@dataclass(frozen=True)
class Product:
    """`x @ W`, with the two sides as they are written."""

    expr: nodes.Binary
    weight: Weight

    @property
    def left(self) -> nodes.Expr:
        """The value."""
        return self.expr.left


def product_of(reader: ExpressionReader, expr: nodes.Expr, scope: Scope) -> Product | None:
    """Return an expression as a product with a parameter, None where it is none."""
    if isinstance(expr, nodes.Binary) and expr.op == "@":
        weight = weight_of(reader, expr.right, scope)
        if weight is not None:
            return Product(expr, weight)
    return None


def multiplied(
    reader: ExpressionReader, product: Product, scope: Scope, kind: str, bias: Weight | None = None
) -> Tensor:
    """Return `x @ W`, `x @ W + b` or `x @ W.T`. Raises `Fail`."""
    value, weight = _checked(reader, product, scope, bias)
    layer = TIED if weight.turned else AFFINE
    weights = (weight,) if bias is None else (weight, bias)
    return reader.steps.apply(layer, {}, (value,), product.expr.span, scope, weights=weights, kind=kind)


def added(reader: ExpressionReader, total: Tensor, product: Product, scope: Scope, kind: str) -> Tensor:
    """Return the sum of a value and one more product with a parameter. Raises `Fail`."""
    value, weight = _checked(reader, product, scope, None)
    if value.type.example[:-1] != total.type.example[:-1] or weight.type.shape[-1] != total.type.example[-1]:
        result = f"[{', '.join(map(str, (*value.type.example[:-1], weight.type.shape[-1])))}]"
        places = f"{reader.steps.origins([total])};  {reader.source.words_at(product.expr.span)}: {result}"
        verb = f"compute {shape_text(total.type)} + {result}"
        raise Fail(messages.formulas.shapes_differ(product.expr.span, verb, places, ""))
    operands = (total, value)
    return reader.steps.apply(STEP_AFFINE, {}, operands, product.expr.span, scope, weights=(weight,), kind=kind)


def _checked(reader: ExpressionReader, product: Product, scope: Scope, bias: Weight | None) -> tuple[Tensor, Weight]:
    """Return the two sides of a product whose shapes fit. Raises `Fail`."""
    value, weight = reader.value(product.left, scope), product.weight
    if value.type.dtype != "real":
        message = "a product needs real numbers, but this holds integers"
        origin = reader.steps.origins([value])
        raise Fail(messages.shapes.shape_mismatch(product.left.span, message, origin, "use embedding or one_hot first"))
    shape = weight.type.shape
    places = f"{reader.steps.origins([value])};  {weight.says(reader.source)}"
    if len(shape) != 2 or not value.type.example or value.type.example[-1] != shape[0]:
        span, left = product.expr.span, shape_text(value.type)
        raise Fail(messages.weights.no_product(span, left, weight.shape_text, places))
    if bias is not None and bias.type.shape != (shape[1],):
        result = f"[{', '.join(map(str, (*value.type.example[:-1], shape[1])))}]"
        verb = f"compute {result} + {bias.shape_text}"
        raise Fail(
            messages.formulas.shapes_differ(product.expr.span, verb, f"{places};  {bias.says(reader.source)}", "")
        )
    return value, weight


def affine_sum(
    reader: ExpressionReader, expr: nodes.Binary, scope: Scope
) -> tuple[Tensor, Sequence[nodes.Expr]] | None:
    """Return `x @ W + h @ U + b`, written in any order, as one value, and the terms of the sum that are left.

    What is the same whatever the states of a cell comes first: a loop then has it for all steps at once. Returns None
    for a sum without a product with a parameter. Raises `Fail`.
    """
    terms = terms_of(expr) if expr.op == "+" else []
    found = [(term, product_of(reader, term, scope)) for term in terms]
    products = [product for _, product in found if product is not None]
    if not products:
        return None
    products.sort(key=lambda p: bool(names_read(p.left) & scope.changing))  # stable: else in the order of the text
    others = [term for term, product in found if product is None]
    first, *more = products
    bias = next((t for t in others if _is_bias(reader, t, scope)), None) if not first.weight.turned else None
    shift = weight_of(reader, bias, scope) if bias is not None else None
    if not more and shift is None:
        return None
    total = multiplied(reader, first, scope, "xz" if more else "z", shift)
    for product in more:
        if product.weight.turned:
            others.append(product.expr)
        else:
            total = added(reader, total, product, scope, "z")
    return total, [term for term in others if term is not bias]


def _is_bias(reader: ExpressionReader, term: nodes.Expr, scope: Scope) -> bool:
    weight = weight_of(reader, term, scope)
    return weight is not None and len(weight.type.shape) == 1


def has_weights(reader: ExpressionReader, expr: nodes.Expr, scope: Scope) -> bool:
    """Whether a parameter is an operand of arithmetic, itself or in a product that is added to something."""
    match expr:
        case nodes.Binary(op="+" | "-" | "*" | "/" | "^" | "mod", left=left, right=right):
            sides = (left, right)
            added = expr.op == "+" and any(product_of(reader, side, scope) for side in sides)
            return added or any(weight_of(reader, side, scope) or has_weights(reader, side, scope) for side in sides)
        case nodes.Unary(operand=operand):
            return weight_of(reader, operand, scope) is not None or has_weights(reader, operand, scope)
    return False
