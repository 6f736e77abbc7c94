"""Tree -> text, in a dialect. Only the brackets that precedence asks for are written, one space around an operator."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from dotnn.ir.expr.functions import FUNCTIONS, Function
from dotnn.ir.expr.tree import (
    Attribute,
    Binary,
    Bracketed,
    Call,
    Choice,
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
    map_children,
    walk,
)

CHOICE, NOT, COMPARISON, SIGN, POWER, NUMBER, POSTFIX = 1, 4, 5, 10, 11, 12, 13
BINDING = {
    "or": 2, "and": 3, **dict.fromkeys(("<", "<=", ">", ">=", "==", "!="), COMPARISON), "|": 6, "&": 7,
    **dict.fromkeys("+-", 8), **dict.fromkeys(("*", "/", "//", "%", "@"), 9), "**": POWER,
}  # fmt: skip
"""How tightly an operator binds, as in Python."""


class Unspellable(ValueError):
    """A dialect has no word for something; the message says which and where."""


@dataclass(frozen=True)
class Dialect:
    """How one target writes expressions.

    title     what it is called in errors
    key       its entry in `Function.spellings`; one that is missing there is looked up under `like`
    logic     how `and`, `or`, `not` of masks are written
    methods   method -> the function that takes its operand first; None: methods stay methods, all of them
    rewrites  function -> what is written in place of it, from its operands
    """

    title: str
    key: str
    like: str = ""
    logic: Mapping[str, str] = field(default_factory=dict)
    methods: Mapping[str, str] | None = None
    rewrites: Mapping[str, Callable[..., Expr]] = field(default_factory=dict)

    def word(self, function: Function, of_numbers: bool) -> str:
        """Return the spelling of a function. Raises `Unspellable`.

        One of plain numbers is Python's: its result then takes the precision of the arrays around it.
        """
        for key in ("math" if of_numbers else "", self.key, self.like):
            if key in function.spellings:
                return function.spellings[key]
        raise Unspellable(f"{self.title} has no {function.name}: a formula that calls it cannot be written for it")


def _absolute(x: Expr) -> Expr:
    """Return |x| by order, which complex numbers have here, and not by size, which is no analytic function."""
    if isinstance(x, Binary) and x.op == "-":
        return Call("where", (Binary(">", x.left, x.right), x, Binary("-", x.right, x.left)))
    return Call("where", (Binary(">", x, Number(0)), x, Unary("-", x)))


def _by_real_part(function: str) -> Callable[..., Expr]:
    """Return what a step function of x is, which complex numbers do not have."""
    return lambda x: Call(function, (Attribute(x, "real"),))


def _log_of_sum(x: Expr, y: Expr) -> Expr:
    return Binary("+", y, Call("softplus", (Binary("-", x, y),)))


_MASKS = {"and": "&", "or": "|", "not": "~"}
_REDUCED = {"sum": "sum", "mean": "mean", "max": "max", "min": "min"}
NUMPY = Dialect("NumPy", "numpy", logic=_MASKS)
ANALYTIC = Dialect("NumPy on complex numbers", "analytic", "numpy", _MASKS, rewrites={
    "abs": _absolute, "sign": _by_real_part("sign"), "floor": _by_real_part("floor"), "logaddexp": _log_of_sum,
})  # fmt: skip
TENSORFLOW = Dialect("TensorFlow", "tensorflow", logic=_MASKS, methods={m: f"tf.reduce_{m}" for m in _REDUCED})
KERAS = Dialect("Keras", "keras", logic=_MASKS, methods={m: f"keras.ops.{m}" for m in _REDUCED})
JAX = Dialect("JAX", "jax", logic=_MASKS)
MATH = Dialect("Python's math", "math", methods={})
DIALECTS = {d.key: d for d in (NUMPY, ANALYTIC, TENSORFLOW, KERAS, JAX, MATH)}


def spell(expr: Expr, dialect: Dialect = NUMPY, helpers: Collection[str] = (), numbers: Collection[str] = ()) -> str:
    """Return the text of an expression.

    `helpers` are the functions besides the dialect's that it may call, `numbers` the names of plain numbers.
    Raises `Unspellable` where the dialect has no word for something.
    """
    return _Writer(dialect, helpers, numbers).text(_rewritten(expr, dialect) if dialect.rewrites else expr)


def _rewritten(expr: Expr, dialect: Dialect) -> Expr:
    expr = map_children(expr, lambda part: _rewritten(part, dialect))
    rewrite = dialect.rewrites.get(expr.function) if isinstance(expr, Call) else None
    return rewrite(*expr.args) if isinstance(expr, Call) and rewrite else expr


def ufunc(function: str) -> str:
    """Return NumPy's name of a function that can write into an array. Raises `Unspellable` for another one."""
    found = FUNCTIONS.get(function)
    word = found.spellings.get("numpy", "") if found and found.elementwise and len(found.operands) < 3 else ""
    if not word:
        raise Unspellable(f"NumPy has no {function} that writes into an array that exists")
    return word.removeprefix("np.")


class _Writer:
    def __init__(self, dialect: Dialect, helpers: Collection[str], numbers: Collection[str]) -> None:
        self.dialect = dialect
        self.helpers = helpers
        self.numbers = numbers

    def text(self, expr: Expr, binding: int = 0) -> str:
        """Return the text of a part, in brackets where it binds less tightly than it must."""
        text, tightness = self.written(expr)
        return f"({text})" if tightness < binding else text

    def written(self, expr: Expr) -> tuple[str, int]:
        """Return a text and how tightly it binds."""
        match expr:
            case Name(id):
                return id, POSTFIX
            case Number():
                return str(expr), NUMBER
            case Literal():
                return _literal(expr), POSTFIX
            case Binary():
                return self.binary(expr)
            case Unary():
                return self.unary(expr)
            case Choice(test, yes, no):
                inner = self.text(yes, CHOICE + 1), self.text(test, CHOICE + 1), self.text(no, CHOICE)
                return "{} if {} else {}".format(*inner), CHOICE
            case Call():
                return self.call(expr)
        return self.postfix(expr), POSTFIX

    def binary(self, expr: Binary) -> tuple[str, int]:
        op = self.dialect.logic.get(expr.op, expr.op)
        binding = BINDING[op]
        if expr.op == "**":
            left, right = self.text(expr.left, NUMBER), self.text(expr.right, SIGN)
        else:
            left = self.text(expr.left, binding + (binding == COMPARISON))
            right = self.text(expr.right, binding + 1)
        return f"{left} {op} {right}", binding

    def unary(self, expr: Unary) -> tuple[str, int]:
        if expr.op == "-":
            return f"-{self.text(expr.operand, SIGN)}", SIGN
        if word := self.dialect.logic.get(expr.op):
            return f"{word}{self.text(expr.operand, SIGN)}", SIGN
        return f"not {self.text(expr.operand, NOT)}", NOT

    def call(self, expr: Call) -> tuple[str, int]:
        if expr.function in self.helpers:
            return f"{expr.function}({self.items(expr.args)})", POSTFIX
        if expr.function not in FUNCTIONS:
            raise Unspellable(f"{self.dialect.title} has no {expr.function}, and it is none of the helpers here")
        return self.known(FUNCTIONS[expr.function], expr.args), POSTFIX

    def known(self, function: Function, args: tuple[Expr, ...]) -> str:
        """Return the call of a function of the table."""
        word = self.dialect.word(function, of_numbers=function.elementwise and all(map(self.is_number, args)))
        if not function.operands:
            return word
        if "{" in word:
            return word.format(**dict(zip(function.operands, map(self.text, args), strict=True)))
        return f"{word}({self.items(args)})"

    def is_number(self, expr: Expr) -> bool:
        """Whether an expression holds nothing but plain numbers and functions of them."""
        plain = (Number, Unary, Binary, Call)
        return all(
            isinstance(part, plain) or (isinstance(part, Name) and part.id in self.numbers) for part in walk(expr)
        )

    def items(self, items: tuple[Expr, ...]) -> str:
        return ", ".join(map(self.text, items))

    def postfix(self, expr: Expr) -> str:
        match expr:
            case Method(operand, name, args) if self.dialect.methods is None:
                return f"{self.text(operand, POSTFIX)}.{name}({self.items(args)})"
            case Method(operand, name, args) if name in (self.dialect.methods or {}):
                return f"{(self.dialect.methods or {})[name]}({self.items((operand, *args))})"
            case Attribute(operand, name):
                return f"{self.text(operand, POSTFIX)}.{name}"
            case Index(operand, items):
                return f"{self.text(operand, POSTFIX)}[{self.items(items)}]"
            case Slice(start, stop):
                return ":".join(self.text(end) if end is not None else "" for end in (start, stop))
            case Keyword(name, value):
                return f"{name}={self.text(value)}"
            case Sequence(items, brackets):
                comma = "," * (brackets == "()" and len(items) == 1)
                return f"{brackets[0]}{self.items(items)}{comma}{brackets[1]}"
            case Bracketed(inner):
                return f"({self.text(inner)})"
            case Method(_, name):
                raise Unspellable(f"{self.dialect.title} has no method {name}")
        raise AssertionError(expr)


def _literal(expr: Literal) -> str:
    value = expr.value
    if isinstance(value, str):
        plain = value.isprintable() and "\\" not in value and '"' not in value
        return f'"{value}"' if plain else repr(value)
    return "..." if value is ... else repr(value)
