"""Inputs that hold the answer, and held-out examples that the training has seen."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from dotnn.reports.findings.base import Fault, Finding, column_place, place
from dotnn.reports.seen import Arrays, Seen

ENOUGH, FEW = 30, 3
SAME = 0.9999
"""A column and a target that correlate more closely than this are the same but for rounding."""
SEEN_BEFORE = 0.05
"""So large a part of the held-out examples may have been drawn twice by chance."""


def look(seen: Seen) -> Iterator[Fault]:
    """Yield a fault for each column that alone gives a target away, and for each part that holds trained examples."""
    yield from _columns(seen)
    yield from _repeated(seen)


def _columns(seen: Seen) -> Iterator[Fault]:
    train = seen.parts["train"]
    for target, declared in seen.model.targets.items():
        wanted = np.asarray(train[target])
        answers = wanted.reshape(len(wanted), -1).astype(float)
        if len(wanted) < ENOUGH or answers.shape[1] > 8 or _is_copied(seen, answers):
            continue
        chosen = _chosen(answers, of_classes=declared.kind == "class")
        for name, column, values in _numbers(seen, train):
            told = _parts(values, chosen) if chosen is not None else any(_is_scaled(values, one) for one in answers.T)
            if told:
                span, said = column_place(seen, name, column), _told(len(wanted), target, of_classes=chosen is not None)
                message = f"{_called(column, name)} alone {said}: would you have it before you know {target}?"
                fix = f"leave {column} out, unless it is what the network is to learn"
                yield Fault("leak", message, place(seen, span), fix, {"examples": len(wanted)})


def _called(column: str, name: str) -> str:
    return f"{column} of {name}" if column.startswith("number ") else f"the column {column} (of {name})"


def _told(count: int, target: str, *, of_classes: bool) -> str:
    return f"predicts {target} for {count} of {count} examples" if of_classes else f"is {target}, up to scale"


def _numbers(seen: Seen, part: Arrays) -> Iterator[tuple[str, str, np.ndarray]]:
    """Yield the columns of inputs of real numbers that are rows, each with the input and the name of the column."""
    source = seen.model.data.source if seen.model.data else None
    for name, declared in seen.model.inputs.items():
        if declared.kind != "real" or len(declared.type.example) != 1:
            continue
        columns = source.fields.get(name, ()) if source is not None and source.entry.table else ()
        for i, values in enumerate(np.asarray(part[name], float).T):
            yield name, columns[i] if i < len(columns) else f"number {i}", values


def _chosen(answers: np.ndarray, *, of_classes: bool) -> np.ndarray | None:
    """Return the class of each example, (n,), where a target is one of several: a number, one of two, or a single 1."""
    if answers.shape[1] == 1 and (of_classes or len(np.unique(answers)) == 2):
        return answers[:, 0]
    is_one = answers.shape[1] > 1 and np.isin(answers, (0, 1)).all() and (answers.sum(axis=1) == 1).all()
    return answers.argmax(axis=1) if is_one else None


def _parts(values: np.ndarray, chosen: np.ndarray) -> bool:
    """Whether thresholds of a column part all classes, each of which has some examples if they are more than two."""
    kinds, counts = np.unique(chosen, return_counts=True)
    if len(kinds) < 2 or (len(kinds) > 2 and counts.min() < FEW):
        return False
    ends = sorted((values[chosen == kind].min(), values[chosen == kind].max()) for kind in kinds)
    return all(before[1] < after[0] for before, after in pairwise(ends))


def _is_scaled(values: np.ndarray, answer: np.ndarray) -> bool:
    """Whether a column is the answer, up to scale."""
    if values.std() == 0 or answer.std() == 0:
        return False
    return bool(abs(np.corrcoef(values, answer)[0, 1]) > SAME)


def _is_copied(seen: Seen, answers: np.ndarray) -> bool:
    """Whether a target is an input as a whole, as for an autoencoder: it is meant to be known."""
    for name in seen.model.inputs:
        values = np.asarray(seen.parts["train"][name])
        if values.size == answers.size and np.allclose(values.reshape(answers.shape), answers, atol=1e-6):
            return True
    return False


def _repeated(seen: Seen) -> Iterator[Fault]:
    """Yield a fault where held-out examples are among those of training, and numbers that hardly repeat by chance."""
    known = {row.tobytes() for row in _rows(seen, "train")}
    if len(known) < ENOUGH or not _is_continuous(seen):
        return
    for part in ("val", "test"):
        rows = _rows(seen, part)
        again = sum(row.tobytes() in known for row in rows)
        if len(rows) and again > SEEN_BEFORE * len(rows) and again > 2:
            data = seen.model.data
            span = data.source.span if data is not None and data.source is not None else None
            message = f"{again} of the {len(rows)} examples of the {part} part are in the training part, too"
            fix = "remove repeated rows, or split by what they have in common: split(…, groups = column)"
            yield Fault("leak", message, place(seen, span), fix, {"repeated": again, "examples": len(rows)})


def _rows(seen: Seen, part: str) -> np.ndarray:
    if part not in seen.parts:
        return np.zeros((0, 1))
    arrays = [np.asarray(seen.parts[part][name], float) for name in seen.model.inputs]
    return np.ascontiguousarray(np.hstack([a.reshape(len(a), -1) for a in arrays]))


def _is_continuous(seen: Seen) -> bool:
    """Whether some number of the inputs takes so many values that two examples are rarely alike by chance."""
    rows = _rows(seen, "train")
    return any(len(np.unique(column)) > len(column) / 4 for column in rows.T)


LEAK = Finding(
    "leak", "a column alone tells the target, or held-out examples are in the training part", 45, look, of_data=True
)
