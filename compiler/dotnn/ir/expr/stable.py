"""Formulas that lose digits or overflow, and what is the same without that: `log(1 + exp(x))` is softplus(x)."""

from __future__ import annotations

from dotnn.ir.expr.tree import Binary, Call, Expr, Number, Unary
from dotnn.ir.expr.visit import map_children

ONE = Number(1)


def stable(expr: Expr) -> Expr:
    """Return an expression with the stable forms of its parts; the same one where there are none."""
    expr = map_children(expr, stable)
    match expr:
        case Call("log", (Binary("+", Number(1), Call("exp", (x,))) | Binary("+", Call("exp", (x,)), Number(1)),)):
            return Call("softplus", (x,))
        case Call("log1p", (Call("exp", (x,)),)):
            return Call("softplus", (x,))
        case Call("log", (Call("sigmoid", (x,)),)):
            return log_sigmoid(x)
        case Call("log", (Binary("-", Number(1), Call("sigmoid", (x,))),)):
            return log_of_rest(x)
        case Call("sqrt", (Binary("**", x, Number(2)),)):
            return Call("abs", (x,))
        case Call("sqrt", (Binary("*", x, y),)) if x == y:
            return Call("abs", (x,))
    return expr


def log_sigmoid(x: Expr) -> Expr:
    """Return log(sigmoid(x))."""
    return Unary("-", Call("softplus", (x.operand if isinstance(x, Unary) and x.op == "-" else Unary("-", x),)))


def log_of_rest(x: Expr) -> Expr:
    """Return log(1 - sigmoid(x))."""
    return Unary("-", Call("softplus", (x,)))
