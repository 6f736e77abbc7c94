import io
import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dotnn_runtime.curves import BLOCKS, block_curve, text_curve
from dotnn_runtime.live import Track
from dotnn_runtime.progress import TrainingProgress, format_record


class Terminal(io.StringIO):
    def isatty(self):
        return True


def run(stream, epochs=2000, **options):
    with TrainingProgress(epochs, stream=stream, **options) as progress:
        for epoch in range(1, epochs + 1):
            progress({"epoch": epoch, "loss": 1 / epoch, "accuracy": 0.5}, state={})
    return stream.getvalue()


def test_one_line_at_the_start_and_one_at_the_end_where_nobody_watches():
    first, last = run(io.StringIO()).splitlines()
    assert first == "training: 2000 epochs"
    assert last.startswith("training: ended after 2000 epochs, ")
    assert last.endswith("loss 0.0005  accuracy 0.5")


def test_quiet_writes_nothing():
    assert run(io.StringIO(), quiet=True) == ""
    assert run(Terminal(), quiet=True) == ""


def test_a_terminal_gets_a_bar_with_the_last_numbers(monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")
    text = run(Terminal())
    assert "2000/2000" in text
    assert "best 0.0005 at 2000" in text


def test_the_curves_are_those_of_the_losses(monkeypatch):
    """That of validation, where there is one: it rises again here, while the training loss falls."""
    monkeypatch.setenv("COLUMNS", "140")
    monkeypatch.setenv("LINES", "5")
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with TrainingProgress(9, stream=stream) as progress:
        for epoch in range(1, 10):
            progress({"epoch": epoch, "loss": 10.0 - epoch, "val_loss": float(abs(epoch - 5))})
    assert "█▇▆▅▅▄▃▂▁" in stream.getvalue() and "█▆▅▃▁▃▅▆█" in stream.getvalue()


@given(st.lists(st.floats(), max_size=80), st.integers(1, 30), st.integers(1, 4))
def test_a_small_curve_of_anything_fits(values, width, height):
    drawn = block_curve(values, width=width, height=height)
    assert len(drawn) == height
    assert all(len(line) <= width and {*line} <= {*BLOCKS, " "} for line in drawn)


@given(st.lists(st.floats(1, 20), min_size=2, max_size=16, unique=True), st.integers(1, 4))
def test_a_small_curve_is_as_high_as_its_values(values, lines):
    drawn = block_curve(values, height=lines)
    heights = [sum(f" {BLOCKS}".index(line[i]) for line in drawn) for i in range(len(values))]
    low, high = min(values), max(values)
    for height, value in zip(heights, values, strict=True):
        assert abs(height - 1 - (8 * lines - 1) * (value - low) / (high - low)) <= 0.5 + 1e-6


@pytest.mark.parametrize("count", [7, 1023, 1024, 5000])
def test_a_long_training_is_kept_by_means(count):
    values = [math.sin(epoch / 50) for epoch in range(1, count + 1)]
    track = Track("loss", "max")
    for epoch, value in enumerate(values, 1):
        track.take(epoch, value)
    stretch = -(-count // len(track.means)) if count >= 1024 else 1
    whole = [values[i : i + stretch] for i in range(0, count - stretch + 1, stretch)]
    assert len(track.means) == len(whole) < 1024
    assert track.means == pytest.approx([sum(part) / stretch for part in whole], abs=1e-12)
    assert (track.last, track.best) == (values[-1], max(values))
    assert values[track.best_epoch - 1] == max(values)


def test_the_view_is_drawn_ten_times_a_second_at_most(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    drawn = []
    with TrainingProgress(1000, stream=Terminal()) as progress:
        monkeypatch.setattr(progress._live, "refresh", lambda: drawn.append(clock[0]))
        for epoch in range(1, 1001):
            clock[0] += 0.01
            progress({"epoch": epoch, "loss": 1.0})
        monkeypatch.undo()
    assert 80 <= len(drawn) <= 101


def test_an_epoch_costs_microseconds():
    progress = TrainingProgress(10, stream=io.StringIO())
    with progress:
        start = time.perf_counter()
        for _ in range(10_000):
            progress({"loss": 1.0})
        assert time.perf_counter() - start < 0.5
    assert progress.done == 10_000


def test_a_broken_run_says_so_and_does_not_swallow_the_error():
    stream = io.StringIO()
    with pytest.raises(KeyboardInterrupt), TrainingProgress(9, stream=stream) as progress:
        progress({"epoch": 3, "loss": math.nan})
        raise KeyboardInterrupt
    assert "stopped after 3 epochs" in stream.getvalue()
    assert stream.getvalue().rstrip().endswith("loss nan")


def test_records_are_short():
    record = {"epoch": 1, "seconds": 2.0, "a": 1, "note": "x", "flag": True, "none": None, "b": 0.123456}
    assert format_record(record) == "a 1  b 0.1235"


def test_text_curve():
    assert text_curve([4.0, 2.0, 0.0], height=3).splitlines() == [
        "loss",
        "        4 │●",
        "          │ ●",
        "        0 │  ●",
        "          └───",
        "           1 3 epochs",
    ]
    assert "logarithmic" in text_curve([100.0, 1.0])
    assert text_curve([math.nan]) == "loss: nothing to draw"
    assert text_curve([]) == "loss: nothing to draw"


@given(st.lists(st.floats(width=32), max_size=200), st.integers(1, 80), st.integers(2, 20))
def test_curves_of_anything_keep_their_size(values, width, height):
    lines = text_curve(values, width=width, height=height).splitlines()
    assert len(lines) in (1, height + 3)
    assert all(len(line) <= 11 + width for line in lines[1:-1])
