"""`dotnn train` of an ensemble: one member after the other, each a run of its own, in a run folder of runs."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np

from dotnn import __version__
from dotnn.commands.seeing.ensemble import Ensemble
from dotnn.commands.seeing.figures import Figures
from dotnn.commands.training.prepare import Prepared, Request, digest_of_training, prepare, seed_of
from dotnn.commands.training.run import Done, train_prepared
from dotnn.model.settings.ensemble import Bag
from dotnn.reports.console import show_json
from dotnn.reports.figures import number
from dotnn.reports.training import EXIT_CODES, INTERRUPTED, RunResult
from dotnn.running.combining import Together, member_names
from dotnn.running.resume import resumed_folder
from dotnn.running.run_files import run_errors, run_path, used_files
from dotnn.session import Compilation
from dotnn_runtime.run_folder import RunFolder
from dotnn_runtime.script.lock import locked


def train_ensemble(begun: Compilation, asked: Request) -> int:
    """Train all members, measure what they say together, report. Returns the exit code."""
    ready = prepare(begun, asked)
    bag: Bag = ready.model.train.setting("ensemble")
    path = run_path(asked.run_dir, ready.model.source.path)
    names, started = member_names(bag.members), time.perf_counter()
    with ExitStack() as stack:
        with run_errors(asked.run_dir):
            stack.enter_context(locked(path))
            folder = _opened(path, ready, asked, names)
        done: list[Done] = []
        for index, name in enumerate(names):
            done.append(_trained(ready, asked, path / name, index))
            if done[-1].history.stopped_by == INTERRUPTED:
                return _interrupted(done[-1], asked)
            _say(name, len(names), done[-1].result, quiet=asked.as_json)
        result = _measured(folder, path, [one.result for one in done])
        result["seconds"] = round(time.perf_counter() - started, 3)
        with run_errors(asked.run_dir):
            folder.write_metrics(result)
    if asked.as_json:
        show_json(result)
    else:
        _show(ready, result)
    return max(one.code for one in done)


def _opened(path: Path, ready: Prepared, asked: Request, names: list[str]) -> RunFolder:
    """Return the folder of the runs, the one to continue or a new one, with the spec in it."""
    folder = resumed_folder(path, ready.training) if asked.resume else None
    if folder is None:
        own = {"members": names, "together": Together.of(ready.model).as_json()}
        info = {**ready.training.info, **own}
        folder = RunFolder.create(path, version=__version__, overwrite=asked.overwrite, info=info)
    folder.write_spec(ready.model.source.text)
    for name, text in used_files(ready.model.source).items():
        folder.write_used(name, text)
    return folder


def _trained(ready: Prepared, asked: Request, path: Path, member: int) -> Done:
    """Train one member: the same training with another seed."""
    seed = seed_of(ready.model, asked) + member
    training = replace(ready.training, more={**ready.training.more, "seed": seed})
    made_of = digest_of_training(ready.parts, training)
    own = replace(asked, run_dir=str(path), seed=seed, as_json=True)
    return train_prepared(replace(ready, training=training, made_of=made_of, shared=True), own, path)


def _interrupted(done: Done, asked: Request) -> int:
    if asked.as_json:
        show_json(done.result)
    return done.code


def _say(name: str, count: int, result: RunResult, *, quiet: bool) -> None:
    if not quiet:
        shown = {"loss": result["loss"], "val_loss": result["val_loss"], **result["metrics"]}
        told = "  ".join(f"{key} {number(value)}" for key, value in shown.items() if value is not None)
        click.echo(f"{name} of {count}: {result['epochs']} epoch{'s' * (result['epochs'] != 1)}  {told}")


def _measured(folder: RunFolder, path: Path, results: list[RunResult]) -> dict[str, Any]:
    """Return the result of an ensemble: what its members reach each, and together."""
    ensemble = Ensemble.open(folder)
    parts = ensemble.run.parts()
    outside = ensemble.out_of_bag(dict(parts["train"]))
    found = {part: ensemble.figures(dict(parts[part]), part) for part in ("val", "test") if part in parts}
    metrics = {f"oob_{name}": value for name, value in (outside.metrics.items() if outside else ())}
    metrics |= {f"{part}_{name}": v for part, figures in found.items() for name, v in figures.metrics.items()}
    keys = ("epochs", "stopped_by", "loss", "val_loss", "metrics", "best_epoch")
    return {
        "run": str(path),
        "target": results[0]["target"],
        "epochs": max(r["epochs"] for r in results),
        "stopped_by": next((r["stopped_by"] for r in results if r["stopped_by"] in EXIT_CODES), "epochs"),
        "loss": _mean([r["loss"] for r in results]),
        "val_loss": _mean([r["val_loss"] for r in results]),
        "metrics": {name: _finite(value) for name, value in metrics.items()},
        "out_of_bag": _figures(outside),
        "members": [{key: r[key] for key in keys} for r in results],  # type: ignore[literal-required]
        "parameters": sum(r["parameters"] for r in results),
        "set": results[0]["set"],
    }


def _figures(figures: Figures | None) -> dict[str, Any] | None:
    return None if figures is None else {"examples": figures.examples, "outputs": figures.as_json()["outputs"]}


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if len(known) == len(values) else None


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _show(ready: Prepared, result: dict[str, Any]) -> None:
    bag = ready.model.train.setting("ensemble")
    click.echo(f"{ready.model.name}: {bag.members} members, together by {bag.combine}")
    for name, value in result["metrics"].items():
        click.echo(f"  {name} {number(value)}")
    for output in (result["out_of_bag"] or {"outputs": []})["outputs"]:
        told = "  ".join(f"{name} {number(value)}" for name, value in output["figures"].items())
        click.echo(f"  out of bag, {output['output']} against {output['target']}: {told}")
    click.echo(f"run folder: {result['run']}")
