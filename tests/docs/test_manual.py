"""The reference manual says what the registries say."""

from pathlib import Path

import pytest

from dotnn.commands import COMMANDS
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
from dotnn.model.train import TRAIN_KEY_NAMES
from dotnn.model.turns import STEPS, UPDATES

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = ("language.md", "commands.md", "runs.md")
PAGE, COMMANDS_PAGE, RUNS_PAGE = (DOCS.joinpath(name).read_text(encoding="utf-8") for name in PAGES)


@pytest.mark.parametrize("page", [PAGE, COMMANDS_PAGE, RUNS_PAGE], ids=["language", "commands", "runs"])
def test_the_page_is_up_to_date(page):
    assert manual.renewed(page) == page, "run: make manual"


def test_every_part_is_on_the_pages_once():
    assert sorted(manual.parts(PAGE + COMMANDS_PAGE + RUNS_PAGE)) == sorted(manual.SECTIONS)


def test_every_command_is_on_the_page():
    for name in COMMANDS:
        assert f"| `dotnn {name}" in COMMANDS_PAGE, name


def test_the_manual_says_of_every_key_of_train_what_is_counted_kept_and_shown():
    """A new key fails until it has a row; an empty cell says that there is nothing of it."""
    rows = PAGE.partition("### What is counted, kept and shown")[2].partition("\n## ")[0]
    cells = [line.strip("| ").split("|")[0] for line in rows.splitlines() if line.startswith("| `")]
    named = [name.strip(" `") for cell in cells for name in cell.split(",")]
    assert sorted(named) == sorted({*TRAIN_KEY_NAMES, STEPS.name, UPDATES})


def test_everything_registered_is_on_the_page():
    for family in (LAYERS, LOSSES, OPTIMIZERS, SCHEDULES, CLIPS, CONSTRAINTS, INITS, PENALTIES, METRICS, SOURCES):
        for name in family:
            assert f"`{name}(" in PAGE or f"`{name}`" in PAGE, name


def test_a_bar_does_not_break_a_table():
    assert table(["a"], [["|W|"]]).splitlines()[2] == r"| \|W\| |"
