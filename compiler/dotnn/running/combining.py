"""What the members of an ensemble say together."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dotnn.core.diagnostics import CompileError, Diagnostic
from dotnn.model.model import Model
from dotnn.model.settings.ensemble import Bag, ballots
from dotnn_runtime.run_folder import RunFolder, RunFolderError

Arrays = dict[str, np.ndarray]
CODE = "NN533"


@dataclass(frozen=True)
class Together:
    """How outputs of several networks become one: `how` is mean, median or vote; `ballots` say how each one votes."""

    how: str
    ballots: Mapping[str, str]

    @classmethod
    def of(cls, model: Model) -> Together:
        """Return how a model says it."""
        bag: Bag = model.train.setting("ensemble")
        return cls(bag.combine, dict(ballots(model)))

    def as_json(self) -> dict[str, Any]:
        """Return what `run.json` keeps of it."""
        return {"combine": self.how, "ballots": dict(self.ballots)}

    def outputs(self, found: Sequence[Arrays], counted: np.ndarray | None = None) -> Arrays:
        """Return the outputs of an ensemble, in the precision of its members'.

        `counted` (members, examples) says which members speak of an example, by default all; of none comes NaN.
        """
        return {name: self._combined(name, [outputs[name] for outputs in found], counted) for name in found[0]}

    def _combined(self, name: str, found: Sequence[np.ndarray], counted: np.ndarray | None) -> np.ndarray:
        values = np.stack([self._said(name, np.asarray(y)) for y in found]).astype(float)
        if counted is not None:
            values[~counted] = np.nan
        middle: Any = np.nanmedian if self.how == "median" else np.nanmean
        combined = np.full(values.shape[1:], np.nan)
        some = np.ones(len(combined), bool) if counted is None else counted.any(axis=0)
        combined[some] = middle(values[:, some], axis=0)
        return combined.astype(np.asarray(found[0]).dtype)

    def _said(self, name: str, y: np.ndarray) -> np.ndarray:
        kind = self.ballots[name] if self.how == "vote" else ""
        if not kind:
            return y
        if kind == "class":
            votes: np.ndarray = np.eye(y.shape[-1])[y.argmax(axis=-1)]
            return votes
        return np.where(y > 0.5, 1.0, 0.0) if kind == "unit" else np.where(y > 0, 1.0, -1.0)


def member_names(count: int) -> list[str]:
    """Return the names of the folders of the members."""
    return [f"member{k}" for k in range(1, count + 1)]


def members_of(folder: RunFolder) -> list[RunFolder]:
    """Return the runs that a run is made of; none of a run that is one. Raises `RunFolderError`."""
    names = folder.manifest.get("members", [])
    if not isinstance(names, list) or not all(isinstance(n, str) and re.fullmatch(r"member\d+", n) for n in names):
        raise RunFolderError("run.json names members that are none", folder.path, "train again")
    return [RunFolder.open(folder.path / name) for name in names]


def together_of(folder: RunFolder) -> Together:
    """Return how the members of a run answer. Raises `RunFolderError`."""
    known = folder.manifest.get("together")
    if not isinstance(known, dict) or known.get("combine") not in ("mean", "median", "vote"):
        raise RunFolderError("run.json does not say how the members answer together", folder.path, "train again")
    return Together(known["combine"], known.get("ballots", {}))


def refuse_several(folder: RunFolder) -> None:
    """Raise `CompileError` for a run of runs, where one is needed."""
    names = folder.manifest.get("members")
    if names:
        message = f"{folder.path} is an ensemble of {len(names)} runs"
        raise CompileError([Diagnostic(CODE, message, help=f"name one of them: {folder.path.as_posix()}/{names[0]}")])
