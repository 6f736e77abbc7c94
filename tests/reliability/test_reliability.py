"""Damaged files and killed trainings: short versions of damage.py and kills.py, and every write once."""

import os

import pytest
from reliability import damage, kills

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
@pytest.mark.parametrize("regime", ["ensemble", "updates"])
def test_a_regime_that_is_killed_ends_as_one_that_was_not(regime):
    count, _, wrong = kills.rounds(1, 5, "numpy", "dotnn", 10, regime=regime)
    assert count == 1 and not wrong, "\n".join(wrong)


@needs_fork
@pytest.mark.parametrize(
    ("by", "style", "stride"), [("dotnn", "fast", 4), ("dotnn", "explain", 7), ("script", "fast", 2)]
)
def test_a_kill_at_any_write_leaves_a_folder_to_go_on_with(by, style, stride, monkeypatch):
    monkeypatch.setattr("dotnn.running.run_files.loss_svg", lambda *args, **more: "a picture")
    moments, wrong = kills.at_every_write(by, stride, style=style)
    assert moments > 20 and not wrong, "\n".join(wrong)
