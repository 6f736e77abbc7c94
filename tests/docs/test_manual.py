"""The reference manual says what the registries say."""

from pathlib import Path

from dotnn import manual
from dotnn.clips import CLIPS
from dotnn.constraints import CONSTRAINTS
from dotnn.inits import INITS
from dotnn.layers import LAYERS
from dotnn.losses import LOSSES
from dotnn.metrics import METRICS
from dotnn.optimizers import OPTIMIZERS
from dotnn.penalties import PENALTIES
from dotnn.schedules import SCHEDULES

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "language.md").read_text(encoding="utf-8")


def test_the_page_is_up_to_date():
    assert manual.renewed(PAGE) == PAGE, "run: make manual"


def test_every_part_is_on_the_page_once():
    assert sorted(manual.parts(PAGE)) == sorted(manual.SECTIONS)


def test_everything_registered_is_on_the_page():
    for family in (LAYERS, LOSSES, OPTIMIZERS, SCHEDULES, CLIPS, CONSTRAINTS, INITS, PENALTIES, METRICS):
        for name in family:
            assert f"`{name}(" in PAGE or f"`{name}`" in PAGE, name


def test_a_bar_does_not_break_a_table():
    assert manual.table(["a"], [["|W|"]]).splitlines()[2] == r"| \|W\| |"
