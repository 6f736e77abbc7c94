"""Who is to blame for a training that is wrong, or unlike another."""

from __future__ import annotations

import ast
from dataclasses import replace

from ..probing.likeness import Difference
from ..probing.training import Wrong, WrongStep
from ..report.results import Blame, Pattern
from ..tracing.traced import TracedScript
from .checks import blame_for_exception
from .localise import blame_at
from .steps import blame_for_step


def blame_for_training(script: TracedScript, wrong: Wrong) -> Blame | None:
    """Return the line to blame for what V10 has found, None for nothing."""
    if wrong is None:
        return None
    if not isinstance(wrong, WrongStep):
        return blame_for_exception(script, wrong)
    if wrong.fault is None or wrong.training is None:
        place = script.structure.place(line_of(script, script.loop))
        return blame_at(script.loop, "", place, place, Pattern("no step", "The loop never takes a step."))
    return blame_for_step(script, wrong.fault, wrong.training, wrong.examples, wrong.values)


def blame_for_difference(script: TracedScript, found: Difference | BaseException | None) -> Blame | None:
    """Return the function or the constant that V11 has found to differ, None for nothing."""
    if found is None:
        return None
    if isinstance(found, BaseException):
        return blame_for_exception(script, found)
    name, sentence = found
    place = script.structure.place(line_of(script, name))
    pattern = Pattern(f"another {name}", f"{sentence[0].upper()}{sentence[1:]}.")
    return replace(blame_at(name, "", place, place, pattern), functions=(name,))


def line_of(script: TracedScript, name: str) -> int:
    """Return the line that defines a function or a constant."""
    for node in ast.parse(script.structure.source).body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return node.lineno
        if isinstance(node, ast.Assign) and any(ast.unparse(target) == name for target in node.targets):
            return node.lineno
    return 0
