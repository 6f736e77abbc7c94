"""Formulas as calls of NumPy into arrays that exist: `a * b + c` is `multiply(a, b, out)`, then `add(out, c, out)`.

What is computed on the way lies in the array of the result as long as nobody reads there what was there before, else in
scratch arrays, as few as there can be: what stays in the processor's cache is read faster.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from dotnn.ir.expr import Binary, Call, Expr, Name, Number, Unary, Unspellable, reads, ufunc, walk

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
"""NumPy deprecates their third argument by position. Of two arrays they take several numbers at a time, and less than
half as long as of an array and a number."""
IN_STEPS = ("where", "clip", "relu", "sigmoid", "softplus", "ones_like")
"""Functions that are several calls, or have another name."""


def can_be_written(formula: Expr) -> bool:
    """Whether a formula has only what can be written into arrays that exist."""
    return all(map(_can_be_written, walk(formula)))


def _can_be_written(part: Expr) -> bool:
    match part:
        case Call(function):
            try:
                return function in IN_STEPS or bool(ufunc(function))
            except Unspellable:
                return False
        case Binary(op):
            return op in OPERATORS
    return isinstance(part, Name | Number | Unary)


def read_late(formula: Expr) -> set[str]:
    """Return the names that are read after something has been written where the result will be."""
    match formula:
        case Call("where", (_, Name("d"), Number(0))):
            return set()
        case Call("where", (_, yes, no)):
            return _name_of(yes) | read_late(no) if _is_computed(no) else set()
        case Binary(left=first, right=second) | Call(args=(first, second)):
            return read_late(first) | _name_of(second) if _is_computed(first) else read_late(second)
        case Unary(operand=first) | Call(args=(first, *_)):
            return read_late(first)
    return set()


def _is_computed(expr: Expr) -> bool:
    return bool(reads(expr)) and not isinstance(expr, Name)


def _name_of(expr: Expr) -> set[str]:
    return {expr.id} if isinstance(expr, Name) else set()


@dataclass
class FormulaWriter:
    """Writes formulas.

    names    the arrays that a formula reads, and what they are called
    run      appends a statement
    number   returns the name of an expression of numbers
    scratch  returns the name of the scratch array of this number, for numbers ("dtype") or for truth values ("bool")
    word     returns what a function of NumPy's is called
    helpers  functions of ours that are called as they are
    shared   what the array of the result may also be called: the operands whose array it takes over
    filled   returns the name of an array like the result that is full of a number; without it none is made
    """

    names: dict[str, str]
    run: Callable[[str], None]
    number: Callable[[Expr], str]
    scratch: Callable[[str, int], str]
    word: Callable[[str], str]
    helpers: Collection[str] = ()
    shared: Collection[str] = ()
    filled: Callable[[Expr], str] | None = None
    result: str = ""
    depth: dict[str, int] = field(default_factory=lambda: {"dtype": 0, "bool": 0})
    masks: set[str] = field(default_factory=set)

    def write(self, expr: Expr, result: str) -> None:
        """Write an expression into an array."""
        self.result = result
        if not (isinstance(expr, Name) and self.names.get(expr.id) == result):
            self.into(expr, result)

    def operand(self, expr: Expr, target: str = "", full: bool = False) -> str:
        """Return the name of what holds an expression: an array, a number (`full`: an array of it), or what is written.

        That is the target, if there is one for such numbers in which it can be computed, else a scratch array.
        """
        if not self.is_array(expr):
            return self.filled(expr) if full and self.filled else self.number(expr)
        if isinstance(expr, Name):
            return self.names[expr.id]
        kind = "bool" if is_mask(expr) else "dtype"
        place = target if target and (target in self.masks) == (kind == "bool") else self.new_scratch(kind)
        self.into(expr, place)
        return place

    def new_scratch(self, kind: str) -> str:
        """Return a scratch array that no part being written holds."""
        self.depth[kind] += 1
        name = self.scratch(kind, self.depth[kind])
        if kind == "bool":
            self.masks.add(name)
        return name

    def is_array(self, expr: Expr) -> bool:
        """Whether an expression reads an array."""
        return any(name in self.names for name in reads(expr))

    def is_leaf(self, expr: Expr) -> bool:
        """Whether an expression is there already: an array, or numbers."""
        return isinstance(expr, Name) or not self.is_array(expr)

    def in_array(self, expr: Expr, target: str) -> bool:
        """Whether an expression reads something that may lie in an array."""
        names = {self.names[name] for name in reads(expr) if name in self.names}
        return target in names or (target == self.result and not names.isdisjoint(self.shared))

    def into(self, expr: Expr, target: str) -> None:
        """Write an expression into an array; the scratch arrays that its parts need are free again afterwards."""
        before = dict(self.depth)
        match expr:
            case Binary("**", base, Number(4)):
                self.into(Binary("**", Binary("**", base, Number(2)), Number(2)), target)
            case Binary("**", base, Number(2 | 3 as power)):
                self.power(base, int(power), target)
            case Binary(op, left, right):
                self.both(OPERATORS[op], left, right, target)
            case Unary(op, inner):
                self.call("negative" if op == "-" else "logical_not", self.operand(inner, target), target)
            case Call(function, args):
                self.function(function, args, target)
            case _:
                self.copy(target, self.operand(expr))
        self.depth = before

    def power(self, base: Expr, power: int, target: str) -> None:
        """Write a square or a cube."""
        x = self.operand(base, target if power == 2 else "")
        read = x == target or (self.is_leaf(base) and self.in_array(base, target))
        square = self.new_scratch("dtype") if power == 3 and read else target
        self.call("multiply", x, x, square)
        if power == 3:
            self.call("multiply", square, x, target)

    def both(self, function: str, left: Expr, right: Expr, target: str) -> None:
        """Write a function of two operands, such as a sum: which of them can be computed in the target decides."""
        late, full = self.in_array(right, target), function in WITH_KEYWORD
        if self.is_leaf(left):
            first = self.operand(left, full=full)
            second = self.operand(right, "" if self.in_array(left, target) else target, full)
        elif late and not self.is_leaf(right):
            second = self.operand(right)
            first = self.operand(left, target)
        else:
            first = self.operand(left, "" if late else target)
            second = self.operand(right, "" if first == target else target, full)
        self.call(function, first, second, target)

    def function(self, name: str, args: Sequence[Expr], target: str) -> None:
        """Write the call of a function: some are several of NumPy's, or have another name there."""
        if name in self.helpers:
            self.copy(target, f"{name}({', '.join(map(self.operand, args))})")
            return
        match name, args:
            case "where", (test, yes, no):
                self.choice(test, yes, no, target)
            case "clip", (x, *limits):
                late = any(self.in_array(limit, target) for limit in limits)
                self.call("clip", self.operand(x, "" if late else target), *map(self.operand, limits), target)
            case "relu", (x,):
                self.both("maximum", x, Number(0), target)
            case "ones_like", _:
                self.copy(target, "1")
            case "sigmoid", (z,):
                self.sigmoid(self.operand(z, target), target)
            case "softplus", (z,):
                self.softplus(self.operand(z, target), target)
            case _, (x,):
                self.call(ufunc(name), self.operand(x, target), target)
            case _, (left, right):
                self.both(ufunc(name), left, right, target)
            case _:
                raise Unspellable(f"NumPy has no {name} that writes into an array that exists")

    def choice(self, test: Expr, yes: Expr, no: Expr, target: str) -> None:
        """Write a choice: one that is a comparison, or a product with a mask, by that."""
        match test, yes, no:
            case Binary(), Call("ones_like"), Number(0):
                self.into(test, target)
            case _, Name("d"), Number(0):
                self.both("multiply", yes, test, target)
            case _:
                mask = self.operand(test) if self.is_array(test) else f"({self.number(test)} != 0)"
                first = self.operand(yes)
                late = self.is_leaf(yes) and self.in_array(yes, target)
                second = self.operand(no, "" if late else target)
                # NumPy's masked copy would need no array of its own, and takes up to a third longer.
                self.copy(target, f"{self.word('where')}({mask}, {first}, {second})")

    def sigmoid(self, z: str, target: str) -> None:
        """With s = 1 where z > 0, else 0: max(s, exp(-|z|)) / (1 + exp(-|z|))."""
        small = self._exp_of_minus_size(z)
        self.call("greater", z, self.number(Number(0)), target)
        self.call("maximum", target, small, target)
        self.call("add", small, self.number(Number(1)), small)
        self.call("divide", target, small, target)

    def softplus(self, z: str, target: str) -> None:
        """max(z, 0) + log(1 + exp(-|z|)): NumPy's logaddexp takes the elements one by one, and twice as long."""
        small = self._exp_of_minus_size(z)
        self.call("log1p", small, small)
        self.call("maximum", z, self.operand(Number(0), full=True), target)
        self.call("add", target, small, target)

    def _exp_of_minus_size(self, z: str) -> str:
        small = self.new_scratch("dtype")
        self.call("copysign", z, self.number(Number(-1)), small)
        self.call("exp", small, small)
        return small

    def copy(self, target: str, source: str) -> None:
        """Write a copy."""
        self.run(f"{self.word('copyto')}({target}, {source})")

    def call(self, function: str, *arguments: str) -> None:
        """Write the call of a function; its last argument is the array that is written."""
        *given, written = arguments
        out = f"out={written}" if function in WITH_KEYWORD else written
        self.run(f"{self.word(function)}({', '.join([*given, out])})")


def is_mask(expr: Expr) -> bool:
    """Whether an expression is a mask."""
    return isinstance(expr, Binary | Unary) and expr.op in MASKS
