"""The reference manual says what the registries say."""

from pathlib import Path

from dotnn.commands.manual import page as manual
from dotnn.commands.manual.markdown import table
from dotnn.library.clips import CLIPS
from dotnn.library.constraints import CONSTRAINTS
from dotnn.library.inits import INITS
from dotnn.library.layers import LAYERS
from dotnn.library.losses import LOSSES
from dotnn.library.metrics import METRICS
from dotnn.library.optimizers import OPTIMIZERS
from dotnn.library.penalties import PENALTIES
from dotnn.library.schedules import SCHEDULES
from dotnn.library.sources import SOURCES

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "language.md").read_text(encoding="utf-8")


def test_the_page_is_up_to_date():
    assert manual.renewed(PAGE) == PAGE, "run: make manual"


def test_every_part_is_on_the_page_once():
    assert sorted(manual.parts(PAGE)) == sorted(manual.SECTIONS)


def test_everything_registered_is_on_the_page():
    for family in (LAYERS, LOSSES, OPTIMIZERS, SCHEDULES, CLIPS, CONSTRAINTS, INITS, PENALTIES, METRICS, SOURCES):
        for name in family:
            assert f"`{name}(" in PAGE or f"`{name}`" in PAGE, name


def test_a_bar_does_not_break_a_table():
    assert table(["a"], [["|W|"]]).splitlines()[2] == r"| \|W\| |"
