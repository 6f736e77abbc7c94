"""Weights kept at some epochs of a training, of which pictures of its course are drawn."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np

from dotnn.core.diagnostics import CompileError, Diagnostic, Source, Span
from dotnn.model.identity import network_identity
from dotnn.model.model import Model
from dotnn_runtime.interrupt import Record, TrainingState
from dotnn_runtime.run_folder import RunFolder, snapshot_file, weight_shapes
from dotnn_runtime.script.storage import load_weights, save_weights

LARGEST = 2**28
"""So many bytes the snapshots of a run may take together."""
KEY = "snapshots"
"""Where `run.json` says how many were asked for."""


def chosen_epochs(epochs: int, count: int) -> list[int]:
    """Return `count` of the epochs 1, …, `epochs`, all where these are fewer; the last is among them.

    They are spread evenly in their logarithm, as far as whole numbers can be: most is learned at first, and a training
    that is stopped has been seen, too.
    """
    chosen: list[int] = []
    count = min(count, epochs)
    for k in range(count):
        share = k / (count - 1) if count > 1 else 1.0
        chosen.append(max(round(epochs**share), chosen[-1] + 1 if chosen else 1))
    return chosen


def check_snapshots(model: Model, count: int | None, precision: str) -> None:
    """Raise `CompileError` where `count` sets of weights would be too large to be kept."""
    size = model.size * (8 if precision == "float64" else 4)
    count = min(count or 0, model.train.epochs)
    if count * size <= LARGEST:
        return
    fit = LARGEST // size
    taken, may = count * size / 2**20, LARGEST // 2**20
    message = f"{count} snapshots of {model.size:,} parameters take {taken:,.0f} MiB, at most {may} MiB may be kept"
    place = Source("--snapshots", str(count))
    help = f"at most --snapshots {fit}" if fit else "a single one is too large: leave --snapshots out"
    raise CompileError([Diagnostic("NN504", message, Span(0, len(place.text)), help=help, source=place)])


def weights_in(state: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Return the weights in the state of a training: those that a run would keep that ends there."""
    return {**state["params"], **state.get("average", {})}


@dataclass(frozen=True)
class Snapshots:
    """What keeps the weights after some `epochs` of a training, as files of its run."""

    folder: RunFolder
    network: str
    epochs: frozenset[int] = field(default_factory=frozenset)

    @classmethod
    def of(cls, folder: RunFolder, model: Model, asked: int | None) -> Snapshots:
        """Return what keeps as many as are `asked` for; None: as many as were, when the run was begun."""
        count = folder.manifest.get(KEY) if asked is None else asked
        chosen = chosen_epochs(model.train.epochs, count) if isinstance(count, int) else []
        return cls(folder, network_identity(model), frozenset(chosen))

    def save(self, record: Record, state: TrainingState) -> None:
        """Write the weights after an epoch that is among the chosen."""
        epoch = int(record["epoch"])
        if epoch in self.epochs:
            save_weights(self.folder.claim(snapshot_file(epoch)), weights_in(state), self.network)


def snapshots_of(folder: RunFolder, module: ModuleType) -> Iterator[tuple[int, Mapping[str, np.ndarray]]]:
    """Yield the epochs of the snapshots of a run in ascending order, and its weights after each.

    Those that somebody has deleted are left out. Raises `DataError` for one that is damaged.
    """
    shapes, network = weight_shapes(module), getattr(module, "MODEL", "")
    numbers = (re.fullmatch(r"epoch([1-9]\d*)\.npz", name) for name in folder.files)
    for epoch in sorted(int(number[1]) for number in numbers if number):
        path = folder.path / snapshot_file(epoch)
        if path.is_file():
            yield epoch, load_weights(path, shapes, network)


def keep_first(folder: RunFolder, model: Model, first: Mapping[str, np.ndarray]) -> None:
    """Write what a training begins with that has it from elsewhere: it cannot be drawn again, and may be gone."""
    save_weights(folder.claim(snapshot_file(0)), dict(first), network_identity(model))


def first_of(folder: RunFolder, module: ModuleType) -> dict[str, np.ndarray] | None:
    """Return what `keep_first` has written, None for a run that began with drawn weights. Raises `DataError`."""
    if snapshot_file(0) not in folder.files:
        return None
    return load_weights(folder.path / snapshot_file(0), weight_shapes(module), getattr(module, "MODEL", ""))
