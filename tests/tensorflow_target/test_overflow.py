"""TensorFlow scripts where a square is too large for float32: right all the same, or diverged."""

import numpy as np
import pytest
from support import model_of

from dotnn.library.clips import CLIPS
from dotnn.library.optimizers import OPTIMIZERS
from dotnn.running.scripts import load_module
from dotnn.session import Options, compile_model
from dotnn_runtime.script import clipping

SPEC = """model M {{ input x: [3]  target t: [1]  output y = x -> dense(1, bias = false, init = constant(2){more}) }}
train {{ loss = mse(y, t)  optim = {optim}  batch = {batch}  epochs = 1 }}"""
DATA = {"x": np.array([[1e12, -1e12 / 7, 0]]), "t": np.array([[1.0]])}


def trained(folder, optim, batch, more="", data=DATA, params=None):
    path = folder / "m.py"
    spec = SPEC.format(optim=optim, batch=batch, more=more)
    path.write_text(compile_model(model_of(spec), Options(target="tensorflow")).script)
    params, history = load_module(path).train(data, params=params)
    return params["y.W"][:, 0], history


@pytest.mark.parametrize("name", CLIPS)
def test_clipping(name, tmp_path):
    found, history = trained(tmp_path, f"sgd(1)  clip = {name}(1)", "all")
    gradient = DATA["x"][0]
    step = getattr(clipping, CLIPS[name].helper)({"g": 4 * gradient}, 1)["g"]  # in double precision
    np.testing.assert_allclose(found, 2 - step, rtol=1e-6)
    assert history.stopped_by == "epochs"


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_memory_that_overflows(name, tmp_path):
    """The training ends there, or the weight moves: it must not stand still, divided by infinity."""
    found, history = trained(tmp_path, f"{name}(1e-3)", "1")
    assert history.stopped_by == "diverged" or found[0] < 2 - 5e-4


def test_the_last_update(tmp_path):
    _, history = trained(tmp_path, "sgd(1e30)", "1")
    assert (history.stopped_by, history.diverged_at) == ("diverged", "y.W")


def test_max_norm(tmp_path):
    start = {"y.W": np.array([[1e30], [-1e30], [0.5]], np.float32)}
    zeros = {"x": np.zeros((1, 3)), "t": np.ones((1, 1))}
    found, _ = trained(tmp_path, "sgd(0.1)", "all", ", constraint = max_norm(2)", zeros, start)
    np.testing.assert_allclose(found, [2**0.5, -(2**0.5), 0], rtol=1e-6, atol=1e-6)
