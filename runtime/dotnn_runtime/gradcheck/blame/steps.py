"""Which line of a script is to blame for a wrong training step."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from ..probing.steps import Fault, apart
from ..reading.statements import assigned_names, last_argument, loads, walk_statements
from ..reading.structure import all_functions
from ..reading.types import Array, Point
from ..report.results import Blame, Pattern
from ..tracing.recording import PASSES, Arrays, Step, Training
from ..tracing.traced import TracedScript
from .localise import blame_at
from .step_trace import first_strange_statement, first_strange_value, forward_values

PATTERN = {
    "batch": "wrong examples",
    "loss": "wrong step",
    "output": "wrong step",
    "gradient": "wrong step",
    "state": "wrong state",
    "clip": "wrong clipping",
    "slot": "wrong update",
    "weight": "wrong update",
}
FUNCTIONS = {
    "batch": ("fit", "train"),
    "loss": (*PASSES, "total_loss", "forward", "make_step", "fit", "train"),
    "output": ("forward",),
    "gradient": (*PASSES, "backward", "total_loss", "forward", "make_step", "fit", "train"),
    "state": ("renew_state", *PASSES, "make_step", "forward", "fit", "train"),
    "clip": ("make_clip", "fit", "train"),
    "slot": ("update", "make_update", "optimizer_state", "fit", "train"),
    "weight": ("update", "make_update", "constrain", "fit", "train"),
}
"""The functions that compute a part of a step, in both styles."""


def blame_for_step(
    script: TracedScript, fault: Fault, training: Training, examples: Arrays, values: Mapping[str, Array]
) -> Blame:
    """Return the line that is to blame for a fault; `values` are those that a forward pass must give, by name."""
    lines = list(_strange_lines(script, fault, training, examples, values))
    line, words, name = next((found for found in lines if found[0]), (_line_of(script, fault), "", ""))
    place = script.structure.place(line)
    pattern = Pattern(PATTERN[fault.part], f"{words} {_sentence(fault)}".strip())
    functions = () if words else FUNCTIONS[fault.part]
    return replace(blame_at(name or fault.name or fault.part, fault.name, place, place, pattern), functions=functions)


def blame_for_forward(script: TracedScript, point: Point) -> Blame | None:
    """Return the line of a fast step that computes another value than `forward` does under this name; None if none."""
    if script.structure.step is None:
        return None
    step = Step(point.batch, None, point.params, np.random.default_rng(point.rng_seed))
    note = first_strange_value(script, step, forward_values(script, step))
    if note is None:
        return None
    place = script.structure.place(note.line)
    pattern = Pattern("wrong value", f"{note.name} is not what the function forward says it is.")
    return blame_at(note.name, note.name, place, place, pattern)


def _sentence(fault: Fault) -> str:
    text = str(fault)
    return f"{text[0].upper()}{text[1:]}."


def _strange_lines(
    script: TracedScript, fault: Fault, training: Training, examples: Arrays, values: Mapping[str, Array]
) -> Iterator[tuple[int, str, str]]:
    """Yield lines that compute what they should not, the surest first, each with a sentence and what is wrong by it."""
    if fault.part not in ("loss", "output", "gradient"):
        return
    steps, step = training.steps[: fault.at + 1], training.steps[fault.at]
    ours = forward_values(script, step)
    wrong = next((n for n, value in ours.items() if n in values and not apart(value, values[n]) <= _FAR), "")
    if wrong:
        yield script.structure.defined_at(wrong).line, f"{wrong} is not what the spec says it is.", ""
    if script.structure.step is not None:
        found = first_strange_statement(script, steps, examples, {*values, *ours, *step.batch})
        if found is not None:
            yield found.note.line, found.sentence, found.name
        note = first_strange_value(script, step, {**values, **ours})
        if note is not None:
            yield note.line, f"{note.name} is not what the forward pass says it is.", ""


_FAR = 1e-9


def functions_of(script: TracedScript, part: str) -> list[ast.FunctionDef]:
    """Return the functions of a script that compute a part of a step."""
    functions = all_functions(script.structure.source)
    return [functions[name] for name in FUNCTIONS[part] if name in functions]


def _line_of(script: TracedScript, fault: Fault) -> int:
    """Return the line that makes the part of a step which is wrong, as far as the text tells."""
    functions = functions_of(script, fault.part)
    if not functions:
        return 0
    if fault.part == "batch":
        return next(itertools.chain(*map(_batch_lines, functions)), 0)
    if fault.part in ("state", "slot", "weight"):
        start = {"state": fault.name.replace(".", "_"), "slot": fault.name, "weight": "w"}[fault.part]
        lines = [line for f in functions for line in _lines_that_assign(f, start, fault.part != "state")]
    else:
        lines = [n.lineno for n in walk_statements(functions[0].body) if isinstance(n, ast.Return)]
    return lines[-1] if lines else functions[0].lineno


def _batch_lines(function: ast.FunctionDef) -> Iterator[int]:
    """Yield the line of `fit` that picks the examples of a step."""
    called = [
        n
        for n in ast.walk(function)
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id in (*PASSES, "step") and n.args
    ]
    for call in called:
        given = call.args[min(1, len(call.args) - 1)]
        lines = [n.lineno for n in walk_statements(function.body) if ast.unparse(given) in assigned_names(n)]
        yield lines[-1] if lines else call.lineno


def _lines_that_assign(function: ast.FunctionDef, name: str, whole: bool) -> list[int]:
    return [node.lineno for node in _all_statements(function) if _assigns(node, name, whole)]


def _assigns(node: ast.stmt, name: str, whole: bool) -> bool:
    """Whether a statement computes a name, or one that begins with it."""
    names = [*assigned_names(node), last_argument(node)] if not loads(node) else []
    return any(n == name if whole else n.startswith(name) for n in names)


def _all_statements(function: ast.FunctionDef) -> Iterator[ast.stmt]:
    """Yield the statements of a function and of those inside it."""
    for node in walk_statements(function.body):
        yield node
        if isinstance(node, ast.FunctionDef):
            yield from walk_statements(node.body)
