"""Data that are large are in memory once, and every number is that of data that are copied."""

import functools
import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from dotnn.commands.seeing.figures import figures_of, own_figures
from dotnn.commands.seeing.run import Run, outputs_of
from dotnn.commands.training import prepare as preparing
from dotnn.commands.training import run as running
from dotnn.commands.training.prepare import Request
from dotnn.commands.training.run import train_model
from dotnn.running import predictions
from dotnn.running import preparing as preparing_again
from dotnn.running.scripts import run_script
from dotnn.session import Compilation
from dotnn.targets import Options
from dotnn_runtime.gradcheck.check import check_script
from dotnn_runtime.gradcheck.report.results import Verdict
from dotnn_runtime.interrupt import EpochEnds
from dotnn_runtime.script.arrays import prepared
from dotnn_runtime.script.errors import DataError

SPECS = Path(__file__).parents[2] / "specs"
FEATURES, ROWS = 256, 80 * 1024  # 80 MiB of float32: what is of a fixed size weighs little
MODEL = """
model Large {
  input  x: [256]
  target y: class[4]
  output p = x -> dense(8, tanh) -> dense(4, softmax)
}
data {
  source = npz("large.npz", x = x, y = label)
  scale  = standard(x)
  split  = split(train = 70%, val = 10%, test = 20%)
}
train {
  loss    = cross_entropy(p, y)
  optim   = adam(0.001)
  batch   = 256
  epochs  = 1
  stop    = early(val_loss, patience = 2)
  metrics = [accuracy]
}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("large")
    (path / "large.nn").write_text(MODEL)
    rng = np.random.default_rng(0)
    np.savez(
        path / "large.npz",
        x=rng.standard_normal((ROWS, FEATURES), dtype=np.float32) * 3 + 1,
        label=rng.integers(4, size=ROWS),
    )
    return path


def peak(run):
    """Return the most memory that was taken while something ran, in bytes of the arrays of the large file."""
    tracemalloc.start()
    try:
        run()
        taken: float = tracemalloc.get_traced_memory()[1] / (ROWS * (4 * FEATURES + 8))
        print(f"{taken:.3f} times the arrays")
        return taken
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("style", ["explain", "fast"])
def test_a_script_trains_within_one_and_a_half_times_the_memory_of_its_data(folder, style):
    text = Compilation.read(str(folder / "large.nn")).script(style=style)
    module = run_script(text, "large", str(folder / "large.py"))
    assert peak(module.train) < 1.5


@pytest.mark.parametrize("style", ["explain", "fast"])
def test_a_run_trains_within_one_and_a_half_times_the_memory_of_its_data(folder, style, tmp_path):
    begun = Compilation.read(str(folder / "large.nn"))
    _ = begun.model  # what reads a spec is imported
    assert peak(lambda: train_model(begun, asked_for(tmp_path / "run", style))) < 1.5


def asked_for(run, style):
    return Request("numpy", str(run), None, style, None, None, None, "float32", False, False, True)


def fast(spec, sets=(), **limit):
    """Return the fast script of a spec; `resident` is the number of bytes up to which it makes copies."""
    text = Compilation.read(str(SPECS / f"{spec}.nn"), sets).script(style="fast")
    module = run_script(text, spec, str(SPECS / f"{spec}.py"))
    module.prepared = functools.partial(module.prepared, **limit)
    return module


@pytest.mark.parametrize("spec", ["digits_batchnorm", "sunspots", "autoencoder", "probe", "iris", "gan"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("raw", [np.float32, np.float64])
def test_a_fast_script_trains_alike_from_copies_from_rows_and_in_place(spec, dtype, raw):
    read = fast(spec).load_data()
    data = {name: a.astype(raw) if a.dtype.kind == "f" else a for name, a in read.items()}
    found = []
    for limit, copy in ((np.inf, True), (0, True), (0, False)):
        given = {name: a.copy() for name, a in data.items()}
        params, history = fast(spec, resident=limit).train(given, epochs=2, dtype=dtype, copy=copy)
        found.append((params, [*history], history.test))
        changed = any(not np.array_equal(given[name], data[name]) for name in data)
        assert not (copy and changed)
    (params, *figures), *others = found
    for more, *again in others:
        assert again == figures
        assert all(np.array_equal(params[name], more[name]) for name in params)


SMALL = """
model Small {
  input  x: [6]
  target y: [1]
  output p = x -> dense(4, relu) -> dense(1)
}
data {
  source = npz("small.npz", x = x, y = y)
  scale  = standard(x, y)
  split  = split(train = 70%, val = 10%, test = 20%)
}
train { loss = mse(p, y)  optim = sgd(LR)  batch = 16  epochs = 3 }
"""


@pytest.mark.parametrize("ending", ["epochs", "diverged", "interrupted"])
def test_a_run_that_writes_over_its_data_is_the_run_that_keeps_them(ending, tmp_path, monkeypatch):
    rng = np.random.default_rng(1)
    np.savez(tmp_path / "small.npz", x=rng.normal(size=(300, 6)).astype(np.float32) * 9 + 5, y=rng.normal(size=300))
    (tmp_path / "small.nn").write_text(SMALL.replace("LR", "1e4" if ending == "diverged" else "0.01"))
    if ending == "interrupted":
        monkeypatch.setattr(EpochEnds, "__enter__", lambda self: setattr(self, "asked", True) or self)
    load, lost = running.load_module, []

    def given_up(*some):
        module = load(*some)
        module.prepared = functools.partial(module.prepared, resident=0)
        train = module.train

        def trained(data, **options):
            kept = {name: a.copy() for name, a in data.items()}
            try:
                return train(data, **options)
            finally:
                lost.append(any(not np.array_equal(data[name], a) for name, a in kept.items()))

        module.train = trained
        return module

    train_model(Compilation.read(str(tmp_path / "small.nn")), asked_for(tmp_path / "kept", "fast"))
    monkeypatch.setattr(preparing, "is_large", lambda size: True)
    monkeypatch.setattr(running, "load_module", given_up)
    train_model(Compilation.read(str(tmp_path / "small.nn")), asked_for(tmp_path / "over", "fast"))
    assert lost == [True]
    names = sorted(path.name for path in (tmp_path / "kept").iterdir() if path.suffix in (".csv", ".json", ".npz"))
    assert {"history.csv", "scaling.json"} <= set(names) or ending == "diverged"
    for name in names:
        one, other = (tmp_path / run / name for run in ("kept", "over"))
        if name.endswith(".npz"):
            arrays, again = dict(np.load(one)), dict(np.load(other))
            assert all(np.array_equal(arrays[key], again[key], equal_nan=True) for key in arrays | again)
        elif name != "metrics.json":
            assert one.read_bytes() == other.read_bytes()
    results = [json.loads((tmp_path / run / "metrics.json").read_text()) for run in ("kept", "over")]
    for result in results:
        for key in ("run", "seconds", "sealed"):
            result.pop(key, None)
    assert results[0] == results[1]


@pytest.mark.parametrize("part", [None, "large.npz"])
def test_a_run_is_measured_within_one_and_a_half_times_the_memory_of_its_data(folder, part, tmp_path):
    train_model(Compilation.read(str(folder / "large.nn")), asked_for(tmp_path / "run", "fast"))
    run = Run.open(str(tmp_path / "run"))
    _ = run.model.data  # what reads a spec is imported

    def measure():
        examples, _ = run.measured(part and str(folder / part))
        own_figures(run, examples)
        outputs_of(run, examples)

    assert peak(measure) < 1.5


@pytest.mark.parametrize("part", [None, "small.npz"])
def test_figures_of_a_run_do_not_depend_on_how_its_examples_are_read(part, tmp_path, monkeypatch):
    rng = np.random.default_rng(1)
    np.savez(tmp_path / "small.npz", x=rng.normal(size=(300, 6)).astype(np.float32) * 9 + 5, y=rng.normal(size=300))
    (tmp_path / "small.nn").write_text(SMALL.replace("LR", "0.01"))
    train_model(Compilation.read(str(tmp_path / "small.nn")), asked_for(tmp_path / "run", "fast"))
    found = []
    for resident in (np.inf, 0):
        run = Run.open(str(tmp_path / "run"))
        run.module.prepared = functools.partial(run.module.prepared, resident=resident)
        monkeypatch.setattr(preparing_again, "prepared", functools.partial(prepared, resident=resident))
        examples, named = run.measured(part and str(tmp_path / part))
        assert isinstance(examples["x"], np.ndarray) == (resident > 0)
        found.append(figures_of(run, examples, named).as_json())
    assert found[0] == found[1]


def both(spec):
    """Return the scripts of a spec for data that are small, and for data that are large."""
    for large in (False, True):
        begun = Compilation.read(str(SPECS / f"{spec}.nn"))
        begun.large = large
        text = begun.compiled(Options("explain")).script
        yield text, run_script(text, spec, str(SPECS / f"{spec}.py"))


@pytest.mark.parametrize("spec", ["digits_batchnorm", "sunspots", "autoencoder", "probe"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_large_data_change_no_number(spec, dtype):
    (plain, small), (rows, large) = both(spec)
    assert plain != rows
    (params, history), (others, records) = (m.train(epochs=2, dtype=dtype) for m in (small, large))
    assert [*history] == [*records] and history.test == records.test
    assert all(np.array_equal(params[name], others[name]) for name in params)
    parts, again = small.prepare(small.load_data(), dtype)[0], large.prepare(large.load_data(), dtype)[0]
    for part, examples in parts.items():
        for name, values in examples.items():
            assert again[part][name][:].dtype == values.dtype
            np.testing.assert_array_equal(again[part][name][:], values)


def test_figures_in_chunks_are_those_of_the_whole():
    (_, small), (_, large) = both("sunspots")
    parts, scaling = small.prepare(small.load_data(), np.float64)
    params = small.init_params(1, np.float64)
    whole = small.evaluate(params, parts["train"], scaling)
    for size in (1, 7, 100, 10**6):
        found = large.evaluate(params, parts["train"], scaling, size=size)
        assert found == pytest.approx(whole, rel=1e-12)


def test_the_gradients_of_a_script_for_large_data_are_checked():
    text, _ = list(both("sunspots"))[1]
    assert check_script(text, "sunspots.py").verdict == Verdict.PASS


def test_many_predictions_are_made_in_pieces(monkeypatch):
    monkeypatch.setattr(predictions, "AT_ONCE", 20)
    rng = np.random.default_rng(0)
    inputs = {"x": rng.normal(size=(103, 3)), "y": rng.normal(size=103)}
    sizes = []

    def predict(some):
        sizes.append(len(some["y"]))
        if not np.isfinite(some["x"]).all():
            raise DataError(f"x{np.argwhere(~np.isfinite(some['x']))[0].tolist()} is not finite")
        return {"p": some["x"].sum(axis=1), "q": some["y"][:, None] * some["x"]}

    whole, found = predict(inputs), predictions._in_pieces(predict, inputs)
    assert all(np.array_equal(found[name], whole[name]) for name in whole)
    assert len(sizes) > 10 and max(sizes[1:]) < 10
    inputs["x"][77, 1] = np.inf
    with pytest.raises(DataError, match=r"x\[77, 1\]"):
        predictions._in_pieces(predict, inputs)
