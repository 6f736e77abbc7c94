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
from dotnn_runtime.pictures.draw import Element, path, segment, text
from dotnn_runtime.pictures.scale import counting_scale, scale
from dotnn_runtime.pictures.style import STYLE
from dotnn_runtime.pictures.svg import frame, text_of

WIDTH, PANEL, TOP = 720, 240, 36


def draw(seen: Seen) -> str:
    """Return a panel for the loss and each metric, one below the other; a dot marks the epoch that is kept."""
    history = seen.history
    names = [name for name in (history[0] if history else {}) if name != "epoch" and not name.startswith("val_")]
    if not names:
        return ""
    best = int(seen.result.get("best_epoch") or len(history))
    described = f"{', '.join(names)} over {len(history)} epochs; the parameters are those of epoch {best}"
    height = TOP + PANEL * len(names)
    root = frame(str(WIDTH), str(height), title=f"{seen.model.name}: the training", description=described, style=STYLE)
    text(root, 16, 24, f"{seen.model.name}: the training", "title")
    for number, name in enumerate(names):
        panel = Panel(name, TOP + PANEL * number + 34, best, last=name == names[-1])
        panel.draw(root, history)
    return text_of(root)


@dataclass(frozen=True)
class Panel:
    """The curves of one quantity, below `top`; only the `last` one names the axis that all have."""

    name: str
    top: int
    best: int
    last: bool

    def draw(self, root: Element, history: Sequence[Mapping[str, float]]) -> None:
        """Draw the training part, the validation part where there is one, and the epoch that is kept."""
        keys = {"training": self.name, "validation": f"val_{self.name}"}
        lines = [
            Line(label, [record.get(key, math.nan) for record in history])
            for label, key in keys.items()
            if key in history[0]
        ]
        y = scale(v for line in lines for v in line.values)
        axes = Axes(room_left(y) + 30, self.top, WIDTH - 20, self.top + PANEL - 84, counting_scale(len(history)), y)
        axes.draw(root, "epoch" if self.last else "", self.name)
        for i, line in enumerate(lines):
            path(root, curve(axes, line.values), f"line s{i}", f"{line.label} {self.name}")
        draw_legend(root, axes.left, self.top - 12, lines, self._marked(root, axes, lines[-1].values))

    def _marked(self, root: Element, axes: Axes, values: Sequence[float]) -> list[Mark]:
        """Mark the epoch that is kept, where it is among the values and there is a number; return the mark."""
        value = values[self.best - 1] if 0 < self.best <= len(values) else math.nan
        if not math.isfinite(value):
            return []
        segment(root, axes.across(self.best), axes.top, axes.across(self.best), axes.bottom, "grid")
        dot(root, axes.across(self.best), axes.up(value))
        return [Mark(f"epoch {self.best}: {figure(value)}", self.best, value)]


CURVES = Picture("curves", "the loss and every metric over the epochs", "a history of epochs", "The training", draw)
