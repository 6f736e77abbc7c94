"""Splits in the order of the file or of a column, and by groups: equal to plain loops, in every style."""

import csv
from datetime import date, timedelta

import numpy as np
import pytest

from dotnn.core.diagnostics import CompileError
from dotnn.running.scripts import load_module
from dotnn.running.spec_files import load_examples
from dotnn.session import Options, compile_spec
from dotnn_runtime.script.errors import DataError
from dotnn_runtime.script.split import split_groups, split_in_order

STYLES = ("explain", "fast")
SPEC = """
model Splits {
  input  x: [1]
  target row: [1]
  output y = x -> dense(1)
}
data {
  source = csv("d.csv", x = a, row = row)
  split  = split(train = 60%, val = 15%, test = 25%, HOW)
}
train { loss = mse(y, row)  epochs = 1 }
"""


HEADER = ["a", "row", "day", "hour", "patient"]


def table(rows=41):
    """Lines of a table: a number, the line's own, a day, an hour and a patient."""
    rng = np.random.default_rng(0)
    days = [str(date(2024, 1, 1) + timedelta(days=int(n))) for n in rng.integers(0, 60, rows)]
    columns = (rng.normal(size=rows).round(3), range(rows), days, rng.integers(0, 12, rows), rng.integers(0, 9, rows))
    return [[str(a), str(row), day, str(hour), f"p{who}"] for a, row, day, hour, who in zip(*columns, strict=True)]


def parts_of(folder, lines, how, style):
    """The rows of each part, as a script splits the table."""
    with open(folder / "d.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([HEADER, *lines])
    (folder / "s.nn").write_text(SPEC.replace("HOW", how))
    (folder / "s.py").write_text(compile_spec(str(folder / "s.nn"), Options(style)).script)
    module = load_module(folder / "s.py")
    parts = module.prepare(module.load_data())[0]
    return {part: [int(row) for row in found["row"][:, 0]] for part, found in parts.items()}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("column", ["day", "hour", "file"])
def test_an_ordered_split_is_that_of_a_sorted_table(column, style, tmp_path):
    """Days are texts; hours are numbers, of which 10 and 11 come last; equal ones stay in the order of the file."""
    lines = table()
    keys = {"day": lambda line: line[2], "hour": lambda line: int(line[3]), "file": lambda line: 0}
    ordered = [int(line[1]) for line in sorted(lines, key=keys[column])]
    found = parts_of(tmp_path, lines, f"order = {column}", style)
    assert [len(rows) for rows in found.values()] == [25, 6, 10]
    assert found == {
        "train": sorted(ordered[:25]),
        "val": sorted(ordered[25:31]),
        "test": sorted(ordered[31:]),
    }


@pytest.mark.parametrize("style", STYLES)
def test_what_is_of_one_group_stays_together(style, tmp_path):
    lines = table()
    found = parts_of(tmp_path, lines, "groups = patient, seed = 4", style)
    patients = {part: {lines[row][4] for row in rows} for part, rows in found.items()}
    assert sorted(row for rows in found.values() for row in rows) == list(range(41))
    assert [len(some) for some in patients.values()] == [5, 1, 2]
    assert len(set().union(*patients.values())) == 8
    assert found != parts_of(tmp_path, lines, "groups = patient, seed = 5", style)


def test_both_styles_draw_the_same_groups(tmp_path):
    lines = table()
    explain, fast = (parts_of(tmp_path, lines, "groups = patient, seed = 4", style) for style in STYLES)
    assert explain == fast


def test_groups_may_be_numbers_and_an_order_may_be_given():
    groups = np.array([3, 1, 3, 2, 1, 2])
    parts = split_groups(groups, {"train": 2 / 3, "test": 1 / 3}, 0)
    assert {len(set(groups[rows])) for rows in parts.values()} == {1, 2}
    keys = np.array([0.5, -1.0, 0.5, 7.0])
    assert [rows.tolist() for rows in split_in_order(keys, {"a": 0.5, "b": 0.5}).values()] == [[0, 1], [2, 3]]


@pytest.mark.parametrize("what", ["examples", "groups"])
def test_a_part_that_would_be_empty_is_refused(what):
    with pytest.raises(DataError, match=f"the part val would be empty: 0.1 of 3 {what}"):
        if what == "groups":
            split_groups(np.array(["a", "b", "c", "a"]), {"train": 0.9, "val": 0.1}, 0)
        else:
            split_in_order(np.arange(3), {"train": 0.9, "val": 0.1})


FILES = """
model Files {
  input  x: [1]
  target row: [1]
  output y = x -> dense(1)
}
data {
  source = SOURCE
  test   = TEST
  scale  = standard(x)
  SPLIT
}
train { loss = mse(y, row)  epochs = 1 }
"""


def write(path, lines):
    if path.suffix == ".npz":
        numbers = np.array([[float(cell) for cell in line[:2]] for line in lines])
        np.savez(path, a=numbers[:, :1], row=numbers[:, 1:])
        return
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([HEADER, *lines])


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("ending", ["csv", "npz"])
@pytest.mark.parametrize("split", ["", "split = split(val = 25%, seed = 3)", "split = split(val = 25%, order = file)"])
def test_a_part_has_a_file_of_its_own(split, ending, style, tmp_path):
    lines = table()
    write(tmp_path / f"train.{ending}", lines[:30])
    write(tmp_path / f"test.{ending}", lines[30:])
    source = FILES.replace("SOURCE", f'{ending}("train.{ending}", x = a, row = row)')
    source = source.replace("TEST", f'{ending}("test.{ending}")')
    (tmp_path / "s.nn").write_text(source.replace("SPLIT", split))
    (tmp_path / "s.py").write_text(compile_spec(str(tmp_path / "s.nn"), Options(style)).script)
    module = load_module(tmp_path / "s.py")
    parts, scaling = module.prepare(module.load_data(), np.float64)
    rows = {part: [int(row) for row in found["row"][:, 0]] for part, found in parts.items()}
    assert rows["test"] == list(range(30, 41))
    assert sorted(rows["train"] + rows.get("val", [])) == list(range(30))
    assert len(rows.get("val", [])) == (7 if split else 0)
    if "order" in split:
        assert rows["val"] == list(range(23, 30))
    a = np.array([float(line[0]) for line in lines])
    np.testing.assert_allclose(scaling["x"]["shift"], a[rows["train"]].mean(), rtol=1e-12)
    expected = (a[rows["test"]] - a[rows["train"]].mean()) / a[rows["train"]].std()
    np.testing.assert_allclose(parts["test"]["x"][:, 0], expected, rtol=1e-9)


def test_the_classes_of_all_parts_are_those_of_the_training_part(tmp_path, monkeypatch):
    """The text of a class that is not in the training part is an error of its line."""
    lines = [[f"{i}", f"{i}", "", "", "ab"[i % 2]] for i in range(6)]
    write(tmp_path / "train.csv", lines)
    write(tmp_path / "test.csv", [*lines[1:2], *lines[1:2]])
    source = """
model C { input x: [1]  target kind: class[2]  output p = x -> dense(2, softmax) }
data { source = csv("train.csv", x = a, kind = patient)  test = csv("test.csv") }
train { loss = cross_entropy(p, kind)  epochs = 1 }
"""
    (tmp_path / "s.nn").write_text(source)
    model = compile_spec(str(tmp_path / "s.nn")).model
    arrays, labels = load_examples(model)
    assert labels == {"kind": ["a", "b"]}
    assert arrays["kind"].tolist() == [0, 1, 0, 1, 0, 1, 1, 1]
    write(tmp_path / "test.csv", [*lines[1:2], ["1", "1", "", "", "c"]])
    with pytest.raises(CompileError, match="'c', which is none of the classes") as caught:
        load_examples(model)
    place = caught.value.diagnostics[0].source
    assert place is not None and (place.path, place.first_line) == ("test.csv", 3)
