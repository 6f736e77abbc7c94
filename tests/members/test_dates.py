"""Dates as three numbers, equal to those of Python's calendar, in every script, and in a prediction."""

import datetime

import numpy as np
import pytest
from errors.runner import dotnn

from dotnn.running.scripts import load_module
from dotnn.session import Options, compile_spec
from dotnn_runtime.script.dates import date_numbers
from dotnn_runtime.script.errors import DataError

TARGETS = {"explain": Options("explain"), "fast": Options("fast"), "tensorflow": Options(target="tensorflow")}
SPEC = """
model Sales {
  input  day: date
  input  price: [1]
  target sold: [1]
  output y = concat(day, price) -> dense(3, tanh) -> dense(1)
}
data {
  source = csv("d.csv", day = "the day", price = price, sold = sold)
  scale  = standard
  split  = split(val = 25%, order = file)
}
train { loss = mse(y, sold)  epochs = 2  batch = 8 }
"""
DAYS = [datetime.date(1968, 2, 29) + datetime.timedelta(days=97 * i) for i in range(40)] * 2


def write(folder, days=DAYS):
    rng = np.random.default_rng(0)
    rows = [f"{day}{'T05:00' * (i % 2)},{rng.normal():.3f},{rng.normal():.3f}" for i, day in enumerate(days)]
    (folder / "d.csv").write_text("the day,price,sold\n" + "\n".join(rows) + "\n")
    (folder / "s.nn").write_text(SPEC)


def by_hand(days):
    return np.array([[d.year, d.timetuple().tm_yday, d.weekday()] for d in days], float)


def test_the_numbers_are_those_of_the_calendar():
    np.testing.assert_array_equal(date_numbers(np.array([str(day) for day in DAYS])), by_hand(DAYS))


@pytest.mark.parametrize("target", TARGETS)
def test_a_script_scales_them_by_the_training_part(target, tmp_path):
    write(tmp_path)
    (tmp_path / "m.py").write_text(compile_spec(str(tmp_path / "s.nn"), TARGETS[target]).script)
    module = load_module(tmp_path / "m.py", None)
    parts, scaling = module.prepare(module.load_data(), np.float64)
    numbers = by_hand(DAYS)
    mean, deviation = numbers[:60].mean(axis=0), numbers[:60].std(axis=0)
    np.testing.assert_allclose(scaling["day"]["shift"], mean)
    np.testing.assert_allclose(np.asarray(parts["val"]["day"]), (numbers[60:] - mean) / deviation)


@pytest.mark.parametrize("style", ["explain", "fast"])
def test_a_prediction_takes_dates(style, tmp_path):
    write(tmp_path)
    outcome = dotnn("train", "s.nn", "--style", style, "--run", "run", folder=tmp_path)
    assert outcome.exit_code == 0, outcome.stderr
    found = dotnn("predict", "run", "--input", "d.csv", folder=tmp_path).stdout.splitlines()
    assert len(found) == 81
    assert dotnn("check", "s.nn", folder=tmp_path).exit_code == 0


@pytest.mark.parametrize("text", ["2023-02-29", "01.03.2024", "2024-3-1", "2024-W01-1", "", "soon", "20240301"])
def test_what_is_no_date_is_named(text, tmp_path):
    with pytest.raises(DataError, match="no date"):
        date_numbers(np.array([text, "2024-01-01"]))
    write(tmp_path, [*DAYS[:3], text, *DAYS[:2]])
    content = (tmp_path / "d.csv").read_text().replace(f"{text}T05:00,", f"{text},")
    (tmp_path / "d.csv").write_text(content)
    outcome = dotnn("train", "s.nn", "--run", "run", folder=tmp_path)
    assert outcome.exit_code == 1 and "d.csv:5:1" in outcome.stderr and "Traceback" not in outcome.stderr
