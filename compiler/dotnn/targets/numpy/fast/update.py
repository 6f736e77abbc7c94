"""The optimizer's equations as in-place calls over one flat buffer of all parameters.

`m = beta1 * m + g` becomes `multiply(m, beta1, m); add(m, g, m)`. Everything that is a number is computed once an
update, everything that is an array is written into an array that exists. Where an update makes several passes over
the buffer, it goes block by block, so that a block stays in the processor's cache.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dotnn.codegen import optimizer
from dotnn.model.model import Train

OPERATIONS = {ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide"}


@dataclass
class UpdatePlan:
    """The finished lines: numbers and arrays made once, numbers computed at every update, passes over the arrays."""

    constants: list[str] = field(default_factory=list)
    numbers: list[str] = field(default_factory=list)
    passes: list[str] = field(default_factory=list)
    arrays: list[str] = field(default_factory=list)
    scratch: list[str] = field(default_factory=list)
    counts: bool = False
    d_loss: str = "1.0"
    functions: set[str] = field(default_factory=set)


def plan_update(train: Train) -> UpdatePlan:
    """Return the update of a training regime.

    Where the gradient only ever appears as `lr * g`, the learning rate goes into the cotangent of the loss: the
    gradient is linear in it, and a pass over all parameters is saved. A learning rate that changes is not there yet
    when the cotangent is made, and clipping looks at the true gradient.
    """
    lines = list(optimizer.fast_equations(train))
    folded = [] if train.schedule or train.clip else _fold_learning_rate(lines)
    return _UpdateCompiler(train, folded or lines, "lr" if folded else "").run()


def _fold_learning_rate(lines: Sequence[str]) -> list[str]:
    folded = [line.replace("lr * g", "g") for line in lines]
    uses = sum(_names(ast.parse(line)).count("g") for line in lines)
    replaced = sum(line.count("lr * g") for line in lines)
    return folded if uses == replaced and not any("g *" in line for line in folded) else []


def _names(tree: ast.AST) -> list[str]:
    return [n.id for n in ast.walk(tree) if isinstance(n, ast.Name)]


class _UpdateCompiler:
    def __init__(self, train: Train, lines: Sequence[str], folded: str) -> None:
        self.values = optimizer.arguments(train)
        self.changing = {"t", "lr"} if train.schedule else {"t"}
        self.slots = optimizer.slots(train)
        self.plan = UpdatePlan(arrays=["w", "g", *self.slots])
        self.plan.d_loss = str(self.values["lr"]) if folded else "1.0"
        self.lines = [ast.parse(line).body[0] for line in lines]
        self.inlined: dict[str, ast.expr] = {}
        self.made: dict[str, str] = {}
        self.depth = 0

    def run(self) -> UpdatePlan:
        for line in self.lines:
            assert isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name)
            target, value = line.targets[0].id, _Inline(self.inlined).visit(line.value)
            if target not in self.plan.arrays:
                self.inlined[target] = value  # m_hat and the like: written where they are used
                continue
            self.assign(target, value)
        text = " ".join(self.plan.passes)
        self.plan.scratch = [name for name in self.plan.scratch if name in text]
        self.plan.counts = any("** t" in n for n in self.plan.numbers)
        return self.plan

    def assign(self, target: str, value: ast.expr) -> None:
        """Compile `target = value` so that the target is overwritten in place."""
        result = self.compile(value, target)
        if result != target:
            self.call("copyto", target, result)

    def compile(self, expr: ast.expr, into: str) -> str:
        """Write the calls that compute an array expression; return the array that holds it (`into`, or a name)."""
        match expr:
            case ast.Name(id=name):
                return name
            case ast.Call(func=ast.Name(id=name), args=[inner]):
                self.call(optimizer.ufunc(name), self.compile(inner, into), into)
                return into
            case ast.Call(func=ast.Name(id=name), args=[left, right]):
                return self.both(optimizer.ufunc(name), left, right, into)
            case ast.UnaryOp(op=ast.USub(), operand=inner):
                self.call("negative", self.compile(inner, into), into)
                return into
            case ast.BinOp(op=ast.Pow(), left=left, right=right):
                return self.both("power", left, right, into)
            case ast.BinOp(op=ast.Add() | ast.Sub()):
                return self.both(OPERATIONS[type(expr.op)], expr.left, expr.right, into)
            case ast.BinOp():
                return self.product(expr, into)
        raise AssertionError(f"an optimizer's equation cannot hold {ast.unparse(expr)}")

    def both(self, name: str, first: ast.expr, second: ast.expr, into: str) -> str:
        """Compile a function of two operands, such as a sum, one of them an array.

        The first may be computed in place only if the second does not read the target.
        """
        if not self.is_array(second):
            self.call(name, self.compile(first, into), self.number(second), into)
            return into
        if not self.is_array(first):
            self.call(name, self.number(first), self.compile(second, into), into)
            return into
        place = self.scratch() if into in _names(second) and not isinstance(first, ast.Name) else into
        left = self.compile(first, place)
        self.depth += 1
        right = self.compile(second, self.scratch())
        self.call(name, left, right, into)
        self.depth -= 1
        return into

    def product(self, expr: ast.BinOp, into: str) -> str:
        """Compile a product: its numbers are gathered into one factor, its arrays are multiplied or divided in turn."""
        above, below, factor = self.factors(expr)
        place = into if not any(into in _names(e) for e in [*above[1:], *below]) else self.scratch()
        result = self.compile(above[0], place)
        for others, name in ((above[1:], "multiply"), (below, "divide")):
            for other in others:
                self.depth += 1
                # One scratch array less is one pass over the cache less.
                unread = result != place and place not in _names(other)
                self.call(name, result, self.compile(other, place if unread else self.scratch()), place)
                self.depth -= 1
                result = place
        if factor is not None:
            self.call("multiply", result, self.number(factor), place)
            result = place
        return result

    def factors(self, expr: ast.expr) -> tuple[list[ast.expr], list[ast.expr], ast.expr | None]:
        """Return the array factors above and below the line, and the product of all numbers."""
        if isinstance(expr, ast.BinOp) and isinstance(expr.op, ast.Mult | ast.Div) and self.is_array(expr):
            above, below, left = self.factors(expr.left)
            more, less, right = self.factors(expr.right)
            if isinstance(expr.op, ast.Div):
                more, less = less, more
            return above + more, below + less, _combine(left, right, expr.op)
        return ([expr], [], None) if self.is_array(expr) else ([], [], expr)

    def is_array(self, expr: ast.expr) -> bool:
        """Whether an expression reads an array."""
        return any(name in self.plan.arrays for name in _names(expr))

    def number(self, expr: ast.expr) -> str:
        """Return the name of a number: made once, or computed at every update where it depends on t."""
        text = ast.unparse(expr)
        if text not in self.made:
            name = text if text in (*self.values, *self.changing) else f"number_{len(self.made) + 1}"
            self.made[text] = name
            if self.changing & set(_names(expr)):
                self.plan.constants.append(f"{name} = np.empty((), w.dtype)")
                self.plan.numbers.append(f"{name}[...] = {_spelt(expr, self.values)}")
            else:
                self.plan.constants.append(f"{name} = np.array({_spelt(expr, self.values)}, w.dtype)")
        return self.made[text]

    def scratch(self) -> str:
        """Return the scratch array of the present depth."""
        name = f"scratch_{self.depth}"
        if name not in self.plan.scratch:
            self.plan.scratch.append(name)
        return name

    def call(self, name: str, *arguments: str) -> None:
        """Append one call; its last argument is written."""
        self.plan.functions.add(name)
        if name == "copyto":
            self.plan.passes.append(f"copyto({arguments[0]}, {arguments[1]})")
        else:
            *given, written = arguments
            out = "out=" if name in ("maximum", "minimum") else ""  # NumPy deprecates their third argument by position
            self.plan.passes.append(f"{name}({', '.join([*given, out + written])})")


class _Inline(ast.NodeTransformer):
    def __init__(self, table: dict[str, ast.expr]) -> None:
        self.table = table

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self.table.get(node.id, node)


def _combine(left: ast.expr | None, right: ast.expr | None, op: ast.operator) -> ast.expr | None:
    if right is None:
        return left
    if left is None and isinstance(op, ast.Div):
        left = ast.Constant(1)
    return right if left is None else ast.BinOp(left, op, right)


def _spelt(expr: ast.expr, values: Mapping[str, float]) -> str:
    """Return a number's expression with the arguments' values in it, and NumPy-free roots.

    A learning rate that is none of them is the argument of the update, `rate`.
    """
    copy = ast.parse(ast.unparse(expr), mode="eval").body
    table: dict[str, ast.expr] = {"lr": ast.Name("rate"), **{k: ast.Constant(v) for k, v in values.items()}}
    text = ast.unparse(_Inline(table).visit(copy))
    return optimizer.spelt(text, lambda name: f"math.{name}" if hasattr(math, name) else f"np.{name}")
