"""The gallery of the specs shows what the commands draw today."""

import importlib.util
import re
import sys
from xml.etree import ElementTree

import numpy as np
import pytest
from errors.runner import dotnn
from seeing.reading import boxes_of
from support import ROOT, SPECS

PICTURES = SPECS / "pictures"
SVG = "http://www.w3.org/2000/svg"
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?")
PLACES = {"d", "x", "y", "x1", "y1", "x2", "y2", "cx", "cy", "transform"}
"""The attributes that hold pixels."""
PIXEL, DIGIT = 0.5, 0.01

spec = importlib.util.spec_from_file_location("gallery", ROOT / "docs" / "gallery.py")
gallery = importlib.util.module_from_spec(spec)
sys.modules["gallery"] = gallery
spec.loader.exec_module(gallery)


def test_the_page_is_up_to_date():
    assert (SPECS / "README.md").read_text(encoding="utf-8") == gallery.readme(), "run: make manual"
    shown = [f"{path.stem}.svg" for path in gallery.specs()] + [one.file for one in gallery.RUNS]
    assert sorted(path.name for path in PICTURES.iterdir()) == sorted(shown)
    assert all(said and result for said, result in map(gallery.about, gallery.specs()))


@pytest.mark.parametrize("path", gallery.specs(), ids=lambda path: path.stem)
def test_a_network_is_drawn_as_shown(path, tmp_path):
    drawn = dotnn("graph", str(path), "-o", "-", folder=tmp_path)
    assert drawn.exit_code == 0, drawn.stderr
    assert drawn.stdout == (PICTURES / f"{path.stem}.svg").read_text(encoding="utf-8"), "run: make manual"


@pytest.mark.parametrize("name", sorted({one.spec for one in gallery.RUNS}))
def test_a_run_is_drawn_as_shown(name, tmp_path):
    """To half a pixel, and to one in the third digit of a number in words: sums are not rounded alike on all machines.

    Processors whose instructions differ have drawn some points a hundredth of a pixel apart.
    """
    done = dotnn("train", str(SPECS / f"{name}.nn"), "--run", "run", *gallery.WATCHED, folder=tmp_path)
    assert done.exit_code == 0, done.stderr
    for shown in (one for one in gallery.RUNS if one.spec == name):
        drawn = dotnn("graph", "--run", "run", "--show", shown.picture, "-o", "-", folder=tmp_path)
        texts = drawn.stdout, (PICTURES / shown.file).read_text(encoding="utf-8")
        assert_alike(*(ElementTree.fromstring(text) for text in texts))


def assert_alike(found, wanted):
    """Two pictures have the same elements in the same order, at the same places; of shades the same areas."""
    for one, other in zip(outlines(found), outlines(wanted), strict=True):
        assert (one.tag, set(one.attrib)) == (other.tag, set(other.attrib))
        assert_near(one.text or "", other.text or "", {"rel": 0 if one.tag.endswith("style") else DIGIT, "abs": 0})
        for name, value in one.attrib.items():
            assert_near(value, other.get(name), {"rel": 0, "abs": PIXEL if name in PLACES else 0})
    painted = [areas(root) for root in (found, wanted)]
    assert np.mean(painted[0] != painted[1]) <= 0.001, "run: make manual"


def assert_near(found, wanted, tolerance):
    assert NUMBER.sub("", found) == NUMBER.sub("", wanted), "run: make manual"
    numbers = [[float(number) for number in NUMBER.findall(text)] for text in (found, wanted)]
    assert numbers[0] == pytest.approx(numbers[1], **tolerance), "run: make manual"


def is_shade(element):
    return re.fullmatch(r"f\d a\d", element.get("class") or "")


def outlines(root):
    """Return all but the cells of grids: where one has another shade, rectangles of several cells are others."""
    return [element for element in root.iter() if not is_shade(element)]


def areas(root):
    """Return the number of the colour and the shade of each pixel that a grid paints, 0 where none does."""
    painted = np.zeros([round(float(root.get(side))) for side in ("height", "width")], int)
    for element in filter(is_shade, root.iter()):
        for left, top, width, height in boxes_of(element.get("d")):
            rows, columns = (slice(round(at), round(at + size)) for at, size in ((top, height), (left, width)))
            painted[rows, columns] = 10 * int(element.get("class")[1]) + int(element.get("class")[-1])
    return painted


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('cx="10.00"', 'cx="10.60"'),
        ("mean 2.04e-10", "mean 2.08e-10"),
        ("h5.00v5.00h-5.00z", "h5.00v9.00h-5.00z"),
        ('class="f0 a3"', 'class="f0 a4"'),
        ("<desc>", "<desc>not "),
    ],
)
def test_what_differs_is_seen(before, after):
    picture = (
        f'<svg xmlns="{SVG}" width="60" height="60"><desc>mean 2.04e-10</desc><circle cx="10.00" cy="4.00" r="4" />'
        '<path class="f0 a3" d="M1.00 1.00h5.00v5.00h-5.00z" /></svg>'
    )
    roots = [ElementTree.fromstring(text) for text in (picture, picture.replace(before, after))]
    assert_alike(roots[0], roots[0])
    with pytest.raises(AssertionError):
        assert_alike(*roots)
