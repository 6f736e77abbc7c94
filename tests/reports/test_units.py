"""`dotnn graph --units`, read back from the SVG by geometry and compared with the script's numbers."""

import itertools
import math
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from click.testing import CliRunner
from support import SPECS, script_of

from dotnn.cli import main

SVG = "{http://www.w3.org/2000/svg}"
LETTER = 7.3
DRAWN = ("xor", "iris", "power_plant_by_hand", "wide_and_deep", "shared_weights", "and_or")
SKIP = """model M {
  input  x: [3]
  input  a_second_input_with_a_long_name: [2]
  target t: [1]
  h = x -> dense(4, tanh)
  g = concat(h, a_second_input_with_a_long_name) -> dense(3)
  output y = concat(g, x) -> dense(1)
}
train { loss = mse(y, t) }"""


def picture(spec, folder, *options):
    path = folder / "units.svg"
    done = CliRunner().invoke(main, ["graph", str(spec), "--units", *options, "-o", str(path), "--force"])
    assert done.exit_code == 0, done.output
    return ElementTree.fromstring(path.read_text(encoding="utf-8"))


def circles(root):
    found = {}
    for circle in root.iter(f"{SVG}circle"):
        found[circle.find(f"{SVG}title").text] = tuple(float(circle.get(k)) for k in ("cx", "cy", "r"))
    return found


def paths(root):
    for path in root.iter(f"{SVG}path"):
        numbers = [float(word) for word in path.get("d").replace("M", " ").replace("L", " ").split()]
        yield path, list(zip(numbers[::2], numbers[1::2], strict=True))


def distance(point, start, end):
    """How far a point is from a stretch."""
    p, a, b = map(np.array, (point, start, end))
    along = np.clip(np.dot(p - a, b - a) / max(np.dot(b - a, b - a), 1e-12), 0, 1)
    return float(np.linalg.norm(p - (a + along * (b - a))))


def assert_clear(root):
    """No unit, name or value covers another, no line goes through a unit, and all is inside of the picture."""
    units, width, height = circles(root), float(root.get("width")), float(root.get("height"))
    for (x, y, r), (u, v, s) in itertools.combinations(units.values(), 2):
        assert math.dist((x, y), (u, v)) >= r + s
    for x, y, r in units.values():
        assert r <= x <= width - r
        assert r <= y <= height - r
    boxes = []
    for text in root.iter(f"{SVG}text"):
        if text.get("class") != "value":
            half, x, y = len(text.text) * LETTER / 2, float(text.get("x")), float(text.get("y"))
            boxes.append((x - half, y - 10, x + half, y + 3))
    for one, other in itertools.combinations(boxes, 2):
        assert one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
    for left, top, right, bottom in boxes:
        assert left >= 0
        assert right <= width
        for x, y, r in units.values():
            assert math.dist((x, y), (np.clip(x, left, right), np.clip(y, top, bottom))) >= r
    for _, points in paths(root):
        for x, y, r in units.values():
            for start, end in itertools.pairwise(points):
                assert distance((x, y), start, end) >= r - 1e-6


@pytest.mark.parametrize("name", DRAWN)
def test_specs(name, tmp_path):
    assert_clear(picture(SPECS / f"{name}.nn", tmp_path))


def test_ways_around(tmp_path):
    """What skips a column goes around it, however long the names are."""
    spec = tmp_path / "skip.nn"
    spec.write_text(SKIP)
    root = picture(spec, tmp_path)
    assert_clear(root)
    ends = {(name, tuple(np.round(c[:2], 1))) for name, c in circles(root).items()}
    lines = 0
    for _, points in paths(root):
        for (x, y), side in ((points[0], 1), (points[-1], -1)):
            assert any(math.dist((x, y), (u + side * 17, v)) < 0.2 for _, (u, v) in ends)
        lines += 1
    assert lines == 3 * 4 + (4 + 2) + 6 * 3 + (3 + 3) + 6


def test_weights(tmp_path):
    """Every weight is a line, the wider the larger it is, and of the color and the dashes of its sign."""
    root = picture(SPECS / "power_plant_by_hand.nn", tmp_path)
    module = script_of(SPECS / "power_plant_by_hand.nn")
    weights = {name: w for name, w in module.init_params(0, np.float64).items() if w.ndim == 2}
    seen = {}
    for path, _ in paths(root):
        label, _, number = path.find(f"{SVG}title").text.partition(" = ")
        name, _, place = label.partition("[")
        weight = weights[name][tuple(map(int, place.strip("]").split(",")))]
        assert float(number) == pytest.approx(weight, rel=1e-3)
        assert path.get("class") == ("plus" if weight >= 0 else "minus")
        seen[label] = abs(weight), float(path.get("stroke-width"))
    assert len(seen) == sum(w.size for w in weights.values())
    ordered = sorted(seen.values())
    assert [width for _, width in ordered] == sorted(width for _, width in ordered)


def test_values(tmp_path):
    """With an example, every unit has its value."""
    root = picture(SPECS / "power_plant_by_hand.nn", tmp_path, "--example", "2")
    module = script_of(SPECS / "power_plant_by_hand.nn")
    params, data = module.init_params(0, np.float64), module.load_data()
    outputs, cache = module.forward(params, data)
    values = {**cache, "d": data["d"], "y": outputs["y"]}
    for group in root.iter(f"{SVG}g"):
        name, *shown = [text.text for text in group.iter(f"{SVG}text")]
        assert [float(text) for text in shown] == pytest.approx(values[name][1], abs=0.0051)


def test_options(tmp_path):
    spec = str(SPECS / "xor.nn")
    for options in (["--units", "--unfold"], ["--units", "-o", "x.mmd"], ["--example", "1"]):
        assert CliRunner().invoke(main, ["graph", spec, *options]).exit_code == 2
    assert not Path("x.mmd").exists()
