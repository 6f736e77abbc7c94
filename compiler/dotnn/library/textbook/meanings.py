"""Helpers that act on each element by itself, as formulas."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dotnn.ir.expr import Call, Expr, map_children, parse, substitute


@dataclass(frozen=True)
class Meaning:
    """`name(operands)` is `formula`; with `by`, it is the derivative of that with respect to this operand."""

    operands: tuple[str, ...]
    formula: str
    by: str = ""

    def of(self, args: tuple[Expr, ...]) -> Expr:
        """Return the formula of these arguments."""
        tree = parse(self.formula)
        if self.by:
            from dotnn.ir.expr.derive import derive

            tree = derive(tree, self.by)
        return substitute(tree, dict(zip(self.operands, args, strict=True)))


GELU = "z / 2 * (1 + tanh(sqrt(2 / pi) * (z + 0.044715 * z ** 3)))"
MEANINGS: Mapping[str, Meaning] = {
    "gelu": Meaning(("z",), GELU),
    "gelu_slope": Meaning(("z",), GELU, by="z"),
    "silu_slope": Meaning(("z",), "z * sigmoid(z)", by="z"),
    "softplus": Meaning(("z",), "log(1 + exp(z))"),
    "stop_gradient": Meaning(("v",), "v"),
    "huber": Meaning(("e", "delta"), "where(abs(e) <= delta, e ** 2 / 2, delta * (abs(e) - delta / 2))"),
    "huber_slope": Meaning(("e", "delta"), "where(abs(e) <= delta, e, delta * sign(e))"),
    "safe_log": Meaning(("p",), "log(maximum(p, 1e-7))"),
    "safe_log_slope": Meaning(("p",), "where(p > 1e-7, 1 / p, 0)"),
    "binary_cross_entropy": Meaning(("p", "t"), "-t * log(maximum(p, 1e-7)) - (1 - t) * log(maximum(1 - p, 1e-7))"),
    "binary_cross_entropy_slope": Meaning(
        ("p", "t"), "where(1 - p > 1e-7, (1 - t) / (1 - p), 0) - where(p > 1e-7, t / p, 0)"
    ),
    "sigmoid_cross_entropy": Meaning(("z", "t"), "log(1 + exp(z)) - t * z"),
}


def expanded(expr: Expr, rules: Mapping[str, Callable[[tuple[Expr, ...]], Expr]]) -> Expr:
    """Return an expression with the calls of what has a meaning, here or in `rules`, replaced by that."""
    expr = map_children(expr, lambda part: expanded(part, rules))
    match expr:
        case Call(name, args) if name in rules:
            return expanded(rules[name](args), rules)
        case Call(name, args) if name in MEANINGS:
            return expanded(MEANINGS[name].of(args), rules)
    return expr
