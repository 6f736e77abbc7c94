"""Damaged files and killed trainings: short versions of damage.py, kills.py and regimes_killed.py."""

import os

import pytest
from reliability import damage, kills, regimes_killed
from reliability.trainings import REGIMES
from support import STYLES

from dotnn.library.averages import AVERAGES
from dotnn.library.noises import NOISES
from dotnn.library.schedules import SCHEDULES
from dotnn.model.settings import SETTINGS

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forks")


def test_damaged_files_are_named_or_make_no_difference():
    count, wrong = damage.run(40, seed=1)
    assert count == 40 and not wrong, "\n".join(wrong)


@needs_fork
@pytest.mark.parametrize(("by", "style"), [("dotnn", "fast"), ("dotnn", "explain"), ("script", "fast")])
def test_a_training_that_is_killed_ends_as_one_that_was_not(by, style):
    count, _, wrong = kills.rounds(2, 5, "numpy", by, 20, style)
    assert count == 2 and not wrong, "\n".join(wrong)


@needs_fork
@pytest.mark.parametrize("name", REGIMES)
def test_a_regime_that_is_killed_at_a_write_ends_as_one_that_was_not(name, monkeypatch):
    """Once in one of the styles; `regimes_killed.py` does it more often."""
    monkeypatch.setattr("dotnn.running.run_files.loss_svg", lambda *args, **more: "a picture")
    number = [*REGIMES].index(name)
    _, wrong = regimes_killed.killed(name, 1, seed=number, style=STYLES[number % 2])
    assert not wrong, "\n".join(wrong)


def test_every_regime_is_killed():
    """What a registry knows and no training here has fails: it may not go on from its checkpoint as it should."""
    said = " ".join(regime.spec for regime in REGIMES.values())
    assert not [name for name in SETTINGS if f"{name} =" not in said]
    assert not [name for name in (*AVERAGES, *NOISES, *SCHEDULES) if f"{name}(" not in said]


@needs_fork
@pytest.mark.parametrize(
    ("by", "style", "stride"), [("dotnn", "fast", 7), ("dotnn", "explain", 13), ("script", "fast", 5)]
)
def test_a_kill_at_any_write_leaves_a_folder_to_go_on_with(by, style, stride, monkeypatch):
    monkeypatch.setattr("dotnn.running.run_files.loss_svg", lambda *args, **more: "a picture")
    moments, wrong = kills.at_every_write(by, stride, style=style)
    assert moments > 20 and not wrong, "\n".join(wrong)
