"""The faults of a backward pass as a report tells them: the line, in which way it is wrong, what would be right."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from ..reading.structure import Place as Line
from ..reading.types import Array, Key, Point, norm
from ..report.results import Blame, Element, Pattern
from ..tracing.follow import Follower
from ..tracing.run import Event, Run
from ..tracing.traced import TracedScript
from .fault import Fault
from .judge import Judge
from .patterns import MASK_MISSING, NO_PATTERN, Truth, impossible, name_factor, name_pattern
from .readers import shares_by_reader, shares_by_statement
from .truth import CLOSE, Target

WORST = 3
FEW_ELEMENTS = 400
MOST_PATHS = 5
TIES = Pattern(
    "only at ties",
    "Right everywhere but where a branch stands exactly on its edge, or near it: a >= in place of a >, or another "
    "threshold? The convention is relu'(0) = 0, and of equal maxima the first wins.",
)


def blames_at(
    script: TracedScript, point: Point, shifts: Mapping[Key, Array] | None = None, further: Iterable[Point] = ()
) -> list[Blame]:
    """Return a blame for every line of the backward pass that is wrong at a point, in the order of the backward pass.

    `shifts` are constants that are subtracted from values of the forward pass. Behind them follows what is wrong at
    `further` points alone. Empty where the script cannot be followed: it has no `backward`, or computes with more than
    arrays of NumPy.
    """
    if not script.explains:
        return []
    judge, blames = Judge(Follower(script)), list[Blame]()
    try:
        for some, moved in ((point, shifts), *((other, None) for other in further)):
            blames += [blame_of(script, some, fault, bool(moved)) for fault in judge.judge(some, moved)]
            if not blames:
                break  # what fails there is not in what can be followed
    except (Exception, SystemExit):  # a script may do anything; the checks have found what is wrong already
        return blames
    return blames


def blame_of(script: TracedScript, point: Point, fault: Fault, at_ties: bool) -> Blame:
    """Put into words what is wrong with a line."""
    structure, event = script.structure, fault.event
    place = structure.place(fault.line)
    parameter = _parameter(script, fault)
    spec = place if place.spec_line else structure.defined_at(parameter or event.name.removeprefix("d_"))
    pattern = TIES if at_ties else _pattern(point, fault, place)
    words = _with_hint(pattern, fault)
    name = event.name or ("return" if fault.site.kind == "return" else "")
    layer = parameter.rpartition(".")[0] or spec.layer
    return Blame(
        name,
        layer,
        spec.op,
        spec.spec_line,
        place.line,
        place.text,
        pattern.id,
        words,
        _worst(fault),
        paths=_paths(fault),
        right=fault.repair,
    )


def _with_hint(pattern: Pattern, fault: Fault) -> str:
    """Return the words of a pattern, and how the line would be right, or which others may be wrong in its place.

    A pattern that names a factor says already how it would be right.
    """
    if pattern.id.startswith("factor"):
        return pattern.words
    if fault.repair:
        return f"{pattern.words} Right would be: {fault.repair}"
    if not fault.doubts:
        return pattern.words
    lines = " or ".join(f"{name} in line {line}" for name, line in fault.doubts)
    return f"{pattern.words} If not here, the error is in {lines}, which this line reads."


def _paths(fault: Fault) -> tuple[str, ...]:
    """Return in which calls and turns a line was wrong."""
    paths = dict.fromkeys(", ".join(p for p in path if p and p != "after") for path in fault.paths)
    return tuple(p for p in paths if p)[:MOST_PATHS]


def _parameter(script: TracedScript, fault: Fault) -> str:
    """Return the parameter whose gradient a line makes, "" for none."""
    name = fault.event.place.key or fault.event.name
    if name in script.params:
        return name
    dotted = {f"d_{p.replace('.', '_')}": p for p in script.params}
    dotted |= {f"d_{alias}": key.name for alias, key in script.structure.aliases.items() if key.name in script.params}
    return dotted.get(name, "")


def _pattern(point: Point, fault: Fault, place: Line) -> Pattern:
    """Say in which way the value that shows a fault is wrong."""
    wrong, right = fault.wrong, fault.right
    if wrong.stopped is not None:
        here = fault.site.number == wrong.site.number
        stops = "This line stops" if here else f"Line {wrong.line} stops because of this"
        message = (
            str(wrong.stopped).replace("free variable", "variable").removesuffix(" in enclosing scope")
        )  # as unwoven
        return Pattern("exception", f"{stops}: {type(wrong.stopped).__name__}: {message}.")
    if wrong.value is None or right is None:
        return NO_PATTERN
    known = impossible(wrong.name, wrong.value, right.value.shape, _batch_size(point)) or fault.pattern
    known = known or _steps_missing(fault) or _accumulation(fault)
    return known or _shape_of_error(point, fault, right, place)


def _shape_of_error(point: Point, fault: Fault, right: Target, place: Line) -> Pattern:
    got, true = np.asarray(fault.wrong.value), right.value
    rng = np.random.default_rng(0)
    directions = [rng.standard_normal(true.shape) for _ in range(3)]
    truth = Truth(directions, [float(np.vdot(true, u)) for u in directions], true)
    pattern = name_pattern(got, truth, _batch_size(point))
    if pattern.id in (NO_PATTERN.id, MASK_MISSING) and fault.run is not None:
        pattern = name_factor(got, truth, _named(fault.run, fault.wrong)) or pattern
    if pattern is NO_PATTERN and "@" in place.text:
        return Pattern(pattern.id, f"{pattern.words} Is a .T missing, or one too many?")
    return pattern


def _batch_size(point: Point) -> int:
    return next((len(array) for array in point.batch.values()), 1)


def _named(run: Run, wrong: Event) -> dict[str, Array]:
    """Return the values and cotangents that a factor may be made of."""
    found: dict[str, Array] = {}
    for event in run.events:
        if event.name.isidentifier() and event.value is not None and event.name != wrong.name:
            found[event.name] = event.value
    return found


def _accumulation(fault: Fault) -> Pattern | None:
    """Explain the error of a sum by one use that it leaves out or counts twice."""
    right, run = fault.right, fault.run
    if right is None or run is None or fault.wrong.value is None or not right.is_whole:
        return None
    excess = fault.wrong.value - right.value
    shares = [*shares_by_statement(run, right.node), *shares_by_reader(run, right.node)]
    for user, share in shares if len(shares) > 1 else ():
        for sign, how, words in ((-1, "missing", "left out of the sum"), (1, "twice", "counted twice")):
            if share.shape == excess.shape and norm(excess - sign * share) <= CLOSE * norm(share):
                return Pattern(f"accumulation: {user} {how}", f"The contribution through {user} is {words}.")
    return None


def _steps_missing(fault: Fault) -> Pattern | None:
    """Say how many turns of a loop were made, where its head is wrong."""
    if fault.site.kind != "loop":
        return None
    return Pattern("steps missing", "The loop does not make the turns that the forward pass has made.")


def _worst(fault: Fault) -> tuple[Element, ...]:
    got, right = fault.wrong.value, fault.right
    if got is None or right is None or got.shape != right.value.shape or got.size > FEW_ELEMENTS:
        return ()
    error = np.abs(got - right.value)
    order = [i for i in np.argsort(-error, axis=None, kind="stable")[:WORST] if error.flat[i]]
    places = [tuple(int(n) for n in np.unravel_index(i, got.shape)) for i in order]
    return tuple(Element(place, float(got[place]), float(right.value[place])) for place in places)
