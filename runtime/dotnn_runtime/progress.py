"""The progress of a training: cheap, on stderr, and silent between start and end where nobody watches."""

from __future__ import annotations

import math
import numbers
import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Literal, TextIO, TypeGuard

from dotnn_runtime.curves import BLOCKS
from dotnn_runtime.live import Track, tracks_of, view

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text


class TrainingProgress:
    """A context manager to be called once per epoch with its record: `train(on_epoch=progress)`.

    In a terminal it draws a bar, the rate, the time left, and the curves of the losses and of one `metric` (of which
    `better` says whether less, "min", or more of it, "max", is better), ten times per second at most.
    Elsewhere it writes one line at the start and one at the end. `quiet` writes nothing at all.
    A record is a dict of an epoch's numbers, such as `{"epoch": 3, "loss": 0.2, "val_loss": 0.3}`.
    """

    interval = 0.1  # seconds between two drawings, and so many times as long as one takes
    share = 20

    def __init__(
        self,
        epochs: int,
        *,
        title: str = "training",
        stream: TextIO | None = None,
        quiet: bool = False,
        metric: str = "",
        better: Literal["min", "max"] = "min",
    ) -> None:
        self.epochs, self.title, self.quiet = epochs, title, quiet
        self.stream = sys.stderr if stream is None else stream
        self.metric, self.better = metric, better
        self.done = 0
        self.record: Mapping[str, float] = {}
        self._tracks: list[Track] = []
        self._before = 0  # epochs of an earlier run that this one continues
        self._live: Live | None = None
        self._next = 0.0

    def __enter__(self) -> TrainingProgress:
        self._start = time.monotonic()
        if self.quiet:
            return self
        self._live = _live(self.stream)
        if self._live is not None:
            self._live.start()
            self._draw(self._live)
        else:
            self._say(f"{self.title}: {_epochs(self.epochs)}")
        return self

    def __call__(self, record: Mapping[str, float], state: object = None) -> None:
        """Take the record of an epoch that has ended; the `state`, which `on_epoch` passes, is not used."""
        self.done = int(record.get("epoch", self.done + 1))
        self.record = record
        if self._live is not None:
            self._follow(record)
            if time.monotonic() >= self._next:
                self._draw(self._live)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._draw(self._live, over=True)
            self._live.stop()
        elif not self.quiet:
            seconds = time.monotonic() - self._start
            ended = "ended" if kind is None else "stopped"
            last = f"; last epoch: {format_record(self.record)}" if self.record else ""
            self._say(f"{self.title}: {ended} after {_epochs(self.done)}, {seconds:.1f} s{last}")

    def _follow(self, record: Mapping[str, float]) -> None:
        if not self._tracks:
            self._tracks = tracks_of(record, self.metric, self.better)
            self._before = self.done - 1
        for track in self._tracks:
            track.take(self.done, float(record.get(track.name, math.nan)))

    def _draw(self, live: Live, *, over: bool = False) -> None:
        begun = time.monotonic()
        size = (live.console.width, live.console.height)
        speed = _speed(self.done - self._before, self.epochs - self.done, begun - self._start, over=over)
        live.update(_as_text(view(self.title, self.done, self.epochs, speed, self._tracks, size)), refresh=True)
        ended = time.monotonic()
        self._next = ended + max(self.interval, self.share * (ended - begun))

    def _say(self, line: str) -> None:
        print(line, file=self.stream, flush=True)


def _speed(done: int, left: int, seconds: float, *, over: bool) -> list[str]:
    """Return the rate, and how long the rest will take, or all has taken where it is over."""
    if not done or not seconds:
        return []
    rate = done / seconds
    told = f"{rate:{'.0f' if rate >= 100 else '.3g'}} epochs/s" if rate >= 1 else f"{1 / rate:.3g} s/epoch"
    return [told, f"{_clock(seconds)} in all" if over else f"{_clock(left / rate)} left"]


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def format_record(record: Mapping[str, object], limit: int = 5) -> str:
    """Return the numbers of a record as text, `loss 0.2  val_loss 0.3`: at most `limit`, without epoch and seconds."""
    shown = [(key, value) for key, value in record.items() if key not in ("epoch", "seconds") and _is_number(value)]
    return "  ".join(f"{key} {value:.4g}" for key, value in shown[:limit])


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _live(stream: TextIO) -> Live | None:
    """Return what redraws a terminal; None where there is none, or one that cannot go back or has no blocks."""
    if not stream.isatty():
        return None
    try:
        BLOCKS.encode(getattr(stream, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return None
    # rich takes 50 ms to import: only a terminal pays for it.
    from rich.console import Console
    from rich.live import Live

    console = Console(file=stream, highlight=False)
    if not console.is_terminal or console.is_dumb_terminal:
        return None
    return Live(console=console, auto_refresh=False)


def _as_text(lines: list[list[tuple[str, str]]]) -> Text:
    from rich.text import Text

    return Text("\n", no_wrap=True, overflow="crop").join(Text.assemble(*line) for line in lines)


def _epochs(count: int) -> str:
    return f"{count} epoch{'s' * (count != 1)}"
