"""Mistakes in what `train` and `predict` run besides the gradients: the pass, the loop, the update, state, data.

Some show in the script alone; what another optimizer or another loop would be only the spec can say, so most are
checked beside what the spec compiles to.
"""

import ast
import copy
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from dotnn.commands.checking.changed import each_change
from dotnn.commands.checking.script import beside
from dotnn.core.diagnostics import Source
from dotnn.model.resolve import resolve
from dotnn.running.spec_step import SpecStep
from dotnn.session import Compiled, Options, compile_model
from dotnn.syntax.parse import parse
from dotnn_runtime.gradcheck import Report, check_script

SPECS = {
    "regime": """model M {
  input  x: [3]
  target t: [2]
  h = x -> dense(4, bias = false) -> batchnorm(momentum = 0.9) -> tanh -> dropout(20%)
  output y = h -> dense(2)
}
data {
  x = [[1, 2, 0], [3, 1, 1], [0, 5, 2], [2, 2, 8], [4, 0, 3], [1, 7, 1], [6, 2, 4], [3, 3, 5]]
  t = [[1, 0], [0, 2], [3, 1], [1, 1], [2, 5], [0, 3], [1, 4], [2, 2]]
  scale = standard
  split = split(train = 75%, val = 25%)
}
train {
  loss = mse(y, t)  optim = adam(cosine(0.05, warmup = 2, end = 0.01), beta1 = 0.8)  epochs = 3  batch = 4
  clip = global_norm(0.1)  constraint = max_norm(0.9)  decay = l2(0.01)  metrics = mae
}
""",
    "momentum": """model M {
  input  x: [3]
  target t: [2]
  h = x -> dense(4, tanh)
  output y = h -> dense(2)
}
train { loss = mse(y, t)  optim = sgd(0.05, momentum = 0.9)  batch = 4 }
""",
}
FUNCTIONS = (
    "renew_state", "update", "make_update", "make_clip", "constrain", "learning_rate", "fit", "make_evaluate",
    "evaluate", "predict", "prepare", "load_data",
)  # fmt: skip
"""What is attacked: all that decides what is trained and predicted, and is no gradient."""
SILENT = ("stopped_by", "dtype =", "DataError", "scratch_", "max(steps - warmup, ", "note_overflow")
"""Lines whose mistakes show in messages, in speed, or in a training that is nothing but its warm-up or overflows."""
RARE = ("isfinite", "on_epoch", "resume")
"""Conditions of blocks that run when training fails or is resumed, or where somebody looks on."""

OPERATORS: dict[str, Callable[[ast.stmt], Iterator[ast.stmt]]] = {}


def operator(function):
    OPERATORS[f"trained_{function.__name__}"] = function
    return function


@operator
def another_number(node):
    """in the loop, the update, the state or the data: a number a little off"""
    for i, part in enumerate(ast.walk(node)):
        if isinstance(part, ast.Constant) and type(part.value) in (int, float):
            other = (part.value * 1.25 or 0.1) if isinstance(part.value, float) else part.value + 1
            yield replaced(node, i, ast.Constant(other))


@operator
def another_sign(node):
    """a plus for a minus, a minus for a plus"""
    for i, part in enumerate(ast.walk(node)):
        if isinstance(part, ast.BinOp) and isinstance(part.op, ast.Add | ast.Sub):
            other = ast.Sub() if isinstance(part.op, ast.Add) else ast.Add()
            yield replaced(node, i, ast.BinOp(part.left, other, part.right))


@operator
def left_out(node):
    """a call left out: clipping, a constraint, an update, a renewal"""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield ast.Pass()
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and ast.unparse(node.targets[0]) == "grads":
        yield ast.Pass()


@operator
def other_rows(node):
    """other examples than those that were drawn: of one array, of all, or one too few"""
    text = ast.unparse(node)
    for old, new in [
        ("values[chosen]", "values[chosen if name == 'x' else chosen[::-1]]"),
        ("chosen, 0, batch['t']", "chosen[::-1], 0, batch['t']"),
        ("start + BATCH_SIZE]", "start + BATCH_SIZE - 1]"),
        ("start + size]", "start + size - 1]"),
        ("rng.permutation(count)", "np.arange(count)"),
    ]:
        if old in text and not isinstance(node, ast.If | ast.For):
            yield ast.parse(text.replace(old, new)).body[0]


@operator
def doubled_result(node):
    """what a pass or a prediction returns, doubled"""
    if isinstance(node, ast.Return) and ast.unparse(node) in ("return loss, grads", "return (loss, grads)"):
        yield ast.parse("return loss, {name: 2 * g for name, g in grads.items()}").body[0]
    if isinstance(node, ast.Return) and ast.unparse(node) == "return outputs":
        yield ast.parse("return {name: 2 * v for name, v in outputs.items()}").body[0]


@operator
def added_gradient(node):
    """fast: a gradient added to what the last step has left: `zero_grad` forgotten"""
    found = re.fullmatch(r"dot\((\w+), (\w+), (d_\w+_Wb?)\)", ast.unparse(node))
    if found:
        yield ast.parse("np.add({2}, np.dot({0}, {1}), {2})".format(*found.groups())).body[0]


ANYWHERE = ("trained_other_rows", "trained_doubled_result", "trained_added_gradient")
"""What is tried in the pass and the step, too."""
ALONE = ("trained_added_gradient",)
"""What shows without the spec, too: these are checked without it."""


def replaced(node: ast.stmt, index: int, new: ast.expr) -> ast.stmt:
    """Return a copy of a statement with its `index`-th part replaced."""
    node = copy.deepcopy(node)
    target = list(ast.walk(node))[index]

    class Swap(ast.NodeTransformer):
        def visit(self, part):
            return new if part is target else self.generic_visit(part)

    return Swap().visit(node)


@dataclass(frozen=True)
class Subject:
    """A spec, compiled once in a style."""

    name: str
    style: str
    compiled: Compiled

    def check(self, source: str, operator: str) -> Report:
        """Check a script, beside what the spec compiles to where that is needed."""
        if operator in ALONE:
            return check_script(source, f"{self.name}.py", v4=False)
        step = SpecStep(self.compiled.model, self.compiled.graph, self.style == "fast")

        def check(text: str) -> Report:
            return beside(text, f"{self.name}.py", 0, self.compiled.script, step)

        return each_change(source, self.compiled, check)


@cache
def subject(name: str, style: str) -> Subject:
    """Return a subject; no two compilations are made of it."""
    source = Source(f"{name}.nn", SPECS[name])
    return Subject(name, style, compile_model(resolve(parse(source), source)[0], Options(style)))


@dataclass(frozen=True)
class Mistake:
    """A faulty script: what was done to which line of which subject."""

    operator: str
    subject: Subject
    change: str
    source: str
    line: int


@cache
def mistakes() -> tuple[Mistake, ...]:
    """Return all mistakes in all subjects."""
    return tuple(m for name in SPECS for style in ("explain", "fast") for m in _mistakes(subject(name, style)))


def _mistakes(subject: Subject) -> Iterator[Mistake]:
    tree = ast.parse(subject.compiled.script)
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    for function in functions:
        for node in simple(function):
            for name, change in OPERATORS.items():
                places = ("training_pass", "make_step", *FUNCTIONS) if name in ANYWHERE else FUNCTIONS
                if function.name in places and not any(word in ast.unparse(node) for word in SILENT):
                    yield from (_mistake(subject, name, node, new) for new in change(node))


def _mistake(subject: Subject, operator: str, node: ast.stmt, new: ast.stmt) -> Mistake:
    """Return the script with a statement replaced by another."""
    text, lines = ast.unparse(ast.fix_missing_locations(new)), subject.compiled.script.splitlines()
    change = f"{ast.unparse(node)} → {text}" if isinstance(new, ast.Pass) else text
    more = [""] * (node.end_lineno - node.lineno)
    lines[node.lineno - 1 : node.end_lineno] = [" " * node.col_offset + text, *more]
    return Mistake(operator, subject, change, "\n".join(lines), node.lineno)


def simple(function: ast.AST) -> Iterator[ast.stmt]:
    """Yield the simple statements of a function, and those of the functions in it; not their docstrings."""
    for node in ast.iter_child_nodes(function):
        rare = isinstance(node, ast.If) and any(word in ast.unparse(node.test) for word in RARE)
        doc = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if isinstance(node, ast.Assign | ast.AugAssign | ast.Expr | ast.Return) and not doc:
            yield node
        elif not rare:
            yield from simple(node)
