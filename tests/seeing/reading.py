"""What can be seen in a picture: places and sizes, read back from the SVG by the ticks at its axes."""

import re
from xml.etree import ElementTree

import numpy as np

SVG = "{http://www.w3.org/2000/svg}"


class Panel:
    """A rectangle with axes, found by what its axis up is called; its values are read off the texts at its ticks."""

    def __init__(self, root, up):
        (turned,) = [t for t in root.iter(f"{SVG}text") if t.text == up and t.get("transform")]
        beside, middle = place_of(turned)
        ends = [[float(line.get(at)) for at in ("x1", "y1", "x2", "y2")] for line in root.iter(f"{SVG}line")]
        upright = [e for e in ends if e[0] == e[2] > beside and abs((e[1] + e[3]) / 2 - middle) < 0.01]
        self.left, self.top, _, self.bottom = min(upright)
        (self.right,) = {e[2] for e in ends if e[0] == self.left and e[1] == e[3] == self.bottom}
        texts = [(t.text, float(t.get("x")), float(t.get("y"))) for t in root.iter(f"{SVG}text")]
        below, inside = self.bottom + 19, (self.left - 1, self.right + 1)
        self.across = [(float(t), x) for t, x, y in texts if abs(y - below) < 0.02 and inside[0] < x < inside[1]]
        self.up = [
            (float(t), y - 4)
            for t, x, y in texts
            if abs(x - self.left + 8) < 0.02 and self.top - 1 < y - 4 < self.bottom + 1
        ]

    def value(self, x, y):
        """Return the values at a place in pixels."""
        return read(self.across, x), read(self.up, y)


def place_of(turned):
    return [float(n) for n in re.match(r"translate\(([-\d.]+) ([-\d.]+)\)", turned.get("transform")).groups()]


def read(ticks, at):
    (low, first), (high, last) = ticks[0], ticks[-1]
    return low + (at - first) / (last - first) * (high - low)


def root_of(svg):
    return ElementTree.fromstring(svg)


def points_of(root, kind):
    """Return the places of the points of a kind, (n, 2): those of the longest path that has its class."""
    paths = [p.get("d") for p in root.iter(f"{SVG}path") if p.get("class") == f"point f{kind}"]
    places = re.findall(r"M([-\d.]+) ([-\d.]+)m", max(paths, key=len))
    return np.array(places, float)


def boxes_of(path):
    """Return the rectangles of a path: left, top, width, height, (n, 4)."""
    return np.array(re.findall(r"M([-\d.]+) ([-\d.]+)h([-\d.]+)v([-\d.]+)h", path), float)


def shade_at(root, x, y):
    """Return the colour and the shade at a place, (0, 0) for the bare ground."""
    for path in root.iter(f"{SVG}path"):
        match = re.fullmatch(r"f(\d) a(\d)", path.get("class") or "")
        if match:
            left, top, width, height = boxes_of(path.get("d")).T
            if np.any((left <= x) & (x < left + width) & (top <= y) & (y < top + height)):
                return int(match[1]), int(match[2])
    return 0, 0
