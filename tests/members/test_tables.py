"""Tables as they come: however one is written, the numbers are the same, in every script and in a prediction."""

import csv
import gzip
import io

import numpy as np
import pytest
from errors.runner import dotnn

from dotnn.running.scripts import load_module
from dotnn.running.spec_files import load_examples
from dotnn.session import Options, compile_spec, front
from dotnn_runtime.script.data import DataError, read_csv

TARGETS = {"explain": Options("explain"), "fast": Options("fast"), "tensorflow": Options(target="tensorflow")}
HEADER = ["id", "a", "b c", "d", "kind", "price"]
SPEC = """
model Houses {
  input  x: [3]
  target price: [1]
  target kind: class[2]
  h = x -> dense(3, tanh)
  output y = h -> dense(1)
  output p = h -> dense(2, softmax)
}
data {
  source = csv("FILE", x = COLUMNS, price = price, kind = kindOPTIONS)
  missing = mean(x)
  scale = standard(x)
}
train { loss = mse(y, price) + cross_entropy(p, kind)  epochs = 2  batch = 4  seed = 1 }
"""
ROWS = np.random.default_rng(5).normal(size=(20, 4)).round(3)
GAP = 7
"""The row whose second number is a gap."""

FORMS = {
    "usual": {},
    "semicolons": {"delimiter": ";", "decimal": ","},
    "tabs": {"delimiter": "\t"},
    "bars_and_minus": {"delimiter": "|", "missing": ["-99", "n. a."]},
    "quotes": {"quoting": "'"},
    "no_quotes": {"quoting": "none", "delimiter": ";"},
}


def cell(value, form):
    return f"{value}".replace(".", form.get("decimal", "."))


def table(form, gap):
    """The rows of a table as text, the gap of row `GAP` as it is written."""
    text = io.StringIO()
    quoting = csv.QUOTE_NONE if form.get("quoting") == "none" else csv.QUOTE_MINIMAL
    quote = form.get("quoting", '"') if quoting == csv.QUOTE_MINIMAL else None
    writer = csv.writer(text, delimiter=form.get("delimiter", ","), quotechar=quote, quoting=quoting)
    writer.writerow(HEADER)
    for i, row in enumerate(ROWS):
        numbers = [cell(value, form) for value in row]
        if i == GAP:
            numbers[1] = gap
        kind = "flat" if i % 3 else ("old, house" if quote else "old house")
        writer.writerow([i, *numbers[:3], kind, numbers[3]])
    return text.getvalue()


def options(form):
    """What a spec says of a form."""
    words = {name: str(value).replace("'", '"').replace("\t", "\\t") for name, value in form.items()}
    shown = {n: w if n == "missing" or w == "none" else f'"{w}"' if w != '"' else '"\'"' for n, w in words.items()}
    return "".join(f", {name} = {word}" for name, word in shown.items())


def spec(folder, form, columns='[a, "b c", d]', packed=False):
    """Write a table in a form, and a spec of it."""
    name = "t.csv.gz" if packed else "t.csv"
    text = table(form, "-99" if "missing" in form else "").encode()
    (folder / name).write_bytes(gzip.compress(text) if packed else text)
    full = SPEC.replace("FILE", name).replace("COLUMNS", columns).replace("OPTIONS", options(form))
    (folder / "s.nn").write_text(full)
    return folder / "s.nn"


def expected():
    numbers = ROWS.copy()
    numbers[GAP, 1] = np.nan
    return {"x": numbers[:, :3], "price": numbers[:, 3:], "kind": np.array([i % 3 == 0 for i in range(20)], int)}


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "packed"])
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_the_numbers_are_those_that_were_written(form, packed, tmp_path):
    arrays, labels = load_examples(front(str(spec(tmp_path, form, packed=packed)))[0])
    for name, values in expected().items():
        np.testing.assert_array_equal(np.asarray(arrays[name]).reshape(values.shape), values)
    assert labels["kind"][1].startswith("old")


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("form", ["semicolons", "bars_and_minus"])
def test_scripts_read_the_same(form, target, tmp_path):
    path = spec(tmp_path, FORMS[form], packed=True)
    (tmp_path / "s.py").write_text(compile_spec(str(path), TARGETS[target]).script)
    arrays = load_module(tmp_path / "s.py", None).load_data()
    for name, values in expected().items():
        np.testing.assert_array_equal(np.asarray(arrays[name]).reshape(values.shape), values)


@pytest.mark.parametrize("columns", ["except(id)", "a..d", "except(id..id)", '["b c"..d, a]'])
def test_columns_that_are_not_named_one_by_one(columns, tmp_path):
    model = front(str(spec(tmp_path, {}, columns)))[0]
    order = ["b c", "d", "a"] if columns.startswith("[") else ["a", "b c", "d"]
    assert list(model.data.source.fields["x"]) == order
    arrays, _ = load_examples(model)
    places = [["a", "b c", "d"].index(name) for name in order]
    np.testing.assert_array_equal(arrays["x"], expected()["x"][:, places])


def test_except_leaves_out_what_other_keys_use(tmp_path):
    path = spec(tmp_path, {}, "except(d)")
    path.write_text(path.read_text().replace("scale = ", "split = split(val = 20%, order = id)  scale = "))
    path.write_text(path.read_text().replace("x: [3]", "x: [2]"))
    assert front(str(path))[0].data.source.fields["x"] == ("a", "b c")


@pytest.mark.parametrize("style", ["explain", "fast"])
def test_a_prediction_takes_the_same_file_again(style, tmp_path):
    """A run made of a packed table with commas predicts from it, from the plain table, and from an npz alike."""
    path = spec(tmp_path, FORMS["semicolons"], packed=True)
    (tmp_path / "plain.csv").write_text(table(FORMS["semicolons"], ""))
    np.savez(tmp_path / "x.npz", x=expected()["x"])
    dotnn("train", path.name, "--style", style, "--run", "run", folder=tmp_path)
    files = ("t.csv.gz", "plain.csv", "x.npz")
    found = [dotnn("predict", "run", "--input", name, folder=tmp_path).stdout for name in files]
    assert found[0].startswith("y,p_flat,") and len(found[0].splitlines()) == 21
    assert found[0] == found[1] == found[2]


def test_all_faults_are_told_and_counted(tmp_path):
    """The places are those of a walk over the cells, row by row."""
    rng = np.random.default_rng(2)
    rows = [[str(v) for v in rng.integers(0, 9, 3)] for _ in range(80)]
    for row, column in zip(rng.permutation(80)[:30], rng.integers(0, 3, 30), strict=True):
        rows[row][column] = "much"
    rows[40] = ["1", "2"]
    path = tmp_path / "d.csv"
    path.write_text("a,b,c\n" + "".join(",".join(row) + "\n" for row in rows))
    wrong = [(i + 2, j + 1) for i, row in enumerate(rows) for j, cell in enumerate(row) if cell == "much"]
    wrong = sorted([*wrong, (42, 3)])
    with pytest.raises(DataError) as caught:
        read_csv(path, {"x": ["a", "b"], "t": ["c"]}, {})
    assert [(fault.row, fault.column) for fault in caught.value.faults] == wrong[:20]
    assert caught.value.count == len(wrong)
    assert str(caught.value).count("row ") == 20 + str(caught.value).count("the row has")


def test_a_gap_that_is_no_number_elsewhere_is_a_fault_where_nothing_fills_it(tmp_path):
    (tmp_path / "d.csv").write_text("a,t\n1,2\n-99,3\n")
    with pytest.raises(DataError, match="row 3, column 1"):
        read_csv(tmp_path / "d.csv", {"x": ["a"], "t": ["t"]}, {}, missing=["-99"])
    arrays, _ = read_csv(tmp_path / "d.csv", {"x": ["a"]}, {"x": "real?"}, missing=["-99"])
    np.testing.assert_array_equal(arrays["x"], [[1], [np.nan]])


@pytest.mark.parametrize("decimal", [".", ","])
def test_a_number_with_a_mark_for_thousands_is_refused(decimal, tmp_path):
    number = {".": "1,234.5", ",": "1.234,5"}[decimal]
    (tmp_path / "d.csv").write_text(f"a;t\n1;2\n{number};3\n")
    with pytest.raises(DataError, match="row 3, column 1"):
        read_csv(tmp_path / "d.csv", {"x": ["a"], "t": ["t"]}, {}, delimiter=";", decimal=decimal)
