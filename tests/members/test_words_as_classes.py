"""Two texts and one unit, and classes that are counted from 1: as the same data with the numbers that are meant."""

import csv
import io
import json
import subprocess
import sys

import numpy as np
import pytest
from errors.runner import dotnn

from dotnn.commands.training.prepare import Request, prepare
from dotnn.running import told_by_data
from dotnn.running.scripts import load_module
from dotnn.session import Compilation, Options, compile_spec

pytestmark = pytest.mark.usefixtures("step_by_step")

TARGETS = {"explain": Options("explain"), "fast": Options("fast"), "tensorflow": Options(target="tensorflow")}
COUNT = 60
X = np.random.default_rng(3).normal(size=(COUNT, 2)).round(3)
YES = X[:, 0] + 0.3 * np.random.default_rng(4).normal(size=COUNT) > 0
KIND = 1 + (X[:, 0] > 0) + (X[:, 1] > 0.5)
UNIT = """
model M { input x: [2]  target t: [1]  output p = x -> dense(1STAGE) }
data { source = csv("d.csv", x = [a, b], t = t)  split = split(train = 70%, test = 30%) }
train { loss = LOSS(p, t)  optim = sgd(0.5)  epochs = 5  batch = 8METRICS }
"""
CLASSES = """
model M { input x: [2]  target t: class[3]  output p = x -> dense(3, softmax) }
data { source = csv("d.csv", x = [a, b], t = t)  split = split(train = 70%, test = 30%) }
train { loss = cross_entropy(p, t)  optim = sgd(0.5)  epochs = 5  batch = 8  metrics = accuracy }
"""
UNITS = {
    "unit": (", sigmoid", "bce", "  metrics = [accuracy, f1]", (0, 1)),
    "binary": ("", "mse", "  metrics = accuracy", (0, 1)),
    "sign": ("", "hinge", "  metrics = accuracy", (-1, 1)),
}


def unit(kind):
    stage, loss, metrics, _ = UNITS[kind]
    return UNIT.replace("STAGE", stage).replace("LOSS", loss).replace("METRICS", metrics)


def write(folder, text, cells):
    rows = [f"{a},{b},{cell}" for (a, b), cell in zip(X, cells, strict=True)]
    (folder / "d.csv").write_text("\n".join(["a,b,t", *rows, ""]))
    (folder / "s.nn").write_text(text)


def trained(folder, target, text, cells):
    """The weights, the last record and the figures of the test part, by the script alone."""
    write(folder, text, cells)
    script = folder / f"{target}.py"
    script.write_text(compile_spec(str(folder / "s.nn"), TARGETS[target]).script)
    params, history = load_module(script, None).train()
    return {name: np.asarray(w) for name, w in params.items()}, history[-1], dict(history.test)


def same(ours, theirs):
    for one, other in zip(ours, theirs, strict=True):
        assert one.keys() == other.keys()
        for name, value in other.items():
            np.testing.assert_array_equal(one[name], value)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("kind", UNITS)
def test_two_texts_are_the_two_numbers_of_a_unit(kind, target, tmp_path):
    low, high = UNITS[kind][3]
    words = trained(tmp_path, target, unit(kind), np.where(YES, "yes", "no"))
    same(words, trained(tmp_path, target, unit(kind), np.where(YES, high, low)))


@pytest.mark.parametrize("target", TARGETS)
def test_classes_from_1_are_those_from_0(target, tmp_path):
    ones = trained(tmp_path, target, CLASSES, KIND)
    same(ones, trained(tmp_path, target, CLASSES, KIND - 1))


ARRAYS = {
    "npz": 'source = npz("d.npz", x = x, t = t)',
    "npy": 'x = npy("x.npy")  t = npy("t.npy")',
    "parts": 'source = npz("d.npz", x = x, t = t)  val = npz("v.npz")',
    "files": 'x = npy("x.npy")  t = npy("t.npy")  val = arrays(x = npy("xv.npy"), t = npy("tv.npy"))',
}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("source", ARRAYS)
def test_classes_of_arrays_from_1_are_those_from_0(source, target, tmp_path):
    """A script alone reads what a table of the same numbers from 0 holds; a part has the classes of the whole."""
    seen = np.flatnonzero(KIND > 1)[:20]
    for name, array in {"x": X, "t": KIND.astype(np.uint8)}.items():
        np.save(tmp_path / f"{name}.npy", array)
        np.save(tmp_path / f"{name}v.npy", array[seen])
    for name, some in {"d": np.arange(COUNT), "v": seen}.items():
        np.savez(tmp_path / f"{name}.npz", x=X[some], t=KIND[some].astype(np.uint8))
    table = 'source = csv("d.csv", x = [a, b], t = t)'
    write(tmp_path, CLASSES.replace(table, ARRAYS[source]), KIND)
    (tmp_path / "s.py").write_text(compile_spec(str(tmp_path / "s.nn"), TARGETS[target]).script)
    module = load_module(tmp_path / "s.py", None)
    parts, _ = module.prepare(module.load_data())
    assert sorted(parts) == (["test", "train", "val"] if "val" in ARRAYS[source] else ["test", "train"])
    if "val" in ARRAYS[source]:
        np.testing.assert_array_equal(np.asarray(parts["val"]["t"]), KIND[seen] - 1)
    rows = [np.flatnonzero((row == X).all(axis=1))[0] for row in np.asarray(parts["test"]["x"]).astype(float).round(3)]
    np.testing.assert_array_equal(np.asarray(parts["test"]["t"]), KIND[rows] - 1)
    if target != "tensorflow":
        assert len(module.train(epochs=2)[1]) == 2


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("cells", ["words", "from 1", "arrays from 1"])
def test_a_training_reads_its_data_once(cells, target, tmp_path, monkeypatch):
    """What they tell the script is handed on to it, which is the one that `dotnn compile` writes."""
    in_arrays = CLASSES.replace('csv("d.csv", x = [a, b], t = t)', 'npz("d.npz", x = x, t = t)')
    text = in_arrays if cells == "arrays from 1" else CLASSES
    write(tmp_path, text, np.array(["low", "mid", "up"])[KIND - 1] if cells == "words" else KIND)
    np.savez(tmp_path / "d.npz", x=X, t=KIND.astype(np.uint8))
    options, more = TARGETS[target], (None, None, None, "float32", False, False, True)
    wanted = compile_spec(str(tmp_path / "s.nn"), options).script
    for reader in ("table_reader", "array_reader", "single_reader"):
        monkeypatch.setattr(told_by_data, reader, lambda *_: pytest.fail("the file is read again"))
    asked = Request(options.target or "numpy", None, None, options.style, *more)
    ready = prepare(Compilation.read(str(tmp_path / "s.nn")), asked)
    assert ready.compiled.script == wanted
    assert ready.labels == {"t": ["low", "mid", "up"] if cells == "words" else ["1", "2", "3"]}


@pytest.mark.parametrize("form", ["csv", "npz"])
def test_a_script_to_be_read_whose_classes_are_counted_from_1_refuses_others(form, tmp_path):
    """Class 0 would be -1, which an array takes for its last."""
    source = {"csv": 'csv("d.csv", x = [a, b], t = t)', "npz": 'npz("d.npz", x = x, t = t)'}
    write(tmp_path, CLASSES.replace(source["csv"], source[form]), KIND)
    np.savez(tmp_path / "d.npz", x=X, t=KIND)
    (tmp_path / "s.py").write_text(compile_spec(str(tmp_path / "s.nn"), Options("explain")).script)
    (tmp_path / "zeros").mkdir()
    write(tmp_path / "zeros", CLASSES, KIND - 1)
    np.savez(tmp_path / "zeros" / "d.npz", x=X, t=KIND - 1)
    for file, code in ((f"d.{form}", 0), (f"zeros/d.{form}", 1)):
        words = [sys.executable, "s.py", "train", "--epochs", "1", "--data", file]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
    assert not done.stdout and done.stderr.startswith("error: ") and done.stderr.count("\n") == 1


@pytest.mark.parametrize("target", TARGETS)
def test_classes_from_1_in_a_file_that_no_spec_names(target, tmp_path):
    """`dotnn train` counts them from 0; a script, which has never seen the file, takes none for another class."""
    without = "".join(line for line in CLASSES.splitlines(keepends=True) if not line.startswith("data"))
    write(tmp_path, without, KIND)
    for name, first in {"ones": 1, "zeros": 0}.items():
        np.savez(tmp_path / f"{name}.npz", x=X, t=KIND - 1 + first)
    options = TARGETS[target]
    (tmp_path / "s.py").write_text(compile_spec(str(tmp_path / "s.nn"), options).script)
    module = load_module(tmp_path / "s.py", None)
    with pytest.raises((ValueError, IndexError)):
        module.train(module.load_data(tmp_path / "ones.npz"))
    more = (None, None, None, "float32", False, False, True)
    begun = Compilation.read(str(tmp_path / "s.nn"))
    files = (str(tmp_path / name) for name in ("ones.npz", "zeros.npz"))
    asked = (Request(options.target or "numpy", None, file, options.style, *more) for file in files)
    ones, zeros = (prepare(begun, one).parts["train"] for one in asked)
    np.testing.assert_array_equal(np.asarray(ones["t"]), KIND - 1)
    np.testing.assert_array_equal(np.asarray(ones["t"]), np.asarray(zeros["t"]))


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("kind", UNITS)
def test_a_split_keeps_the_shares_of_a_unit_s_two_classes(kind, target, tmp_path):
    low, high = UNITS[kind][3]
    text = unit(kind).replace("test = 30%", "val = 13%, test = 17%, seed = 5, stratify = t")
    found = []
    for cells in (np.where(YES, "yes", "no"), np.where(YES, high, low)):
        write(tmp_path, text, cells)
        (tmp_path / "s.py").write_text(compile_spec(str(tmp_path / "s.nn"), TARGETS[target]).script)
        module = load_module(tmp_path / "s.py", None)
        parts, _ = module.prepare(module.load_data())
        found.append({part: np.asarray(arrays["t"]).ravel() == high for part, arrays in parts.items()})
    assert {part: len(yes) for part, yes in found[0].items()} == {"train": 42, "val": 8, "test": 10}
    for part, yes in found[0].items():
        assert abs(yes.sum() - YES.sum() * len(yes) / COUNT) <= 1, part
        np.testing.assert_array_equal(yes, found[1][part])


@pytest.mark.parametrize("style", ["explain", "fast"])
def test_a_run_knows_which_text_is_which(style, tmp_path):
    write(tmp_path, unit("unit"), np.where(YES, "yes", "no"))
    assert dotnn("train", "s.nn", "--style", style, "--run", "r", folder=tmp_path).exit_code == 0
    told = dotnn("evaluate", "r", "--json", "--predictions", "kept.csv", folder=tmp_path)
    assert told.exit_code == 0, told.stderr
    (found,) = json.loads(told.stdout)["outputs"]
    assert [one["class"] for one in found["classes"]] == ["no", "yes"]
    with (tmp_path / "kept.csv").open() as file:
        rows = list(csv.DictReader(file))
    right = [(float(row["p"]) > 0.5) == (row["true_t"] == "yes") for row in rows]
    assert np.mean(right) == json.loads(told.stdout)["metrics"]["accuracy"] > 0.7
    (tmp_path / "new.csv").write_text("a,b,t\n1,1,yes\n2,0,yes\n-2,0,no\n")  # in another order, and not all of them
    other = json.loads(dotnn("evaluate", "r", "--data", "new.csv", "--json", folder=tmp_path).stdout)
    assert other["metrics"]["accuracy"] == 1
    (tmp_path / "new.csv").write_text("a,b,t\n1,1,maybe\n")
    outcome = dotnn("evaluate", "r", "--data", "new.csv", folder=tmp_path)
    assert outcome.exit_code == 1 and "none of the classes" in outcome.stderr and "new.csv:2:5" in outcome.stderr


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (["yes", "no", "perhaps"], "class number 3, but there are 2 classes"),
        (["yes", "no", ""], "empty"),
        (["yes", "no", "1"], "not a finite number"),
    ],
)
def test_what_are_no_two_texts(cells, said, tmp_path):
    write(tmp_path, unit("unit"), np.resize(cells, COUNT))
    outcome = dotnn("train", "s.nn", "--run", "r", folder=tmp_path)
    assert outcome.exit_code == 1 and said in outcome.stderr and "d.csv:" in outcome.stderr


FORMS = {
    "csv": 'source = csv("d.csv", x = [a, b], t = t)',
    "npz": 'source = npz("d.npz", x = x, t = t)',
    "npy": 'x = npy("x.npy")  t = npy("t.npy")',
}


@pytest.mark.parametrize("form", FORMS)
def test_a_run_counts_from_1_as_its_data_do(form, tmp_path):
    """Also where other data lack the first or the last class; a note says so."""
    text = CLASSES.replace(FORMS["csv"], FORMS[form])
    for shift in (1, 0):
        cells = KIND - 1 + shift
        write(tmp_path, text, cells)
        np.savez(tmp_path / "d.npz", x=X, t=cells)
        np.save(tmp_path / "x.npy", X)
        np.save(tmp_path / "t.npy", cells)
        outcome = dotnn("train", "s.nn", "--run", f"r{shift}", folder=tmp_path)
        assert outcome.exit_code == 0, outcome.stderr
        assert ("NN614" in outcome.stderr) == (shift == 1)
    with np.load(tmp_path / "r1" / "weights.npz") as one, np.load(tmp_path / "r0" / "weights.npz") as zero:
        for name in one.files:
            np.testing.assert_array_equal(one[name], zero[name])
    if form == "npy":
        return  # its data are two files: there is no other one to name
    some = KIND < 3
    rows = [f"{a},{b},{t}" for (a, b), t in zip(X[some], KIND[some], strict=True)]
    (tmp_path / "some.csv").write_text("\n".join(["a,b,t", *rows, ""]))
    np.savez(tmp_path / "some.npz", x=X[some], t=KIND[some])
    file = f"some.{form}"
    figures = json.loads(dotnn("evaluate", "r1", "--data", file, "--json", folder=tmp_path).stdout)
    text = dotnn("predict", "r1", "--input", file, folder=tmp_path).stdout
    likeliest = [1 + np.argmax([float(cell) for cell in row[:3]]) for row in [*csv.reader(io.StringIO(text))][1:]]
    assert figures["metrics"]["accuracy"] == np.mean(likeliest == KIND[some]) > 0.5
