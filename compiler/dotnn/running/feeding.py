"""Teacher forcing: the input that held, in training, the class of the step before, and answers that are fed back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from dotnn.core.diagnostics import CompileError, Diagnostic
from dotnn.model.model import Model
from dotnn.running.generation import CODE, Choice, probabilities_of

Array = np.ndarray
Arrays = dict[str, Array]
ALIKE = 1e-5
"""What a step says may differ by so much, in single precision, where later steps hold something else."""


@dataclass(frozen=True)
class Fed:
    """An input that holds, in each step, what the target held one step before, and in the first `start`."""

    input: str
    target: str
    start: int


def fed_input(model: Model, examples: Mapping[str, Array]) -> Fed | None:
    """Return the first input of raw examples that holds a target one step later, None where there is none."""
    return next(_fed(model, examples), None)


def _fed(model: Model, examples: Mapping[str, Array]) -> Iterator[Fed]:
    for target in (t for t in model.targets.values() if t.kind == "class" and len(t.type.example) == 1):
        for item in (i for i in model.inputs.values() if i.kind == "int" and i.type.example == target.type.example):
            if item.name not in examples or target.name not in examples:
                continue
            before, after = (np.asarray(examples[n]).reshape(-1, *item.type.example) for n in (item.name, target.name))
            first = before[:, 0]
            if len(before) and (first == first[0]).all() and (before[:, 1:] == after[:, :-1]).all():
                yield Fed(item.name, target.name, int(first[0]))


def answers(
    predict: Callable[[Arrays], Arrays],
    inputs: Arrays,
    fed: Fed,
    output: str,
    steps: int,
    choice: Choice,
    rng: np.random.Generator,
) -> Array:
    """Return the classes (n, steps) that a network answers with, each step by its own answers before.

    Raises `CompileError` where a step reads later ones: what it was taught is then no answer to anything.
    """
    found = np.full((len(next(iter(inputs.values()))), steps + 1), fed.start)  # the start, and the answers

    def said() -> Array:
        return np.asarray(predict({**inputs, fed.input: found[:, :-1]})[output], float)

    for step in range(steps):
        rows = (probabilities_of({output: row}, output, len(row)) for row in said()[:, step])
        found[:, step + 1] = [choice.of(row, rng) for row in rows]
    _check_forward(said(), predict({**inputs, fed.input: _with_another_end(found[:, :-1])})[output], fed, output)
    return found[:, 1:]


def _with_another_end(before: Array) -> Array:
    return np.concatenate([before[:, :-1], np.where(before[:, -1:] == 0, 1, 0)], axis=1)


def _check_forward(said: Array, other: Array, fed: Fed, output: str) -> None:
    """Raise `CompileError` where the steps before the last say something else because the last holds something else."""
    if np.abs(said - other)[:, :-1].max(initial=0) > ALIKE:
        message = f"{output} reads, in a step, what {fed.input} holds in later ones, which are not there yet"
        help = "read it forward only: a recurrent layer without reverse, an attention with causal = true"
        raise CompileError([Diagnostic(CODE, message, help=help)])
