"""A rectangle with axes, in which things are drawn by their values."""

from __future__ import annotations

from dataclasses import dataclass

from .draw import LETTER, Element, segment, text
from .scale import Scale

ROOM_BELOW = 38.0
"""What the ticks and the name of the axis across take below the rectangle."""


def room_left(y: Scale) -> float:
    """Return what the ticks and the name of the axis up take beside the rectangle."""
    return 34 + LETTER * max(len(tick.text) for tick in y.ticks())


@dataclass(frozen=True)
class Axes:
    """Where values are in a picture: the sides of the rectangle in pixels, and its two scales."""

    left: float
    top: float
    right: float
    bottom: float
    x: Scale
    y: Scale

    def across(self, value: float) -> float:
        """Return where a value of the axis across is."""
        return self.left + self.x.place(value) * (self.right - self.left)

    def up(self, value: float) -> float:
        """Return where a value of the axis up is."""
        return self.bottom - self.y.place(value) * (self.bottom - self.top)

    def draw(self, root: Element, across: str, up: str, *, kind: str = "") -> None:
        """Draw both axes, their ticks, a line across for each tick of the axis up, and what they are called."""
        left, right, top, bottom = self.left, self.right, self.top, self.bottom
        ticks = self.y.ticks()
        for tick in ticks:
            y = bottom - tick.place * (bottom - top)
            segment(root, left, y, right, y, "grid")
            text(root, left - 8, y + 4, tick.text, kind, anchor="end")
        for tick in self.x.ticks():
            x = left + tick.place * (right - left)
            segment(root, x, bottom, x, bottom + 5, "axis")
            text(root, x, bottom + 19, tick.text, kind, anchor="middle")
        segment(root, left, top, left, bottom, "axis")
        segment(root, left, bottom, right, bottom, "axis")
        if across:
            text(root, (left + right) / 2, bottom + 36, across, kind, anchor="middle")
        if up:
            turned = text(root, 0, 0, up, kind, anchor="middle")
            room = 20 + LETTER * max(len(tick.text) for tick in ticks)
            turned.set("transform", f"translate({left - room:g} {(top + bottom) / 2:g}) rotate(-90)")
