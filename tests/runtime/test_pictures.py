"""The picture of a training, read back from the SVG as a reader does: by the ticks at its axes."""

import itertools
import math
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dotnn_runtime.pictures.chart import HEIGHT, POINTS, WIDTH
from dotnn_runtime.pictures.draw import LETTER
from dotnn_runtime.pictures.losses import loss_svg
from dotnn_runtime.pictures.scale import LARGEST, scale

SVG = "{http://www.w3.org/2000/svg}"
HISTORY = [{"epoch": i + 1, "loss": 10.0**-i, "val_loss": None if i == 2 else 2.0**-i} for i in range(5)]


class Picture:
    """What can be seen in an SVG file."""

    def __init__(self, text: str) -> None:
        self.root = ElementTree.fromstring(text)
        self.texts = [
            (t.text, float(t.get("x")), float(t.get("y")), t.get("text-anchor")) for t in self.root.iter(f"{SVG}text")
        ]
        self.up = [(float(t), y - 4) for t, _, y, anchor in self.texts if anchor == "end"]
        self.across = [(float(t), x) for t, x, _, anchor in self.texts if anchor == "middle" and t[0].isdigit()]
        self.curves = [
            [list(map(float, point.split())) for point in re.split("[ML]", path.get("d"))[1:]]
            for path in self.root.iter(f"{SVG}path")
        ]
        self.strokes = [path.get("d").count("M") for path in self.root.iter(f"{SVG}path")]

    def values(self, curve: int, logarithmic: bool) -> list[float]:
        """Return the values of a curve, read off the axis: the line through its first and last tick."""
        (low, bottom), (high, top) = self.up[0], self.up[-1]
        if logarithmic:
            low, high = math.log10(low), math.log10(high)
        read = [low + (y - bottom) / (top - bottom) * (high - low) for _, y in self.curves[curve]]
        return [10**value for value in read] if logarithmic else read

    def counts(self, curve: int) -> list[float]:
        (first, left), (last, right) = self.across[0], self.across[-1]
        return [first + (x - left) / (right - left) * (last - first) for x, _ in self.curves[curve]]


def test_the_curves_are_the_losses():
    picture = Picture(loss_svg(HISTORY, "XOR"))
    assert picture.values(0, logarithmic=True) == pytest.approx([record["loss"] for record in HISTORY], rel=1e-3)
    assert picture.values(1, logarithmic=True) == pytest.approx([1, 1 / 2, 1 / 8, 1 / 16], rel=1e-3)
    assert picture.counts(1) == pytest.approx([1, 2, 4, 5], abs=0.01)
    assert picture.strokes == [1, 2]  # the third validation loss is missing: a gap
    assert "best: 0.0625 in epoch 5" in {text for text, *_ in picture.texts}
    assert loss_svg(HISTORY, "XOR") == loss_svg(HISTORY, "XOR")


@settings(deadline=None)
@example([0.0, 5e-324])
@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=60))
def test_linear_axes_are_read_back(values):
    axis = scale(values)
    if axis.logarithmic:
        return
    picture = Picture(loss_svg([{"loss": value} for value in values]))
    pixel = (axis.high - axis.low) / 250
    assert picture.values(0, logarithmic=False) == pytest.approx(values, abs=pixel)


@settings(deadline=None)
@given(st.lists(st.floats() | st.none(), max_size=80), st.text())
def test_a_picture_of_anything_is_well_formed_and_stays_in_its_frame(values, title):
    picture = Picture(loss_svg([{"loss": value} for value in values], title))
    shown = picture.root.find(f"{SVG}title").text or ""
    assert len(shown) == len(title) and all(a in (b, " ") for a, b in zip(shown, title, strict=True))
    for curve in picture.curves:
        assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in curve)
    assert 2 <= len({text for text, _ in picture.up}) == len(picture.up) <= 12
    boxes = [_box(*text) for text in picture.texts if text[0] not in (shown, None, "loss")]
    assert all(left >= 0 and right <= WIDTH for left, right, *_ in boxes)
    for a, b in itertools.combinations(boxes, 2):
        assert a[1] <= b[0] or b[1] <= a[0] or a[3] <= b[2] or b[3] <= a[2], (a, b)


def _box(text: str, x: float, y: float, anchor: str) -> tuple[float, float, float, float]:
    width = LETTER * len(text)
    left = x - {"start": 0, "middle": 0.5, "end": 1}[anchor] * width
    return left, left + width, y - 10, y + 3


@pytest.mark.parametrize(
    "values",
    [[0.0, -0.0], [1e-320, 1e-310], [LARGEST, -LARGEST], [1.7e308, 1e-300], [5.0], [1 + 1e-16, 1], [3, 3 + 1e-9]],
)
def test_axes_of_extreme_values(values):
    axis = scale(values)
    ticks = axis.ticks()
    assert all(-1e-9 <= axis.place(value) <= 1 + 1e-9 for value in values)
    assert len({tick.text for tick in ticks}) == len(ticks) >= 2


def test_no_peak_of_a_long_training_is_lost():
    values = np.random.default_rng(0).uniform(1, 2, 100_000)
    values[[123, 77_777]] = 9, -4
    svg = loss_svg([{"loss": value} for value in values])
    picture = Picture(svg)
    read = picture.values(0, logarithmic=False)
    assert len(read) <= POINTS and len(svg) < 60_000
    assert max(read) == pytest.approx(9, abs=0.05) and min(read) == pytest.approx(-4, abs=0.05)
