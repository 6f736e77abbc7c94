"""The equation of a node: its formula as mathematics, of whole arrays where that says all, else by element."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from dotnn.ir.expr import (
    FUNCTIONS,
    Attribute,
    Binary,
    Bracketed,
    Call,
    Choice,
    Expr,
    Index,
    Keyword,
    Method,
    Name,
    Number,
    Unary,
    map_children,
    substitute,
)
from dotnn.ir.expr import Sequence as Items
from dotnn.ir.expr.simplify import without_units
from dotnn.ir.maths.elements import BATCH_SIZE, Elements, NoElements
from dotnn.ir.node import Node, Value
from dotnn.ir.tensor import Dim
from dotnn.library.textbook import BY_ELEMENT, expanded

WHOLE = ("softmax", "reshape", "concat")
"""Functions of whole arrays that an equation names, beside those that act on each element by itself."""
ONE = Number(1)


@dataclass(frozen=True)
class Formula:
    """`left = right`, over the names of values; indices have `extents`, the lengths of what they run over."""

    left: Expr
    right: Expr
    extents: Mapping[str, Dim]


class NotWhole(ValueError):
    """A formula needs indices."""


def key(value: Value) -> str:
    """Return what a value is called in the tree of an equation: no index and no other letter is called so."""
    return f"@{value.name}"


def formula_of(node: Node, taken: Collection[str], now: str) -> Formula:
    """Return the equation of a node with one result and a formula; `taken` are letters that no index may have.

    `now` is what a step of time is called.
    The derivative of the loss by itself is 1. What is read neither whole nor by element is shown as it is computed.
    """
    formula = _meant(node, now)
    types = {key(v): v.type for v in (*node.ins, node.out)}
    try:
        return Formula(Name(key(node.out)), _whole(formula), {})
    except NotWhole:
        pass
    e = Elements(types, BY_ELEMENT, taken)
    try:
        items = e.free(node.out.type)
        array = e.read(formula)
        right = tidy(array.at(list(items[len(items) - len(array.shape) :]) if array.shape else []))
        return Formula(e.named(key(node.out), items), right, dict(e.extents))
    except NoElements:
        return Formula(Name(key(node.out)), formula, {})


def _meant(node: Node, now: str) -> Expr:
    """Return the formula over the names of the values, helpers replaced by what they mean."""
    rule = node.rule
    names = rule.names(len(node.ins))
    values = {name: _operand(v) for name, v in zip(names, node.ins, strict=True)}
    values |= {"step": Name(now)} if rule.uses_step(node) else {}
    return tidy(_plain(expanded(substitute(rule.formula(node), values), _definitions(node))))


def tidy(expr: Expr) -> Expr:
    """Return an expression without factors of 1 and -1 and terms of 0."""
    match without_units(map_children(expr, tidy)):
        case Binary("*", Unary("-", Number(1)), x):
            return Unary("-", x)
        case other:
            return other


def _operand(value: Value) -> Expr:
    return ONE if value.role == "seed" else Name(key(value))


def _definitions(node: Node) -> dict[str, Callable[[tuple[Expr, ...]], Expr]]:
    """Return what the functions mean that a spec defines and the node calls."""
    definition = node.attrs.get("definition")
    if definition is None:
        return {}
    values = node.attrs["values"]

    def of(tree: Expr) -> Callable[[tuple[Expr, ...]], Expr]:
        return lambda args: substitute(tree, {"z": args[0]})

    return {
        definition.name: of(definition.filled(values)),
        definition.slope_name: of(definition.slope_filled(values)),
    }


def _plain(expr: Expr) -> Expr:
    """Return a formula without what only a program says: precisions, brackets for the reader of a line."""
    expr = map_children(expr, _plain)
    match expr:
        case Bracketed(inner) | Method(inner, "astype") | Attribute(inner, "real"):
            return inner
        case Call("ones_like", _):
            return ONE
        case Call("full_like" | "full", (_, value, *_)):
            return value
        case Call("where", (test, yes, no)):
            return Call("where", (test, _where_it_holds(yes, test), no))
        case Choice(_, yes, no) if yes == no:
            return yes
    return expr


def _where_it_holds(expr: Expr, test: Expr) -> Expr:
    """Return an expression for the case that a condition holds: what is chosen by it once more is chosen already."""
    match expr:
        case Call("where", (other, yes, _)) if other == test:
            return _where_it_holds(yes, test)
    return map_children(expr, lambda part: _where_it_holds(part, test))


# ------------------------------------------------------------------------------------------------------ whole arrays


def _whole(expr: Expr) -> Expr:
    """Return a formula of whole arrays as mathematics. Raises `NotWhole`."""
    match expr:
        case Name() | Number():
            return expr
        case Unary() | Binary() | Choice():
            return map_children(expr, _whole)
        case Attribute(Method(_, "reshape"), "T"):
            raise NotWhole  # the rows of all steps: they are summed over
        case Attribute(x, "T"):
            return Attribute(_whole(x), "T")
        case Method(x, "swapaxes", axes) if {*map(_number, axes)} == {-1, -2}:
            return Attribute(_whole(x), "T")
        case Method(x, "reshape", sizes):
            return Call("reshape", (_whole(x), *_sizes(sizes)))
        case Call():
            return _whole_call(expr)
    raise NotWhole


def _whole_call(call: Call) -> Expr:
    match call:
        case Call("swapaxes", (x, *axes)) if {*map(_number, axes)} == {-1, -2}:
            return Attribute(_whole(x), "T")
        case Call("concatenate", (Items(parts), Keyword("axis", axis))) if _number(axis) == -1:
            return Call("concat", tuple(map(_whole, parts)))
        case Call("len", _):
            return BATCH_SIZE
        case Call("zeros" | "zeros_like", _):
            return Number(0)
        case Call(name, args) if name in WHOLE or (name in FUNCTIONS and FUNCTIONS[name].elementwise):
            return Call(name, tuple(map(_whole, args)))
    raise NotWhole


def _number(expr: Expr) -> float | None:
    match expr:
        case Number(value):
            return value
        case Unary("-", Number(value)):
            return -value
    return None


def _sizes(sizes: Sequence[Expr]) -> list[Expr]:
    """Return the lengths of the axes of a reshaped array; what is left of it belongs to the examples."""
    flat = [part for size in sizes for part in (size.items if isinstance(size, Items) else (size,))]
    return [BATCH_SIZE if _number(size) == -1 else size for size in flat]


def is_by_element(formula: Formula) -> bool:
    """Whether an equation has indices."""
    return isinstance(formula.left, Index) or bool(formula.extents)
