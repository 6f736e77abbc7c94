"""The figures of merit of a run, as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

MOST_CLASSES = 20
"""A confusion matrix of more classes is left to --json."""
WORDS = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "F1, mean over classes",
    "roc_auc": "area under the ROC curve",
    "top_2": "top-2 accuracy",
    "top_3": "top-3 accuracy",
    "top_5": "top-5 accuracy",
    "brier": "Brier score",
    "calibration_error": "calibration error",
    "mae": "mean absolute error",
    "rmse": "root mean squared error",
    "r2": "R²",
    "mean_error": "mean error",
    "max_error": "largest error",
}


LESS_IS_BETTER = ("brier", "calibration_error", "mae", "rmse", "mean_error", "max_error")


def figures_text(found: Mapping[str, Any]) -> str:
    """Return the object of `--json` as lines of text."""
    many = f"{found['examples']} example{'s' if found['examples'] != 1 else ''}"
    own = {"loss": found["loss"], **found["metrics"]}
    lines = [f"{found['run']}: {found['part']}, {many}", *_head(own, found.get("members", []))]
    for output in found["outputs"]:
        lines += ["", f"{output['output']} against {output['target']}", *_figures(output)]
        if output["kind"] == "classes":
            lines += ["", *_confusion(output), "", *_classes(output)]
    return "\n".join(lines)


def _head(own: Mapping[str, float | None], members: Sequence[Mapping[str, float | None]]) -> Iterator[str]:
    """Yield the line of the loss and the metrics, of an ensemble those of its members behind it."""
    yield "  ".join(f"{name} {number(v)}" for name, v in own.items() if name != "loss" or not members)
    if members:
        ends = {name: sorted(m[name] or 0.0 for m in members if m[name] is not None) for name in members[0]}
        each = (f"{name} {number(v[0])} to {number(v[-1])}" for name, v in ends.items() if v)
        yield f"each of {len(members)} members: {'  '.join(each)}"


def number(value: float | None) -> str:
    """Return a number with four digits, "undefined" for None."""
    return "undefined" if value is None else f"{value:.4g}"


def _figures(output: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each figure, with its interval."""
    intervals = output.get("intervals", {})
    width = max(len(WORDS[name]) for name in output["figures"])
    for name, value in output["figures"].items():
        known = intervals.get(name)
        line = f"  {WORDS[name]:<{width}}  {number(value):>9}"
        yield line + (f"   95% interval {number(known[0])} to {number(known[1])}" if known else "")


def _confusion(output: Mapping[str, Any]) -> Iterator[str]:
    labels = [one["class"] for one in output["classes"]]
    if len(labels) > MOST_CLASSES:
        yield f"  confusion matrix: {len(labels)} classes, see --json"
        return
    rows = [[label, *map(_count, row)] for label, row in zip(labels, output["confusion"], strict=True)]
    yield from _aligned([["true \\ predicted", *labels], *rows])


def _classes(output: Mapping[str, Any]) -> list[str]:
    heads = ["class", "examples", "precision", "recall", "f1", "roc_auc"]
    rows = [
        [str(one["class"]), _count(one["examples"]), *(number(one[key]) for key in heads[2:])]
        for one in output["classes"]
    ]
    return _aligned([[*heads[:4], "F1", "ROC AUC"], *rows])


def _count(value: float) -> str:
    return str(value) if isinstance(value, int) else number(value)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a table: names to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  " + "  ".join([f"{row[0]:<{widths[0]}}", *(f"{c:>{w}}" for c, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    ]
