"""Classes of which one hides the others."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dotnn.model.model import LossTerm
from dotnn.reports.data_summary import class_counts
from dotnn.reports.findings.base import Fault, Finding, place
from dotnn.reports.seen import Seen

RARE = 0.05
"""A class with less than this part of the examples of the most frequent one is rare."""
ENOUGH = 50
"""Of fewer examples nothing can be said."""


def look(seen: Seen) -> Iterator[Fault]:
    """Yield a fault for each target of few classes of which one is rare, where the loss does not weigh them."""
    for term in seen.model.train.losses:
        counts = _counts(seen, term)
        if counts is None or term.attrs.get("class_weight") or counts.sum() < ENOUGH:
            continue
        rare, often = int(counts.argmin()), int(counts.argmax())
        if counts[rare] >= RARE * counts[often]:
            continue
        names = seen.labels.get(term.target) or [str(c) for c in range(len(counts))]
        said = f"{int(counts[rare])} examples of {names[rare]}, {int(counts[often])} of {names[often]}"
        weights = [round(float(counts.sum() / (len(counts) * max(n, 1))), 2) for n in counts]
        fix = f"weigh the classes: class_weight = {weights}; and judge by balanced accuracy, not accuracy"
        message = f"the classes of {term.target} are unbalanced: the training part has {said}"
        numbers = {"least": float(counts[rare]), "most": float(counts[often])}
        yield Fault("class_imbalance", message, place(seen, term.span), fix, numbers)


def _counts(seen: Seen, term: LossTerm) -> np.ndarray | None:
    """Return how many examples of the training part each class has, None for what are no few classes.

    Nor are the letters of a text: some are rare by nature.
    """
    source = seen.model.data.source if seen.model.data else None
    if term.target not in seen.parts["train"] or (source is not None and source.entry.numbered):
        return None
    return class_counts(seen.parts["train"][term.target], term.target_kind)


CLASS_IMBALANCE = Finding(
    "class_imbalance", "a class has less than a twentieth of the examples of another", 70, look, of_data=True
)
