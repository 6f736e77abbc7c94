"""What the data of a run are: how many examples each part has, and what its numbers and classes are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dotnn.model.model import Model

MOST_COLUMNS = 40
"""Of more columns, the pixels of an image say, one row says all."""
MOST_TEXTS = 20
MOST_CLASSES = 20
"""Of more classes, such as words, some are rare by nature."""
Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Column:
    """One column of the raw data, or a whole array: least, mean, greatest, deviation, and how many are missing.

    Of classes and texts `said` is how often each occurs instead.
    """

    name: str
    kind: str
    count: int
    missing: int
    least: float | None = None
    mean: float | None = None
    most: float | None = None
    deviation: float | None = None
    said: str = ""


def class_counts(values: np.ndarray, kind: str) -> np.ndarray | None:
    """Return how often each class occurs in a prepared target of a kind; None where it has no classes, or many.

    One-hot rows are classes, and so are the 0 and 1, or the -1 and 1, of a single unit.
    """
    target = np.asarray(values)
    if kind.startswith("class:"):
        count = int(kind.partition(":")[2])
        return np.bincount(target.reshape(-1).astype(int), minlength=count) if count <= MOST_CLASSES else None
    if kind == "distribution" and target.shape[-1] <= MOST_CLASSES and np.isin(target, (0, 1)).all():
        return np.asarray(target.reshape(-1, target.shape[-1]).sum(axis=0))
    low = {"unit": 0, "binary": 0, "sign": -1}.get(kind)
    if low is not None and target.shape[1:] == (1,) and np.isin(target, (low, 1)).all():
        return np.bincount((target.reshape(-1) > low).astype(int), minlength=2)
    return None


@dataclass(frozen=True)
class Balance:
    """How often each class of a target occurs: for each class what it is called, and its count in every part."""

    target: str
    parts: Sequence[str]
    rows: Sequence[tuple[str, Sequence[int]]]


def balances(model: Model, parts: Mapping[str, Arrays], labels: Mapping[str, Sequence[str]]) -> Iterator[Balance]:
    """Yield how the classes of each target are spread over the parts, each by its number and its text."""
    known = {term.target: term.target_kind for term in model.train.losses}
    for name, kind in known.items():
        counts = {part: class_counts(some[name], kind) for part, some in parts.items() if name in some}
        found = {part: count for part, count in counts.items() if count is not None}
        if not found or len(found) < len(parts):
            continue
        texts, first = labels.get(name, ()), -1 if kind == "sign" else 0
        size = len(next(iter(found.values())))
        numbers = [first, 1] if size == 2 else list(range(size))
        called = [f"{n}: {texts[i]}" if i < len(texts) else str(n) for i, n in enumerate(numbers)]
        rows = [(called[i], [int(count[i]) for count in found.values()]) for i in range(size)]
        yield Balance(name, [*found], rows)


def columns(model: Model, raw: Mapping[str, np.ndarray], labels: Mapping[str, Sequence[str]]) -> list[Column]:
    """Return a row for each column that is read, before anything is done to it."""
    return [column for name, values in raw.items() for column in _of(model, name, np.asarray(values), labels)]


def _of(model: Model, name: str, values: np.ndarray, labels: Mapping[str, Sequence[str]]) -> Iterator[Column]:
    declared = model.inputs.get(name) or model.targets.get(name)
    kind = declared.kind if declared is not None else "beside"
    if values.dtype.kind in "US" or kind == "class" or name in labels:
        yield _counted(name, "class" if name in labels else kind, values, labels.get(name))
        return
    rows = values.reshape(len(values), -1)
    if rows.shape[1] > MOST_COLUMNS:
        yield _numbers(f"{name} {list(values.shape[1:])}", kind, rows.reshape(-1))
        return
    called = column_names(model, name, rows.shape[1])
    yield from (_numbers(one, kind, rows[:, i]) for i, one in enumerate(called))


def column_names(model: Model, name: str, count: int) -> list[str]:
    """Return what the columns of an input or target are called: those of its file where there are so many."""
    source = model.data.source if model.data else None
    columns = source.fields.get(name, ()) if source is not None and source.entry.table else ()
    if len(columns) == count:
        return [f"{name}: {column}" if column != name else name for column in columns]
    return [f"{name}[{i}]" for i in range(count)] if count > 1 else [name]


def _numbers(name: str, kind: str, values: np.ndarray) -> Column:
    numbers = values.astype(float)
    known = numbers[~np.isnan(numbers)]
    if not known.size:
        return Column(name, kind, len(values), len(values))
    ends = float(known.min()), float(known.mean()), float(known.max()), float(known.std())
    return Column(name, kind, len(values), len(values) - len(known), *ends)


def _counted(name: str, kind: str, values: np.ndarray, labels: Sequence[str] | None) -> Column:
    found, counts = np.unique(values, return_counts=True)
    missing = int(counts[found == ""].sum()) if values.dtype.kind == "U" else 0
    names = [
        labels[int(one)] if labels and values.dtype.kind != "U" and int(one) < len(labels) else str(one)
        for one in found
    ]
    listed = [f"{one}: {count}" for one, count in zip(names, counts, strict=True) if one]
    more = f", and {len(listed) - MOST_TEXTS} more" if len(listed) > MOST_TEXTS else ""
    return Column(name, kind, int(counts.sum()), missing, said=", ".join(listed[:MOST_TEXTS]) + more)
