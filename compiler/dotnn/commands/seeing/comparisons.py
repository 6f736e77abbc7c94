"""Which outputs are compared with which targets, and as what: classes, or numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from dotnn.commands.seeing.run import Run, outputs_of
from dotnn.model.model import LossTerm
from dotnn.reports.seen import Classes, Comparison, Numbers
from dotnn.running.preparing import in_own_units, targets_in_own_units
from dotnn.running.spec_files import Arrays

Array = np.ndarray
SUMS_TO_ONE = 1e-3
"""Rows that add up to 1 but for so much are probabilities in single precision."""


def comparisons(run: Run, examples: Arrays) -> list[Comparison]:
    """Return what the losses of a model compare on prepared examples, each pair once."""
    outputs, found = outputs_of(run, examples), dict[tuple[str, str], Comparison]()
    names = {path: name for name, path in run.model.outputs.items()}
    for term in run.model.train.losses:
        if term.output in names and term.target:
            for one in _compared(run, term, names[term.output], outputs, examples):
                found.setdefault((one.output, one.target), one)
    return [*found.values()]


def _compared(run: Run, term: LossTerm, name: str, outputs: Arrays, examples: Arrays) -> Iterator[Comparison]:
    values, target, kind = outputs[name].astype(float), examples[term.target], term.target_kind
    if kind.startswith("class") and values.shape[:-1] == target.shape:
        yield _classes(run, term, name, values, target)
    elif kind == "distribution" and values.shape == target.shape:
        yield _classes(run, term, name, values, target.argmax(axis=-1))
    elif values.shape != target.shape:
        return
    elif kind in ("unit", "sign", "binary") and np.isin(target, (0, 1, -1)).all():
        yield from _units(term, name, values, target, signs=kind == "sign")
    else:
        yield _numbers(run, term, name, outputs[name], target)


def _classes(run: Run, term: LossTerm, name: str, values: Array, actual: Array) -> Classes:
    count = values.shape[-1]
    scores = values.reshape(-1, count)
    probable = bool((scores >= 0).all() and (np.abs(scores.sum(axis=1) - 1) < SUMS_TO_ONE).all())
    labels = run.kept.labels.get(term.target) or [str(c) for c in range(count)]
    labels = [*labels, *(str(c) for c in range(len(labels), count))]
    return Classes(name, term.target, labels, scores, actual.reshape(-1), probable)


def _units(term: LossTerm, name: str, values: Array, target: Array, *, signs: bool) -> Iterator[Classes]:
    """Yield each unit of an output as two classes: of probabilities from 0 to 1, or of scores about 0."""
    columns, wanted = values.reshape(len(values), -1), target.reshape(len(target), -1)
    for j in range(columns.shape[1]):
        p, where = columns[:, j], f"[{j}]" if columns.shape[1] > 1 else ""
        scores = np.stack([-p if signs else 1 - p, p], axis=1)
        labels = ("-1", "1") if signs else ("0", "1")
        yield Classes(f"{name}{where}", f"{term.target}{where}", labels, scores, wanted[:, j] > 0, not signs, 1)


def _numbers(run: Run, term: LossTerm, name: str, values: Array, target: Array) -> Numbers:
    scaling: Mapping[str, Mapping[str, Array]] = run.kept.scaling
    ours = in_own_units(run.model, {name: values}, scaling)[name]
    theirs = targets_in_own_units(run.model, {term.target: target}, scaling)[term.target]
    count = len(theirs)
    return Numbers(name, term.target, ours.astype(float).reshape(count, -1), theirs.astype(float).reshape(count, -1))
