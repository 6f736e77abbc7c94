"""What a terminal shows of a training while it goes on, in a real one: read off its screen, beside the history."""

import csv
import re

import numpy as np
import pytest
from seeing.terminal import Session

TEXT = """
model Slow { input x: [2]  target t: class[2]  output p = x -> dense(8, tanh) -> dense(2, softmax) }
data { source = npz("d.npz", x = x, t = t)  split = split(train = 60%, val = 20%, test = 20%) }
train { loss = cross_entropy(p, t)  optim = adam(0.01)  batch = 4  epochs = EPOCHS  metrics = [accuracy] }
"""
LEVELS = " ▁▂▃▄▅▆▇█"


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 2))
    np.savez(tmp_path / "d.npz", x=x, t=(x[:, 0] * x[:, 1] + 0.3 * rng.normal(size=300) > 0).astype(int))
    return tmp_path


def begun(folder, epochs, **terminal):
    (folder / "s.nn").write_text(TEXT.replace("EPOCHS", str(epochs)))
    return Session("-m", "dotnn", "train", "s.nn", "--run", "r", folder=folder, **terminal)


def epoch_of(shown):
    """Return the number of the epoch that a screen shows, 0 where it shows none."""
    return max((int(number) for number in re.findall(r"(\d+)/\d+ epochs", "\n".join(shown))), default=0)


def history_of(folder):
    with open(folder / "r/history.csv", newline="") as file:
        rows = [*csv.DictReader(file)]
    return {name: [float(row[name]) for row in rows] for name in rows[0]}


def heights(values, levels):
    """How many eighths of a line each of some columns is high: from one at the least to all at the greatest."""
    scaled = np.log10(values) if min(values) > 0 and max(values) > 30 * min(values) else np.array(values)
    return 1 + np.rint((scaled - scaled.min()) / (np.ptp(scaled) or 1) * (levels - 1))


def assert_curve(lines, values, name, better):
    """Three lines: the name, the last and the best value at their left, the curve behind these."""
    at = values.index(better(values))
    said = [name, f"{values[-1]:.4g}", f"best {values[at]:.4g} at {at + 1}"]
    beside = max(20, len(said[2])) + 2
    assert [line[:beside].strip() for line in lines] == said
    drawn = np.array([[LEVELS.index(letter) for letter in line[beside:].ljust(len(values))] for line in lines])
    np.testing.assert_array_equal(drawn.sum(axis=0), heights(values, 24))
    assert all(column[::-1].cumsum().max() == column.sum() and (np.diff(column) >= 0).all() for column in drawn.T)


def test_the_screen_shows_the_history(folder):
    session = begun(folder, 30)
    session.until()
    assert session.code == 0
    lines, history = session.screen.lines, history_of(folder)
    (start,) = [i for i, line in enumerate(lines) if line.startswith("Slow  ━")]
    assert re.fullmatch(r"Slow  ━{10,}  30/30 epochs  [\d.]+ epochs/s  0:\d\d:\d\d in all", lines[start])
    view = lines[start + 1 : start + 10]
    for i, (name, better) in enumerate([("loss", min), ("val_loss", min), ("val_accuracy", max)]):
        assert_curve(view[3 * i : 3 * i + 3], history[name], name, better)
    assert lines[start + 10] == "loss" and lines[-2].strip() == "run folder: r"


def whole_in_forty(lines):
    """Whether a frame for forty columns is there to its last curve: a half of it may have been read."""
    first = {line.split(" ")[0] for line in lines}
    return (
        any(re.fullmatch(r"Slow  [━─]{33}", line) for line in lines) and {"loss", "val_loss", "val_accuracy"} <= first
    )


def test_a_small_terminal_one_that_shrinks_and_ctrl_c(folder):
    """All stays in the window, and what was learned until then is kept. A frame on its way as it shrinks stays."""
    session = begun(folder, 100_000, columns=80, rows=24)
    assert epoch_of(session.until(lambda shown: epoch_of(shown) > 0))
    session.size(40, 12)
    wide = len(session.raw)
    shown = session.until(whole_in_forty)
    assert len(shown) <= 12 and all(len(line) <= 40 for line in shown) and epoch_of(shown)
    assert len(session.raw) > wide
    session.press(b"\x03")
    session.until()
    assert session.code == 1
    text = "\n".join(session.screen.lines)
    assert "stopping after this epoch" in text.replace("\n", " ")
    assert all(len(line) <= 40 for line in session.screen.lines)
    assert session.raw.count("\x1b[?25h") >= session.raw.count("\x1b[?25l") > 0  # the cursor is there again
    epochs = len(history_of(folder)["loss"])
    assert epoch_of(session.screen.lines) == epochs and (folder / "r/weights.npz").exists()


ALONE = """
import sys
from dotnn_runtime.progress import TrainingProgress
with TrainingProgress(3, title="Few", stream=sys.stderr, metric="r2", better="max") as progress:
    for epoch in (1, 2, 3):
        progress({"epoch": epoch, "loss": 1 / epoch, "r2": float("nan") if epoch == 2 else -1.0 / epoch})
"""


@pytest.mark.parametrize(
    "env", [{"TERM": "dumb"}, {"PYTHONIOENCODING": "ascii"}], ids=["cannot go back", "has no blocks"]
)
def test_a_terminal_that_cannot_draw_gets_lines(env):
    session = Session("-c", ALONE, env=env)
    first, last, _ = session.until()
    assert (session.code, first) == (0, "Few: 3 epochs") and "\x1b" not in session.raw
    assert re.fullmatch(r"Few: ended after 3 epochs, \d\.\d s; last epoch: loss 0\.3333  r2 -0\.3333", last)


def test_no_colour_where_none_is_wanted():
    coloured, plain = (Session("-c", ALONE, env=env) for env in ({}, {"NO_COLOR": "1"}))
    shown = [session.until() for session in (coloured, plain)]
    styles = [{*re.findall(r"\x1b\[([\d;]+)m", session.raw)} for session in (coloured, plain)]
    assert any(re.search(r"\b3\d\b", style) for style in styles[0])
    assert not any(re.search(r"\b[34]\d\b", style) for style in styles[1])
    assert shown[0][1:] == shown[1][1:] and [line[22:] for line in shown[0][4:7]] == ["  █", "  █", "▁ █"]


@pytest.mark.parametrize(("columns", "rows"), [(1, 1), (7, 3), (20, 5), (33, 9), (300, 90)])
def test_any_window_is_wide_enough(columns, rows):
    """Nothing wraps, nothing scrolls: what is drawn anew lies where it lay before."""
    session = Session("-c", ALONE, columns=columns, rows=rows)
    session.until()
    assert session.code == 0
    assert all(len(line) <= columns for line in session.screen.lines) and len(session.screen.lines) <= max(rows, 2)
    titles = sum(line.startswith("Few"[: columns // 2]) for line in session.screen.lines)
    assert titles == 1 or columns == 1
