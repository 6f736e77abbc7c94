"""The loss and every metric over the epochs."""

from __future__ import annotations

import math

from dotnn.reports.drawing.marks import figure
from dotnn.reports.pictures.base import Picture
from dotnn.reports.seen import Seen
from dotnn_runtime.pictures.axes import Axes, room_left
from dotnn_runtime.pictures.chart import Line, Mark, curve, dot, draw_legend
from dotnn_runtime.pictures.draw import path, segment, text
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
        lines = [
            Line(label, [record.get(key, math.nan) for record in history])
            for label, key in (("training", name), ("validation", f"val_{name}"))
            if key in history[0]
        ]
        y = scale(v for line in lines for v in line.values)
        top = TOP + PANEL * number + 34
        axes = Axes(room_left(y) + 30, top, WIDTH - 20, top + PANEL - 84, counting_scale(len(history)), y)
        axes.draw(root, "epoch" if number == len(names) - 1 else "", name)
        for i, line in enumerate(lines):
            path(root, curve(axes, line.values), f"line s{i}", f"{line.label} {name}")
        value = lines[-1].values[best - 1] if 0 < best <= len(history) else math.nan
        marks = [Mark(f"epoch {best}: {figure(value)}", best, value)] if math.isfinite(value) else []
        for mark in marks:
            segment(root, axes.across(best), axes.top, axes.across(best), axes.bottom, "grid")
            dot(root, axes.across(best), axes.up(mark.value))
        draw_legend(root, axes.left, top - 12, lines, marks)
    return text_of(root)


CURVES = Picture("curves", "the loss and every metric over the epochs", "a history of epochs", "The training", draw)
