"""Data that are large are in memory once, and every number is that of data that are copied."""

import functools
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from dotnn.commands.training import prepare as preparing
from dotnn.commands.training import run as running
from dotnn.commands.training.prepare import Request
from dotnn.commands.training.run import train_model
from dotnn.running import predictions
from dotnn.running.scripts import run_script
from dotnn.session import Compilation
from dotnn.targets import Options
from dotnn_runtime.gradcheck.check import check_script
from dotnn_runtime.gradcheck.report.results import Verdict
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


def without_copies(module):
    """Return a script that takes no data for small; one that is to be read does as it was compiled."""
    if hasattr(module, "prepared"):
        module.prepared = functools.partial(module.prepared, resident=0)
    return module


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
    module = without_copies(run_script(text, "large", str(folder / "large.py")))
    assert peak(module.train) < 1.5


@pytest.mark.parametrize("style", ["explain", "fast"])
def test_a_run_trains_within_one_and_a_half_times_the_memory_of_its_data(folder, style, tmp_path, monkeypatch):
    for module, name in ((preparing, "run_script"), (running, "load_module")):
        load = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *some, load=load: without_copies(load(*some)))
    asked = Request("numpy", str(tmp_path / "run"), None, style, None, None, None, "float32", False, False, True)
    begun = Compilation.read(str(folder / "large.nn"))
    _ = begun.model  # what reads a spec is imported
    assert peak(lambda: train_model(begun, asked)) < 1.5


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
