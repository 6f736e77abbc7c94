"""Windows of a series and splits in an order are those that pandas makes."""

import numpy as np
import pandas
import pytest

from dotnn.running.scripts import load_module
from dotnn.session import Options, compile_spec

PAST, AHEAD, COUNT = 4, 2, 157
SERIES = """
model S { input past: [4, 2]  target ahead: [2]
  output y = past -> flatten -> dense(2) }
data {
  source = windows(csv("s.csv", past = [load, temp], ahead = load), past = 4, ahead = 2)
  split  = split(train = 62%, val = 21%, test = 17%, order = ORDER)
}
train { loss = mse(y, ahead) }
"""
ROWS = """
model R { input x: [2]  target t: [1]
  output y = x -> dense(1) }
data {
  source = csv("s.csv", x = [load, temp], t = rank)
  split  = split(train = 62%, val = 21%, test = 17%, order = ORDER)
}
train { loss = mse(y, t) }
"""


@pytest.fixture
def frame(tmp_path):
    """Days out of order, some of them twice."""
    rng = np.random.default_rng(8)
    days = pandas.Timestamp("2021-01-01") + pandas.to_timedelta(rng.integers(0, 300, COUNT), unit="D")
    values = {"load": rng.normal(size=COUNT).round(3), "temp": rng.normal(size=COUNT).round(3), "rank": range(COUNT)}
    found = pandas.DataFrame({**values, "day": days.strftime("%Y-%m-%d")})
    found.to_csv(tmp_path / "s.csv", index=False)
    return found


def parts_of(text, order, style, folder):
    (folder / "s.nn").write_text(text.replace("ORDER", order))
    (folder / "m.py").write_text(compile_spec(str(folder / "s.nn"), Options(style)).script)
    module = load_module(folder / "m.py", None)
    return module.prepare(module.load_data(), np.float64)[0]


def in_parts(frame, order):
    """The rows of each part: the sizes are the nearest whole numbers here, 97.34, 32.97 and 26.69 of 157."""
    rows = frame if order == "file" else frame.sort_values("day", kind="stable")
    return {"train": rows.iloc[:97], "val": rows.iloc[97:130], "test": rows.iloc[130:]}


@pytest.mark.parametrize("style", ["explain", "fast"])
@pytest.mark.parametrize("order", ["file", "day"])
def test_windows_are_shifted_columns(order, style, frame, tmp_path):
    found = parts_of(SERIES, order, style, tmp_path)
    for name, rows in in_parts(frame, order).items():
        columns = {("past", s, c): rows[c].shift(PAST - s) for s in range(PAST) for c in ("load", "temp")}
        columns |= {("ahead", s): rows["load"].shift(-s) for s in range(AHEAD)}
        whole = pandas.DataFrame(columns).dropna()
        past = whole["past"].to_numpy().reshape(-1, PAST, 2)
        np.testing.assert_array_equal(np.asarray(found[name]["past"]), past)
        np.testing.assert_array_equal(np.asarray(found[name]["ahead"]), whole["ahead"].to_numpy().reshape(-1, AHEAD))


@pytest.mark.parametrize("style", ["explain", "fast"])
@pytest.mark.parametrize("order", ["file", "day"])
def test_splits_in_an_order_are_slices_of_the_sorted_rows(order, style, frame, tmp_path):
    found = parts_of(ROWS, order, style, tmp_path)
    for name, rows in in_parts(frame, order).items():
        part = found[name]
        assert set(np.asarray(part["t"])[:, 0]) == set(rows["rank"]), name
        again = frame.iloc[np.asarray(part["t"])[:, 0].astype(int)]
        np.testing.assert_array_equal(np.asarray(part["x"]), again[["load", "temp"]].to_numpy())
