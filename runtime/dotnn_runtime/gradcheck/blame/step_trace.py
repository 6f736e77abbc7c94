"""The statements of a fast step, one by one: what each writes, beside what it should have written.

A step owes nothing to the one before it. So a step that has run before is compared with one whose arrays are new, on
the same examples and weights; and the values that it computes with those of the script's `forward`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..reading.types import Array
from ..tracing.displace import Recording
from ..tracing.notes import Note, Noting, fitted
from ..tracing.recording import Arrays, Step
from ..tracing.rows import EDGE
from ..tracing.traced import TracedScript

SAME = 1e-10
TAKEN = "batch["
"""How the name of an array begins into which the examples of a step are taken."""


class Strange(NamedTuple):
    """A statement that writes what it should not: its note, a sentence, and the first cotangent that is wrong by it."""

    note: Note
    sentence: str
    name: str = ""


def first_strange_statement(
    script: TracedScript, steps: Sequence[Step], examples: Arrays, values: Collection[str]
) -> Strange | None:
    """Return the first statement of the last of these steps that writes something else than it would in a new step.

    `values` are the names of the forward pass. None where there is no such statement, or the step cannot be run.
    """
    step = steps[-1]
    try:
        running = _run(script, steps, examples)
        fresh = _run(script, [step], None)
        arrays = script.woven.module.training_arrays(step.batch, np.float64)
    except (Exception, SystemExit):
        return None
    for note in running:
        if note.name.startswith(TAKEN) and not _alike(note.array, np.asarray(arrays[_key(note.name)])):
            return Strange(note, "It takes other examples than those that were chosen.")
    pairs = zip((n for n in running if not n.name.startswith(TAKEN)), fresh, strict=False)
    strange = [note for note, expected in pairs if not _alike(note.array, expected.array)]
    if not strange:
        return None
    words = f"What it writes depends on the step before: {strange[0].name} is another in a step that is the first."
    cotangents = (note.name for note in strange if _is_cotangent(note.name, values))
    return Strange(strange[0], words, next(cotangents, ""))


def _is_cotangent(name: str, values: Collection[str]) -> bool:
    """Whether a name is that of the cotangent of a value, or of a part of it: `d_h`, `d_h_from_m`."""
    return name.startswith("d_") and name.removeprefix("d_").partition(EDGE)[0] in values


def first_strange_value(script: TracedScript, step: Step, values: Mapping[str, Array]) -> Note | None:
    """Return the last statement that writes the first value of a fast step that is not one of `values`."""
    try:
        written = _run(script, [step], None)
    except (Exception, SystemExit):
        return None
    return first_strange(written, values)


def first_strange_prediction(script: TracedScript, params: Arrays, examples: Arrays) -> Note | None:
    """Return the last statement that writes the first value of a fast prediction that `forward` gives otherwise."""
    noting = Noting(script.woven, {}, everything=True)
    step = Step(examples, None, params, np.random.default_rng(0))
    try:
        values = forward_values(script, step, training=False)
        run = script.woven.module.make_forward(params, len(next(iter(examples.values()))))
        with script.woven.heard_by(noting):
            run(examples)
    except (Exception, SystemExit):
        return None
    return first_strange(noting.notes, values)


def first_strange(written: Sequence[Note], values: Mapping[str, Array]) -> Note | None:
    """Return the last note of the first array that is not what `values` has under its name."""
    finished = {note.name: note for note in written}
    for note in written:
        if note.name in values and note is finished[note.name] and not _is_in_loop(note, written):
            claim = fitted(note.array, np.shape(values[note.name]), batch_last=True)
            if claim is not None and not _alike(claim, values[note.name]):
                return note
    return None


def _is_in_loop(note: Note, written: Sequence[Note]) -> bool:
    return sum((other.name, other.line) == (note.name, note.line) for other in written) > 1


def forward_values(script: TracedScript, step: Step, *, training: bool = True) -> dict[str, Array]:
    """Return what the `forward` and the `total_loss` of a script name once, by its name there."""
    recording = Recording(script.woven, {})
    with script.woven.heard_by(recording) as module:
        _, cache = module.forward(step.before, step.batch, training=training, rng=step.again())
        module.total_loss(step.before, step.batch, cache)
    return {name: arrays[0] for name, arrays in recording.tape.values.items() if len(arrays) == 1}


def _run(script: TracedScript, steps: Sequence[Step], examples: Arrays | None) -> list[Note]:
    """Run steps one after the other, and return what the last one writes, statement by statement.

    Each takes its rows of the examples; without examples, the arrays of its batch are used where they lie.
    """
    noting = Noting(script.woven, {}, everything=True)
    module = script.woven.module
    held, grads = (module.flat_arrays(module.PARAMS, np.dtype(float))[1] for _ in range(2))
    held |= {name: np.empty(shape) for name, shape in getattr(module, "STATE", {}).items()}
    made: dict[int, Any] = {}
    for step in steps:
        for name in held:
            held[name][...] = step.before[name]
        rows = None if examples is None else step.rows
        size = 0 if rows is None else len(rows)
        if size not in made:
            arrays = module.training_arrays(examples if rows is not None else step.batch, np.float64)
            made[size] = module.make_step(held, grads, arrays, size or None)
        noting.notes.clear()
        with script.woven.heard_by(noting):
            made[size](rows, step.again())
    return noting.notes


def _key(name: str) -> str:
    return name.partition("[")[2].strip("]'\"")


def _alike(a: Array, b: Array) -> bool:
    if a.shape != np.shape(b):
        return False
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    with np.errstate(all="ignore"):
        size = max(float(np.abs(b).max(initial=0.0)), float(np.abs(a).max(initial=0.0)))
        return bool(np.allclose(a, b, rtol=SAME, atol=SAME * size, equal_nan=True)) if np.isfinite(size) else True
