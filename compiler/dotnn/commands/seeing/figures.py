"""The figures of merit of a run on some examples."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from dotnn.commands.seeing.comparisons import comparisons
from dotnn.commands.seeing.run import Run
from dotnn.reports.seen import PARTS, Classes, Comparison, Numbers
from dotnn.running.spec_files import Arrays
from dotnn_runtime.merit import calibration, classes, errors, intervals, ranking

Array = np.ndarray
Figure = Callable[[Array | None], float]
"""The weights of the examples -> a number."""
FEW = (2, 3, 5)
"""How many of the likeliest classes are looked at, where there are more."""
INTERVAL_FROM = 5
"""Of fewer examples no interval is given."""


@dataclass(frozen=True)
class Figures:
    """What a run reaches on some examples: the loss, the spec's metrics, and each output against its target.

    `part` says in words which examples they are; `found` has the objects of `--json`, in the order of `compared`.
    `members` are the loss and the metrics of each member of an ensemble, whose own loss is not computed.
    """

    run: str
    part: str
    examples: int
    loss: float
    metrics: Mapping[str, float]
    compared: list[Comparison]
    found: list[dict[str, Any]]
    members: Sequence[Mapping[str, float]] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the object that `--json` prints; what is undefined is null."""
        head = {"run": self.run, "part": self.part, "examples": self.examples, "loss": _number(self.loss)}
        metrics = {name: _number(value) for name, value in self.metrics.items()}
        each = [{name: _number(value) for name, value in member.items()} for member in self.members]
        return {**head, "metrics": metrics, "outputs": self.found, **({"members": each} if each else {})}


def figures_of(run: Run, examples: Arrays, part: str) -> Figures:
    """Return the figures of prepared examples; `part` is a part of the run's data, or a file."""
    with np.errstate(all="ignore"):
        own = own_figures(run, examples)
        compared = comparisons(run, examples)
    found = compared_figures(compared)
    count = len(next(iter(examples.values())))
    return Figures(run.name, PARTS.get(part, part), count, float(own.pop("loss")), own, compared, found)


def own_figures(run: Run, examples: Arrays) -> dict[str, float]:
    """Return the loss and the spec's metrics of prepared examples."""
    with np.errstate(all="ignore"):
        return dict(run.module.evaluate(dict(run.kept.params), examples, run.kept.scaling))


def compared_figures(compared: Sequence[Comparison]) -> list[dict[str, Any]]:
    """Return the objects of `--json` of what is compared."""
    with np.errstate(all="ignore"):
        return [_of(one) for one in compared]


def _of(one: Comparison) -> dict[str, Any]:
    head = {"output": one.output, "target": one.target}
    more, whole = _of_classes(one) if isinstance(one, Classes) else ({"kind": "numbers"}, _number_figures(one))
    scalars = {name: _number(figure(one.weights)) for name, figure in whole.items()}
    if isinstance(one, Numbers):
        scalars["max_error"] = _number(errors.max_error(one.values, one.actual))
    found = {**head, **more, "figures": scalars}
    if len(one.actual) >= INTERVAL_FROM:
        found["intervals"] = {name: _interval(name, figure, one) for name, figure in whole.items()}
    return found


def _interval(name: str, figure: Figure, one: Comparison) -> list[float] | None:
    """Return the interval of a figure: of a share of right examples as such, of any other by resampling."""
    count, is_share = len(one.actual), name == "accuracy" or name.startswith("top_")
    if is_share and one.weights is None:
        find = intervals.interval_of_share(figure(None), count)
    else:
        find = intervals.interval(figure, count, one.weights)
    return [*find] if all(map(math.isfinite, find)) else None


def _of_classes(one: Classes) -> tuple[dict[str, Any], dict[str, Figure]]:
    """Return what is said of each class, and the figures of all together."""
    count, actual = one.scores.shape[1], one.actual.astype(int)
    confusion = classes.confusion_matrix(one.predicted, actual, count, one.weights)
    each = classes.by_class(confusion)
    areas = ranking.roc_auc_by_class(one.scores, actual, one.weights)
    rows = [
        {"class": label, "examples": _count(n), "precision": _number(p), "recall": _number(r), "f1": _number(f)}
        | {"roc_auc": _number(area)}
        for label, n, p, r, f, area in zip(
            one.labels, each.support, each.precision, each.recall, each.f1, areas, strict=True
        )
    ]
    more: dict[str, Any] = {
        "kind": "classes",
        "confusion": [[_count(n) for n in row] for row in confusion],
        "classes": rows,
    }
    if one.probable:
        curve = one.calibration(one.weights)
        more["calibration"] = {
            "predicted": curve.predicted.tolist(),
            "observed": curve.observed.tolist(),
            "examples": [_count(n) for n in curve.weight],
        }
    return more, _class_figures(one, actual, count)


def _class_figures(one: Classes, actual: Array, count: int) -> dict[str, Figure]:
    predicted = one.predicted

    def matrix(weights: Array | None) -> Array:
        return classes.confusion_matrix(predicted, actual, count, weights)

    found: dict[str, Figure] = {
        "accuracy": lambda w: classes.accuracy(matrix(w)),
        "balanced_accuracy": lambda w: classes.balanced_accuracy(matrix(w)),
        "macro_f1": lambda w: classes.macro_f1(matrix(w)),
        "roc_auc": lambda w: _area(one, actual, w),
    }
    for k in FEW:
        if k < count:
            found[f"top_{k}"] = partial(ranking.top_k, one.scores, actual, k)
    if one.probable:
        half = 2 if count == 2 else 1  # of two classes Brier's score is that of one of them
        found["brier"] = lambda w: calibration.brier(one.scores, actual, w) / half
        found["calibration_error"] = lambda w: one.calibration(w).error
    return found


def _area(one: Classes, actual: Array, weights: Array | None) -> float:
    """Return the area of the positive class, else the mean over the classes, each against all others."""
    if one.scores.shape[1] == 2:
        return ranking.roc_auc(one.scores[:, 1], actual == 1, weights)
    return float(np.mean(ranking.roc_auc_by_class(one.scores, actual, weights)))


def _number_figures(one: Numbers) -> dict[str, Figure]:
    of = {
        "mae": errors.mean_absolute_error,
        "rmse": errors.root_mean_squared_error,
        "r2": errors.r2,
        "mean_error": errors.mean_error,
    }
    return {name: partial(figure, one.values, one.actual) for name, figure in of.items()}


def _number(value: float) -> float | None:
    """Return a number that JSON can hold."""
    value = float(value)
    if not math.isfinite(value):
        return None
    return value


def _count(value: float) -> float | int:
    """Return how many, without a point where that is whole: weights may make it fractional."""
    return int(value) if float(value).is_integer() else float(value)
