"""Mistakes in the training step of the fast style: statements that write into arrays, and arrays that share memory.

Which line is to blame is found without the validator: the right step and the faulty one are run side by side, and the
first cotangent that differs is the one.
"""

import ast
import copy
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from mutation.subjects import BATCH, ROOT_FILE, right_script
from support import as_module, generic_point

Statements = list[ast.stmt]
Operator = Callable[[ast.Expr, str], Iterator[Statements]]
OPERATORS: dict[str, Operator] = {}
SUBJECTS = (
    "chain",
    "square",
    "residual",
    "shared",
    "joins",
    "table",
    "tasks",
    "normed",
    "image",
    "groups",
    "layernormed",
    "attentive",
)
SAME_SIZES = ("fast_transposed",)
MASKS = ("fast_skipped", "fast_other_function")
"""What can be done to an array of booleans."""
SCRATCH = ("_slope", "_on", "_shares", "_bordered")
VIEW = re.compile(r"\w+(\.T|\[[\d:-]+\]|\.(?:reshape|transpose|swapaxes)\(.*\))?|np\.moveaxis\(.*")
_OTHER = {"add": "subtract", "subtract": "add", "multiply": "add", "greater": "less"}


def operator(function: Operator) -> Operator:
    OPERATORS[f"fast_{function.__name__}"] = function
    return function


def statements(text: str) -> Statements:
    return ast.parse(text).body


def written(node: ast.stmt) -> str:
    """The array that a statement writes: the last argument, of `copyto` the first, of `add.reduce` the fourth."""
    if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and node.value.args):
        return ""
    call = node.value
    place = {"copyto": 0, "add.reduce": 3}.get(ast.unparse(call.func), -1)
    target = call.args[place if place < len(call.args) else -1]
    target = next((k.value for k in call.keywords if k.arg == "out"), target)
    return target.id if isinstance(target, ast.Name) else ""


@operator
def skipped(node, out):
    """a statement left out: its array keeps what an earlier one wrote"""
    yield statements("pass")


@operator
def sign(node, out):
    """the result with the wrong sign"""
    yield [node, *statements(f"np.negative({out}, {out})")]


@operator
def one_example(node, out):
    """the result of one example (or one column) times 1.01"""
    first = f"np.where(np.arange({out}.shape[-1]) == 0, 1.01, 1)"
    yield [node, *statements(f"np.multiply({out}, {first}, {out})")]


@operator
def swapped_operands(node, out):
    """the operands of a subtraction or a product swapped"""
    if ast.unparse(node.value.func) in ("subtract", "dot"):
        other = copy.deepcopy(node)
        other.value.args[:2] = other.value.args[1::-1]
        yield [other]


@operator
def other_function(node, out):
    """another function: `subtract` for `add`, `less` for `greater`"""
    function = ast.unparse(node.value.func)
    if function in _OTHER:
        other = copy.deepcopy(node)
        other.value.func = ast.parse(f"np.{_OTHER[function]}", mode="eval").body
        yield [other]


@operator
def transposed(node, out):
    """the first factor of a product transposed, where all sizes are equal"""
    if ast.unparse(node.value.func) == "dot":
        other = copy.deepcopy(node)
        other.value.args[0] = ast.Attribute(other.value.args[0], "T", ast.Load())
        yield [other]


LOSS = "the loss"
STALE = "fast_stale_buffer"
STALE_DOC = "an array put into memory that is still read afterwards"


@dataclass(frozen=True)
class Scene:
    """A fast script taken apart: the function that makes the step, the step, and where its backward half begins."""

    tree: ast.Module
    maker: ast.FunctionDef
    step: ast.FunctionDef
    first: int
    sources: dict[str, str]
    results: frozenset[str]

    def is_scratch(self, name: str) -> bool:
        """Whether an array is a step on the way to a cotangent."""
        return name.endswith(SCRATCH) and name not in self.results

    def whole(self, name: str) -> str:
        """The array that a name is another view of."""
        view = r"(?:np\.moveaxis\()?(\w+)(?:\.(?:T|(?:reshape|transpose|swapaxes)\(.*\))$|, )"
        turned = re.match(view, self.sources.get(name, ""))
        return turned[1] if turned else name

    def memory(self, name: str) -> set[str]:
        """All names that share memory with an array."""
        names = {name}
        owners = {n: re.match(r"\w+", text.removeprefix("np.moveaxis("))[0] for n, text in self.sources.items()}
        while more := {n for n, owner in owners.items() if owner in names} - names:
            names |= more
        return names

    def readers(self, name: str, by_way_of: frozenset[str] = frozenset()) -> set[str]:
        """The cotangents that are computed from an array, directly or by way of scratch arrays."""
        found, shared = set(), self.memory(name)
        for node in self.step.body[self.first :]:
            out = self.whole(written(node))
            used = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)} - {written(node)}
            if not out or not used & shared:
                continue
            if out.startswith("d_") and not self.is_scratch(out):
                found.add(out)
            elif out not in by_way_of:
                found |= self.readers(out, by_way_of | {name, out})
        return found


def scene(source: str) -> Scene:
    tree = ast.parse(source)
    maker = next(n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "make_step")
    step = next(n for n in maker.body if isinstance(n, ast.FunctionDef))
    backward = [i for i, n in enumerate(step.body) if written(n).startswith("d_")]
    assigned = {ast.unparse(n.targets[0]): ast.unparse(n.value) for n in maker.body if isinstance(n, ast.Assign)}
    sources = {name: text for name, text in assigned.items() if VIEW.fullmatch(text)}
    results = frozenset(name for name, text in assigned.items() if "grads[" in text)
    return Scene(tree, maker, step, min(backward, default=0), sources, results)


def edited(source: str, node: ast.stmt, text: str) -> str:
    """The text of a script with one statement replaced by one or two."""
    lines = source.splitlines(keepends=True)
    lines[node.lineno - 1 : node.end_lineno] = [f"{' ' * node.col_offset}{part}\n" for part in text.split("; ")]
    return "".join(lines)


def right_source(subject: str) -> str:
    """The right script; arrays begin as zeros, so that a statement left out does the same in every run."""
    return right_script(subject, "fast").replace("np.empty(", "np.zeros(")


@dataclass(frozen=True)
class FaultyStep:
    """A script with a mistake in its step, and the cotangents that are computed from what the mistake spoils."""

    operator: str
    change: str
    source: str
    line: int
    readers: frozenset[str] = frozenset()


def faulty_steps(subject: str) -> Iterator[FaultyStep]:
    """Yield all that can be done to the backward half of a step."""
    source = right_source(subject)
    right = scene(source)
    for i, node in enumerate(right.step.body):
        out = written(node)
        if i < right.first or not (out.startswith("d_") or right.is_scratch(out)):
            continue
        for name, change in OPERATORS.items():
            if (name in SAME_SIZES and subject not in BATCH) or (out.endswith("_on") and name not in MASKS):
                continue
            for new in change(node, out):
                text = "; ".join(ast.unparse(n) for n in new)
                readers = right.readers(right.whole(out)) if name == "fast_skipped" else frozenset()
                change = f"{ast.unparse(node)} → {text}"
                yield FaultyStep(name, change, edited(source, node, text), node.lineno, frozenset(readers))
    yield from _stale(source, right)


def _stale(source: str, right: Scene) -> Iterator[FaultyStep]:
    """Put every cotangent that has an array of its own into every earlier array of the same shape."""
    arrays: dict[str, str] = {}
    for node in right.maker.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.value).startswith("aligned("):
            name, shape = ast.unparse(node.targets[0]), ast.unparse(node.value)
            for earlier, same in arrays.items():
                if name.startswith("d_") and shape == same and not earlier.startswith("d_"):
                    text = f"{name} = {earlier}"
                    readers = frozenset(right.readers(earlier) | right.readers(name))
                    yield FaultyStep(STALE, text, edited(source, node, text), node.lineno, readers)
            arrays[name] = shape


@cache
def right_trace(subject: str, seed: int) -> tuple[float, list[tuple[str, np.ndarray]], dict[str, np.ndarray]]:
    """What the right step computes."""
    return trace(right_source(subject), subject, seed)


def trace(source: str, subject: str, seed: int):
    """Run the step of a script at a point; return the loss, every cotangent as it is written, and the gradients."""
    marked = scene(source)
    body, cleared = [], ""  # what is set to zero, for the loop behind to fill
    for node in marked.step.body:
        body.append(node)
        name = cleared if isinstance(node, ast.For) else marked.whole(written(node))
        cleared = name if ast.unparse(node).endswith(", 0)") else ""
        if name.startswith("d_") and not marked.is_scratch(name):
            body += statements(f"LOG.append(({name!r}, np.array({name})))")
    marked.step.body = body
    module = as_module(ast.unparse(ast.fix_missing_locations(marked.tree)), ROOT_FILE)
    module.LOG = []
    params, batch = generic_point(module, seed, BATCH.get(subject, 11))
    module.make_step = _after_another(module.make_step, module.LOG)
    with np.errstate(all="ignore"):
        loss, grads = module.loss_and_grads(params, batch, rng=np.random.default_rng(0), d_loss=1.7)
    return loss, module.LOG, grads


def _after_another(make_step, log):
    """Let every step follow one on the same examples turned round: what that leaves in an array may spoil it."""

    def made(params, grads, arrays, *more, **options):
        step = make_step(params, grads, arrays, *more, **options)

        def second(chosen, rng):
            right = {name: np.array(array) for name, array in arrays.items()}
            for name, array in right.items():
                arrays[name][...] = array[::-1]
            step(chosen, np.random.default_rng(1))
            for name, array in right.items():
                arrays[name][...] = array
            log.clear()
            return step(chosen, rng)

        return second

    return made


POINTS = 4
"""What computes the same at so many points does: one element may carry no gradient at some."""


def to_blame(source: str, subject: str) -> tuple[str, ...]:
    """The first cotangent that is not the right step's, whatever is missing before it; nothing where all is the same.

    `LOSS` where that is wrong already; the script's own exceptions come through.
    """
    return next(filter(None, (_to_blame_at(seed, source, subject) for seed in range(POINTS))), ())


def _to_blame_at(seed: int, source: str, subject: str) -> tuple[str, ...]:
    """The same at one point."""
    loss, log, grads = trace(source, subject, seed)
    right_loss, right_log, right_grads = right_trace(subject, seed)
    if not np.isclose(loss, right_loss, rtol=1e-11):
        return (LOSS,)
    if all(_same(grads[name], g) for name, g in right_grads.items()):
        return ()
    last, right_last = dict(log), dict(right_log)
    names: list[str] = []
    for name in sorted(right_last, key=lambda n: max(i for i, (m, _) in enumerate(right_log) if m == n)):
        if name not in last:
            names += [name, *_results(source, name)]
        elif not _same(last[name], right_last[name]):
            return (*names, name)
    return tuple(names)


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(np.allclose(a, b, rtol=1e-11, atol=1e-13 * np.abs(b).max(initial=0.0)))


def _results(source: str, array: str) -> list[str]:
    """The gradients that an array holds: `d_h_Wb = stacked(grads["h.W"], grads["h.b"])`."""
    line = next((line for line in source.splitlines() if line.strip().startswith(f"{array} = ")), "")
    return re.findall(r'grads\["([^"]+)"\]', line)
