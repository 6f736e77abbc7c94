"""Exact ties: does the backward pass follow the documented conventions where a branch stands on its edge?

Generic data never meet a tie, so `>=` in place of `>` goes unnoticed by every other probe. Here the operands of
branches are rounded to a coarse grid, by subtracting constants in the forward pass: ties abound, and the
derivative of what is left is that of the frozen branches (relu'(0) = 0, the first maximum wins).
"""

from __future__ import annotations

import ast
import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np

from ..reading.structure import FORWARD_FUNCTIONS, Structure, loads, reads, walk_statements
from ..reading.types import Array, Cost, Key, Point, Unusable
from ..report.results import CheckResult, Verdict
from ..tracing.traced import TracedScript
from .evaluation import Evaluation
from .probes import Oracle, Outcome, probe_rows, scale_of

TITLE = "ties", "conventions at exact ties"
MOST_NAMES = 32
GRIDS = (4.0, 2.0, 1.0)
ASIDE = 0.01
"""How far values are moved to see whether they can be moved at all, and to leave a tie again."""
# Conventions are documented for these alone; at the edge of clip or abs either one-sided slope would do.
DOCUMENTED = ("maximum", "minimum", "max", "min", "amax", "amin", "argmax", "argmin")
UNDOCUMENTED = ("clip", "abs", "absolute", "fabs", "sign", "floor", "ceil", "rint")


def check_ties(
    script: TracedScript, point: Point, oracle: Oracle, cost: Cost, rng: np.random.Generator
) -> tuple[CheckResult | None, Evaluation | None]:
    """Check the gradient where branches tie; the evaluation is returned when it is wrong there."""
    branches = find_branches(script.structure)
    if not branches.operands:
        return None, None
    try:
        names = _movable(script, point, oracle, cost, branches.operands, rng)
        if not names:
            return _skipped("no operand of a branch can be moved without the backward pass noticing"), None
        for evaluation in _tied(script, point, cost, names, branches):
            wrong = _wrong_rows(evaluation, oracle, rng)
            if not wrong:
                return CheckResult(*TITLE, Verdict.PASS, f"{sum(evaluation.tape.ties.values())} ties met"), None
            if _right_beside(evaluation, oracle, rng):
                detail = f"wrong only where a branch ties: {', '.join(wrong[:6])}"
                return CheckResult(*TITLE, Verdict.FAIL, detail), evaluation
    except Unusable as error:
        return _skipped(str(error)), None
    return _skipped("no operand of a branch could be moved onto a tie"), None


def _skipped(reason: str) -> CheckResult:
    return CheckResult(*TITLE, Verdict.SKIPPED, reason)


def _tied(script: TracedScript, point: Point, cost: Cost, names: set[str], branches: Branches) -> Iterator[Evaluation]:
    """Yield stands where branches tie, and only such as have a documented convention, and no division by zero.

    A tie may spread: where the operand of a relu is zero, so is that of an elu behind it. If it spreads to where there
    is no convention, the values are moved one at a time.
    """
    doubtful = {i for i, line in enumerate(script.sites) if line in branches.doubtful_lines}
    for some in [names, *({name} for name in sorted(names)[:MOST_NAMES] if len(names) > 1)]:
        for grid in GRIDS:
            evaluation = Evaluation(script, point, cost, snap=some, grid=grid)
            met = {site for site, count in evaluation.tape.ties.items() if count}
            if met and not met & doubtful and math.isfinite(evaluation.base_loss):
                yield evaluation


def _right_beside(evaluation: Evaluation, oracle: Oracle, rng: np.random.Generator) -> bool:
    """Whether the backward pass is right beside the tie, on every side of it, with the values moved as far.

    If it is not, the values should not have been moved: a rule that reads them (tanh' = 1 - a²) takes them for unmoved,
    which only shows where the branch lets its cotangent pass.
    """
    names = sorted({key.name for key in evaluation.shifts})
    sizes = {name: 1.0 + i / len(names) for i, name in enumerate(names)}  # two that tie must not move alike
    sides = [{name: sizes[name] if name == up else -sizes[name] for name in names} for up in names[:MOST_NAMES]]
    sides += [sizes, {name: -size for name, size in sizes.items()}]
    moves: list[dict[Key, Array]] = [
        {key: ASIDE * side[key.name] * np.ones(shift.shape) for key, shift in evaluation.shifts.items()}
        for side in sides
    ]
    moves += [
        {key: ASIDE * rng.standard_normal(shift.shape) for key, shift in evaluation.shifts.items()} for _ in range(4)
    ]
    besides = (
        Evaluation(
            evaluation.script,
            evaluation.point,
            evaluation.cost,
            shifts={k: shift + move[k] for k, shift in evaluation.shifts.items()},
        )
        for move in moves
    )
    return not any(_wrong_rows(beside, oracle, rng) for beside in besides)


def _movable(
    script: TracedScript, point: Point, oracle: Oracle, cost: Cost, names: set[str], rng: np.random.Generator
) -> set[str]:
    """Return the values that can be moved by a constant without making a right backward pass wrong.

    A rule that reads the result in place of its operand (tanh' = 1 - a²) takes it for the unmoved one, and so does a
    backward pass that computes values anew, as the fast style's does.
    """

    def bears(moved: set[str]) -> bool:
        return not _wrong_rows(_nudged(script, point, cost, moved, rng), oracle, rng)

    names = names & Evaluation(script, point, cost).read_back
    return names if not names or bears(names) else {name for name in sorted(names)[:MOST_NAMES] if bears({name})}


def _nudged(script: TracedScript, point: Point, cost: Cost, names: set[str], rng: np.random.Generator) -> Evaluation:
    """Return an evaluation with the same values moved a little: the control that moving values is possible at all."""
    plain = Evaluation(script, point, cost)
    shifts = {
        Key("value", name, i): ASIDE * rng.standard_normal(array.shape)
        for name in names
        for i, array in enumerate(plain.tape.values.get(name, ()))
    }
    return Evaluation(script, point, cost, shifts=shifts)


def _wrong_rows(evaluation: Evaluation, oracle: Oracle, rng: np.random.Generator) -> list[str]:
    rows = [row for row in evaluation.rows() if row.strict]
    found = probe_rows(rows, evaluation.evaluate, oracle, rng, scale_of(rows))
    return [name for name, probe in found.items() if probe.outcome is Outcome.WRONG]


@dataclass(frozen=True)
class Branches:
    """The values of `forward` that stand in a single documented branch, there, in the loss or in a helper.

    Expressions of several branches are left out: a smooth function may be put together from them (softplus from a
    maximum and an absolute value), and freezing each by itself would break it exactly at their common tie. Their
    lines are `doubtful_lines`.
    """

    operands: set[str]
    doubtful_lines: set[int]


def find_branches(structure: Structure) -> Branches:
    """Return the branches of the forward pass and the loss."""
    counts = {name: _count(function) for name, function in structure.functions.items()}
    found: set[str] = set()
    doubtful = set(structure.aliases)
    lines: set[int] = set()
    body = [
        node for name in FORWARD_FUNCTIONS if name in structure.functions for node in structure.functions[name].body
    ]
    for statement in walk_statements(body):
        if isinstance(statement, ast.Assign) and not loads(statement):
            helpers = [name for part in ast.walk(statement.value) for name in counts if _calls(part, {name})]
            count = _count(statement.value) + sum(counts[name] for name in helpers)
            if count == 1:
                found |= reads(statement.value)
            elif count:
                doubtful |= reads(statement.value)
                lines.update(_lines(statement), *(_lines(structure.functions[name]) for name in helpers))
    defined = {t for s in structure.statements if s.function == "forward" and not s.is_load for t in s.targets}
    return Branches((found & defined) - doubtful, lines)


def _count(node: ast.AST) -> float:
    """Count the branches of an expression or a function; one without a convention makes the count infinite."""
    doubtful = (_calls(part, UNDOCUMENTED) or _is_absolute(part) for part in ast.walk(node))
    return math.inf if any(doubtful) else sum(map(_branches, ast.walk(node)))


def _is_absolute(node: ast.AST) -> bool:
    """Whether an expression is an absolute value by order: `np.where(x > 0, x, -x)`, of a difference, too."""
    match node:
        case ast.Call(args=[_, yes, ast.UnaryOp(op=ast.USub(), operand=no)]) if _calls(node, {"where"}):
            return ast.dump(yes) == ast.dump(no)
        case ast.Call(args=[_, ast.BinOp(left=a, op=ast.Sub(), right=b), ast.BinOp(left=c, op=ast.Sub(), right=d)]) if (
            _calls(node, {"where"})
        ):
            return (ast.dump(a), ast.dump(b)) == (ast.dump(d), ast.dump(c))
    return False


def _lines(node: ast.stmt) -> range:
    return range(node.lineno, (node.end_lineno or node.lineno) + 1)


def _branches(node: ast.AST) -> bool:
    return isinstance(node, ast.Compare) or _calls(node, DOCUMENTED)


def _calls(node: ast.AST, names: Collection[str]) -> bool:
    if not isinstance(node, ast.Call):
        return False
    function = node.func
    called = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return called in names
