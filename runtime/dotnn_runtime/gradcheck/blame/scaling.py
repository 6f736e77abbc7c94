"""What does not scale with the seed: a line that forgets d_loss is right where that is 1, and wrong everywhere else."""

from __future__ import annotations

import numpy as np

from ..reading.types import Array
from ..report.results import Pattern
from ..tracing.run import Event
from .assess import Assessment

WORDS = "The result does not scale with d_loss: a factor d_loss is missing, or stands there twice."
UNSCALED = Pattern("not linear in d_loss", WORDS)


def first_unscaled(state: Assessment) -> Event | None:
    """Return the first event that is not doubled where d_loss is 2, None for none; what is handed in is.

    Of a run that stops, what is not finished cannot be told from what is.
    """
    if state.run.error is not None:
        return None
    once, twice = ({e.place: e.value for e in state.bench.again(seed=seed).events} for seed in (1.0, 2.0))
    cotangents = (e for e in state.run.backward if _is_cotangent(state, e) and not state.is_handed_in(e))
    return next((e for e in cotangents if not _is_doubled(once.get(e.place), twice.get(e.place))), None)


def _is_cotangent(state: Assessment, event: Event) -> bool:
    """Whether an event comes from the seed, or should.

    Arguments belong to the statement that hands them over, and an array that is not full yet holds anything.
    """
    if event.site.kind == "argument" or state.expected.is_plain(event) or state.expected.is_partial(event):
        return False
    return event.seeded or state.expected.of(event) is not None


def _is_doubled(once: Array | None, twice: Array | None) -> bool:
    if once is None or twice is None or once.dtype.kind not in "fc":
        return True  # it is wrong for another reason
    return np.array_equal(twice, 2.0 * once, equal_nan=True)
