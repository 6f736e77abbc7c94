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
    Equation,
    Expr,
    Name,
    Number,
    map_children,
    number,
    reads,
    spell,
    substitute,
    walk,
)
from dotnn.model.model import Train
from dotnn.targets.numpy.fast.formula import FormulaWriter


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
        self.inlined: dict[str, Expr] = {}
        self.made: dict[Expr, str] = {}
        arrays = {name: name for name in plan.arrays}
        self.writer = FormulaWriter(arrays, plan.passes.append, self.number, self.scratch, self.word, HELPERS)

    def run(self) -> UpdatePlan:
        for index, line in enumerate(self.lines):
            value = substitute(line.value, self.inlined)
            if line.target not in self.plan.arrays and self.may_wait(index, line.target, value):
                self.inlined[line.target] = value  # m_hat and the like: written where they are used
                continue
            target = line.target if line.target in self.plan.arrays else self.kept(line.target)
            self.writer.write(self.gathered(value), target)
        return self.plan

    def may_wait(self, index: int, name: str, value: Expr) -> bool:
        """Whether a value may be written where it is used: it is a number, or used once and not changed till then."""
        if not self.writer.is_array(value):
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
        self.inlined[name] = Name(name)
        self.plan.scratch[name] = "w.dtype"
        array = self.writer.names[name] = f"{name}{self.plan.of_block}"
        return array

    def gathered(self, expr: Expr) -> Expr:
        """Return an expression in which all numbers of a product are one factor: it takes one pass over the arrays."""
        if not self.writer.is_array(expr):
            return expr
        above, below, factor = self.factors(expr)
        if above == [expr]:
            return map_children(expr, self.gathered)
        if above:
            product = self.gathered(above[0])
        else:
            product, factor = Binary("/", factor or Number(1), self.gathered(below.pop(0))), None
        for other in above[1:]:
            product = Binary("*", product, self.gathered(other))
        for other in below:
            product = Binary("/", product, self.gathered(other))
        return product if factor is None else Binary("*", product, factor)

    def factors(self, expr: Expr) -> tuple[list[Expr], list[Expr], Expr | None]:
        """Return the array factors above and below the line, and the product of all numbers."""
        match expr:
            case Binary("*" | "/" as op, first, second) if self.writer.is_array(expr):
                above, below, left = self.factors(first)
                more, less, right = self.factors(second)
                if op == "/":
                    more, less = less, more
                return above + more, below + less, _combine(left, right, op)
        return ([expr], [], None) if self.writer.is_array(expr) else ([], [], expr)

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

    def scratch(self, kind: str, number: int) -> str:
        """Return a scratch array: of numbers, or a mask."""
        name = f"{'mask' if kind == 'bool' else 'scratch'}_{number}"
        self.plan.scratch[name] = "bool" if kind == "bool" else "w.dtype"
        return f"{name}{self.plan.of_block}"

    def word(self, function: str) -> str:
        """Return the name of a function of NumPy's."""
        self.plan.functions.add(function)
        return function


def _combine(left: Expr | None, right: Expr | None, op: str) -> Expr | None:
    if right is None:
        return left
    if left is None and op == "/":
        left = Number(1)
    return right if left is None else Binary(op, left, right)
