"""The gallery of the specs shows what the commands draw today."""

import importlib.util
import re
import sys
from xml.etree import ElementTree

import pytest
from errors.runner import dotnn
from support import ROOT, SPECS

PICTURES = SPECS / "pictures"
DESCRIPTION = "{http://www.w3.org/2000/svg}desc"
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?")

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
def test_a_run_says_what_is_shown(name, tmp_path):
    """The words of a picture are the same, its numbers nearly: sums are not rounded alike on all machines."""
    done = dotnn("train", str(SPECS / f"{name}.nn"), "--run", "run", folder=tmp_path)
    assert done.exit_code == 0, done.stderr
    for shown in (one for one in gallery.RUNS if one.spec == name):
        drawn = dotnn("graph", "--run", "run", "--show", shown.picture, "-o", "-", folder=tmp_path)
        found, wanted = (
            ElementTree.fromstring(text).findtext(DESCRIPTION)
            for text in (drawn.stdout, (PICTURES / shown.file).read_text(encoding="utf-8"))
        )
        assert NUMBER.sub("", found) == NUMBER.sub("", wanted), "run: make manual"
        numbers = [[float(number) for number in NUMBER.findall(text)] for text in (found, wanted)]
        assert numbers[0] == pytest.approx(numbers[1], rel=0.05, abs=0.02)
