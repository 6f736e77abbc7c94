"""`dotnn train`: run the generated script and keep what it leaves behind."""

from __future__ import annotations

import difflib
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import numpy as np

from dotnn import __version__
from dotnn.core.diagnostics import CompileError, Diagnostic, render
from dotnn.ir.graph import Graph
from dotnn.model.identity import training_identity
from dotnn.model.lint import batches_of_one
from dotnn.model.model import Model
from dotnn.reports.console import show_json, warn
from dotnn.running.scripts import load_module, require, run_script
from dotnn.running.spec_files import from_data_error, load_examples, own_error, plain_message
from dotnn.session import Options, compile_model
from dotnn.targets.numpy.script import is_unchanged
from dotnn_runtime.interrupt import EpochEnds, Interrupted
from dotnn_runtime.plots import loss_png
from dotnn_runtime.progress import TrainingProgress, format_record
from dotnn_runtime.run_folder import FILES, MANIFEST, RunFolder, RunFolderError, fresh_run_dir, weight_shapes
from dotnn_runtime.script.checkpoint import resumed_state, save_checkpoint
from dotnn_runtime.script.errors import DataError
from dotnn_runtime.script.files import remove_leftovers
from dotnn_runtime.script.lock import locked
from dotnn_runtime.script.split import round_to_sum

INTERRUPTED = "Ctrl-C"
EXIT_CODES = {"diverged": 3, INTERRUPTED: 1}
"""How a training ended that did not end well."""


def train_model(
    model: Model,
    *,
    target: str,
    run_dir: str | None,
    data: str | None,
    style: str,
    epochs: int | None,
    overwrite: bool,
    resume: bool,
    as_json: bool,
    sets: tuple[str, ...],
) -> int:
    """Compile, train, write the run folder, report. Returns the exit code.

    With `resume` the training goes on from the run's checkpoint, if the folder holds a run.
    """
    require(target)
    if epochs is not None:
        model = replace(model, train=replace(model.train, epochs=epochs))
    if resume:
        _check_resumable(run_dir, model)
    examples, labels = load_examples(model, data)
    _warn_of_batches_of_one(model, examples)
    compiled = compile_model(model, Options(style, sets, target=target, epochs=epochs or 0))
    tried = _tried(model, compiled.script if target == "numpy" else "", examples)
    path = _run_path(run_dir, model.source.path)
    identity = training_identity(model, target, style)
    info = {"training": identity, "target": target, "set": _values(model, sets)}
    with ExitStack() as stack:
        with _writing(run_dir):
            stack.enter_context(locked(path))
            folder = _continued(path, model, identity) if resume else None
            begun = folder is not None
            if folder is None:
                folder = RunFolder.create(path, version=__version__, overwrite=overwrite, info=info)
            saving = _saving(folder, tried, model, begun)
            _begin(folder, model, compiled.script, labels)
            module = tried if target == "numpy" else load_module(folder.path / "model.py")
        finished = _say_where_it_goes_on(folder, saving, model.train.epochs)
        started = time.perf_counter()
        params, history = _run(module, model, examples, as_json or finished, saving)
        result = {**_result(model, folder, target, history, time.perf_counter() - started), "set": info["set"]}
        with _writing(run_dir):
            _keep(folder, module, params, history, result)
            if target == "tensorflow":
                _keep_model(module.build_model(params), folder.claim("model.keras"))
    if as_json:
        show_json(result)
    else:
        _say(model, compiled.graph, folder, history, result)
    return EXIT_CODES.get(history.stopped_by, 0)


def _values(model: Model, sets: tuple[str, ...]) -> dict[str, Any]:
    """Return what `--set` has set, as the values that the model was made with."""
    names = {text.partition("=")[0].strip() for text in sets}
    return {name: value for name, value in model.constants.items() if name in names}


def _warn_of_batches_of_one(model: Model, examples: dict[str, np.ndarray]) -> None:
    """Warn of batch statistics over one example, where only the data show that there are any."""
    count = _training_examples(model, len(next(iter(examples.values()))))
    size = min(model.train.batch or count, count)
    which = "the only batch" if count == 1 else "the last batch of every epoch"
    if model.train.batch != 1 and size and (count % size or size) == 1:
        warn(tuple(render(warning, model.source) for warning in batches_of_one(model, which)))


def _training_examples(model: Model, count: int) -> int:
    """Return how many of so many examples are trained on."""
    if model.data is None or model.data.split is None:
        return count
    shares = {part: share for part, share in model.data.split.fractions.items() if share}
    sizes = round_to_sum(count * np.array([*shares.values()]), count)
    return int(sizes[[*shares].index("train")])


def _tried(model: Model, script: str, examples: dict[str, np.ndarray]) -> ModuleType:
    """Return a NumPy script of the model that has prepared the examples: what it refuses must not cost an earlier run.

    Raises `CompileError` where it refuses them.
    """
    module = run_script(script or compile_model(model, Options()).script, "dotnn_tried")
    try:
        with np.errstate(all="ignore"):
            module.prepare(dict(examples), np.float32)
    except Exception as error:
        known = own_error(error)
        if not isinstance(known, DataError):
            raise
        raise _refused(known, model) from None
    return module


def _refused(error: DataError, model: Model) -> CompileError:
    span = model.data.source.span if model.data and model.data.source else None
    return CompileError([from_data_error(error, span)], model.source)


def _begin(folder: RunFolder, model: Model, script: str, labels: dict[str, list[str]]) -> None:
    folder.write_spec(model.source.text)
    folder.write_script(script)
    if labels:
        folder.write_labels(labels)


# ---------------------------------------------------------------------------------------------------- checkpoints


def _check_resumable(run_dir: str | None, model: Model) -> None:
    """Raise `CompileError` where no run could be gone on with."""
    if run_dir is None:
        raise _cannot_resume("--resume needs the run to go on with", "name it: --run DIR")
    if model.train.checkpoint is None:
        raise _cannot_resume("the spec saves no checkpoints", "add one to its train section: checkpoint = every(1)")


def _continued(path: Path, model: Model, identity: str) -> RunFolder | None:
    """Return the run to go on with, None where there is none yet. Raises `CompileError` where it is another's run."""
    if not (path / "run.json").exists():
        click.echo(f"{path}: no run yet, starting one", err=True)
        return None
    folder = RunFolder.open(path)
    remove_leftovers(path, (*FILES, MANIFEST))
    if folder.manifest.get("training", identity) != identity:
        help = f"restore it, or start another run; {_what_changed(path / 'spec.nn', model.source.text)}"
        raise _cannot_resume(f"the run {path} was begun with another network or regime", help)
    script = path / "model.py"
    if script.is_file() and not is_unchanged(script.read_bytes().decode("utf-8", "replace")):
        raise _cannot_resume(f"{script} is not as dotnn wrote it", "move it away: it would be written anew")
    return folder


def _cannot_resume(message: str, help: str) -> CompileError:
    return CompileError([Diagnostic("NN505", message, help=help)])


def _what_changed(spec: Path, now: str) -> str:
    """Return the first lines of a spec that differ from those of the run."""
    before = spec.read_text(encoding="utf-8", errors="replace") if spec.is_file() else ""
    changes = difflib.unified_diff(before.splitlines(), now.splitlines(), n=0, lineterm="")
    changed = [line for line in changes if line[1:].strip() and not line.startswith(("---", "+++", "@@"))]
    code = [line for line in changed if not line[1:].lstrip().startswith("#")]
    if not code:
        return "the spec says the same: --style, --target or --set differ, or dotnn itself"
    old, new = (next((line[1:].strip() for line in code if line.startswith(sign)), "nothing") for sign in "-+")
    return f"the spec said {old}\n        it now says   {new}"


def _saving(folder: RunFolder, module: ModuleType, model: Model, begun: bool) -> dict[str, Any]:
    """Return what `train` of the script is told of checkpoints: where they go, and the state to go on from."""
    checkpoint = model.train.checkpoint
    if checkpoint is None:
        return {}
    try:
        state = resumed_state(folder.path, weight_shapes(module), resume=True) if begun else None
        if begun and state is None and (folder.path / "weights.npz").exists():
            raise _cannot_resume(f"the run {folder.path} has no checkpoint any more", "train again with --overwrite")
        if state is not None and len(state["history"]) > model.train.epochs:
            trained = len(state["history"])
            raise _cannot_resume(f"the run has trained {trained} epochs already", "resume it with more --epochs")
    except DataError as error:
        raise _cannot_resume(plain_message(error), error.help) from None
    folder.claim("checkpoint.npz")
    if checkpoint.best_by:
        folder.claim("best.npz")

    def save(state: dict[str, Any]) -> None:
        save_checkpoint(folder.path, state, every=checkpoint.every, best_by=checkpoint.best_by, model=module.MODEL)

    return {"checkpoint": save, "resume": state}


def _say_where_it_goes_on(folder: RunFolder, saving: dict[str, Any], epochs: int) -> bool:
    """Return whether a run that is resumed has nothing left to train."""
    if not saving or not saving["resume"]:
        return False
    trained = len(saving["resume"]["history"])
    what = f"going on after epoch {trained}" if trained < epochs else f"nothing to do, it has trained {trained} epochs"
    click.echo(f"{folder.path}: {what}", err=True)
    return trained >= epochs


def _run_path(run_dir: str | None, spec: str) -> Path:
    return Path(run_dir) if run_dir else fresh_run_dir("runs", Path(spec).stem.strip("<>"))


@contextmanager
def _writing(run_dir: str | None) -> Iterator[None]:
    """Turn what can go wrong with the files of a run into a diagnostic."""
    try:
        yield
    except RunFolderError as error:
        message = str(error).removesuffix(f" ({error.help})")
        if error.path.is_dir() and (error.path / "run.json").exists():
            help = "choose another --run, go on with it with --resume, or replace it with --overwrite"
        else:
            help = error.help or "choose another --run"
        raise CompileError([Diagnostic("NN504", message, help=help)]) from None
    except DataError as error:
        raise CompileError([Diagnostic("NN504", f"{error.path}: {plain_message(error)}", help=error.help)]) from None
    except OSError as error:
        message = f"cannot write the run {run_dir or ''}: {error.strerror or error}"
        raise CompileError([Diagnostic("NN504", message, help="check the disk and the folder's permissions")]) from None


def _run(
    module: ModuleType, model: Model, examples: dict[str, np.ndarray], quiet: bool, saving: dict[str, Any]
) -> tuple[Any, Any]:
    try:
        with (
            TrainingProgress(model.train.epochs, title=model.name, quiet=quiet) as progress,
            EpochEnds(progress) as epoch_ends,
            np.errstate(all="ignore"),
        ):
            params, history = module.train(examples, on_epoch=epoch_ends, **saving)
            return params, history
    except (KeyboardInterrupt, Interrupted) as ended:
        if saving:
            click.echo("\nto go on with this run, give the same command again with --resume", err=True)
        if saving or isinstance(ended, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        return _so_far(module, examples, ended)
    except Exception as error:
        known = own_error(error)
        if not isinstance(known, DataError):
            raise
        raise _refused(known, model) from None


def _so_far(module: ModuleType, examples: dict[str, np.ndarray], ended: Interrupted) -> tuple[Any, Any]:
    """Return the parameters and the history of a training that was interrupted."""
    history = module.History(module.prepare(examples)[1])
    history.extend(ended.records)
    history.stopped_by = INTERRUPTED
    return {name: np.array(w) for name, w in ended.params.items()}, history


def _result(model: Model, folder: RunFolder, target: str, history: Any, seconds: float) -> dict[str, Any]:
    best = history[history.best_epoch - 1] if history.best_epoch else history[-1]
    metrics = {k: v for k, v in best.items() if k not in ("epoch", "loss", "val_loss")}
    metrics |= {f"test_{k}": v for k, v in history.test.items()}
    return {
        "run": str(folder.path),
        "target": target,
        "epochs": len(history),
        "stopped_by": history.stopped_by,
        "loss": _finite(best["loss"]),
        "val_loss": _finite(best.get("val_loss")),
        "metrics": {k: _finite(v) for k, v in metrics.items()},
        "best_epoch": history.best_epoch or len(history),
        "parameters": model.size,
        "seconds": round(seconds, 3),
    }


def _finite(value: float | None) -> float | None:
    """Return a number that JSON can hold."""
    return None if value is None or not np.isfinite(value) else float(value)


def _keep(
    folder: RunFolder, module: ModuleType, params: dict[str, np.ndarray], history: Any, result: dict[str, Any]
) -> None:
    folder.write_weights(params, module.MODEL)
    if history.scaling:
        folder.write_scaling(history.scaling)
    folder.write_history(list(history))
    folder.write_metrics(result)
    png = loss_png(list(history), title=str(folder.path.name))
    if png is not None:
        folder.write_plot(png)


def _keep_model(model: Any, path: Path) -> None:
    """Save a Keras model as a whole or not at all: a kill meanwhile leaves the old one."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp.keras")  # Keras goes by the ending
    model.save(temporary)
    os.replace(temporary, path)


def _culprit(model: Model, graph: Graph, name: str) -> str:
    """Return what was not finite first, and where it stands in the spec."""
    spans = {value.name: node.span for node in graph.phase("forward") for value in node.outs}
    spans |= {full: p.span for full, p in model.params.items()}
    span = spans.get(name.rpartition(" of ")[2], model.train.losses[0].span)
    line = f" ({model.source.path}:{model.source.line_of(span)})" if span else ""
    return f"{name or 'the loss'} is not finite{line}"


def _say(model: Model, graph: Graph, folder: RunFolder, history: Any, result: dict[str, Any]) -> None:
    from dotnn_runtime.curves import text_curve

    losses = [r["loss"] for r in history if np.isfinite(r["loss"])]
    if len(losses) > 1:
        click.echo(text_curve(losses))
    if history.stopped_by == "diverged":
        click.echo(
            f"{model.name} diverged in epoch {len(history)}: {_culprit(model, graph, history.diverged_at)}", err=True
        )
        click.echo("  help: lower the learning rate, scale the data, or start from smaller weights", err=True)
    if history.stopped_by == INTERRUPTED:
        click.echo("  help: a spec that says checkpoint = every(1) can be gone on with; this run can predict", err=True)
    ended = "" if history.stopped_by == "epochs" else f", ended by: {history.stopped_by}"
    kept = f"; kept the parameters of epoch {history.best_epoch}, the best" if history.best_epoch else ""
    click.echo(f"{model.name}: {result['epochs']} epoch{'s' * (len(history) != 1)}{ended}{kept}")
    shown = {"loss": result["loss"], "val_loss": result["val_loss"], **result["metrics"]}
    click.echo(format_record({k: v for k, v in shown.items() if v is not None}, limit=20))
    click.echo(f"run folder: {folder.path}")
