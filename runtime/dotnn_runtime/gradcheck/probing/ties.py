"""Exact ties: does the backward pass follow the documented conventions where a branch stands on its edge?

Generic data never meet a tie, so `>=` in place of `>` goes unnoticed by every other probe. Here the operands of
branches are rounded to a coarse grid, by subtracting constants in the forward pass: ties abound, and the
derivative of what is left is that of the frozen branches (relu'(0) = 0, the first maximum wins).
"""

from __future__ import annotations

import ast
import itertools
import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ..reading.statements import loads, reads, walk_statements
from ..reading.structure import FORWARD_FUNCTIONS, Structure
from ..reading.types import Array, Cost, Key, Point, Unusable
from ..report.results import CheckResult, Verdict
from ..tracing.displace import Edges
from ..tracing.traced import TracedScript
from .evaluation import Evaluation
from .probes import Oracle, Outcome

TITLE = "ties", "conventions at exact ties"
MOST_NAMES = 32
GRIDS = (4.0, 2.0, 1.0)
ASIDE = 0.01
"""How far values are moved to see whether they can be moved at all, and to leave a tie again."""
FAR = (-6.0, -3.0, 3.0, 6.0)
"""How far values are moved away from a threshold that they were brought near to."""
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
        names = _movable(script, point, oracle, cost, branches, rng)
        if not names:
            return _skipped("no operand of a branch can be moved without the backward pass noticing"), None
        for evaluation in _near_thresholds(script, point, cost, names, branches):
            if (wrong := _wrong_rows(evaluation, oracle, rng)) and _right_far_away(evaluation, oracle, rng):
                return CheckResult(*TITLE, Verdict.FAIL, f"wrong near a threshold: {', '.join(wrong[:6])}"), evaluation
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


def _near_thresholds(
    script: TracedScript, point: Point, cost: Cost, names: set[str], branches: Branches
) -> Iterator[Evaluation]:
    """Yield evaluations in which a value that is compared with constants other than 0 lies around these.

    Generic values need not come near: `v > 1` in place of `v > 0.1` would go unnoticed where all are negative.
    """
    for name in sorted(name for name in names & set(branches.edges) if any(branches.edges[name]))[:MOST_NAMES]:
        evaluation = Evaluation(script, point, cost, snap={name}, grid=GRIDS[0], edges=branches.edges)
        if math.isfinite(evaluation.base_loss):
            yield evaluation


def _right_far_away(evaluation: Evaluation, oracle: Oracle, rng: np.random.Generator) -> bool:
    """Whether the backward pass is right with the values moved away from their thresholds, to either side.

    A rule that takes a value for unmoved is wrong on the side where the branch lets its cotangent pass, near and far.
    """
    return not any(
        _wrong_rows(
            _moved(evaluation, {key: np.full(s.shape, far) for key, s in evaluation.shifts.items()}), oracle, rng
        )
        for far in FAR
    )


def _moved(evaluation: Evaluation, by: Mapping[Key, Array]) -> Evaluation:
    """Return an evaluation with its shifts increased."""
    shifts = {key: shift + by[key] for key, shift in evaluation.shifts.items()}
    return Evaluation(evaluation.script, evaluation.point, evaluation.cost, shifts=shifts)


def _skipped(reason: str) -> CheckResult:
    return CheckResult(*TITLE, Verdict.SKIPPED, reason)


def _tied(script: TracedScript, point: Point, cost: Cost, names: set[str], branches: Branches) -> Iterator[Evaluation]:
    """Yield evaluations where branches tie, and only such as have a documented convention, and divide by no zero.

    A tie may spread: where the operand of a relu is zero, so is that of an elu behind it. If it spreads to where there
    is no convention, the values are moved one at a time.
    """
    alone = [{name} for name in sorted(names)[:MOST_NAMES]] if len(names) > 1 else []
    for some, grid in itertools.product([names, *alone], GRIDS):
        evaluation = Evaluation(script, point, cost, snap=some, grid=grid)
        met = {line for line, count in evaluation.tape.ties.items() if count}
        if met and not met & branches.doubtful_lines and math.isfinite(evaluation.base_loss):
            yield evaluation


def _right_beside(evaluation: Evaluation, oracle: Oracle, rng: np.random.Generator) -> bool:
    """Whether the backward pass is right beside the tie, on every side of it, with the values moved as far.

    If it is not, the values should not have been moved: a rule that reads them (tanh' = 1 - a²) takes them for unmoved,
    which only shows where the branch lets its cotangent pass.
    """
    shifts = evaluation.shifts
    moves = [
        {key: side[key.name] * rng.uniform(0.5, 1.5, shift.shape) for key, shift in shifts.items()}  # equal ones part
        for side in _sides(shifts)
    ]
    moves += [{key: rng.standard_normal(shift.shape) for key, shift in shifts.items()} for _ in range(4)]
    besides = (_moved(evaluation, {key: ASIDE * step for key, step in move.items()}) for move in moves)
    return not any(_wrong_rows(beside, oracle, rng) for beside in besides)


def _sides(moved: Iterable[Key]) -> list[dict[str, float]]:
    """Return how far values are moved to come to each side: one up and the others down, and all of them either way."""
    names = sorted({key.name for key in moved})
    sizes = {name: 1.0 + i / len(names) for i, name in enumerate(names)}  # two that tie must not move alike
    down = {name: -size for name, size in sizes.items()}
    return [*({**down, up: sizes[up]} for up in names[:MOST_NAMES]), sizes, down]


def _movable(
    script: TracedScript, point: Point, oracle: Oracle, cost: Cost, branches: Branches, rng: np.random.Generator
) -> set[str]:
    """Return the values that can be moved by a constant without making a right backward pass wrong.

    A rule that reads the result in place of its operand (tanh' = 1 - a²) takes it for the unmoved one, and so does a
    backward pass that computes values anew, as the fast style's does. In the place of such a value come those that it
    is made of: where two of these are equal, so is what an elementwise function makes of them.
    """

    def bears(moved: set[str]) -> bool:
        return not _wrong_rows(_nudged(script, point, cost, moved, rng), oracle, rng)

    read_back = Evaluation(script, point, cost).read_back
    names = branches.operands & read_back
    found = names if not names or bears(names) else {name for name in sorted(names)[:MOST_NAMES] if bears({name})}
    sources = set().union(*(branches.made_of.get(name, ()) for name in branches.operands - found)) - found
    return found | {name for name in sorted(sources)[:MOST_NAMES] if bears({name})}


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
    found = evaluation.probes([row for row in evaluation.rows if row.strict], oracle, rng)
    return [name for name, probe in found.items() if probe.outcome is Outcome.WRONG]


@dataclass(frozen=True)
class Branches:
    """The values of `forward` that stand in a single documented branch, there, in the loss or in a helper.

    Expressions of several branches are left out: a smooth function may be put together from them (softplus from a
    maximum and an absolute value), and freezing each by itself would break it exactly at their common tie. Their
    lines are `doubtful_lines`. `edges` are the constants that the operands are compared with; `made_of` says which
    values an operand is computed from.
    """

    operands: set[str]
    doubtful_lines: set[int]
    edges: Edges
    made_of: Mapping[str, Collection[str]]


def find_branches(structure: Structure) -> Branches:
    """Return the branches of the forward pass and the loss."""
    signed = _signed(structure)
    counts = {name: _count(function, signed) for name, function in structure.functions.items()}
    found, doubtful, lines = set[str](), set(structure.aliases), set[int]()
    for statement, value in _computed(structure):
        helpers = [name for part in ast.walk(value) for name in counts if _calls(part, {name})]
        count = _count(value, signed) + sum(counts[name] for name in helpers)
        if count == 1:
            found |= reads(value)
        elif count:
            doubtful |= reads(value)
            lines.update(_lines(statement), *(_lines(structure.functions[name]) for name in helpers))
    known = _defined(structure) - doubtful
    made_of = {t: s.reads & known for s in structure.statements if s.function == "forward" for t in s.targets}
    return Branches(found & known, lines, _edges(structure), made_of)


def _edges(structure: Structure) -> Edges:
    """Return the constants that names are compared with, `v > 0.1` or `np.maximum(v, 0.1)`."""
    found: dict[str, list[float]] = defaultdict(list)
    for part in (part for _, value in _computed(structure) for part in ast.walk(value)):
        if isinstance(part, ast.Compare):
            operands = [part.left, *part.comparators]
        else:
            operands = part.args if isinstance(part, ast.Call) and _calls(part, ("maximum", "minimum")) else []
        for name in (operand.id for operand in operands if isinstance(operand, ast.Name)):
            found[name] += [edge for edge in map(_number, operands) if edge is not None and edge not in found[name]]
    return {name: edges for name, edges in found.items() if edges}


def _number(node: ast.expr) -> float | None:
    """Return a number that is written down, None for anything else."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        size = _number(node.operand)
        return None if size is None else -size
    is_number = isinstance(node, ast.Constant) and isinstance(node.value, int | float)
    return float(ast.literal_eval(node)) if is_number else None


def _signed(structure: Structure) -> set[str]:
    """Return the names whose sign is taken: compared with 0, one is an absolute value, however that is written."""
    parts = (part for function in structure.functions.values() for part in ast.walk(function))
    return set().union(*(_names(part) for part in parts if _calls(part, {"sign"})))


def _names(node: ast.AST) -> set[str]:
    """Return the values that are read, under their names or out of the cache."""
    return reads(node) - {"np"}


def _defined(structure: Structure) -> set[str]:
    """Return the names of the values that the forward pass computes."""
    return {t for s in structure.statements if s.function == "forward" and not s.is_load for t in s.targets}


def _computed(structure: Structure) -> Iterator[tuple[ast.stmt, ast.expr]]:
    """Yield the statements of the forward pass and the loss that compute something, each with the expression."""
    functions = [structure.functions[name] for name in FORWARD_FUNCTIONS if name in structure.functions]
    for statement in walk_statements([node for function in functions for node in function.body]):
        if isinstance(statement, ast.Assign | ast.Return) and statement.value is not None and not loads(statement):
            yield statement, statement.value


def _count(node: ast.AST, signed: set[str]) -> float:
    """Count the branches of an expression or a function; one without a convention makes the count infinite."""
    return sum(math.inf if _is_undocumented(part, signed) else _branches(part) for part in ast.walk(node))


def _is_undocumented(node: ast.AST, signed: set[str]) -> bool:
    return _calls(node, UNDOCUMENTED) or (isinstance(node, ast.Compare) and bool(_names(node) & signed))


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
