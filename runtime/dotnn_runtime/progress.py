"""A progress bar for training: cheap, on stderr, and silent between start and end where nobody watches."""

from __future__ import annotations

import math
import numbers
import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, TextIO, TypeGuard

from dotnn_runtime.curves import small_curve

if TYPE_CHECKING:
    from rich.progress import Progress


class TrainingProgress:
    """A context manager to be called once per epoch with its record: `train(on_epoch=progress)`.

    In a terminal it draws a bar with the curve of the loss (that of validation where there is one), the latest numbers
    and the time left, at most ten times per second.
    Elsewhere it writes one line at the start and one at the end. `quiet` writes nothing at all.
    A record is a dict of an epoch's numbers, such as `{"epoch": 3, "loss": 0.2, "val_loss": 0.3}`.
    """

    interval = 0.1  # seconds between two drawings

    def __init__(
        self, epochs: int, *, title: str = "training", stream: TextIO | None = None, quiet: bool = False
    ) -> None:
        self.epochs, self.title, self.quiet = epochs, title, quiet
        self.stream = sys.stderr if stream is None else stream
        self.done = 0
        self.record: Mapping[str, float] = {}
        self.losses: list[float] = []
        self._bar: Progress | None = None
        self._next = 0.0

    def __enter__(self) -> TrainingProgress:
        self._start = time.monotonic()
        if self.quiet:
            return self
        if self.stream.isatty():
            self._bar = _make_bar(self.stream)
            self._task = self._bar.add_task(self.title, total=self.epochs, curve="", numbers="")
            self._bar.start()
        else:
            self._say(f"{self.title}: {self.epochs} epochs")
        return self

    def __call__(self, record: Mapping[str, float], state: object = None) -> None:
        """Take the record of an epoch that has ended; the `state`, which `on_epoch` passes, is not used."""
        self.done = int(record.get("epoch", self.done + 1))
        self.record = record
        if self._bar is not None:
            self.losses.append(float(record.get("val_loss", record.get("loss", math.nan))))
            if time.monotonic() >= self._next:
                self._draw(self._bar)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._draw(self._bar)
            self._bar.stop()
        elif not self.quiet:
            seconds = time.monotonic() - self._start
            ended = "ended" if kind is None else "stopped"
            text = f"{self.title}: {ended} after {self.done} epochs, {seconds:.1f} s  {format_record(self.record)}"
            self._say(text.rstrip())

    def _draw(self, bar: Progress) -> None:
        curve = small_curve(self.losses)
        bar.update(self._task, completed=self.done, curve=curve, numbers=format_record(self.record))
        bar.refresh()
        self._next = time.monotonic() + self.interval

    def _say(self, line: str) -> None:
        print(line, file=self.stream, flush=True)


def format_record(record: Mapping[str, object], limit: int = 5) -> str:
    """Return the numbers of a record as text, `loss 0.2  val_loss 0.3`: at most `limit`, without epoch and seconds."""
    shown = [(key, value) for key, value in record.items() if key not in ("epoch", "seconds") and _is_number(value)]
    return "  ".join(f"{key} {value:.4g}" for key, value in shown[:limit])


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _make_bar(stream: TextIO) -> Progress:
    # rich takes 50 ms to import: only a terminal pays for it.
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = [
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[curve]}", markup=False),
        TextColumn("{task.fields[numbers]}", markup=False),
        TimeRemainingColumn(),
    ]
    return Progress(*columns, console=Console(file=stream), auto_refresh=False)
