"""Which outputs are compared with which targets, and as what: classes, or numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from dotnn.commands.seeing.run import Run, outputs_of
from dotnn.ir.interpret import run as interpreted
from dotnn.model.model import LossTerm, Read
from dotnn.reports.seen import Classes, Comparison, Numbers
from dotnn.running.preparing import in_own_units, targets_in_own_units
from dotnn.running.spec_files import Arrays
from dotnn.targets import PROVEN

Array = np.ndarray
SUMS_TO_ONE = 1e-3
"""Rows that add up to 1 but for so much are probabilities in single precision."""


def comparisons(run: Run, examples: Arrays, own: Arrays | None = None) -> list[Comparison]:
    """Return what the losses of a model compare on prepared examples, each pair once, but for what masks leave out.

    `own` are outputs in their own units in place of those of the run.
    """
    outputs = in_own_units(run.model, outputs_of(run, examples), run.kept.scaling) if own is None else own
    found = dict[tuple[str, str], Comparison]()
    names = {path: name for name, path in run.model.outputs.items()}
    for term in run.model.train.losses:
        if term.output in names and term.target:
            weights = row_weights(run, term, examples)
            for one in _compared(run, term, names[term.output], outputs, examples, weights):
                found.setdefault((one.output, one.target), _weighted(one, weights))
    return [*found.values()]


def _compared(
    run: Run, term: LossTerm, name: str, outputs: Arrays, examples: Arrays, weights: Array | None
) -> Iterator[Comparison]:
    values, target, kind = outputs[name].astype(float), examples[term.target], term.target_kind
    if kind.startswith("class") and values.shape[:-1] == target.shape:
        yield _classes(run, term, name, values, target)
    elif kind == "distribution" and values.shape == target.shape:
        yield _classes(run, term, name, values, target.argmax(axis=-1))
    elif values.shape != target.shape:
        return
    elif kind in ("unit", "sign", "binary") and np.isin(target, (0, 1, -1)).all():
        yield from _units(run, term, name, values, target)
    else:
        rows = len(target) if weights is None else weights.size
        yield _numbers(run, term, name, outputs[name], target, rows)


def row_weights(run: Run, term: LossTerm, examples: Arrays) -> Array | None:
    """Return how often each example counts in a loss, (n,), or each of its steps, (n, steps); None: all alike."""
    weights = None
    if run.model.weights:
        weights = np.asarray(examples[run.model.weights], float).reshape(len(examples[term.target]))
    if term.mask.name:
        mask = np.asarray(mask_values(run, term.mask, examples))
        marks = (mask != 0).astype(float) if mask.dtype.kind in "iub" else mask.astype(float)
        marks = marks.reshape(len(marks), -1)
        marks = marks[:, 0] if marks.shape[1] == 1 else marks
        weights = marks if weights is None else marks * (weights if marks.ndim == 1 else weights[:, None])
    return weights


def mask_values(run: Run, mask: Read, examples: Arrays) -> Array:
    """Return a mask of examples: one of their arrays, or what the network makes of them."""
    name = mask.name
    if name in examples:
        return np.asarray(examples[name])
    examples = {name: np.asarray(values) for name, values in examples.items()}
    graph = run.begun.graph(PROVEN.name, PROVEN.styles[0].name)
    return np.asarray(interpreted(graph, {**run.kept.params, **examples}, training=False)[graph.steps[name].id])


def _weighted(one: Comparison, weights: Array | None) -> Comparison:
    """Return a comparison with the weights of its rows, without the rows that do not count."""
    if weights is None:
        return one
    count = len(one.actual)
    every = np.repeat(weights.reshape(-1), count // weights.size)
    kept = every > 0
    if not kept.any():
        return one
    weighed = every[kept] if np.ptp(every[kept]) > 0 else None
    if isinstance(one, Classes):
        return replace(one, scores=one.scores[kept], actual=one.actual[kept], weights=weighed)
    return replace(one, values=one.values[kept], actual=one.actual[kept], weights=weighed)


def _classes(run: Run, term: LossTerm, name: str, values: Array, actual: Array) -> Classes:
    count = values.shape[-1]
    scores = values.reshape(-1, count)
    probable = bool((scores >= 0).all() and (np.abs(scores.sum(axis=1) - 1) < SUMS_TO_ONE).all())
    labels = run.kept.labels.get(term.target) or [str(c) for c in range(count)]
    labels = [*labels, *(str(c) for c in range(len(labels), count))]
    return Classes(name, term.target, labels, scores, actual.reshape(-1), probable)


def _units(run: Run, term: LossTerm, name: str, values: Array, target: Array) -> Iterator[Classes]:
    """Yield each unit of an output as two classes: of probabilities from 0 to 1, or of scores about 0."""
    signs = term.target_kind == "sign"
    columns, wanted = values.reshape(len(values), -1), target.reshape(len(target), -1)
    for j in range(columns.shape[1]):
        p, where = columns[:, j], f"[{j}]" if columns.shape[1] > 1 else ""
        scores = np.stack([-p if signs else 1 - p, p], axis=1)
        labels = run.kept.labels.get(term.target) or (("-1", "1") if signs else ("0", "1"))
        yield Classes(f"{name}{where}", f"{term.target}{where}", labels, scores, wanted[:, j] > 0, not signs, 1)


def _numbers(run: Run, term: LossTerm, name: str, values: Array, target: Array, rows: int) -> Numbers:
    scaling: Mapping[str, Mapping[str, Array]] = run.kept.scaling
    theirs = targets_in_own_units(run.model, {term.target: target}, scaling)[term.target]
    return Numbers(name, term.target, values.astype(float).reshape(rows, -1), theirs.astype(float).reshape(rows, -1))
