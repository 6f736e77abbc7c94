"""V11: what no gradient shows. Constants, first weights, data, batches, learning rates, figures and predictions of a
script, beside those of another script that must do the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import ModuleType
from typing import Any

import numpy as np

from ..report.results import CheckResult, Verdict
from ..tracing.recording import Arrays, NeutralScaling, Training
from .course import Course, Trial
from .steps import apart

ID = "V11"
CLOSE = 1e-9
FIGURES = 1e-6
"""The figures of an epoch come after several steps, whose rounding adds up."""
FEW = 200
"""So many examples of a spec's data are prepared, and their parts compared."""

FEWER = 3
"""So many of them are left out, one after the other: how a split rounds shows in some numbers of examples alone."""

Difference = tuple[str, str]
"""The function or the constant that differs, and a sentence."""

Found = tuple[CheckResult, Difference | BaseException | None]


def check_likeness(trial: Trial, other: ModuleType, name: str) -> Found:
    """Compare all that a script does besides the steps of its training with what another module, `name`, does."""
    return _settled(f"data, loop and predictions against {name}", _all_differences(trial, other))


def check_loop(trial: Trial, other: ModuleType, name: str) -> Found:
    """Compare only the batches and the learning rates: two styles round differently."""
    return _settled(f"batches and learning rates against {name}", _loop(trial, other))


def _settled(title: str, differences: Iterator[Difference]) -> Found:
    try:
        found = next(differences, None)
    except (Exception, SystemExit) as error:
        return CheckResult(ID, title, Verdict.FAIL, f"{type(error).__name__}: {error}"), error
    if found is None:
        return CheckResult(ID, title, Verdict.PASS), None
    return CheckResult(ID, title, Verdict.FAIL, found[1]), found


def _all_differences(trial: Trial, other: ModuleType) -> Iterator[Difference]:
    ours, course = trial.script.whole, trial.course
    yield from _constants(ours, other)
    yield from _first_weights(ours, other)
    yield from _data(ours, other, course)
    yield from _loop(trial, other, figures=True)
    yield from _predictions(ours, other, course)


def _constants(ours: ModuleType, other: ModuleType) -> Iterator[Difference]:
    for name, value in vars(other).items():
        if name.isupper() and isinstance(value, int | float | str | tuple | Mapping):
            if not hasattr(ours, name):
                yield name, f"there is no {name}"
            elif repr(getattr(ours, name)) != repr(value):
                yield name, f"{name} is {_short(getattr(ours, name))}, and should be {_short(value)}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _first_weights(ours: ModuleType, other: ModuleType) -> Iterator[Difference]:
    mine, theirs = (module.init_params(7, np.float64) for module in (ours, other))
    for name, value in _unlike(mine, theirs):
        yield "init_params", f"the first values of {name} differ{value}"


def _data(ours: ModuleType, other: ModuleType, course: Course) -> Iterator[Difference]:
    raw = _outcome(other.load_data)
    if raw is not None:
        for name, value in _unlike(_outcome(ours.load_data) or {}, raw):
            yield "load_data", f"the data of {name} differ{value}"
        raw = {name: np.asarray(values)[:FEW] for name, values in raw.items()}
    given = _given(other, course.parts["train"]) if raw is None else raw
    count = len(next(iter(given.values()), ()))
    for fewer in range(max(count - FEWER, min(count, 1)), count + 1):
        yield from _prepared(ours, other, {name: values[:fewer] for name, values in given.items()})


def _prepared(ours: ModuleType, other: ModuleType, given: Arrays) -> Iterator[Difference]:
    """Compare the parts of examples; nothing where they are too few."""
    theirs = _outcome(lambda: other.prepare(dict(given), np.float64))
    if theirs is None:
        return
    mine = ours.prepare(dict(given), np.float64)
    for part, arrays in theirs[0].items():
        for name, value in _unlike(mine[0].get(part, {}), arrays):
            yield "prepare", f"the prepared {name} of the part {part} differ{value}"


def _outcome(run: Callable[[], Any]) -> Any:
    """Return what a function returns, None where it says that there are no data to be had, or not all of them."""
    try:
        return run()
    except (ValueError, OSError, KeyError):
        return None


def _loop(trial: Trial, other: ModuleType, figures: bool = False) -> Iterator[Difference]:
    loop = trial.script.loop
    for (mine, _), (theirs, _) in zip(trial.trainings, trial.course.run(other), strict=False):
        yield from ((loop, difference) for difference in _steps(mine, theirs))
        if not figures:
            continue
        if len(mine.history) != len(theirs.history):
            yield loop, f"{len(mine.history)} epochs are recorded, and should be {len(theirs.history)}"
        for epoch, (own, right) in enumerate(zip(mine.history, theirs.history, strict=False), 1):
            for key, value in right.items():
                if apart(np.asarray(own.get(key, np.nan)), np.asarray(value)) > FIGURES:
                    yield loop, f"epoch {epoch} reports {key} {own.get(key)}, and should report {value}"
        for name, value in _unlike(mine.params, theirs.params, FIGURES):
            yield loop, f"the trained {name} differ{value}"


def _steps(mine: Training, theirs: Training) -> Iterator[str]:
    for at, (step, right) in enumerate(zip(mine.steps, theirs.steps, strict=False), 1):
        for name, value in _unlike(step.batch, right.batch):
            yield f"step {at} takes other examples of {name}{value}"
        if not np.isclose(step.rate or 0.0, right.rate or 0.0, rtol=CLOSE, atol=0.0):
            yield f"step {at} has the learning rate {step.rate}, and should have {right.rate}"
        if (step.given is None) != (right.given is None):
            yield f"step {at} ends {'without' if step.given is None else 'with'} an update"
    if len(mine.steps) != len(theirs.steps):
        yield f"{len(mine.steps)} steps are taken, and should be {len(theirs.steps)}"


def _predictions(ours: ModuleType, other: ModuleType, course: Course) -> Iterator[Difference]:
    examples = course.parts["test"]
    inputs = raw_inputs(other, examples)
    scaling = fitted_to_nothing(other)
    mine, theirs = (_predicted(module, course.params, inputs, scaling) for module in (ours, other))
    if mine.keys() != theirs.keys():
        yield "predict", f"predictions of {', '.join(mine)} are returned, and should be of {', '.join(theirs)}"
    for name, value in _unlike(mine, theirs):
        yield "predict", f"the predictions of {name} differ{value}"
    own, right = (
        module.evaluate(_copies(course.params), _copies(examples), NeutralScaling()) for module in (ours, other)
    )
    for key, value in right.items():
        if apart(np.asarray(own.get(key, np.nan)), np.asarray(value)) > CLOSE:
            yield "evaluate", f"{key} is {own.get(key)}, and should be {value}"


def fitted_to_nothing(module: ModuleType) -> dict[str, Any]:
    """Return what might have been fitted for all that a script prepares, by which nothing stays as it is."""
    fitted: Mapping[str, Mapping[str, tuple[int, ...] | None]] = getattr(module, "FITTED", {})
    rng = np.random.default_rng(0)
    found = {name: {key: _fitted(key, shape, rng) for key, shape in keys.items()} for name, keys in fitted.items()}
    return found or NeutralScaling()


def _fitted(key: str, shape: tuple[int, ...] | None, rng: np.random.Generator) -> np.ndarray:
    """Return an array that might have been fitted: factors that are not 0, other numbers, or texts."""
    if shape is None:
        return np.array(["1", "2"])
    return rng.uniform(0.5, 2.0, shape) if key == "scale" else rng.standard_normal(shape)


def raw_inputs(module: ModuleType, examples: Mapping[str, np.ndarray]) -> Arrays:
    """Return examples as a script takes them before it prepares them: the numbers with gaps, or as texts."""
    declared: Mapping[str, tuple[str, tuple[int, ...]]] = getattr(module, "RAW_INPUTS", module.INPUTS)
    return {name: _as_raw(kind, examples[name]) for name, (kind, _) in declared.items()}


def _given(module: ModuleType, examples: Mapping[str, np.ndarray]) -> Arrays:
    """Return examples as `prepare` takes them; what a script makes of other inputs is none of them."""
    raw: Mapping[str, tuple[str, tuple[int, ...]]] = getattr(module, "RAW_TARGETS", module.TARGETS)
    return {**raw_inputs(module, examples), **{name: _as_raw(kind, examples[name]) for name, (kind, _) in raw.items()}}


def _as_raw(kind: str, values: np.ndarray) -> np.ndarray:
    """Return values as they might be read where a kind of values is declared."""
    base, _, limit = kind.removesuffix("?").partition(":")
    if base == "date":
        return np.array([f"2024-{i % 12 + 1:02}-{i % 28 + 1:02}" for i in range(len(values))])
    if base == "text":
        return np.where(values == 0, "", values.astype(str))
    if base == "class" and values.dtype.kind == "f":
        classes: np.ndarray = values.argmax(axis=-1)
        return classes
    if base == "above":
        values = float(limit) + np.exp(values)
    if kind.endswith("?"):
        return np.where(np.arange(values.size).reshape(values.shape) % 3 == 1, np.nan, values)
    return values


def _predicted(module: ModuleType, params: Arrays, inputs: Arrays, scaling: dict[str, Any]) -> Arrays:
    found = module.predict(_copies(params), _copies(inputs), scaling)
    return {name: np.array(values) for name, values in found.items()}


def _copies(arrays: Arrays) -> Arrays:
    return {name: value.copy() for name, value in arrays.items()}


def _unlike(ours: Mapping[str, Any], theirs: Mapping[str, Any], tolerance: float = CLOSE) -> Iterator[Difference]:
    """Yield the arrays that are not alike, with how far they are apart."""
    for name, value in theirs.items():
        mine, right = np.asarray(ours.get(name, np.nan)), np.asarray(value)
        if right.dtype.kind not in "biuf":
            if not np.array_equal(mine, right):
                yield name, ""
        elif (error := apart(mine, right)) > tolerance:
            yield name, f", by {error:.1e}" if np.isfinite(error) else ""
