"""`dotnn train` drives scripts of every style through one contract: what it keeps, and what it says of their end."""

import json

import numpy as np
import pytest
from errors.runner import dotnn

from dotnn.running.scripts import load_module

SPEC = """
model M {{
  input x: [3]  target t: [1]
  h = x -> dense(6, {act})
  output p = h -> dense(1)
}}
data {{ source = npz("d.npz", x = x, t = t)  scale = standard(x)  split = split(train = 60%, val = 20%, test = 20%) }}
train {{ loss = mse(p, t)  batch = 8  epochs = 12  metrics = [mae]  {train} }}
"""
STYLES = ["explain", "fast"]


@pytest.fixture(params=STYLES)
def style(request):
    return request.param


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((50, 3))
    np.savez(tmp_path / "d.npz", x=x, t=np.sin(x.sum(axis=1, keepdims=True)))
    return tmp_path


def write(folder, train="optim = adam(0.05)", act="tanh"):
    (folder / "s.nn").write_text(SPEC.format(train=train, act=act))


def train(folder, style, *options, run="run", code=0):
    """Train, and return the result that stands in the run folder."""
    outcome = dotnn("train", "s.nn", "--run", run, "--style", style, *options, folder=folder)
    assert outcome.exit_code == code, outcome.stderr
    return json.loads((folder / run / "metrics.json").read_text()), outcome


def weights(folder, run="run", file="weights.npz"):
    with np.load(folder / run / file) as stored:
        return dict(stored)


def by_hand(folder, **options):
    """The parameters and the history of the run's own script, called as anybody may call it."""
    module = load_module(folder / "run" / "model.py")
    with np.load(folder / "d.npz") as data:
        return module.train(dict(data), **options)


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ("stop = when(loss < 1)", "loss < 1"),
        ("stop = minutes(1e-9)", "1e-09 minutes"),
        ("stop = early(val_loss, patience = 2, min_delta = 0.1)", "no better val_loss for 2 epochs"),
        (
            "stop = [when(loss < 0), minutes(9), early(val_mae, patience = 1, min_delta = 1)]",
            "no better val_mae for 1 epochs",
        ),
        ("", "epochs"),
    ],
)
def test_what_ends_a_training_and_what_is_kept(rule, reason, style, folder):
    """The figures are those of the script itself, and a resumed run that a rule has ended stays as it is."""
    write(folder, f"optim = sgd(plateau(0.1, patience = 1))  checkpoint = every(5)  {rule}")
    result, _ = train(folder, style)
    assert result["stopped_by"] == reason
    if "minutes(1e" not in rule:
        params, history = by_hand(folder)
        assert (len(history), history.stopped_by) == (result["epochs"], reason)
        assert history.test == {
            k.removeprefix("test_"): v for k, v in result["metrics"].items() if k.startswith("test")
        }
        assert {n: w.tolist() for n, w in params.items()} == {n: w.tolist() for n, w in weights(folder).items()}
        again, said = train(folder, style, "--resume")
        assert "nothing to do" in said.stderr and again | {"seconds": 0} == result | {"seconds": 0}
    else:
        assert train(folder, style, "--resume")[0]["epochs"] == 2  # the clock starts anew


def test_checkpoints_and_the_best_of_them(style, folder):
    write(folder, "optim = adam(0.3)  checkpoint = every(3, keep = best)")
    train(folder, style)
    losses = [record["val_loss"] for record in by_hand(folder)[1]]
    best = min((3, 6, 9, 12), key=lambda epoch: losses[epoch - 1])
    kept = weights(folder, file="best.npz")
    for name, w in by_hand(folder, epochs=best)[0].items():
        np.testing.assert_array_equal(kept[name], w)
    assert (folder / "run" / "checkpoint.npz").exists()


def test_seed_and_precision(style, folder):
    write(folder, "optim = adam(0.05)  checkpoint = every(1)")
    train(folder, style, "--seed", "5", "--precision", "float64", "--epochs", "4")
    params, _ = by_hand(folder, seed=5, dtype=np.float64, epochs=4)
    for name, w in weights(folder).items():
        assert w.dtype == np.float64
        np.testing.assert_array_equal(params[name], w)
    for options, said in ((["--seed", "5"], "--precision float64"), (["--precision", "float64"], "--seed 5")):
        outcome = dotnn("train", "s.nn", "--run", "run", "--style", style, "--resume", *options, folder=folder)
        assert outcome.exit_code == 1 and "another training" in outcome.stderr and said in outcome.stderr
    train(folder, style, "--seed", "5", "--precision", "float64", "--resume")
    assert dotnn("predict", "run", "--input", "d.npz", folder=folder).exit_code == 0


def test_a_precision_that_the_target_has_not(folder):
    write(folder)
    outcome = dotnn("train", "s.nn", "--precision", "mixed_float16", folder=folder)
    assert outcome.exit_code == 2 and "--target numpy" in outcome.stderr


@pytest.mark.parametrize(
    ("act", "optim", "lines"),
    [
        ("relu", "sgd(1e30)", (4, 5)),
        ("relu", "adam(1e38)", (4, 5)),
        ("tanh", "adam(1e38)", (4, 5)),
        ("tanh", "sgd(1e3)", (8,)),  # all values are finite, their squares are not
    ],
)
def test_a_divergence_is_told_with_its_line(act, optim, lines, style, folder):
    write(folder, f"optim = {optim}  stop = early(val_loss, patience = 3)", act)
    result, said = train(folder, style, code=3)
    assert result["stopped_by"] == "diverged" and "lower the learning rate" in said.stderr
    assert any(f"is not finite (s.nn:{line})" in said.stderr for line in lines), said.stderr


def test_the_state_is_written_only_where_it_is_due(style, folder, monkeypatch):
    """Two of 25 epochs: nothing is copied or written after the others."""
    written = []
    monkeypatch.setattr(
        "dotnn_runtime.script.checkpoint.save_state", lambda path, state: written.append(len(state["history"]))
    )
    write(folder, "optim = adam(0.05)  checkpoint = every(20)")
    train(folder, style, "--epochs", "25")
    assert written == [20, 25]
