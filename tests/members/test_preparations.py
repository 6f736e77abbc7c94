"""What is done to data: equal to scikit-learn's, fitted on the training part alone, undone, applied to raw data."""

import csv
import json
from itertools import chain

import numpy as np
import pytest
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import MinMaxScaler, OrdinalEncoder, StandardScaler

from dotnn.cli import main
from dotnn.running.scripts import load_module
from dotnn.running.spec_files import load_examples
from dotnn.session import Options, compile_spec

pytestmark = pytest.mark.usefixtures("step_by_step")

HEADER = ["age", "fare", "kind", "port", "price", "label"]
STYLES = ("explain", "fast")
TARGETS = {"explain": Options("explain"), "fast": Options("fast"), "tensorflow": Options(target="tensorflow")}
SPEC = """
model Passengers {
  input  x: [2]
  input  gaps: [2]
  input  port: category[4]
  target price: [1]
  output y = concat(x, gaps, port -> embedding(4, 2)) -> dense(3, tanh) -> dense(1)
}
data {
  source  = csv("d.csv", x = [age, fare], port = port, price = price)
  missing = FILL
  gaps    = indicator(x)
  scale   = [standard(x), log(price, plus = 1), range(price, -1, 1)]
  split   = split(train = 60%, val = 20%, test = 20%, seed = 3)
}
train { loss = mse(y, price)  optim = adam(0.05)  epochs = 3  batch = 16  seed = 1  metrics = mae }
"""


def rows(seed: int = 0, count: int = 60) -> list[list[str]]:
    """Lines of a table with gaps, texts and a target that is spread over orders of magnitude."""
    rng = np.random.default_rng(seed)
    found = []
    for i in range(count):
        age = "" if rng.random() < 0.2 else f"{rng.normal(30, 9):.1f}"
        fare = ("NA", "", "?")[i % 3] if rng.random() < 0.2 else f"{np.exp(rng.normal(3, 1)):.2f}"
        port = ["Oslo", "Rome", "Bern", ""][rng.integers(4)]
        found.append([age, fare, "", port, f"{np.exp(rng.normal(5, 2)) - 0.5:.3f}", str(rng.integers(3))])
    return found


def write(path, table):
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([HEADER, *table])


def numbers(table, *columns):
    """Columns of a table as numbers, NaN for gaps."""
    places = [HEADER.index(column) for column in columns]
    cells = [[row[place] for place in places] for row in table]
    return np.array([[float(c) if c not in ("", "NA", "?") else np.nan for c in row] for row in cells])


def script(folder, text, target="explain"):
    (folder / "s.nn").write_text(text)
    (folder / "s.py").write_text(compile_spec(str(folder / "s.nn"), TARGETS[target]).script, encoding="utf-8")
    return load_module(folder / "s.py", None)


def parts_of(folder, text, target, dtype="float64"):
    """What a script makes of the data of its spec, and what it has fitted."""
    module = script(folder, text, target)
    raw = load_examples(compile_spec(str(folder / "s.nn")).model)[0] if target == "fast" else module.load_data()
    return module, *module.prepare(raw, np.dtype(dtype))


@pytest.mark.parametrize("target", STYLES)
@pytest.mark.parametrize("strategy", ["mean", "median", "constant"])
def test_parts_are_what_scikit_learn_makes_of_them(strategy, target, tmp_path):
    table = rows()
    write(tmp_path / "d.csv", table)
    fill = "constant(-7, x)" if strategy == "constant" else f"{strategy}(x)"
    _, parts, scaling = parts_of(tmp_path, SPEC.replace("FILL", fill), target)
    raw = {part: np.exp(undone(found["price"], scaling["price"])) - 1 for part, found in parts.items()}
    places = {part: nearest(values[:, 0], numbers(table, "price")[:, 0]) for part, values in raw.items()}
    assert sorted(chain.from_iterable(places.values())) == list(range(len(table)))

    x, price = numbers(table, "age", "fare"), np.log(numbers(table, "price") + 1)
    ports = np.array([[row[3]] for row in table], dtype=object)
    train = places["train"]
    imputer = SimpleImputer(strategy=strategy, fill_value=-7).fit(x[train])
    scaler = StandardScaler().fit(imputer.transform(x[train]))
    target_scaler = MinMaxScaler((-1, 1)).fit(price[train])
    known = sorted({p for (p,) in ports[train] if p})
    encoder = OrdinalEncoder(categories=[known], handle_unknown="use_encoded_value", unknown_value=-1).fit(ports[train])
    for part, chosen in places.items():
        expected = scaler.transform(imputer.transform(x[chosen]))
        np.testing.assert_allclose(parts[part]["x"], expected, rtol=0, atol=1e-12)
        np.testing.assert_array_equal(parts[part]["gaps"], np.isnan(x[chosen]))
        np.testing.assert_allclose(parts[part]["price"], target_scaler.transform(price[chosen]), rtol=0, atol=1e-12)
        np.testing.assert_array_equal(parts[part]["port"], encoder.transform(ports[chosen])[:, 0] + 1)


def undone(values, s):
    return values / s["scale"] + s["shift"]


def nearest(values, among):
    """The places of values among numbers that are all different."""
    found = [int(np.argmin(abs(among - v))) for v in values]
    np.testing.assert_allclose(among[found], values, rtol=1e-9)
    return found


@pytest.mark.parametrize("target", STYLES)
def test_the_test_part_changes_nothing_in_the_training(target, tmp_path):
    """Its rows are permuted and spoilt: other numbers, other gaps, texts that the training part does not know."""
    text = SPEC.replace("FILL", "median(x)")
    table = rows()
    write(tmp_path / "d.csv", table)
    module, parts, scaling = parts_of(tmp_path, text, target)
    found = np.exp(undone(parts["test"]["price"], scaling["price"])) - 1
    chosen = nearest(found[:, 0], numbers(table, "price")[:, 0])
    before = module.train(module.load_data(), seed=1)
    spoilt = [list(row) for row in table]
    for number, (row, other) in enumerate(zip(chosen, chosen[::-1], strict=True)):
        spoilt[row] = [f"{-9000 - number}", "", "", f"Nowhere {number}", f"{7e5 + 10 * number}", table[other][5]]
    write(tmp_path / "d.csv", spoilt)
    after = module.train(module.load_data(), seed=1)
    for name, weight in before[0].items():
        np.testing.assert_array_equal(after[0][name], weight)
    for name, fitted in before[1].scaling.items():
        for key, values in fitted.items():
            np.testing.assert_array_equal(after[1].scaling[name][key], values)
    assert after[1].test["loss"] != before[1].test["loss"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what Keras saves
@pytest.mark.parametrize("words", [[], ["--style", "fast"], ["--target", "tensorflow"]], ids=" ".join)
def test_predict_takes_the_raw_file_again(words, tmp_path, run_dotnn):
    table = rows()
    write(tmp_path / "d.csv", table)
    (tmp_path / "s.nn").write_text(SPEC.replace("FILL", "median(x)"))
    run_dotnn(tmp_path, "train", "s.nn", "--run", "run", *words)
    new = rows(seed=9, count=7)
    new[2][3], new[3][:2] = "Atlantis", ["", "NA"]
    write(tmp_path / "new.csv", new)
    run_dotnn(tmp_path, "predict", "run", "--input", "new.csv", "-o", "p.npz")

    module = script(tmp_path, SPEC.replace("FILL", "median(x)"), "fast")
    known = json.loads((tmp_path / "run/scaling.json").read_text())
    with np.load(tmp_path / "run/weights.npz") as stored:
        params = dict(stored)
    x, texts = numbers(new, "age", "fare"), known["port"]["texts"]
    filled = np.where(np.isnan(x), known["x"]["fill"], x)
    batch = {
        "x": (filled - known["x"]["shift"]) * known["x"]["scale"],
        "gaps": np.isnan(x).astype(float),
        "port": np.array([texts.index(row[3]) + 1 if row[3] in texts else 0 for row in new]),
    }
    assert batch["port"][2] == 0 and len(texts) == 3
    batch = {name: v.astype(np.float32) if v.dtype == float else v for name, v in batch.items()}
    y = module.forward(params, batch)[0]["y"]
    expected = np.exp(y / known["price"]["scale"] + known["price"]["shift"]) - 1
    with np.load(tmp_path / "p.npz") as stored:
        np.testing.assert_allclose(stored["y"], expected, rtol=1e-4)


@pytest.fixture
def run_dotnn(monkeypatch):
    """A function that runs a command in a folder, and must succeed."""
    from click.testing import CliRunner

    def run(folder, *words):
        monkeypatch.chdir(folder)
        result = CliRunner().invoke(main, words)
        assert result.exit_code == 0, result.output
        return result

    return run


def test_metrics_and_predictions_are_in_the_target_s_own_units(tmp_path):
    write(tmp_path / "d.csv", rows())
    module, parts, _ = parts_of(tmp_path, SPEC.replace("FILL", "mean(x)"), "explain", "float32")
    params, history = module.train()
    s = history.scaling["price"]
    raw = {part: np.exp(undone(found["price"].astype(float), s)) - 1 for part, found in parts.items()}
    y = module.forward(params, parts["val"])[0]["y"].astype(float)
    mae = np.mean(abs(np.exp(undone(y, s)) - 1 - raw["val"]))
    assert history[-1]["val_mae"] == pytest.approx(mae, rel=1e-4)


DROPPED = SPEC.replace("  gaps    = indicator(x)\n", "").replace("  input  gaps: [2]\n", "").replace("x, gaps", "x")


@pytest.mark.parametrize("target", TARGETS)
def test_examples_with_gaps_are_left_out_before_the_split(target, tmp_path):
    table = rows()
    table[5][4] = ""
    write(tmp_path / "d.csv", table)
    _, parts, _ = parts_of(tmp_path, DROPPED.replace("FILL", "[drop(x), drop(price)]"), target)
    whole = ~np.isnan(numbers(table, "age", "fare", "price")).any(axis=1)
    write(tmp_path / "d.csv", [row for row, kept in zip(table, whole, strict=True) if kept])
    _, expected, _ = parts_of(tmp_path, DROPPED.replace("  missing = FILL\n", ""), target)
    assert sum(len(part["x"]) for part in parts.values()) == whole.sum() < len(table)
    for part, arrays in expected.items():
        for name, values in arrays.items():
            np.testing.assert_array_equal(parts[part][name], values)


BINS = """
model Bins {
  input  x: [1]
  target y: KIND
  output p = x -> dense(3, softmax)
}
data { source = csv("d.csv", x = price)  y = bins(price, edges = [40, 400])  MORE }
train { loss = cross_entropy(p, y)  epochs = 2 }
"""


@pytest.mark.parametrize("target", STYLES)
@pytest.mark.parametrize(("kind", "more"), [("class[3]", ""), ("[3]", "one_hot = y")])
def test_bins_are_the_class_that_a_number_falls_into(kind, more, target, tmp_path):
    table = rows()
    table[0][4], table[1][4] = "40", "400"
    write(tmp_path / "d.csv", table)
    _, parts, _ = parts_of(tmp_path, BINS.replace("KIND", kind).replace("MORE", more), target)
    expected = [0 if p < 40 else 1 if p < 400 else 2 for p in numbers(table, "price")[:, 0]]
    found = parts["train"]["y"] if kind == "class[3]" else parts["train"]["y"].argmax(axis=1)
    np.testing.assert_array_equal(found, expected)
    if more:
        np.testing.assert_array_equal(parts["train"]["y"].sum(axis=1), 1)


IMAGES = """
model Images {
  input  x: [2, 3, 2]
  target t: [1]
  output y = x -> flatten -> dense(1)
}
data { source = npz("d.npz", x = x, t = t)  scale = HOW }
train { loss = mse(y, t)  epochs = 1 }
"""


@pytest.mark.parametrize("target", STYLES)
@pytest.mark.parametrize("how", ["standard(x, per = channel)", "range(x, -1, 1, per = channel)"])
def test_a_channel_is_scaled_as_a_whole(how, target, tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(9, 2, 3, 2)) * [3, 40] + [1, -5]
    np.savez(tmp_path / "d.npz", x=x, t=rng.normal(size=(9, 1)))
    _, parts, _ = parts_of(tmp_path, IMAGES.replace("HOW", how), target)
    scaler = StandardScaler() if how.startswith("standard") else MinMaxScaler((-1, 1))
    expected = scaler.fit_transform(x.reshape(-1, 2)).reshape(x.shape)
    np.testing.assert_allclose(parts["train"]["x"], expected, rtol=0, atol=1e-12)


TEXTBOOK = """
model Plant {
  input  x: [3]
  target t: [1]
  output y = x -> dense(1)
}
data {
  x = [[3.21, 86.34, 491.35], [31.41, 68.5, 430.37], [19.31, 30.59, 463.0], [20.64, 99.97, 447.14]]
  t = [[0], [1], [2], [3]]
  scale = range(x, min = [1.81, 25.56, 420.26], max = [37.11, 100.16, 495.76])
}
train { loss = mse(y, t)  epochs = 1 }
"""


@pytest.mark.parametrize("target", STYLES)
def test_a_given_range_scales_the_textbook_s_table_as_printed(target, tmp_path):
    _, parts, _ = parts_of(tmp_path, TEXTBOOK, target)
    printed = [[0.04, 0.81, 0.94], [0.84, 0.58, 0.13], [0.5, 0.07, 0.57], [0.53, 1.0, 0.36]]
    np.testing.assert_allclose(parts["train"]["x"], printed, atol=0.005001)


@pytest.mark.parametrize("target", STYLES)
def test_one_end_of_a_range_may_be_given(target, tmp_path):
    text = TEXTBOOK.replace("min = [1.81, 25.56, 420.26], max = [37.11, 100.16, 495.76]", "min = 0")
    module, parts, _ = parts_of(tmp_path, text, target)
    x = np.array(module.load_data()["x"])
    np.testing.assert_allclose(parts["train"]["x"], x / x.max(axis=0), rtol=1e-12)


EVERYTHING = """
model Everything {
  input  x: [2]
  input  gaps: [2]
  input  fare: [1]
  input  port: category[4]
  input  kind: [3]
  target label: [3]
  target price: [1]
  h = concat(x, gaps, fare, kind, port -> embedding(4, 2)) -> dense(4, tanh)
  output p = h -> dense(3, softmax)
  output y = h -> dense(1)
}
data {
  source  = csv("d.csv", x = [age, fare], fare = price, port = port, kind = label, price = price)
  label   = bins(price, edges = [40, 400])
  missing = [median(x), constant(fare, 1)]
  gaps    = indicator(x)
  scale   = [divide(10, x), log(fare), log(price, plus = 1), range(price)]
  one_hot = [kind, label]
}
train { loss = cross_entropy(p, label) + mse(y, price)  epochs = 2  metrics = [accuracy, mae] }
"""


DIVIDED = """
model Divided {
  input  x: [2]
  target price: [1]
  output y = x -> dense(3, tanh) -> dense(1)
}
data {
  source  = csv("d.csv", x = [label, price], price = price)
  scale   = [divide(x, -7), log(price, plus = 1), divide(price, 3)]
}
train { loss = mse(y, price)  optim = adam(0.05)  epochs = 2  metrics = mae }
"""


@pytest.mark.parametrize("target", TARGETS)
def test_a_division_is_the_same_for_all_data_and_undone(target, tmp_path):
    """Nothing is fitted, whatever stands before or behind it; predictions are in the units of the file."""
    write(tmp_path / "d.csv", rows())
    module = script(tmp_path, DIVIDED, target)
    x, price = numbers(rows(), "label", "price"), numbers(rows(), "price")
    parts, scaling = module.prepare(module.load_data(), np.float64)
    assert scaling == {}
    np.testing.assert_allclose(parts["train"]["x"][:], x / -7, rtol=1e-15)
    np.testing.assert_allclose(parts["train"]["price"][:], np.log(price + 1) / 3, rtol=1e-15)
    params, history = module.train()
    found = module.predict(params, {"x": x})["y"]
    assert history[-1]["mae"] == pytest.approx(np.mean(abs(found - price)), rel=1e-5)


def test_the_check_passes_what_is_prepared(tmp_path, run_dotnn):
    """It draws raw examples: with gaps, texts and class numbers, and numbers of which a logarithm is taken."""
    write(tmp_path / "d.csv", rows())
    (tmp_path / "s.nn").write_text(EVERYTHING)
    run_dotnn(tmp_path, "compile", "s.nn", "--style", "fast")
    for words in (["s.nn"], ["s.py"], ["s.py", "--spec", "s.nn"]):
        assert json.loads(run_dotnn(tmp_path, "check", *words, "--json").stdout)["verdict"] == "PASS"
