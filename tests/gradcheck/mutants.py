"""Sabotage: small, typical errors put into the backward pass of a script, one at a time.

Every operator is a function from a syntax tree node of a line of `backward` to the faulty versions of that node.
"""

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

SCRIPTS = Path(__file__).parent / "scripts"

Operator = Callable[[ast.expr], Iterator[ast.expr]]

BUMP = """
def _bump(array):
    array = array.copy()
    array.flat[np.abs(array).argmax()] *= 1.01
    return array
"""


@dataclass(frozen=True)
class Mutant:
    """A faulty script, the name of the line that is wrong, and what was done to it."""

    source: str
    name: str
    operator: str
    change: str


def expression(text: str, **parts: ast.expr) -> ast.expr:
    """Parse `text` with placeholders replaced by expressions."""

    class Fill(ast.NodeTransformer):
        def visit_Name(self, node):
            return copy.deepcopy(parts.get(node.id, node))

    return Fill().visit(ast.parse(text, mode="eval").body)


def is_sum_over_batch(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "sum"


def is_op(node: ast.expr, op: type[ast.operator]) -> bool:
    return isinstance(node, ast.BinOp) and isinstance(node.op, op)


def names(node: ast.AST) -> list[str]:
    return [part.id for part in ast.walk(node) if isinstance(part, ast.Name)]


def drop_transpose(node):
    if isinstance(node, ast.Attribute) and node.attr == "T":
        yield node.value


def transpose_product(node):
    if is_op(node, ast.MatMult):
        yield expression("(a @ b).T", a=node.left, b=node.right)


def bias_sum(node):
    if is_sum_over_batch(node) and node.keywords:
        summed = node.func.value
        yield expression("a.mean(axis=0)", a=summed)
        yield expression("a.sum(axis=1)", a=summed)
        yield expression("a[0]", a=summed)


def accumulation(node):
    if is_op(node, ast.Add) and all("_from_" in name for name in names(node)):
        yield node.left
        yield node.right
        yield expression("a + b + b", a=node.left, b=node.right)
        yield expression("a - b", a=node.left, b=node.right)


def batch_mean(node):
    if is_op(node, ast.Div) and "len" in names(node.right):
        yield node.left
        yield expression("a / b / b", a=node.left, b=node.right)


def missing_keep_rate(node):
    if is_op(node, ast.Div) and isinstance(node.right, ast.Constant):
        yield node.left


def looser_comparison(node):
    if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Gt):
        yield ast.Compare(node.left, [ast.GtE()], node.comparators)
        yield ast.Compare(node.left, [ast.Lt()], node.comparators)


def derivative_operand(node):
    if isinstance(node, ast.Name) and node.id in ("h1", "h2", "y", "g"):
        yield expression(f'cache["{node.id}_z"]')


def lost_factor(node):
    if is_op(node, ast.Mult):
        yield node.left
        yield node.right


def swapped_sign(node):
    if is_op(node, ast.Sub):
        yield ast.BinOp(node.left, ast.Add(), node.right)


def whole_line(node: ast.expr) -> Iterator[ast.expr]:
    """Errors that any line can have."""
    yield expression("-a", a=node)
    yield expression("a * 1.01", a=node)
    yield expression("_bump(a)", a=node)


PARTS: list[Operator] = [
    drop_transpose,
    transpose_product,
    bias_sum,
    accumulation,
    batch_mean,
    missing_keep_rate,
    looser_comparison,
    derivative_operand,
    lost_factor,
    swapped_sign,
]


def backward_lines(tree: ast.Module) -> Iterator[ast.Assign]:
    function = next(f for f in tree.body if isinstance(f, ast.FunctionDef) and f.name == "backward")
    for node in function.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]).startswith("d_"):
            yield node


def variants(line: ast.Assign) -> Iterator[tuple[str, ast.expr]]:
    """Yield (operator, faulty expression) for one line."""
    for replacement in whole_line(line.value):
        yield "whole_line", replacement
    parts = list(ast.walk(line.value))
    for operator in PARTS:
        for i, part in enumerate(parts):
            if isinstance(part, ast.expr):
                for replacement in operator(part):
                    yield operator.__name__, replaced(line.value, i, replacement)


def replaced(whole: ast.expr, index: int, new: ast.expr) -> ast.expr:
    """Return a copy of `whole` with its `index`-th node, in the order of `ast.walk`, replaced."""
    whole = copy.deepcopy(whole)
    target = list(ast.walk(whole))[index]

    class Swap(ast.NodeTransformer):
        def visit(self, node):
            return copy.deepcopy(new) if node is target else super().generic_visit(node)

    return Swap().visit(whole)


def mutants(script: str) -> Iterator[Mutant]:
    """Yield every mutant of a script; faulty lines that read as before are left out."""
    source = (SCRIPTS / f"{script}.py").read_text()
    lines = source.splitlines()
    for line in backward_lines(ast.parse(source)):
        name = line.targets[0].id
        seen = {ast.unparse(line.value)}
        for operator, value in variants(line):
            text = ast.unparse(ast.fix_missing_locations(value))
            if text in seen:
                continue
            seen.add(text)
            changed = [*lines]
            changed[line.lineno - 1 : line.end_lineno] = [f"    {name} = {text}"]
            yield Mutant("\n".join([*changed, BUMP]), name, operator, f"{name} = {text}")
