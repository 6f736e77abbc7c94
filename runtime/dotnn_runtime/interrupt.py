"""Ctrl-C during a training: it ends after the epoch, with what there is."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Mapping
from types import FrameType
from typing import TypedDict

import numpy as np

Record = dict[str, float]
"""The numbers of an epoch by name, such as `{"epoch": 3, "loss": 0.2}`."""


class TrainingState(TypedDict, total=False):
    """What a training goes on from: what all scripts keep; each has more of its own, such as the optimizer's memory."""

    params: Mapping[str, np.ndarray]
    average: Mapping[str, np.ndarray]
    history: list[Record]
    stopped_by: str


class Interrupted(Exception):
    """A training was ended by Ctrl-C, after an epoch: its `records` so far and the `state` it was in then."""

    def __init__(self, records: list[Record], state: TrainingState) -> None:
        self.records, self.state = records, state
        super().__init__(f"interrupted after {len(records)} epochs")


class EpochEnds:
    """The `on_epoch` of a training that Ctrl-C may end: raises `Interrupted` once the epoch in which it came is over.

    What is to be done `after` an epoch gets its record and the state of the training, one after the other. In the
    middle of an epoch some parameters would be newer than others. A second Ctrl-C ends at once, as it would without
    this. It is a context manager; only in the main thread, where Python delivers signals, does it change anything.
    """

    def __init__(self, *after: Callable[[Record, TrainingState], None]) -> None:
        self.after = after
        self.records: list[Record] = []
        self.state: TrainingState = {}
        self.asked = False
        self._previous: signal.Handlers | Callable[[int, FrameType | None], object] | int | None = None

    def __enter__(self) -> EpochEnds:
        in_main = threading.current_thread() is threading.main_thread()
        if in_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._previous = signal.signal(signal.SIGINT, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)

    def __call__(self, record: Record, state: TrainingState) -> None:
        """Take the record of an epoch that has ended, and what training would go on from."""
        self.state = state
        for do in self.after:
            do(record, state)
        self.records.append(record)
        if self.asked:
            raise Interrupted(self.records, state)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        print(
            "\nstopping after this epoch; press Ctrl-C again to stop at once and lose it", file=sys.stderr, flush=True
        )
