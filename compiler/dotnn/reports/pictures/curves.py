"""The loss and every metric over the epochs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dotnn.reports.drawing.marks import figure
from dotnn.reports.pictures.base import Picture
from dotnn.reports.seen import Seen
from dotnn_runtime.pictures.axes import Axes, room_left
from dotnn_runtime.pictures.chart import Line, Mark, curve, dot, draw_legend
from dotnn_runtime.pictures.draw import LETTER, Element, path, segment, text
from dotnn_runtime.pictures.scale import Scale, counting_scale, scale
from dotnn_runtime.pictures.style import STYLE
from dotnn_runtime.pictures.svg import frame, text_of

WIDTH, PANEL, TOP = 720, 240, 36


def draw(seen: Seen) -> str:
    """Return a panel for the loss and each metric, one below the other; a dot marks the epoch that is kept.

    A line across says what the loss was before the training, of the examples that are looked at.
    """
    history = seen.history
    names = [name for name in (history[0] if history else {}) if name != "epoch" and not name.startswith("val_")]
    if not names:
        return ""
    best = int(seen.result.get("best_epoch") or len(history))
    described = f"{', '.join(names)} over {len(history)} epochs; the weights kept are those of epoch {best}"
    panels = [
        Panel(name, TOP + PANEL * number + 34, best, name == names[-1], history, _before(seen, name))
        for number, name in enumerate(names)
    ]
    described += "".join(f"; loss {panel.before.label}" for panel in panels if panel.before)
    left = max(room_left(panel.scale) for panel in panels) + 30
    height = TOP + PANEL * len(names)
    root = frame(str(WIDTH), str(height), title=f"{seen.model.name}: the training", description=described, style=STYLE)
    text(root, 16, 24, f"{seen.model.name}: the training", "title")
    for panel in panels:
        panel.draw(root, left)
    return text_of(root)


def _before(seen: Seen, name: str) -> Line | None:
    """Return the loss before the training, the same over all epochs; None of another quantity, or if it is unknown.

    Sections that take turns have losses of their own.
    """
    if name != "loss" or seen.model.turns or not math.isfinite(seen.fresh.loss):
        return None
    return Line(f"before training: {figure(seen.fresh.loss)}", [seen.fresh.loss] * len(seen.history))


@dataclass(frozen=True)
class Panel:
    """The curves of one quantity, below `top`; only the `last` one names the axis that all have."""

    name: str
    top: int
    best: int
    last: bool
    history: Sequence[Mapping[str, float]]
    before: Line | None

    @property
    def lines(self) -> list[Line]:
        """The training part, and the validation part where there is one."""
        keys = {"training": self.name, "validation": f"val_{self.name}"}
        return [
            Line(label, [record.get(key, math.nan) for record in self.history])
            for label, key in keys.items()
            if key in self.history[0]
        ]

    @property
    def scale(self) -> Scale:
        """The axis up."""
        return scale(v for line in [*self.lines, *filter(None, [self.before])] for v in line.values)

    def draw(self, root: Element, left: float) -> None:
        """Draw the lines, the value before the training where it is known, and the epoch that is kept."""
        lines, count = self.lines, len(self.history)
        axes = Axes(left, self.top, WIDTH - 20, self.top + PANEL - 84, counting_scale(count), self.scale)
        axes.draw(root, "epoch" if self.last else "", self.name)
        marks = self._marked(root, axes, lines[-1])
        lines += filter(None, [self.before])
        for i, line in enumerate(lines):
            path(root, curve(axes, line.values), f"line s{i}", f"{line.label} {self.name}")
        room = sum(50 + LETTER * len(line.label) for line in lines) + sum(20 + LETTER * len(m.label) for m in marks)
        draw_legend(root, max(16.0, min(axes.left, WIDTH - room)), self.top - 12, lines, marks)

    def _marked(self, root: Element, axes: Axes, line: Line) -> list[Mark]:
        """Mark the epoch that is kept, where it is among the values and there is a number; return the mark."""
        values = line.values
        value = values[self.best - 1] if 0 < self.best <= len(values) else math.nan
        if not math.isfinite(value):
            return []
        segment(root, axes.across(self.best), axes.top, axes.across(self.best), axes.bottom, "grid")
        dot(root, axes.across(self.best), axes.up(value))
        return [Mark(f"kept: epoch {self.best}, {line.label} {figure(value)}", self.best, value)]


CURVES = Picture("curves", "the loss and every metric over the epochs", "a history of epochs", "The training", draw)
