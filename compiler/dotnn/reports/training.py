"""What `dotnn train` reports: the result of a run as one JSON object and as a few lines."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, Protocol, TypedDict

import click
import numpy as np

from dotnn.ir.graph import Graph
from dotnn.model.model import EarlyStop, Model, Train
from dotnn.reports.console import columns, say
from dotnn_runtime.curves import text_curve
from dotnn_runtime.progress import format_record

INTERRUPTED = "Ctrl-C"
DIVERGED = "diverged"
WIDEST, BESIDE = 64, 20
"""A curve in text is as wide as that, and has its scale and the number of epochs beside it."""
EXIT_CODES = {DIVERGED: 3, INTERRUPTED: 1}
"""The exit codes of trainings that did not end well."""


class History(Protocol):
    """The records of a training, one per epoch, and how it ended: `script.history.History`, of any script."""

    stopped_by: str
    best_epoch: int
    test: dict[str, float]
    diverged_at: str
    scaling: dict[str, dict[str, np.ndarray]]

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[dict[str, float]]: ...


class TrainingResult(TypedDict):
    """What a training has reached: the figures are those of the best epoch, None where they are not finite."""

    epochs: int
    stopped_by: str
    loss: float | None
    val_loss: float | None
    metrics: dict[str, float | None]
    best_epoch: int
    parameters: int


class RunResult(TrainingResult):
    """The same with where it is kept, how long it took in seconds, and the values of `--set`."""

    run: str
    target: str
    seconds: float
    set: dict[str, object]


def training_result(model: Model, history: History) -> TrainingResult:
    """Return what a training has reached, as it goes into `metrics.json`."""
    best = _best(list(history), history.best_epoch)
    metrics = {k: v for k, v in best.items() if k not in ("epoch", "loss", "val_loss")}
    metrics |= {f"test_{k}": v for k, v in history.test.items()}
    return {
        "epochs": len(history),
        "stopped_by": history.stopped_by,
        "loss": _finite(best.get("loss")),
        "val_loss": _finite(best.get("val_loss")),
        "metrics": {k: _finite(v) for k, v in metrics.items()},
        "best_epoch": history.best_epoch or len(history),
        "parameters": model.size,
    }


def _best(records: Sequence[dict[str, float]], epoch: int) -> Mapping[str, float]:
    """Return the record of the best epoch, where there is one of the last; {} for a training without a whole epoch."""
    return (records[epoch - 1] if epoch else records[-1]) if records else {}


def _finite(value: float | None) -> float | None:
    """Return a number that JSON can hold."""
    return None if value is None or not np.isfinite(value) else float(value)


def leading_metric(train: Train) -> tuple[str, Literal["min", "max"]]:
    """Return the metric that tells most of a training, and what is better of it: what stops it, else the first one."""
    watched = [stop.quantity.removeprefix("val_") for stop in train.stops if isinstance(stop, EarlyStop)]
    better = {one.key: one.metric.better for one in train.metrics}
    name = next((key for key in [*watched, *better] if key in better), "")
    return name, "max" if better.get(name) == "max" else "min"


def show_training(model: Model, graph: Graph, history: History, result: RunResult) -> None:
    """Print the curve and the figures on stdout; on stderr, what went wrong and what to do."""
    losses = [r["loss"] for r in history if np.isfinite(r["loss"])]
    if len(losses) > 1:
        click.echo(text_curve(losses, width=max(min(WIDEST, (columns(sys.stdout) or WIDEST + BESIDE) - BESIDE), 1)))
    for line in _advice(model, graph, history):
        say(line, err=True)
    ended = "" if history.stopped_by == "epochs" else f", ended by: {history.stopped_by}"
    kept = f"; kept the parameters of epoch {history.best_epoch}, the best" if history.best_epoch else ""
    say(f"{model.name}: {result['epochs']} epoch{'s' * (len(history) != 1)}{ended}{kept}")
    shown = {"loss": result["loss"], "val_loss": result["val_loss"], **result["metrics"]}
    say(format_record({k: v for k, v in shown.items() if v is not None}, limit=20))
    say(f"run folder: {result['run']}")


def _advice(model: Model, graph: Graph, history: History) -> list[str]:
    """Return what to do about a training that did not end well."""
    if history.stopped_by == DIVERGED:
        culprit = _culprit(model, graph, history.diverged_at)
        return [
            f"{model.name} diverged in epoch {len(history)}: {culprit}",
            "  help: lower the learning rate, scale the data, or start from smaller weights",
        ]
    if history.stopped_by == INTERRUPTED:
        return ["  help: a spec with checkpoint = every(1) can be continued; this run can only predict"]
    return []


def _culprit(model: Model, graph: Graph, name: str) -> str:
    """Return what was not finite first, and the line of the spec that it comes from."""
    spans = {value.name: node.span for node in graph.phase("forward") for value in node.outs}
    spans |= {full: p.span for full, p in model.params.items()}
    span = spans.get(name.rpartition(" of ")[2], model.train.losses[0].span)
    line = f" ({model.source.at(span.start)[0].path}:{model.source.line_of(span)})" if span else ""
    return f"{name or 'the loss'} is not finite{line}"
