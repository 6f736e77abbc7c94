"""Windows of a series: equal to those of a loop over its steps, to the last one, and never of two parts at once."""

import subprocess
import sys

import numpy as np
import pytest
from errors.runner import dotnn

from dotnn.running.scripts import load_module
from dotnn.running.spec_files import load_examples
from dotnn.session import Options, compile_spec, front
from dotnn_runtime.script.errors import DataError
from dotnn_runtime.script.series import in_windows, split_windows

TARGETS = {"explain": Options("explain"), "fast": Options("fast"), "tensorflow": Options(target="tensorflow")}
SPEC = """
model Series {
  input  past: [5, 2]
  input  clock: [1]
  target ahead: [3]
  target kind: class[2]
  h = concat(past -> flatten, clock) -> dense(4, tanh)
  output y = h -> dense(3)
  output p = h -> dense(2, softmax)
}
data {
  source = windows(csv("s.csv", past = [load, temp], ahead = load, kind = kind, clock = hour), past = 5, ahead = 3)
  split = split(train = 60%, val = 25%, test = 15%, order = file)
}
train { loss = mse(y, ahead) + cross_entropy(p, kind)  epochs = 2  batch = 8 }
"""
STEPS = 83
RNG = np.random.default_rng(4)
SERIES = {
    "load": RNG.normal(size=STEPS).round(3),
    "temp": RNG.normal(size=STEPS).round(2),
    "hour": np.arange(STEPS) % 24.0,
    "kind": RNG.integers(0, 2, STEPS),
}


def write(folder, text=SPEC, steps=slice(None), columns=SERIES, name="s.csv"):
    rows = zip(*(values[steps] for values in SERIES.values() if values is not None), strict=True)
    lines = [
        ",".join(columns),
        *(",".join(str(v) for v, c in zip(row, SERIES, strict=True) if c in columns) for row in rows),
    ]
    (folder / name).write_text("\n".join(lines) + "\n")
    (folder / "s.nn").write_text(text)
    return folder / "s.nn"


def by_hand(start=0, stop=STEPS):
    """The windows of the steps from `start` to before `stop`, one at a time."""
    found = {"past": [], "ahead": [], "kind": [], "clock": []}
    t = start + 5
    while t + 3 <= stop:
        found["past"].append([[SERIES["load"][s], SERIES["temp"][s]] for s in range(t - 5, t)])
        found["ahead"].append([SERIES["load"][s] for s in (t, t + 1, t + 2)])
        found["kind"].append(SERIES["kind"][t])
        found["clock"].append([SERIES["hour"][t]])
        t += 1
    return {name: np.array(values) for name, values in found.items()}


def equal(found, expected):
    assert found.keys() >= expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(np.asarray(found[name]).reshape(values.shape), values, rtol=1e-6)


def test_the_windows_are_those_of_a_loop(tmp_path):
    equal(load_examples(front(str(write(tmp_path)))[0])[0], by_hand())


@pytest.mark.parametrize("target", TARGETS)
def test_no_window_is_of_two_parts(target, tmp_path):
    """83 steps are split 50, 21, 12 (largest remainders of 49.8, 20.75, 12.45), and each part has its own windows."""
    write(tmp_path)
    (tmp_path / "m.py").write_text(compile_spec(str(tmp_path / "s.nn"), TARGETS[target]).script)
    module = load_module(tmp_path / "m.py", None)
    raw = module.load_data()
    equal(raw, by_hand())
    parts, _ = module.prepare(raw)
    for name, start, stop in (("train", 0, 50), ("val", 50, 71), ("test", 71, 83)):
        expected = by_hand(start, stop)
        kind = expected.pop("kind")
        equal(parts[name], expected)
        np.testing.assert_array_equal(np.asarray(parts[name]["kind"]).reshape(len(kind), -1)[:, -1], kind)


@pytest.mark.parametrize("style", ["explain", "fast"])
def test_a_prediction_takes_the_series_again(style, tmp_path):
    """The last window that a prediction sees is the last whose inputs are there: its targets need not be."""
    write(tmp_path)
    outcome = dotnn("train", "s.nn", "--style", style, "--run", "run", folder=tmp_path)
    assert outcome.exit_code == 0, outcome.stderr
    write(tmp_path, columns=["load", "temp", "hour"], name="new.csv")
    found = dotnn("predict", "run", "--input", "new.csv", folder=tmp_path).stdout.splitlines()
    assert len(found) == 1 + STEPS - 5
    places = range(5, STEPS)
    past = [[[SERIES["load"][s], SERIES["temp"][s]] for s in range(t - 5, t)] for t in places]
    np.savez(tmp_path / "w.npz", past=np.array(past), clock=SERIES["hour"][5:, None])
    assert dotnn("predict", "run", "--input", "w.npz", folder=tmp_path).stdout.splitlines() == found


def test_one_series_is_shared_by_all_that_name_no_columns(tmp_path):
    text = SPEC.replace("past = [load, temp], ahead = load, kind = kind, clock = hour", "load = load, clock = hour")
    text = text.replace("[5, 2]", "[5, 1]").replace("  target kind: class[2]\n", "")
    text = text.replace("  output p = h -> dense(2, softmax)\n", "").replace(" + cross_entropy(p, kind)", "")
    arrays, _ = load_examples(front(str(write(tmp_path, text)))[0])
    np.testing.assert_array_equal(arrays["past"][..., 0], by_hand()["past"][..., 0])
    np.testing.assert_array_equal(arrays["ahead"], by_hand()["ahead"])


def test_parts_with_files_of_their_own_have_their_own_windows(tmp_path):
    text = SPEC.replace("split = split(train = 60%, val = 25%, test = 15%, order = file)", 'val = csv("v.csv")')
    write(tmp_path, text, slice(50, None), name="v.csv")
    arrays, _ = load_examples(front(str(write(tmp_path, text, slice(0, 50))))[0])
    for part, start, stop in (("train", 0, 50), ("val", 50, STEPS)):
        equal({n: v[arrays["part"] == part] for n, v in arrays.items()}, by_hand(start, stop))


def test_shuffled_windows_are_warned_of(tmp_path):
    assert not any("NN613" in told for told in front(str(write(tmp_path)))[1])
    assert any("NN613" in told for told in front(str(write(tmp_path, SPEC.replace(", order = file", ""))))[1])


def test_windows_are_views_of_the_series():
    series = np.arange(1000.0).reshape(500, 2)
    windows = in_windows({"x": series}, {"x": (-100, 0)})["x"]
    assert windows.shape == (401, 100, 2) and np.shares_memory(windows, series)


def test_a_series_or_a_part_that_is_shorter_than_a_window():
    with pytest.raises(DataError, match="4 steps, a window needs 5"):
        in_windows({"x": np.zeros((4, 1))}, {"x": (-5, 0)})
    with pytest.raises(DataError, match="the part val has 4 steps, a window needs 5"):
        split_windows(16, 5, {"train": 0.8, "val": 0.2})
    assert split_windows(16, 5, {"train": 0.75, "val": 0.25})["val"].tolist() == [15]


# ------------------------------------------------------------------------------- groups, an order by a column, gaps

PLANTS = """
model Plants {
  input  past: [3, 2]
  target ahead: [2]
  output y = past -> flatten -> dense(2)
}
data {
  source  = windows(csv("p.csv", past = [load, temp], ahead = load), past = 3, ahead = 2)
  missing = DROP
  split   = split(train = 50%, val = 25%, test = 25%, HOW)
}
train { loss = mse(y, ahead)  epochs = 1  batch = 4 }
"""
ROWS = 70
TABLE = {
    "plant": np.array(["c", "a", "b", "d"])[RNG.integers(0, 4, ROWS)],
    "hour": RNG.permutation(ROWS),
    "load": RNG.normal(size=ROWS).round(3),
    "temp": RNG.normal(size=ROWS).round(2),
}
GAPS = np.array([4, 20, 21, 43])


def plants(folder, how, *, drop=False):
    """The table, and a spec of it; with gaps in `load` where the script is to leave them out."""
    load = TABLE["load"].astype(str)
    load[GAPS] = "" if drop else load[GAPS]
    rows = zip(TABLE["plant"], TABLE["hour"], load, TABLE["temp"], strict=True)
    (folder / "p.csv").write_text("plant,hour,load,temp\n" + "".join(",".join(map(str, r)) + "\n" for r in rows))
    text = PLANTS.replace("HOW", how).replace("DROP", "[drop(past), drop(ahead)]")
    (folder / "s.nn").write_text(text if drop else text.replace("  missing = [drop(past), drop(ahead)]\n", ""))


def windows_of(rows):
    """The windows of some rows of the table, in their order, as a pair for each step."""
    load, temp = TABLE["load"], TABLE["temp"]
    found = []
    for t in range(3, len(rows) - 1):
        past, ahead = rows[t - 3 : t], rows[t : t + 2]
        found.append(([[load[r], temp[r]] for r in past], [load[r] for r in ahead], [*past, *ahead]))
    return found


def parts_of(folder, target):
    (folder / "m.py").write_text(compile_spec(str(folder / "s.nn"), TARGETS[target]).script)
    module = load_module(folder / "m.py", None)
    return module.prepare(module.load_data())[0]


def the_same(part, expected):
    np.testing.assert_allclose(np.asarray(part["past"]), [past for past, _, _ in expected], rtol=1e-6)
    np.testing.assert_allclose(np.asarray(part["ahead"]), [ahead for _, ahead, _ in expected], rtol=1e-6)


@pytest.mark.parametrize("drop", [False, True], ids=["whole", "with gaps"])
@pytest.mark.parametrize("target", TARGETS)
def test_windows_in_the_order_of_a_column(target, drop, tmp_path):
    """70 steps are split 35, 18, 17; a window with a gap is left out, and none goes across one."""
    plants(tmp_path, "order = hour", drop=drop)
    parts = parts_of(tmp_path, target)
    in_turn = np.argsort(TABLE["hour"])
    for name, start, stop in (("train", 0, 35), ("val", 35, 53), ("test", 53, 70)):
        expected = [w for w in windows_of(in_turn[start:stop]) if not (drop and set(w[2]) & set(GAPS))]
        the_same(parts[name], expected)


@pytest.mark.parametrize("drop", [False, True], ids=["whole", "with gaps"])
@pytest.mark.parametrize("target", TARGETS)
def test_no_window_is_of_two_groups(target, drop, tmp_path):
    """The rows of four plants lie mixed in the file; each has its windows, and one part."""
    plants(tmp_path, "groups = plant, seed = 3", drop=drop)
    assert not any("NN613" in told for told in front(str(tmp_path / "s.nn"))[1])
    parts = parts_of(tmp_path, target)
    of_plant = {name: windows_of(np.flatnonzero(TABLE["plant"] == name)) for name in dict.fromkeys(TABLE["plant"])}
    left = {n: [w for w in some if not (drop and set(w[2]) & set(GAPS))] for n, some in of_plant.items()}
    drawn = np.sort(list(left))[np.random.default_rng(3).permutation(4)]
    for part, names in {"train": drawn[:2], "val": drawn[2:3], "test": drawn[3:]}.items():
        the_same(parts[part], [w for name, some in left.items() if name in names for w in some])
    raw = load_examples(front(str(tmp_path / "s.nn"))[0])[0]
    np.testing.assert_array_equal(raw["groups"], [name for name, some in of_plant.items() for _ in some])


@pytest.mark.parametrize("style", ["explain", "fast"])
def test_a_prediction_takes_several_series_again(style, tmp_path):
    plants(tmp_path, "groups = plant")
    assert dotnn("train", "s.nn", "--style", style, "--run", "run", folder=tmp_path).exit_code == 0
    lines = (tmp_path / "p.csv").read_text().splitlines()
    (tmp_path / "new.csv").write_text("\n".join(",".join(np.array(line.split(","))[[0, 2, 3]]) for line in lines))
    found = dotnn("predict", "run", "--input", "new.csv", folder=tmp_path)
    past = [np.stack([TABLE["load"][r], TABLE["temp"][r]], axis=-1)
            for name in dict.fromkeys(TABLE["plant"])
            for rows in [np.flatnonzero(TABLE["plant"] == name)]
            for t in range(3, len(rows) + 1)
            for r in [rows[t - 3 : t]]]  # fmt: skip
    np.savez(tmp_path / "w.npz", past=np.array(past))
    assert found.exit_code == 0, found.stderr
    assert dotnn("predict", "run", "--input", "w.npz", folder=tmp_path).stdout == found.stdout
    script = script_run(tmp_path, style, "new.csv")
    assert len(past) == script


def script_run(folder, style, file):
    """How many rows the script itself predicts of a table."""
    (folder / "own.py").write_text(compile_spec(str(folder / "s.nn"), Options(style)).script)
    weights = "run/weights.npz"
    ways = {"explain": ["predict", weights, file], "fast": ["predict", "--weights", "run", "--input", file]}
    run = subprocess.run([sys.executable, "own.py", *ways[style]], cwd=folder, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    rows = [line for line in run.stdout.splitlines() if line.strip() != "y"]
    return len(rows) - (style == "fast" and rows[0].startswith("y"))


WITH_TEXTS = """
model M {
  input  past: [4, 1]
  input  day: date
  input  place: category[4]
  target ahead: [1]
  output y = concat(past -> flatten, day, place -> embedding(4, 2)) -> dense(1)
}
data {
  source = windows(csv("t.csv", past = x, ahead = x, day = day, place = place), past = 4, ahead = 1)
  scale  = standard(day)
  split  = split(train = 60%, val = 40%, order = file)
}
train { loss = mse(y, ahead)  epochs = 1 }
"""


@pytest.mark.parametrize("target", TARGETS)
def test_a_window_has_the_date_and_the_text_of_its_step(target, tmp_path):
    days = np.arange("2023-12-20", "2024-01-29", dtype="datetime64[D]")
    x, places = (
        np.random.default_rng(2).normal(size=40).round(3),
        np.array(["north", "east", "south"])[np.arange(40) % 3],
    )
    rows = [f"{a},{b},{c}" for a, b, c in zip(x, days, places, strict=True)]
    (tmp_path / "t.csv").write_text("\n".join(["x,day,place", *rows]))
    (tmp_path / "s.nn").write_text(WITH_TEXTS)
    (tmp_path / "m.py").write_text(compile_spec(str(tmp_path / "s.nn"), TARGETS[target]).script)
    module = load_module(tmp_path / "m.py", None)
    parts, fitted = module.prepare(module.load_data())
    calendar = [day.astype(object).timetuple() for day in days]
    numbers = np.array([[day.tm_year, day.tm_yday, day.tm_wday] for day in calendar], float)
    for name, steps in {"train": range(4, 24), "val": range(28, 40)}.items():
        assert np.asarray(parts[name]["place"]).ravel().tolist() == [1 + (1, 0, 2)[t % 3] for t in steps]
        found = np.asarray(parts[name]["day"], float) / fitted["day"]["scale"] + fitted["day"]["shift"]
        np.testing.assert_allclose(found, numbers[list(steps)], rtol=1e-5, atol=1e-5)
    params, history = module.train(epochs=1)
    inputs = {name: values for name, values in module.load_data().items() if name != "ahead"}
    assert len(module.predict(params, inputs, getattr(history, "scaling", fitted))["y"]) == 36


def test_groups_that_are_all_shorter_than_a_window():
    with pytest.raises(DataError, match="no group has 3 steps, which a window needs"):
        in_windows({"x": np.zeros((4, 1)), "groups": np.array([1, 2, 1, 2])}, {"x": (-3, 0), "groups": (0, 0)})
