"""The optimizer's equations as in-place calls over one flat buffer of all parameters.

`m = beta1 * m + g` becomes `multiply(m, beta1, m); add(m, g, m)`. Everything that is a number is computed once an
update, everything that is an array is written into an array that exists. Where an update makes several passes over
the buffer, it goes block by block, so that a block stays in the processor's cache.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dotnn.codegen import optimizer
from dotnn.ir.definition import HELPERS
from dotnn.ir.expr import (
    DIALECTS,
    Binary,
    Call,
    Equation,
    Expr,
    Name,
    Number,
    Unary,
    map_children,
    number,
    reads,
    spell,
    substitute,
    ufunc,
    walk,
)
from dotnn.model.model import Train

OPERATIONS = {"+": "add", "-": "subtract", "**": "power"}
COMPARISONS = {
    "<": "less",
    "<=": "less_equal",
    ">": "greater",
    ">=": "greater_equal",
    "==": "equal",
    "!=": "not_equal",
}


@dataclass
class UpdatePlan:
    """The finished lines: numbers and arrays made once, numbers computed at every update, passes over the arrays.

    `scratch` are the arrays for what is needed on the way, each with its type; passes call them by their names and
    `of_block`, where they are cut to the block that is passed over.
    """

    constants: list[str] = field(default_factory=list)
    numbers: list[str] = field(default_factory=list)
    passes: list[str] = field(default_factory=list)
    arrays: list[str] = field(default_factory=list)
    scratch: dict[str, str] = field(default_factory=dict)
    counts: bool = False
    d_loss: str = "1.0"
    of_block: str = ""
    functions: set[str] = field(default_factory=set)


def plan_update(train: Train) -> UpdatePlan:
    """Return the update of a training regime.

    Where the gradient only ever appears as `lr * g`, the learning rate goes into the cotangent of the loss: the
    gradient is linear in it, and a pass over all parameters is saved. A learning rate that changes is not there yet
    when the cotangent is made; clipping looks at the true gradient, and noise is added to it.
    """
    lines = optimizer.fast_equations(train)
    if train.setting("rates"):
        lines = tuple(Equation(line.target, substitute(line.value, {"lr": OF_PART})) for line in lines)
    looks = train.schedule or train.clip or train.setting("noise")
    folded = None if looks else _fold_learning_rate(lines)
    numbers = optimizer.arguments(train)
    changing = {"t", *optimizer.run_lengths(train), *(["lr"] if train.schedule else [])}
    arrays = ["w", "g", *optimizer.slots(train), *(["rates"] if train.setting("rates") else [])]
    plan = UpdatePlan(arrays=arrays, d_loss=str(numbers["lr"]) if folded else "1.0", of_block="_")
    return _UpdateCompiler(plan, numbers, changing, folded or lines).run()


def plan_equations(equations: Sequence[Equation], numbers: Mapping[str, float], arrays: Sequence[str]) -> UpdatePlan:
    """Return other equations over arrays as calls in place."""
    return _UpdateCompiler(UpdatePlan(arrays=[*arrays]), dict(numbers), set(), equations).run()


OF_PART = Binary("*", Name("lr"), Name("rates"))
"""The learning rate of every weight, where parts have their own: `rates` has a factor for each."""
SCALED = Binary("*", Name("lr"), Name("g"))


def _fold_learning_rate(lines: Sequence[Equation]) -> list[Equation] | None:
    """Return the equations with g for every `lr * g`, None where g appears otherwise, too, or not at all."""
    parts = [part for line in lines for part in walk(line.value)]
    if not parts.count(SCALED) == parts.count(Name("g")) > 0:
        return None
    return [Equation(line.target, _without_rate(line.value)) for line in lines]


def _without_rate(expr: Expr) -> Expr:
    return Name("g") if expr == SCALED else map_children(expr, _without_rate)


class _UpdateCompiler:
    def __init__(
        self, plan: UpdatePlan, values: dict[str, float], changing: set[str], lines: Sequence[Equation]
    ) -> None:
        self.plan, self.values, self.changing, self.lines = plan, values, changing, lines
        self.arrays = {*self.plan.arrays}
        self.inlined: dict[str, Expr] = {}
        self.made: dict[Expr, str] = {}
        self.depth = 0

    def run(self) -> UpdatePlan:
        for index, line in enumerate(self.lines):
            value = substitute(line.value, self.inlined)
            if line.target not in self.plan.arrays and self.may_wait(index, line.target, value):
                self.inlined[line.target] = value  # m_hat and the like: written where they are used
                continue
            target = line.target if line.target in self.plan.arrays else self.kept(line.target)
            self.assign(target, value)
        text = " ".join(self.plan.passes)
        scratch = self.plan.scratch.items()
        self.plan.scratch = {name: dtype for name, dtype in scratch if f"{name}{self.plan.of_block}" in text}
        return self.plan

    def may_wait(self, index: int, name: str, value: Expr) -> bool:
        """Whether a value may be written where it is used: it is a number, or used once and not changed till then."""
        if not self.is_array(value):
            return True
        read = set(reads(value))
        uses, changed = 0, False
        for line in self.lines[index + 1 :]:
            here = [part for part in walk(line.value) if part == Name(name)]
            if here and changed:
                return False
            uses += len(here)
            changed |= line.target in read
            if line.target == name:
                break
        return uses < 2

    def kept(self, name: str) -> str:
        """Return the array of a value that is computed once and used later."""
        array = f"{name}{self.plan.of_block}"
        self.inlined[name] = Name(array)
        self.arrays.add(array)
        self.plan.scratch[name] = "w.dtype"
        return array

    def assign(self, target: str, value: Expr) -> None:
        """Compile `target = value` so that the target is overwritten in place."""
        result = self.operand(value, target)
        if result != target:
            self.call("copyto", target, result)

    def operand(self, expr: Expr, into: str) -> str:
        """Return the array or the number that holds an expression; an array is computed in `into` where it must be."""
        return self.compile(expr, into) if self.is_array(expr) else self.number(expr)

    def compile(self, expr: Expr, into: str) -> str:
        """Write the calls that compute an array expression; return the array that holds it (`into`, or a name)."""
        match expr:
            case Name(name):
                return name
            case Call(name, args):
                return self.function(name, args, into)
            case Unary("-", inner):
                self.call("negative", self.compile(inner, into), into)
                return into
            case Binary("**", base, Number(2)):
                once = self.compile(base, into)
                self.call("multiply", once, once, into)
                return into
            case Binary(op, left, right) if op in OPERATIONS:
                return self.both(OPERATIONS[op], left, right, into)
            case Binary("*" | "/"):
                return self.product(expr, into)
        raise AssertionError(f"an optimizer's equation cannot hold {spell(expr)}")

    def function(self, name: str, args: tuple[Expr, ...], into: str) -> str:
        """Compile the call of a function; return the array that holds it."""
        match args:
            case (test, yes, no) if name == "where":
                return self.choice(test, yes, no, into)
            case (x, low, high) if name == "clip":
                return self.compile(Call("minimum", (Call("maximum", (x, low)), high)), into)
            case _ if name == "ones_like":
                self.call("copyto", into, "1")
            case _ if name in HELPERS:
                given = [self.operand(arg, self.scratch()) for arg in args]
                self.call("copyto", into, f"{name}({', '.join(given)})")
            case (inner,):
                self.call(ufunc(name), self.compile(inner, into), into)
            case (left, right):
                return self.both(ufunc(name), left, right, into)
        return into

    def both(self, name: str, first: Expr, second: Expr, into: str) -> str:
        """Compile a function of two operands, such as a sum, one of them an array.

        The first may be computed in place only if the second does not read the target.
        """
        if not self.is_array(second):
            self.call(name, self.compile(first, into), self.number(second), into)
            return into
        if not self.is_array(first):
            self.call(name, self.number(first), self.compile(second, into), into)
            return into
        place = self.scratch() if into in reads(second) and not isinstance(first, Name) else into
        left = self.compile(first, place)
        self.depth += 1
        right = self.compile(second, self.scratch())
        self.call(name, left, right, into)
        self.depth -= 1
        return into

    def choice(self, test: Expr, yes: Expr, no: Expr, into: str) -> str:
        """Compile a choice: the one branch everywhere, then the other where the mask is."""
        place = self.scratch() if any(into in reads(part) for part in (test, yes)) else into
        otherwise = self.operand(no, place)
        if otherwise != place:
            self.call("copyto", place, otherwise)
        self.depth += 1
        mask = self.mask(test)
        self.call("copyto", place, self.operand(yes, self.scratch()), f"where={mask}")
        self.depth -= 1
        return place

    def mask(self, test: Expr) -> str:
        """Compile a comparison, or comparisons put together; return the mask, or one truth value for all elements."""
        if not self.is_array(test):
            return f"({self.number(test)} != 0)"
        into = self.scratch("mask")
        self.depth += 1
        match test:
            case Unary("not", inner):
                self.call("logical_not", self.mask(inner), into)
            case Binary("and" | "or" as op, left, right):
                first = self.mask(left)
                self.depth += 1
                self.call(f"logical_{op}", first, self.mask(right), into)
                self.depth -= 1
            case Binary(op, left, right):
                first = self.operand(left, self.scratch())
                self.depth += 1
                self.call(COMPARISONS[op], first, self.operand(right, self.scratch()), into)
                self.depth -= 1
            case _:
                raise AssertionError(f"{test} is no mask")
        self.depth -= 1
        return into

    def product(self, expr: Expr, into: str) -> str:
        """Compile a product: its numbers are gathered into one factor, its arrays are multiplied or divided in turn."""
        above, below, factor = self.factors(expr)
        place = into if not any(into in reads(e) for e in [*above[1:], *below]) else self.scratch()
        if above:
            result = self.compile(above[0], place)
        else:
            self.call("divide", self.number(factor or Number(1)), self.compile(below.pop(0), place), place)
            result, factor = place, None
        for others, name in ((above[1:], "multiply"), (below, "divide")):
            for other in others:
                self.depth += 1
                # One scratch array less is one pass over the cache less.
                unread = result != place and place not in reads(other)
                self.call(name, result, self.compile(other, place if unread else self.scratch()), place)
                self.depth -= 1
                result = place
        if factor is not None:
            self.call("multiply", result, self.number(factor), place)
            result = place
        return result

    def factors(self, expr: Expr) -> tuple[list[Expr], list[Expr], Expr | None]:
        """Return the array factors above and below the line, and the product of all numbers."""
        match expr:
            case Binary("*" | "/" as op, first, second) if self.is_array(expr):
                above, below, left = self.factors(first)
                more, less, right = self.factors(second)
                if op == "/":
                    more, less = less, more
                return above + more, below + less, _combine(left, right, op)
        return ([expr], [], None) if self.is_array(expr) else ([], [], expr)

    def is_array(self, expr: Expr) -> bool:
        """Whether an expression reads an array."""
        return any(name in self.arrays for name in reads(expr))

    def number(self, expr: Expr) -> str:
        """Return the name of a number: made once, or computed at every update where it depends on t."""
        if expr not in self.made:
            plain = expr.id if isinstance(expr, Name) and expr.id in (*self.values, "lr") else ""  # t is a whole number
            name = self.made[expr] = plain or f"number_{len(self.made) + 1}"
            if self.changing & set(reads(expr)):
                self.plan.counts |= "t" in reads(expr)
                self.plan.constants.append(f"{name} = np.empty((), w.dtype)")
                self.plan.numbers.append(f"{name}[...] = {self.spelt(expr)}")
            else:
                self.plan.constants.append(f"{name} = np.array({self.spelt(expr)}, w.dtype)")
        return self.made[expr]

    def spelt(self, expr: Expr) -> str:
        """Return a number's expression with the arguments' values in it.

        A learning rate that is none of them is the argument of the update, `rate`.
        """
        values = {"lr": Name("rate"), **{k: number(v) for k, v in self.values.items()}}
        return spell(substitute(expr, values), DIALECTS["math"])

    def scratch(self, kind: str = "scratch") -> str:
        """Return the scratch array of the present depth: of numbers, or a "mask"."""
        name = f"{kind}_{self.depth}"
        self.plan.scratch[name] = "bool" if kind == "mask" else "w.dtype"
        return f"{name}{self.plan.of_block}"

    def call(self, name: str, *arguments: str) -> None:
        """Append one call; its last argument is written, of `copyto` the first."""
        self.plan.functions.add(name)
        if name == "copyto":
            self.plan.passes.append(f"copyto({', '.join(arguments)})")
        else:
            *given, written = arguments
            out = "out=" if name in ("maximum", "minimum") else ""  # NumPy deprecates their third argument by position
            self.plan.passes.append(f"{name}({', '.join([*given, out + written])})")


def _combine(left: Expr | None, right: Expr | None, op: str) -> Expr | None:
    if right is None:
        return left
    if left is None and op == "/":
        left = Number(1)
    return right if left is None else Binary(op, left, right)
