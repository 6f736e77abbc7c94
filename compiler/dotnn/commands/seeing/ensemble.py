"""A run of runs, opened: what its members say together of prepared examples, and of those that were in no bag."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dotnn.codegen import counting
from dotnn.commands.seeing.comparisons import comparisons, mask_values
from dotnn.commands.seeing.figures import Figures, compared_figures, own_figures
from dotnn.commands.seeing.look import seen_of
from dotnn.commands.seeing.run import Run, outputs_of
from dotnn.ir.interpret import helper_functions
from dotnn.model.model import MetricTerm
from dotnn.reports.seen import PARTS, Seen
from dotnn.running.combining import Together, members_of, together_of
from dotnn.running.preparing import in_own_units, targets_in_own_units
from dotnn.running.run_contents import check_finished, faults_of_runs, history_of, kept_in, result_of
from dotnn.running.spec_files import Arrays
from dotnn_runtime.run_folder import RunFolder
from dotnn_runtime.script.bags import bag_rows

OUT_OF_BAG = "training examples, each by the members whose bag lacks it"


@dataclass(frozen=True)
class Ensemble:
    """Runs of one spec that answer together. All have the same data and the same preparation."""

    folder: RunFolder
    members: Sequence[Run]
    together: Together

    @classmethod
    def open(cls, folder: RunFolder) -> Ensemble:
        """Read the members of a run. Raises `CompileError` for one that is not finished, or is damaged."""
        with faults_of_runs():
            first, *others = members_of(folder)
            run = Run.open(str(first.path))
            members = [run]
            for other in others:
                check_finished(other)
                kept = kept_in(other, run.module)
                told = replace(run, history=history_of(other), result=result_of(other))
                members.append(replace(told, folder=other, kept=kept))
            return cls(folder, members, together_of(folder))

    @property
    def name(self) -> str:
        """What it is called: its folder as the user names it."""
        return self.folder.path.as_posix()

    def seen(self, data: str | None = None) -> list[Seen]:
        """Return what there is to see of each member; their data are read once. Raises `CompileError`."""
        parts = self.run.parts(data)
        return [seen_of(replace(member, known=parts)) for member in self.members]

    @property
    def run(self) -> Run:
        """Its first member, which knows the spec and the data."""
        return self.members[0]

    def figures(self, examples: Arrays, part: str) -> Figures:
        """Return the figures of what the members say together of prepared examples."""
        return self._figures(examples, PARTS.get(part, part), None)

    def out_of_bag(self, train: Arrays) -> Figures | None:
        """Return the figures of the training part, each example told by the members that have not seen it.

        None where every example is in all bags.
        """
        count = len(next(iter(train.values())))
        unseen = np.ones((len(self.members), count), bool)
        for row, member in zip(unseen, self.members, strict=True):
            row[bag_rows(count, int(member.folder.manifest["seed"]))] = False
        some = unseen.any(axis=0)
        if not some.any():
            return None
        examples = {name: values[some] for name, values in train.items()}
        return self._figures(examples, OUT_OF_BAG, unseen[:, some])

    def outputs(self, examples: Arrays, counted: np.ndarray | None = None) -> Arrays:
        """Return what the members say together of prepared examples, in its own units.

        `counted`, (members, n), are those that are asked of each example; None: all.
        """
        found = [outputs_of(member, examples) for member in self.members]
        model, scaling = self.run.model, self.run.kept.scaling
        return self.together.outputs([in_own_units(model, outputs, scaling) for outputs in found], counted)

    def _figures(self, examples: Arrays, part: str, counted: np.ndarray | None) -> Figures:
        outputs = self.outputs(examples, counted)
        compared = comparisons(self.run, examples, outputs)
        count = len(next(iter(examples.values())))
        return Figures(
            self.name,
            part,
            count,
            float("nan"),
            self._metrics(examples, outputs),
            compared,
            compared_figures(compared),
            [own_figures(member, examples) for member in self.members],
        )

    def _metrics(self, examples: Arrays, outputs: Mapping[str, np.ndarray]) -> dict[str, float]:
        """Return the spec's metrics of outputs in their own units, but for those that read other values, too."""
        names = {path: name for name, path in self.run.model.outputs.items()}
        plain = [m for m in self.run.model.train.metrics if m.output in names and not m.written]
        return {m.key: self._metric(m, outputs[names[m.output]], examples) for m in plain}

    def _metric(self, metric: MetricTerm, values: np.ndarray, examples: Arrays) -> float:
        target = {metric.target: examples[metric.target]}
        theirs = targets_in_own_units(self.run.model, target, self.run.kept.scaling)[metric.target]
        function: Any = helper_functions()[metric.function]
        with np.errstate(all="ignore"):
            return float(function(values, theirs, *self._weights(metric, examples), **metric.attrs))

    def _weights(self, metric: MetricTerm, examples: Arrays) -> list[np.ndarray]:
        """Return how much each example, or each of its steps, counts, as in a script; nothing: all alike."""
        parts = counting.made_of(metric, self.run.model)
        given, mask = (mask_values(self.run, read, examples) if read else None for read in (parts.given, parts.mask))
        if mask is None:
            return [] if given is None else [given]
        mask = mask != 0 if parts.compares else mask
        return [mask if given is None else given[(slice(None), *[None] * parts.axes)] * mask]


def opened(path: str) -> Run | Ensemble:
    """Read a run, or a run of runs. Raises `CompileError`."""
    with faults_of_runs():
        folder = RunFolder.open(path)
        several = bool(members_of(folder))
    return Ensemble.open(folder) if several else Run.open(path)
