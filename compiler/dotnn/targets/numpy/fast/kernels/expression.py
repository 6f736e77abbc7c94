"""Fast NumPy for formulas: one call of NumPy for each operation, into scratch arrays that all formulas share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from dotnn.ir.expr import (
    Binary,
    Call,
    Expr,
    Method,
    Name,
    Number,
    Unary,
    Unspellable,
    reads,
    spell,
    ufunc,
    walk,
)
from dotnn.ir.expr.common import common_parts
from dotnn.ir.expr.derive import sent
from dotnn.ir.node import Node, Value
from dotnn.targets.numpy.fast.kernels.base import Kernel, Step
from dotnn.targets.numpy.fast.kernels.pieces import FUNCTIONS

OPERATORS = {
    "+": "add",
    "-": "subtract",
    "*": "multiply",
    "/": "divide",
    "**": "power",
    "%": "remainder",
    "<": "less",
    "<=": "less_equal",
    ">": "greater",
    ">=": "greater_equal",
    "==": "equal",
    "!=": "not_equal",
    "and": "logical_and",
    "or": "logical_or",
}
MASKS = frozenset(OPERATORS) - frozenset("+-*/%") - {"**"} | {"not"}
WITH_KEYWORD = ("maximum", "minimum")


class NotHere(Exception):
    """A formula has a part that is not written with NumPy's functions into arrays."""


@dataclass
class Writer:
    """Writes one formula. Every result that is only needed on the way goes to a scratch array of its own depth."""

    e: Step
    node: Node
    shape: Value
    names: dict[str, str]
    depth: dict[str, int] = field(default_factory=lambda: {"dtype": 0, "bool": 0})

    def common(self, expr: Expr) -> Expr:
        """Write what an expression computes several times, and return it with names for that."""
        parts, expr = common_parts(expr)
        for name, part in parts:
            self.names[name] = self.operand(part)
        return expr

    def operand(self, expr: Expr) -> str:
        """Return the name of an operand: an array, a number, or a scratch array that is written here."""
        if isinstance(expr, Name):
            return self.names[expr.id]
        if not reads(expr):
            return self.number(expr)
        target = self.scratch("bool" if is_mask(expr) else "dtype")
        self.into(expr, target)
        return target

    def number(self, expr: Expr) -> str:
        """Return the name of a number, or of an expression of numbers."""
        text = spell(expr)
        word = "".join(c if c.isalnum() else "_" for c in text)
        return self.e.number(f"number_{word}" if len(word) < 12 else "number", text)

    def scratch(self, dtype: str) -> str:
        """Return a scratch array that no part being written holds."""
        self.depth[dtype] += 1
        name = f"{'mask' if dtype == 'bool' else 'part'}{self.depth[dtype]}"
        return self.e.scratch_like(name, self.shape, dtype=dtype)

    def into(self, expr: Expr, target: str) -> None:
        """Write an expression into an array; what its parts need is free again afterwards."""
        before = dict(self.depth)
        match expr:
            case Binary("**", base, Number(2)):
                x = self.operand(base)
                self.run("multiply", x, x, target)
            case Binary("**", base, Number(3 | 4 as power)):
                x = self.operand(base)
                square = self.scratch("dtype")
                self.run("multiply", x, x, square)
                self.run("multiply", square, x if power == 3 else square, target)
            case Binary(op, left, right) if op in OPERATORS:
                self.run(OPERATORS[op], self.operand(left), self.operand(right), target)
            case Unary("-", operand):
                self.run("negative", self.operand(operand), target)
            case Unary("not", operand):
                self.run("logical_not", self.operand(operand), target)
            case Call(function, args):
                self.call(function, args, target)
            case _:
                raise NotHere
        self.depth = before

    def call(self, function: str, args: Sequence[Expr], target: str) -> None:
        """Write a call: some functions are several of NumPy's, or have another name there."""
        match function:
            case "where":
                test, yes, no = args
                self.choice(test, yes, no, target)
            case "clip":
                self.e.run(f"np.clip({', '.join(map(self.operand, args))}, {target})")
            case "relu":
                self.run("maximum", self.operand(args[0]), self.number(Number(0)), target)
            case "ones_like":
                self.e.run(f"copyto({target}, 1)")
            case "sigmoid":
                self.sigmoid(self.operand(args[0]), target)
            case "softplus":
                self.softplus(self.operand(args[0]), target)
            case _:
                self.run(named(function), *map(self.operand, args), target)

    def choice(self, test: Expr, yes: Expr, no: Expr, target: str) -> None:
        """Write a choice: one that is a comparison, or a product with a mask, by that."""
        match test, yes, no:
            case Binary(op, left, right), Call("ones_like"), Number(0) if op in OPERATORS:
                self.run(OPERATORS[op], self.operand(left), self.operand(right), target)
            case _, Name("d"), Number(0):
                self.run("multiply", self.names["d"], self.operand(test), target)
            case _:
                self.where(test, yes, no, target)

    def where(self, test: Expr, yes: Expr, no: Expr, target: str) -> None:
        """Write a choice: the one branch everywhere, then the other where the mask is."""
        mask = self.operand(test)
        self.copy(no, target)
        self.e.run(f"copyto({target}, {self.operand(yes)}, where={mask})")

    def copy(self, expr: Expr, target: str) -> None:
        """Write an expression that may be a name or a number."""
        if isinstance(expr, Name) or not reads(expr):
            self.e.run(f"copyto({target}, {self.operand(expr)})")
        else:
            self.into(expr, target)

    def sigmoid(self, z: str, target: str) -> None:
        """With s = 1 where z > 0, else 0: max(s, exp(-|z|)) / (1 + exp(-|z|))."""
        small, one = self.scratch("dtype"), self.number(Number(1))
        self.e.run(f"copysign({z}, {self.e.number('minus_one', '-1')}, {small})")
        self.e.run(f"exp({small}, {small})")
        self.e.run(f"greater({z}, {self.number(Number(0))}, {target})")
        self.run("maximum", target, small, target)
        self.e.run(f"add({small}, {one}, {small})")
        self.e.run(f"divide({target}, {small}, {target})")

    def softplus(self, z: str, target: str) -> None:
        """max(z, 0) + log(1 + exp(-|z|)): NumPy's logaddexp takes the elements one by one, and twice as long."""
        small = self.scratch("dtype")
        self.e.run(f"copysign({z}, {self.e.number('minus_one', '-1')}, {small})")
        self.e.run(f"exp({small}, {small})")
        self.run("log1p", small, small)
        self.run("maximum", z, self.number(Number(0)), target)
        self.e.run(f"add({target}, {small}, {target})")

    def run(self, function: str, *arguments: str) -> None:
        """Write the call of a function; its last argument is the array that is written."""
        word = function if function in FUNCTIONS else f"np.{function}"
        *operands, target = arguments
        out = f"out={target}" if function in WITH_KEYWORD else target
        self.e.run(f"{word}({', '.join([*operands, out])})")


def is_mask(expr: Expr) -> bool:
    """Whether an expression is a mask."""
    return isinstance(expr, Binary | Unary) and expr.op in MASKS


def named(function: str) -> str:
    """Return NumPy's name of a function that writes into an array."""
    try:
        return ufunc(function)
    except Unspellable:
        raise NotHere from None


def _whole(expr: Expr) -> bool:
    """Whether a formula can be written so: NumPy has all its functions."""
    known = ("where", "clip", "relu", "sigmoid", "softplus", "ones_like")
    for part in walk(expr):
        if isinstance(part, Call) and part.function not in known:
            try:
                named(part.function)
            except NotHere:
                return False
    return all(isinstance(part, Name | Number | Unary | Binary | Call) for part in walk(expr))


def _names(e: Step, node: Node) -> dict[str, str]:
    """Return what the operands are called: parameters, which meet the last axes of an example, as columns."""
    meets = any(v.type.batched for v in node.ins)  # a penalty is of parameters alone
    found = [_column(e, v) if meets and not v.type.batched else v.name for v in node.ins]
    return dict(zip(node.rule.names(len(node.ins)), found, strict=True))


def _column(e: Step, value: Value) -> str:
    return e.bind(f"{value.name}_column", f"{value.name}[..., None]") if value.type.shape else value.name


def _expression(e: Step, node: Node) -> bool:
    formula = node.rule.formula(node)
    axes: tuple[int, ...] = ()
    if isinstance(formula, Method):
        formula, axes = formula.operand, node.attrs["axes"]
    largest = node.ins[0] if axes else node.out
    if not node.out.type.shape:  # a number has no array to be written into, unless it is a gradient
        return False
    if not _whole(formula) or any(v.type.dtype != "real" for v in node.ins) or _is_plain(formula, axes):
        return False
    writer = Writer(e, node, largest, _names(e, node))
    if not axes:
        writer.into(writer.common(formula), e.out(node.out))
        return True
    whole = writer.operand(writer.common(formula))
    kept = node.op == "expression_derivative"
    over = _behind(axes, len(largest.type.shape)) if largest.type.batched else axes
    where = over[0] if len(over) == 1 else over
    e.run(f"add.reduce({whole}, {where}, None, {e.out(node.out)}{', True' if kept else ''})")
    return True


def _is_plain(formula: Expr, axes: Sequence[int]) -> bool:
    """Whether nothing is computed: a value by another name."""
    return isinstance(formula, Name) and not axes


def _behind(axes: Sequence[int], rank: int) -> tuple[int, ...]:
    """Return axes where the batch is the last: axis k of an example is axis k - 1."""
    return tuple(axis - 1 if axis else rank - 1 for axis in axes)


def _body(node: Node) -> Expr | None:
    """Return the formula of a definition, or of its slope times what comes from behind: None where that is zero."""
    definition, values = node.attrs["definition"], node.attrs["values"]
    if len(node.ins) == 1:
        body: Expr = definition.filled(values)
        return body
    return sent(Name("d"), definition.slope_filled(values))


def _defined(e: Step, node: Node) -> bool:
    """The body of a definition is a formula like any other."""
    body = _body(node)
    if body is None or not _whole(body) or isinstance(body, Name) or not reads(body):
        return False
    names = dict(zip("z" if len(node.ins) == 1 else "dz", (v.name for v in node.ins), strict=True))
    writer = Writer(e, node, node.out, names)
    writer.into(writer.common(body), e.out(node.out))
    return True


def _over(formula: Expr, node: Node) -> list[int]:
    """Return the operands that are not read any more after the first number of the result has been written."""
    again = isinstance(formula, Call) and formula.function in ("where", "sigmoid", "ones_like")
    return [] if again else [i for i, v in enumerate(node.ins) if v.type == node.out.type]


def _over_of_expression(node: Node) -> list[int]:
    formula = node.rule.formula(node)
    return [] if isinstance(formula, Method) else _over(formula, node)


def _over_of_defined(node: Node) -> list[int]:
    body = _body(node)
    return [] if body is None else _over(body, node)


EXPRESSION = Kernel("expression", _expression, _expression, over=_over_of_expression)
EXPRESSION_DERIVATIVE = Kernel("expression_derivative", _expression, _expression, over=_over_of_expression)
PARAMETER_DERIVATIVE = Kernel("parameter_derivative", _expression, _expression, over=())
DEFINED = Kernel("defined", _defined, over=_over_of_defined)
DEFINED_DERIVATIVE = Kernel("defined_derivative", _defined, over=_over_of_defined)
