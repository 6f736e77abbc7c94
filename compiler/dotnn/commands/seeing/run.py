"""A finished run, opened: the model that it was compiled from, what it has learned, and the data beside it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import numpy as np

from dotnn.codegen.data import PLACE
from dotnn.codegen.heading import is_unchanged, read_heading
from dotnn.core.arguments import Bound
from dotnn.core.diagnostics import CompileError, Diagnostic
from dotnn.library.inits import INITS
from dotnn.model.model import Model
from dotnn.reports.seen import double
from dotnn.running.preparing import places_of_parts, prepared_again, with_places
from dotnn.running.run_contents import Kept, check_finished, faults_of_runs, history_of, kept_in, result_of, script_text
from dotnn.running.scripts import load_module, run_script
from dotnn.running.snapshots import first_of, snapshots_of
from dotnn.running.spec_files import Arrays, load_examples, load_others, refusals
from dotnn.session import Compilation
from dotnn.targets import PROVEN, TARGETS
from dotnn_runtime.run_folder import RunFolder
from dotnn_runtime.script.digest import digest_of


@dataclass(frozen=True)
class Run:
    """A finished run of any target. Its network is run by the fast NumPy script, compiled anew from its spec.

    `begun` is that spec, `kept` what the training has left, `history` a record for each epoch, `result` what
    `metrics.json` says; the parameters `of_files` started from a file. `facts` are how the script in its folder was
    compiled: `spec`, as the command line named it, `target`, `style`, `epochs` if given. `known` are the prepared parts
    of the data, where they need not be read again; `taken` are snapshots that are in no file.
    """

    folder: RunFolder
    begun: Compilation
    module: ModuleType
    kept: Kept
    history: list[dict[str, float]]
    result: dict[str, Any]
    of_files: frozenset[str] = frozenset()
    facts: Mapping[str, Any] = field(default_factory=dict)
    known: Mapping[str, Arrays] | None = None
    taken: Mapping[int, Arrays] | None = None

    @classmethod
    def open(cls, path: str) -> Run:
        """Read a run. Raises `CompileError` for what is none, is not finished, or is damaged."""
        with faults_of_runs():
            folder = RunFolder.open(path)
            check_finished(folder)
            script = script_text(folder)
            facts = read_heading(script)
            begun, of_files = _without_files(_begun(folder, facts.get("epochs")))
            module = run_script(begun.script(PROVEN.name, PROVEN.styles[-1].name), "dotnn_seen")
            kept = kept_in(folder, module)
            run = cls(folder, begun, module, kept, history_of(folder), result_of(folder), of_files, facts)
        if not is_unchanged(script):
            message = (
                f"warning: {folder.path / 'model.py'} was edited since dotnn wrote it; what follows is of its spec"
            )
            click.echo(message, err=True)
        return run

    @property
    def name(self) -> str:
        """What the run is called: its folder as the user names it."""
        return self.folder.path.as_posix()

    @property
    def model(self) -> Model:
        """The model."""
        return self.begun.model

    @property
    def dtype(self) -> np.dtype[Any]:
        """The precision of its parameters."""
        return next((w.dtype for w in self.kept.params.values()), np.dtype(float))

    def start(self, parts: Mapping[str, Arrays]) -> Arrays:
        """Return the parameters with which the training began, in float64; `parts` is its data.

        Raises `CompileError` where they were another run's, and what is kept of them is damaged.
        """
        with faults_of_runs():
            if (first := first_of(self.folder, self.module)) is not None:
                return {name: double(w) for name, w in first.items()}
        seed = self.folder.manifest.get("seed")
        seed = seed if isinstance(seed, int) else self.model.train.seed
        params: Arrays = self.module.init_params(seed, np.float64)
        if self.of_files:
            target = TARGETS.get(str(self.folder.manifest.get("target")))
            own = load_module(self.folder.path / "model.py", target.needs if target else None)
            own.__file__ = self.spec_path  # beside it are the weights that are too many for a script
            with refusals(self.model):
                params |= {name: w for name, w in own.init_params(seed, np.float64).items() if name in self.of_files}
        if hasattr(self.module, "unit_variance"):
            params = self.module.unit_variance(params, {name: double(a) for name, a in parts["train"].items()})
        return params

    def snapshots(self) -> Iterator[tuple[int, Arrays]]:
        """Yield some epochs of the training in ascending order, and the parameters after each, in float64.

        Raises `CompileError` for a damaged one.
        """
        with faults_of_runs():
            found = snapshots_of(self.folder, self.module) if self.taken is None else self.taken.items()
            for epoch, params in found:
                yield epoch, {name: w.astype(float) for name, w in params.items()}

    @property
    def spec_path(self) -> str:
        """The spec that it was trained from, as the command line named it."""
        return str(self.facts.get("spec", ""))

    def parts(self, data: str | None = None) -> Mapping[str, Arrays]:
        """Return the parts of the data that it was trained on, prepared anew: "train", "val", "test".

        `data` is a file or folder in place of the one that the training read. Raises `CompileError`.
        """
        return self._prepared if data is None else self._parts(data)

    @cached_property
    def _prepared(self) -> Mapping[str, Arrays]:
        return self._parts(self.source) if self.known is None else _as_arrays(self.known)

    def measured(self, file: str | None) -> tuple[Arrays, str]:
        """Return the prepared examples that say most about new ones, or those of a file, and what part they are.

        Large inputs are `Rows` of their array.
        """
        if file is not None:
            return self.examples(file)[0], file
        parts = self._read(self.source) if self.known is None else self.known
        part = held_out(parts)
        return self._measured(parts[part]), part

    def _measured(self, examples: Arrays) -> Arrays:
        return {name: a if name in self.model.inputs else np.asarray(a) for name, a in examples.items()}

    def places(self) -> Mapping[str, np.ndarray]:
        """Return where the examples of each part are in its file, from 0, as `places_of_parts`. `CompileError`."""
        raw, _ = load_examples(self.model, self.source)
        with refusals(self.model), np.errstate(all="ignore"):
            return places_of_parts(self.model, self.module, raw)

    def _parts(self, given: str | None) -> Mapping[str, Arrays]:
        return _as_arrays(self._read(given))

    def _read(self, given: str | None) -> Mapping[str, Arrays]:
        """Return the parts as the script prepares them: large arrays are `Rows`."""
        examples, _ = load_examples(self.model, given)
        if self.folder.manifest.get("examples") not in (None, digest_of(examples)):
            click.echo(f"warning: the data are not those that {self.name} was trained on", err=True)
        with refusals(self.model), np.errstate(all="ignore"):
            parts: Mapping[str, Arrays] = self.module.prepare(dict(examples), self.dtype, copy=False)[0]
        return parts

    def examples(self, file: str) -> tuple[Arrays, np.ndarray]:
        """Return all examples of another file, prepared as those of the run were, and their places in it, from 0.

        Large inputs are `Rows` of their array. Raises `CompileError`.
        """
        raw = with_places(load_others(self.model, file, self.kept.labels))
        with refusals(self.model), np.errstate(all="ignore"):
            found = prepared_again(self.model, raw, self.kept.scaling, self.dtype)
        places = np.asarray(found.pop(PLACE))
        return self._measured(found), places

    @property
    def source(self) -> str | None:
        """Where the data are: what --data named, else beside the spec, None for those within it. `CompileError`."""
        recorded = self.folder.manifest.get("data")
        if isinstance(recorded, str):
            return str(self._there(Path(recorded)))
        source = self.model.data.source if self.model.data else None
        if source is None:
            return None
        folder = Path(self.spec_path).parent if not self.spec_path.startswith("<") else Path()
        self._there(folder / source.path)
        return str(folder)

    def _there(self, path: Path) -> Path:
        if path.exists():
            return path
        message = f"the data that {self.name} was trained on are not there: {path}"
        help = "give the command in the folder of the training, or name the data: --data PATH"
        raise CompileError([Diagnostic("NN406", message, help=help)])


def _begun(folder: RunFolder, epochs: object) -> Compilation:
    """Return the compilation of the spec of a run, as it was set, with as many epochs as were asked for, if any."""
    begun = Compilation.read(str(folder.path / "spec.nn"), _settings(folder))
    return begun.with_epochs(epochs) if isinstance(epochs, int) else begun


def _settings(folder: RunFolder) -> list[str]:
    """Return what `--set` was given; an earlier version of dotnn kept the values alone."""
    settings, values = folder.manifest.get("settings"), folder.manifest.get("set")
    if isinstance(settings, list):
        return [text for text in settings if isinstance(text, str)]
    return [f"{name}={value}" for name, value in values.items()] if isinstance(values, dict) else []


def _as_arrays(parts: Mapping[str, Arrays]) -> dict[str, Arrays]:
    return {part: {name: np.asarray(values) for name, values in some.items()} for part, some in parts.items()}


def _without_files(begun: Compilation) -> tuple[Compilation, frozenset[str]]:
    """Return a compilation in which what starts from a file starts from 0, and its names: a run keeps no such file."""
    model, zeros = begun.model, Bound(INITS["zeros"], {})
    of_files = {name: replace(p, init=zeros) for name, p in model.params.items() if p.init.name == "file"}
    if not of_files:
        return begun, frozenset()
    without = replace(model, params={**model.params, **of_files})
    return Compilation.of(without, begun.sets, begun.warnings), frozenset(of_files)


def held_out(parts: Mapping[str, Arrays]) -> str:
    """Return the part of the data that says most about new examples."""
    return next(part for part in ("test", "val", "train") if part in parts)


def outputs_of(run: Run, examples: Arrays) -> Arrays:
    """Return the outputs of a run for prepared examples, in prediction mode and in the network's units."""
    params = {name: np.asarray(w) for name, w in run.kept.params.items()}
    with np.errstate(all="ignore"):  # the training may have diverged
        pieces = [_forward(run, params, some) for some in _pieces(examples)]
    return {name: np.concatenate([np.asarray(piece[name]) for piece in pieces]) for name in pieces[0]}


def _forward(run: Run, params: Arrays, examples: Arrays) -> Arrays:
    """Return the outputs for some examples: of sections that take turns each computes those that it needs."""
    sections = [{"section": turn.name} for turn in run.model.turns]
    found = [run.module.forward(params, examples, **section)[0] for section in sections or [{}]]
    return {name: values for outputs in found for name, values in outputs.items()}


AT_ONCE = 2**20
"""About so many numbers of examples are computed at once."""


def _pieces(examples: Arrays) -> Iterator[Arrays]:
    count = len(next(iter(examples.values())))
    length = max(1, AT_ONCE * count // max(1, sum(math.prod(a.shape) for a in examples.values())))
    for start in range(0, count, length):
        yield {name: a[start : start + length] for name, a in examples.items()}
