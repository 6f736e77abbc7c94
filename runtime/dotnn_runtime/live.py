"""What a terminal shows of a training while it goes on: how far it is, how fast, and the curves of what it reaches."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from dotnn_runtime.curves import block_curve

Line = list[tuple[str, str]]
"""A line of a terminal: texts, each with its style, in the words of rich."""

LABELS, SHORTEST_BAR, SHORTEST_CURVE = 20, 10, 8
"""Columns that texts beside curves, bars, and curves have at least."""
TALLEST, LONGEST = 3, 1024
"""Lines of a curve at most, and of how many values it is made at most."""
STYLES = ("cyan", "magenta", "green", "yellow")


@dataclass
class Track:
    """One quantity over the epochs: its last value, its best one so far, and a curve, kept short by means of stretches.

    `better` is "min" or "max".
    """

    name: str
    better: Literal["min", "max"] = "min"
    last: float = math.nan
    best: float = math.nan
    best_epoch: int = 0
    means: list[float] = field(default_factory=list)
    _stretch: int = 1
    _open: list[float] = field(default_factory=list)

    def take(self, epoch: int, value: float) -> None:
        """Take the value of an epoch."""
        self.last = value
        is_better = value > self.best if self.better == "max" else value < self.best
        if math.isfinite(value) and (is_better or not self.best_epoch):
            self.best, self.best_epoch = value, epoch
        self._open.append(value)
        if len(self._open) == self._stretch:
            self.means.append(sum(self._open) / self._stretch)
            self._open = []
        if len(self.means) == LONGEST:
            self.means = [(a + b) / 2 for a, b in zip(self.means[::2], self.means[1::2], strict=True)]
            self._stretch *= 2

    def told(self) -> tuple[str, str, str]:
        """Return its name, its last value, and its best one with the epoch of that."""
        best = f"best {self.best:.4g} at {self.best_epoch}" if self.best_epoch else ""
        return self.name, f"{self.last:.4g}", best


def tracks_of(record: Mapping[str, object], metric: str, better: Literal["min", "max"]) -> list[Track]:
    """Return what is to be followed of records like this one: losses and a metric, of validation where it has that."""
    losses = [name for name in record if name.rpartition(".")[2] in ("loss", "val_loss")]
    chosen = [name for name in (f"val_{metric}", metric) if name in record and name not in losses][:1]
    return [Track(name) for name in losses] + [Track(name, better) for name in chosen]


def view(
    title: str, done: int, total: int, speed: Sequence[str], tracks: Sequence[Track], size: tuple[int, int]
) -> list[Line]:
    """Return the lines that fit into a terminal of `size` (columns, rows), the last column and row left free.

    `speed` are the texts that follow the number of epochs: how fast it goes, how long it will take.
    """
    width, height = max(size[0] - 1, 1), max(size[1] - 1, 1)
    head = [*_head(title, done, total, speed, width)]
    return [*head[:height], *_curves(tracks, width, height - len(head))]


def _curves(tracks: Sequence[Track], width: int, height: int) -> Iterator[Line]:
    """Yield the lines of as many curves as there is room for, what each is of at its left."""
    shown = tracks[: max(height, 0)]
    tall = min(TALLEST, height // len(shown)) if shown else 0
    told = [track.told() for track in shown]
    labels = [[name, last, best][:tall] if tall > 1 else [f"{name} {last}"] for name, last, best in told]
    longest = max([LABELS, *(len(label) for of_one in labels for label in of_one)])
    left = min(longest, max(width - 2 - SHORTEST_CURVE, 0))
    for track, style, beside in zip(shown, itertools.cycle(STYLES), labels, strict=False):
        drawn = block_curve(track.means, width=max(width - left - 2, 1), height=len(beside))
        for label, blocks in zip(beside, drawn, strict=True):
            yield [(f"{label[:left]:<{left}}  ", ""), (blocks, style)]


def _head(title: str, done: int, total: int, speed: Sequence[str], width: int) -> Iterator[Line]:
    """Yield the bar with what fits beside it, and lines with the rest."""
    title = title if len(title) <= width // 2 else f"{title[: width // 2 - 1]}…"
    facts = [f"{done}/{total} epochs", *filter(None, speed)]
    beside = facts if len(title) + len("  ".join(facts)) + 4 + SHORTEST_BAR <= width else []
    text = "".join(f"  {fact}" for fact in beside)
    yield [(title, "bold"), ("  ", ""), *_bar(done, total, max(width - len(title) - 2 - len(text), 0)), (text, "")]
    if beside:
        return
    line = ""
    for fact in facts:
        if line and len(line) + 2 + len(fact) > width:
            yield [(line, "")]
            line = ""
        line = f"{line}  {fact}" if line else fact[:width]
    yield [(line, "")]


def _bar(done: int, total: int, width: int) -> Line:
    full = min(width * done // max(total, 1), width)
    return [("━" * full, "green"), ("─" * (width - full), "dim")]
