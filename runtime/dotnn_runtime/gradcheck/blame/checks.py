"""Faults that show without an oracle: wrong shapes, exceptions, lines that do not scale with the seed."""

from __future__ import annotations

import ast
import math
import traceback
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace

import numpy as np

from ..probing.evaluation import Evaluation, loss_and_grads
from ..probing.soundness import Soundness, Unsound
from ..reading.statements import last_argument, stored_key, walk_statements
from ..reading.structure import OWN, around
from ..reading.types import Array, Cost, Point
from ..report.results import Blame, Pattern
from ..tracing.displace import Recording
from ..tracing.notes import Note, Noting
from ..tracing.rows import EDGE
from ..tracing.traced import TracedScript, load_script
from .fault import Fault
from .faults import blame_of, blames_at
from .localise import blame_at, faults_in
from .patterns import impossible
from .scaling import UNSCALED
from .steps import blame_for_forward

FILLINGS = ("np.sin({numbers})", "np.cos({numbers})", "{array}")
"""What is written into an array in place of what a line would write, of 0, 1, 2, …, or what is there: no mask, no row
of all is the same."""


def blames_for_unsound(
    script: TracedScript, point: Point, found: Soundness, further: Iterable[Point] = ()
) -> list[Blame]:
    """Blame the lines that are behind what V0 found, and those that are wrong at `further` points alone."""
    blame = _blame_for_unsound(script, point, found)
    if isinstance(found.error, RecursionError):
        return [blame] if blame is not None else []  # there is nothing to follow through a thousand calls
    if blame is not None and found.error is not None and script.structure.step is not None:
        return [blame, *_others_in_step(script, point, blame)]
    inner = blames_at(script, point, None, further) if found.fault in (Unsound.STOPS, Unsound.GRADIENT) else []
    if inner and (blame is None or inner[0].line != blame.line):
        return inner  # a line inside a function that backward calls, or what an exception goes back to
    return [blame, *inner[1:]] if blame is not None else []


def _others_in_step(script: TracedScript, point: Point, blame: Blame) -> list[Blame]:
    """Return what else is wrong in a fast step that stops in a line, whatever that line would write.

    Some numbers are written in its place, then others: what is wrong with all by the same values is so for itself.
    """
    structure = script.structure
    statements = walk_statements(structure.step.body) if structure.step is not None else ()
    stopped = next((n for n in statements if n.lineno <= blame.line <= (n.end_lineno or 0) and last_argument(n)), None)
    if stopped is None:
        return []
    try:
        once, *again = (faults_in(Evaluation(_filling(script, stopped, f), point, Cost())) for f in FILLINGS)
    except (Exception, SystemExit):  # it stops elsewhere, too
        return []
    others = (f for f in once if f.line != blame.line)
    same = (f for f in others if all(any(_same(f, other) for other in found) for found in again))
    return [blame_of(script, point, fault, at_ties=False) for fault in same]


def _same(one: Fault, other: Fault) -> bool:
    """Whether two faults are of one line, with the same wrong value."""
    a, b = one.wrong.value, other.wrong.value
    if (one.line, one.event.name) != (other.line, other.event.name) or a is None or b is None:
        return False
    return np.array_equal(a, b)


def _filling(script: TracedScript, stopped: ast.stmt, filling: str) -> TracedScript:
    """Return a script that writes numbers where a statement stops."""
    array = last_argument(stopped)
    lines, count = [*script.structure.lines], (stopped.end_lineno or stopped.lineno) - stopped.lineno
    found = filling.format(array=array, numbers=f"np.arange({array}.size)")
    text = f"{' ' * stopped.col_offset}np.copyto({array}, ({found}).reshape({array}.shape))"
    lines[stopped.lineno - 1 : stopped.end_lineno] = [text, *[""] * count]
    return load_script("\n".join(lines) + "\n", script.filename)


def _blame_for_unsound(script: TracedScript, point: Point, found: Soundness) -> Blame | None:
    if found.error is not None:
        blame = blame_for_exception(script, found.error)
        if not blame.text.startswith("d_") or isinstance(found.error, RecursionError):
            return blame
        # the line that stops may only meet what another did
        return blame_for_note(script, point) or blame_for_note(script, point, same_size=True) or blame
    if found.pattern is not None:
        return blame_for_note(script, point) or blame_for_gradient(script, found.name, found.pattern)
    if found.fault is Unsound.CHANGES:
        return _blame_for_change(script, found.name)
    by_kind = {
        Unsound.NOT_FINITE: blame_for_value,
        Unsound.UNSTEADY: blame_for_unsteady,
        Unsound.FORWARD: blame_for_forward,
    }
    return by_kind[found.fault](script, point) if found.fault else None


def _blame_for_change(script: TracedScript, name: str) -> Blame | None:
    """Blame the line of a pass that writes into a parameter or an input."""
    functions = (f for n, f in script.structure.functions.items() if n not in ("init_params",))
    for node in (n for function in functions for n in walk_statements(function.body)):
        targets = [t for t in ast.walk(node) if isinstance(t, ast.Subscript) and isinstance(t.ctx, ast.Store)]
        keys = {key.name for t in targets for part in ast.walk(t) if (key := stored_key(part)) is not None}
        if name in keys:
            place = script.structure.place(node.lineno)
            words = f"This line changes {name}. A pass changes no parameter and no input: training does."
            return blame_at(name, name, place, place, Pattern("changed", words))
    return None


def backward_notes(script: TracedScript, point: Point, d_loss: float = 1.0) -> list[Note]:
    """Return the cotangents of one backward pass, as far as it comes."""
    noting = Noting(script.woven, {})
    # what was noted before it stops is what is asked for
    with suppress(Exception, SystemExit), script.woven.heard_by(noting) as module:
        loss_and_grads(module, point, d_loss=d_loss)
    return noting.notes


def blame_for_note(script: TracedScript, point: Point, *, same_size: bool = False) -> Blame | None:
    """Blame the first line of the backward pass whose result cannot be right, whatever the numbers.

    It has not the shape of what it belongs to, holds masks or integers, or is not finite. With `same_size` a shape
    that can be broadcast to the right one, and holds fewer elements, does not count as wrong: it may be meant so.
    """
    shapes = _shapes(script, point)
    size = next((len(array) for array in point.batch.values()), 0)
    written = set().union(*script.structure.in_place.values())
    for note in backward_notes(script, point) if script.explains else ():
        name = note.name.removeprefix("d_")
        value = name if name in shapes else name.partition(EDGE)[0]
        if note.name in written or (value in written and not same_size):
            continue
        shape = shapes.get(value, note.array.shape)
        meant = same_size and _spreads_to(note.array, shape)
        pattern = impossible(note.name, note.array, note.array.shape if meant else shape, size)
        if pattern is not None:
            return _blame_line(script, note, value, pattern)
    return None


def _spreads_to(array: Array, shape: tuple[int, ...]) -> bool:
    """Whether an array holds fewer elements than `shape` and can be broadcast to it."""
    try:
        return array.size < math.prod(shape) and np.broadcast_shapes(array.shape, shape) == shape
    except ValueError:
        return False


def blame_for_value(script: TracedScript, point: Point) -> Blame | None:
    """Blame the first value of the forward pass that is not finite."""
    for name, arrays in values_at(script, point).items():
        for array in arrays:
            if not np.all(np.isfinite(array)):
                place = script.structure.defined_at(name)
                words = f"{name} holds NaN or infinity, the first value on the way to the loss that does."
                return blame_at(name, name, place, place, Pattern("not finite", words))
    return None


def _shapes(script: TracedScript, point: Point) -> dict[str, tuple[int, ...]]:
    """Return the shapes of everything that the forward pass names."""
    stores: dict[str, dict[str, Array]] = {"param": point.params, "input": point.batch}
    keys = {alias: key for alias, key in script.structure.aliases.items() if key.name in stores.get(key.kind, ())}
    found = {alias: stores[key.kind][key.name].shape for alias, key in keys.items()}
    return found | {name: arrays[-1].shape for name, arrays in values_at(script, point).items()}


def values_at(script: TracedScript, point: Point) -> dict[str, list[Array]]:
    """Return all values of every name of the forward pass, as far as it comes."""
    recording, rng = Recording(script.woven, {}), np.random.default_rng(point.rng_seed)
    with suppress(Exception, SystemExit), script.woven.heard_by(recording) as module:
        _, cache = module.forward(point.params, point.batch, training=point.training, rng=rng)
        module.total_loss(point.params, point.batch, cache)
    return recording.tape.values


def blame_for_seed(script: TracedScript, point: Point) -> Blame | None:
    """Blame the first line whose result is not zero for `d_loss` = 0, or not doubled for 2."""
    once, twice = backward_notes(script, point), backward_notes(script, point, 2.0)
    for none, one, two in zip(backward_notes(script, point, 0.0), once, twice, strict=False):
        if np.any(none.array) or not np.array_equal(two.array, 2.0 * one.array):
            return _blame_line(script, one, one.name.removeprefix("d_"), UNSCALED)
    return None


def _blame_line(script: TracedScript, note: Note, value: str, pattern: Pattern) -> Blame:
    place = script.structure.place(note.line)
    key = script.structure.aliases.get(value)
    spec = place if place.spec_line else script.structure.defined_at(value)
    return blame_at(note.name, key.name if key else value, place, spec, pattern)


def blame_for_unsteady(script: TracedScript, point: Point) -> Blame | None:
    """Blame the first line whose result differs between two runs with the same seed."""
    for one, two in zip(backward_notes(script, point), backward_notes(script, point), strict=False):
        if not np.array_equal(one.array, two.array, equal_nan=True):
            words = (
                "The result changes from run to run: something is drawn anew, or an array is read before it is written."
            )
            return _blame_line(script, one, one.name.removeprefix("d_"), Pattern("not repeatable", words))
    return None


def blame_for_gradient(script: TracedScript, name: str, pattern: Pattern) -> Blame:
    """Blame the line that computes the gradient of a parameter."""
    structure = script.structure
    aliases = [f"d_{alias}" for alias, key in structure.aliases.items() if key.name == name]
    names = [f"d_{name.replace('.', '_')}", *aliases, name]
    places = ((n, structure.assigned_in_backward(n)) for n in names)
    result, place = next(((n, p) for n, p in places if p.line), (name, structure.place(0)))
    return blame_at(result, name, place, place if place.spec_line else structure.defined_at(name), pattern)


def blame_for_exception(script: TracedScript, error: BaseException) -> Blame:
    """Blame the innermost line of the script's contract that an exception passed through, or the one that recurs.

    What complains about a result blames the last line of `loss_and_grads`, which returns it.
    """
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == script.filename and f.lineno]
    if not frames:
        return _blame_for_result(script, error)
    passed = [around(script.structure.source, f.lineno or 0) for f in frames]
    outer = [f for f, function in zip(frames, passed, strict=True) if function in OWN]
    # a formula that stops was handed something by the line that calls it
    chosen = [*frames[-1:], *outer][-1]
    if isinstance(error, RecursionError):
        ((line, _),) = Counter(f.lineno for f in frames).most_common(1)
        frames = [f for f in frames if f.lineno == line]
        chosen = frames[-1]
    blame = _blame_for_stop(script, chosen, frames[-1], error)
    return replace(blame, functions=tuple(dict.fromkeys(reversed(passed))))


def _blame_for_stop(
    script: TracedScript, chosen: traceback.FrameSummary, last: traceback.FrameSummary, error: BaseException
) -> Blame:
    """Blame a line for an exception at the last."""
    inner = "" if chosen is last else f", inside {last.name} in line {last.lineno}"
    place = script.structure.place(chosen.lineno or 0)
    target = place.text.partition("=")[0].rstrip(" +")
    name = target if target.isidentifier() else chosen.name
    pattern = Pattern("exception", f"This line stops{inner}: {type(error).__name__}: {error}.")
    return blame_at(name, name, place, place, pattern)


def _blame_for_result(script: TracedScript, error: BaseException) -> Blame:
    last = script.structure.functions.get("loss_and_grads")
    place = script.structure.place(last.body[-1].lineno if last else 0)
    return blame_at("loss_and_grads", "", place, place, Pattern("wrong result", f"{error}."))
