"""Faults planted into the backward pass of a script with functions, loops and records: one small change of one line.

The operators are those of hand-made mistakes. They share nothing with the search for a repair in `gradcheck.blame`:
what is planted is found by walking the text, statement by statement, in every function that only backward reaches.
"""

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SCRIPTS = Path(__file__).parent / "scripts" / "lesson"


@dataclass(frozen=True)
class Planted:
    """A faulty script, what was done, and the line where."""

    source: str
    operator: str
    change: str
    line: int
    function: str


def lesson(name: str) -> str:
    """The network of a lesson; the training is another matter."""
    text = (SCRIPTS / f"{name}.py").read_text(encoding="utf-8")
    lines = text.splitlines(keepends=True)
    end = next((i for i, line in enumerate(lines) if line.rstrip().endswith("-- the training")), len(lines))
    return "".join(lines[:end])


def backward_functions(tree: ast.Module) -> list[ast.FunctionDef]:
    """The functions that backward reaches and forward does not."""
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}

    def reached(start):
        found, unread = {}, [start]
        while unread:
            name = unread.pop()
            if name in functions and name not in found:
                found[name] = functions[name]
                unread += [n.id for n in ast.walk(functions[name]) if isinstance(n, ast.Name)]
        return found

    forward = reached("forward") | reached("total_loss")
    return [f for name, f in reached("backward").items() if name not in forward]


def is_op(node, *ops):
    return isinstance(node, ast.BinOp) and isinstance(node.op, ops)


def loads(function):
    names = {n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return sorted(names | {a.arg for a in function.args.args})


def flipped_sign(node, function):
    if is_op(node, ast.Add):
        yield ast.BinOp(node.left, ast.Sub(), node.right)
    if is_op(node, ast.Sub):
        yield ast.BinOp(node.left, ast.Add(), node.right)
    if is_op(node, ast.MatMult, ast.Mult, ast.Div):
        yield ast.UnaryOp(ast.USub(), node)


def dropped_term(node, function):
    if is_op(node, ast.Add, ast.Sub):
        yield node.left
        yield node.right


def missing_factor(node, function):
    if is_op(node, ast.Mult, ast.Div):
        yield node.left
    if is_op(node, ast.Mult):
        yield node.right


def missing_transpose(node, function):
    if isinstance(node, ast.Attribute) and node.attr == "T":
        yield node.value
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and "->" in node.value:
        inputs, _, output = node.value.partition("->")
        terms = [*inputs.split(","), output]
        for i, term in enumerate(terms):
            if len(term) > 2:
                swapped = term[:-2] + term[-1] + term[-2]
                yield ast.Constant(",".join([*terms[:i], swapped, *terms[i + 1 :]][:-1]) + "->"
                                   + [*terms[:i], swapped, *terms[i + 1 :]][-1])  # fmt: skip


def wrong_variable(node, function):
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in loads(function):
        for other in loads(function):
            if other != node.id:
                yield ast.Name(other, ast.Load())


def wrong_cache_read(node, function):
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
        store = ast.unparse(node.value)
        keys = {
            n.slice.value
            for n in ast.walk(function)
            if isinstance(n, ast.Subscript) and ast.unparse(n.value) == store and isinstance(n.slice, ast.Constant)
        }
        for key in sorted(keys - {node.slice.value}):
            yield ast.Subscript(node.value, ast.Constant(key), node.ctx)


def wrong_step(node, function):
    if isinstance(node, ast.Subscript) and not isinstance(node.slice, ast.Constant):
        places = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        for i, place in enumerate(places):
            if isinstance(place, ast.Name):
                moved = ast.BinOp(place, ast.Sub(), ast.Constant(1))
                index = [*places[:i], moved, *places[i + 1 :]]
                inside = ast.Tuple(index, ast.Load()) if isinstance(node.slice, ast.Tuple) else moved
                yield ast.Subscript(node.value, inside, node.ctx)


OPERATORS = (
    flipped_sign, dropped_term, missing_factor, missing_transpose, wrong_variable, wrong_cache_read, wrong_step
)  # fmt: skip


def planted(source: str) -> Iterator[Planted]:
    """Every faulty version of every line of the backward pass; no text comes twice."""
    tree, lines, seen = ast.parse(source), source.splitlines(), {source}
    for function in backward_functions(tree):
        for node in ast.walk(function):
            if not isinstance(node, ast.Assign | ast.AugAssign | ast.Return | ast.Expr) or is_docstring(node):
                continue
            for operator in OPERATORS:
                for i, part in enumerate(ast.walk(node)):
                    for new in operator(part, function):
                        text = ast.unparse(replaced(node, i, new))
                        # a statement of several lines keeps those behind it where they are
                        changed = [
                            *lines[: node.lineno - 1],
                            " " * node.col_offset + text,
                            *[""] * (node.end_lineno - node.lineno),
                            *lines[node.end_lineno :],
                        ]
                        whole = "\n".join(changed) + "\n"
                        if whole not in seen:
                            seen.add(whole)
                            yield Planted(whole, operator.__name__, text, node.lineno, function.name)


def is_docstring(node):
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def replaced(whole, index, new):
    whole = copy.deepcopy(whole)
    target = list(ast.walk(whole))[index]

    class Swap(ast.NodeTransformer):
        def visit(self, node):
            return new if node is target else self.generic_visit(node)

    return ast.fix_missing_locations(Swap().visit(whole))
