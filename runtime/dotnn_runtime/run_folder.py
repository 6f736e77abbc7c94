"""The folder of one training run: what is written, by whom, and nothing of anybody else's touched."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from dotnn_runtime.script.atomic import write_atomically
from dotnn_runtime.script.errors import DataError, reason_of
from dotnn_runtime.script.files import leftovers, remove_leftovers
from dotnn_runtime.script.labels import read_labels
from dotnn_runtime.script.scaling import scaling_to_json
from dotnn_runtime.script.storage import (
    json_checksum,
    load_scaling,
    load_weights,
    read_sealed_json,
    save_weights,
    write_history,
    write_json,
    write_sealed_json,
)

MANIFEST = "run.json"
FILES = (
    "spec.nn",
    "model.py",
    "weights.npz",
    "scaling.json",
    "history.csv",
    "metrics.json",
    "labels.json",
    "loss.svg",
    "model.keras",
    "checkpoint.npz",
    "best.npz",
    "validations.csv",
)
"""The files of a run, besides `run.json`; snapshots are called as `snapshot_file` says."""


class RunFolderError(Exception):
    """A run folder that cannot be made or read: the `path`, what is wrong, and the likely fix (`help`)."""

    def __init__(self, message: str, path: str | Path, help: str = "") -> None:
        self.path, self.help = Path(path), help
        super().__init__(f"{path}: {message}" + (f" ({help})" if help else ""))


def fresh_run_dir(base: str | Path, name: str) -> Path:
    """Return the first of `base/name`, `base/name-2`, `base/name-3`, … that does not exist (nothing is made)."""
    number = 1
    while True:
        path = Path(base) / (name if number == 1 else f"{name}-{number}")
        # A dangling link exists for the purpose of writing there.
        if not path.exists() and not path.is_symlink():
            return path
        number += 1


def snapshot_file(epoch: int) -> str:
    """Return what the file of the weights after an epoch is called."""
    return f"epoch{epoch}.npz"


def weight_shapes(script: ModuleType) -> dict[str, tuple[int, ...]]:
    """Return the shapes of what a script stores: its parameters, and its state where it has any."""
    return {**script.PARAMS, **getattr(script, "STATE", {})}


class RunFolder:
    """A folder with the files of one run, each complete or absent, and `run.json`, which lists them.

    Files: those of `FILES`, snapshots, and the files of definitions that the spec uses, under their own names. A file
    is listed before it is written, so what is not listed was never written by dotnn, and is neither overwritten nor
    deleted. All methods that write raise RunFolderError for such a file.
    """

    def __init__(self, path: Path, manifest: dict[str, Any]) -> None:
        self.path = path
        self.manifest = manifest

    @classmethod
    def create(
        cls, path: str | Path, *, version: str, overwrite: bool = False, info: Mapping[str, object] | None = None
    ) -> RunFolder:
        """Make the folder `path`, or empty the run that is already there where `overwrite` is set.

        `version` is dotnn's; `info` holds more entries for `run.json`, such as the seed. Raises RunFolderError where
        the folder is not empty and no run, where it is a run and `overwrite` is not set, and where it cannot be made.
        """
        folder = Path(path)
        try:
            is_run, names = (folder / MANIFEST).exists(), {*FILES, MANIFEST}
            if is_run:
                before = cls.open(folder)
                names.update(before.files)
                _remove_run(before, overwrite)
            folder.mkdir(parents=True, exist_ok=True)
            there = {path.name for path in folder.iterdir()} - {".lock"}
            if is_run or there <= leftovers(folder, names):  # of a run that was killed at its first write
                remove_leftovers(folder, names)
            else:
                raise RunFolderError("the folder is not empty and not a run of dotnn", folder, "name another folder")
            run = cls(folder, {"written_by": "dotnn", "version": version, "files": [], **(info or {})})
            run._write_manifest()
        except (OSError, ValueError) as error:
            raise RunFolderError(f"cannot be made: {reason_of(error)}", folder) from None
        return run

    @classmethod
    def open(cls, path: str | Path) -> RunFolder:
        """Return the run in the folder `path`; RunFolderError where there is none."""
        folder = Path(path)
        try:
            if not (folder / MANIFEST).is_file():
                lacking = f"not a run of dotnn: there is no {MANIFEST}"
                raise RunFolderError(lacking if folder.is_dir() else "there is no such folder", folder)
            manifest = read_sealed_json(folder / MANIFEST)
        except (OSError, DataError, ValueError) as error:
            raise RunFolderError(f"{MANIFEST}: {reason_of(error)}", folder) from None
        files = manifest.get("files")
        if not isinstance(files, list) or manifest.get("written_by") != "dotnn" or not all(map(_is_inner, files)):
            raise RunFolderError(f"{MANIFEST} was not written by dotnn", folder)
        return cls(folder, manifest)

    @property
    def files(self) -> tuple[str, ...]:
        """The names of the files that this run has written, without `run.json`."""
        return tuple(self.manifest["files"])

    def write_spec(self, text: str) -> None:
        """Write `spec.nn`, the resolved spec."""
        write_atomically(self.claim("spec.nn"), text.encode())

    def write_used(self, name: str, text: str) -> None:
        """Write a file that the spec uses, in a folder of the run where its name, `lib/mine.nn`, has one."""
        write_atomically(self.claim(name), text.encode())

    def write_script(self, text: str) -> None:
        """Write `model.py`, the generated script."""
        write_atomically(self.claim("model.py"), text.encode())

    def write_weights(self, params: dict[str, np.ndarray], model: str = "") -> None:
        """Write `weights.npz`, one array per parameter; `model` is what `save_weights` takes."""
        save_weights(self.claim("weights.npz"), params, model)

    def write_scaling(self, scaling: dict[str, dict[str, np.ndarray]]) -> None:
        """Write `scaling.json`, the scaling of every scaled value by its name."""
        self._write_table("scaling.json", scaling_to_json(scaling))

    def write_history(self, history: list[dict[str, float]]) -> None:
        """Write `history.csv`, one line per epoch."""
        write_history(self.claim("history.csv"), history)

    def write_validations(self, validations: list[dict[str, float]]) -> None:
        """Write `validations.csv`, one line per validation between the ends of epochs."""
        write_history(self.claim("validations.csv"), validations)

    def write_metrics(self, metrics: Mapping[str, object]) -> None:
        """Write `metrics.json`, the result of the run."""
        write_json(self.claim("metrics.json"), dict(metrics))

    def write_labels(self, labels: Mapping[str, Sequence[str]]) -> None:
        """Write `labels.json`, the strings of every class that is not made of integers, in the order of the indices."""
        self._write_table("labels.json", {name: list(names) for name, names in labels.items()})

    def write_picture(self, name: str, svg: str) -> None:
        """Write a picture of the training, such as `loss.svg`."""
        write_atomically(self.claim(f"{name}.svg"), svg.encode("utf-8"))

    def write_bytes(self, name: str, content: bytes) -> None:
        """Write another file of the run, such as a checkpoint."""
        write_atomically(self.claim(name), content)

    def read_weights(self, shapes: dict[str, tuple[int, ...]], model: str = "") -> dict[str, np.ndarray]:
        """Return the parameters; DataError where they do not have `shapes`, or are those of another `model`."""
        return load_weights(self.path / "weights.npz", shapes, model)

    def read_scaling(
        self, fitted: dict[str, dict[str, tuple[int, ...] | None]] | None
    ) -> dict[str, dict[str, np.ndarray]]:
        """Return what was fitted, of exactly what `FITTED` of a script names; DataError where the file does not fit.

        None takes whatever is there: a script for which nothing is fitted does not say so.
        """
        wanted = "scaling.json" in self.files if fitted is None else bool(fitted)
        scaling = load_scaling(self.path / "scaling.json", fitted) if wanted else {}
        self._check_table("scaling.json")
        return scaling

    def read_labels(self) -> dict[str, list[str]]:
        """Return the strings of the classes by name, none where classes are integers; DataError if damaged."""
        labels = read_labels(self.path) if "labels.json" in self.files else {}
        self._check_table("labels.json")
        return labels

    def _write_table(self, name: str, table: Mapping[str, object]) -> None:
        """Write a table whose checksum `run.json` keeps: that of another run fits the network, too."""
        path = self.claim(name)
        self.manifest.setdefault("tables", {})[name] = json_checksum(table)
        self._write_manifest()
        write_sealed_json(path, dict(table))

    def _check_table(self, name: str) -> None:
        """Raise DataError where a table is missing, or is not the one that this run wrote."""
        tables = self.manifest.get("tables")
        known = tables.get(name) if isinstance(tables, dict) else None
        if known is not None and json_checksum(read_sealed_json(self.path / name)) != known:
            raise DataError("this is another run's", self.path / name, help="put the right one back, or train again")

    def claim(self, name: str) -> Path:
        """Return the path of `name`, now listed as this run's; RunFolderError where it is another's file."""
        path = self.path / name
        if name not in self.manifest["files"]:
            if not _is_inner(name):
                raise RunFolderError(f"{name!r} cannot be the name of a file of a run", self.path)
            if path.exists() or path.is_symlink():
                raise RunFolderError(f"{name} already exists and was not written by dotnn", self.path, "move it away")
            path.parent.mkdir(parents=True, exist_ok=True)
            if not _lies_in(self.path, path):
                raise RunFolderError(f"{name} would be written elsewhere: a link leads there", self.path)
            self.manifest["files"].append(name)
            self._write_manifest()
        return path

    def _write_manifest(self) -> None:
        write_sealed_json(self.path / MANIFEST, self.manifest)


def _remove_run(run: RunFolder, overwrite: bool) -> None:
    """Delete the files that a run lists, and nothing else; `run.json` stays until the new one replaces it."""
    if not overwrite:
        raise RunFolderError("it already holds a run", run.path, "name another folder, or overwrite it explicitly")
    for name in run.manifest.get("members", ()):  # runs that this one is made of
        if re.fullmatch(r"member\d+", str(name)) and (run.path / name / MANIFEST).is_file():
            member = RunFolder.open(run.path / name)
            _remove_run(member, overwrite)
            for last in (MANIFEST, ".lock"):
                (member.path / last).unlink(missing_ok=True)
            with suppress(OSError):  # it holds something else
                member.path.rmdir()
    for path in (run.path / name for name in run.files):
        if _lies_in(run.path, path):
            path.unlink(missing_ok=True)
        for folder in [*path.relative_to(run.path).parents][:-1]:
            with suppress(OSError):  # it holds something else
                (run.path / folder).rmdir()


def _is_inner(name: object) -> bool:
    """Say whether `name` is that of a file of a run, so that no edited `run.json` leads out of it.

    Only a file of definitions lies in a folder.
    """
    if not isinstance(name, str) or name == MANIFEST:
        return False
    parts = name.split("/")
    plain = all(part == Path(part).name and "\\" not in part and part not in ("", "..") for part in parts)
    return plain and (len(parts) == 1 or name.endswith(".nn"))


def _lies_in(folder: Path, path: Path) -> bool:
    """Say whether the folder of a path is `folder`, or one in it, links followed."""
    return path.parent.resolve().is_relative_to(folder.resolve())
