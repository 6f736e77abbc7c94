"""Text -> tree: the part of Python's expressions that formulas need. Python reads the text; what it found is checked.

NumPy's names are read as the functions they are (`np.exp(z)` is `exp(z)`); `max(a, b)` is `maximum(a, b)`, and `a & b`
of masks is `a and b`.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from functools import cache

from dotnn.ir.expr.functions import FUNCTIONS, OTHER_NAMES, PAIRED
from dotnn.ir.expr.tree import (
    Attribute,
    Binary,
    Bracketed,
    Call,
    Choice,
    Equation,
    Expr,
    Index,
    Keyword,
    Literal,
    Method,
    Name,
    Number,
    Sequence,
    Slice,
    Unary,
)

OPERATORS = {
    "Add": "+", "Sub": "-", "Mult": "*", "Div": "/", "FloorDiv": "//", "Mod": "%", "Pow": "**", "MatMult": "@",
    "BitAnd": "and", "BitOr": "or", "And": "and", "Or": "or", "Invert": "not", "Not": "not", "USub": "-",
    "Lt": "<", "LtE": "<=", "Gt": ">", "GtE": ">=", "Eq": "==", "NotEq": "!=",
}  # fmt: skip

MODULES = ("np", "math")


class NotAnExpression(ValueError):
    """A text that cannot be a formula; `column` counts from 1."""

    def __init__(self, text: str, reason: str, column: int) -> None:
        self.column = column
        super().__init__(f"{reason}, in column {column} of {text!r}")


@cache
def parse(text: str) -> Expr:
    """Return the tree of a formula. Raises `NotAnExpression`."""
    match _python(text, "eval"):
        case ast.Expression(body=body):
            return _Reader(text).read(body)
    raise AssertionError(text)


@cache
def equation(text: str) -> Equation:
    """Return `target = value` as its two sides. Raises `NotAnExpression`."""
    match _python(text, "exec"):
        case ast.Module(body=[ast.Assign(targets=[ast.Name(id=target)], value=value)]):
            return Equation(target, _Reader(text).read(value))
    raise NotAnExpression(text, "this is not `name = formula`", 1)


def equations(*lines: str) -> tuple[Equation, ...]:
    """Return `target = value` of each line. Raises `NotAnExpression`."""
    return tuple(map(equation, lines))


def _python(text: str, mode: str) -> ast.AST:
    try:
        return compile(text, "<formula>", mode, ast.PyCF_ONLY_AST)
    except SyntaxError as error:
        raise NotAnExpression(text, error.msg, error.offset or 1) from None


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.bytes = text.encode()

    def read(self, node: ast.AST) -> Expr:
        """Return the tree of one of Python's nodes."""
        read: Callable[[ast.AST], Expr] | None = getattr(self, f"read_{type(node).__name__}", None)
        if read is None:
            raise self.error(node, f"a formula cannot hold {type(node).__name__}")
        return read(node)

    def all(self, nodes: list[ast.expr]) -> tuple[Expr, ...]:
        """Return the trees of several nodes."""
        return tuple(map(self.read, nodes))

    def error(self, node: ast.AST, reason: str) -> NotAnExpression:
        """Return what is wrong with a node, at its place."""
        before = self.bytes[: getattr(node, "col_offset", 0)]
        return NotAnExpression(self.text, reason, len(before.decode()) + 1)

    def op(self, node: ast.AST, op: ast.AST) -> str:
        """Return an operator as it is written."""
        if type(op).__name__ not in OPERATORS:
            hint = "; a power is written **" if isinstance(op, ast.BitXor) else ""
            raise self.error(node, f"a formula knows no {type(op).__name__}{hint}")
        return OPERATORS[type(op).__name__]

    def read_Name(self, node: ast.Name) -> Expr:
        return Call(node.id) if node.id in FUNCTIONS and not FUNCTIONS[node.id].operands else Name(node.id)

    def read_Constant(self, node: ast.Constant) -> Expr:
        value = node.value
        if isinstance(value, bool | str) or value is None or value is ...:
            return Literal(value)
        if isinstance(value, int | float):
            return Number(value, self.bytes[node.col_offset : node.end_col_offset].decode())
        raise self.error(node, f"a formula cannot hold {value!r}")

    def read_UnaryOp(self, node: ast.UnaryOp) -> Expr:
        return Unary(self.op(node, node.op), self.read(node.operand))

    def read_BinOp(self, node: ast.BinOp) -> Expr:
        return Binary(self.op(node, node.op), self.read(node.left), self.read(node.right))

    def read_BoolOp(self, node: ast.BoolOp) -> Expr:
        result, *others = self.all(node.values)
        for other in others:
            result = Binary(self.op(node, node.op), result, other)
        return result

    def read_Compare(self, node: ast.Compare) -> Expr:
        if len(node.ops) > 1:
            raise self.error(node, "a formula compares two values at a time")
        return Binary(self.op(node, node.ops[0]), self.read(node.left), self.read(node.comparators[0]))

    def read_Call(self, node: ast.Call) -> Expr:
        args = (*self.all(node.args), *(Keyword(k.arg or "**", self.read(k.value)) for k in node.keywords))
        match node.func:
            case ast.Name(id=name):
                return self.call(node, PAIRED.get(name, name) if len(args) == 2 else name, args)
            case ast.Attribute(value=ast.Name(id="np" | "math"), attr=name):
                return self.call(node, OTHER_NAMES.get(name, name), args, known=True)
            case ast.Attribute(value=operand, attr=name):
                return Method(self.operand_of(node.func, operand), name, args)
        raise self.error(node, "a formula calls functions by their names")

    def call(self, node: ast.Call, name: str, args: tuple[Expr, ...], known: bool = False) -> Call:
        """Return a call; what the table does not know is a helper, unless it must be known."""
        function = FUNCTIONS.get(name)
        if function is None and known:
            raise self.error(node, f"a formula knows no function {name}")
        if function is not None and not function.takes(len(args)):
            raise self.error(node, f"{name} takes {len(function.operands)} operands, not {len(args)}")
        return Call(name, args)

    def read_Attribute(self, node: ast.Attribute) -> Expr:
        if isinstance(node.value, ast.Name) and node.value.id in MODULES and node.attr in FUNCTIONS:
            return Call(node.attr)
        return Attribute(self.operand_of(node, node.value), node.attr)

    def operand_of(self, node: ast.Attribute, operand: ast.expr) -> Expr:
        """Return what stands before a dot, with the brackets around it that nobody needs."""
        inner = self.read(operand)
        gap = self.bytes[operand.end_col_offset : node.end_col_offset]
        needless = gap.lstrip().startswith(b")") and isinstance(inner, Name | Call | Method | Attribute | Index)
        return Bracketed(inner) if needless else inner

    def read_Subscript(self, node: ast.Subscript) -> Expr:
        items = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        return Index(self.read(node.value), self.all(items))

    def read_Slice(self, node: ast.Slice) -> Expr:
        if node.step is not None:
            raise self.error(node, "a slice has no step")
        return Slice(*(self.read(end) if end is not None else None for end in (node.lower, node.upper)))

    def read_IfExp(self, node: ast.IfExp) -> Expr:
        return Choice(self.read(node.test), self.read(node.body), self.read(node.orelse))

    def read_Tuple(self, node: ast.Tuple) -> Expr:
        return Sequence(self.all(node.elts))

    def read_List(self, node: ast.List) -> Expr:
        return Sequence(self.all(node.elts), "[]")
