"""`dotnn overfit`: a sound network learns a few examples by heart, a broken one does not, and is told why."""

import json

import numpy as np
import pytest
from errors.runner import dotnn
from support import SPECS, script_of

SPEC = """
params {{ start = {start} }}
model M {{
  input x: [3]  target k: class[3]
  output p = x -> dense(12, tanh, init = start) -> dense(3, softmax, init = start)
}}
data {{ source = npz("d.npz", x = x, k = k)  split = split(train = 60%, val = 40%) }}
train {{ loss = cross_entropy(p, k)  optim = adam(0.05)  batch = 8  epochs = 2  stop = early(val_loss, patience = 1) }}
"""


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "d.npz", x=rng.standard_normal((60, 3)), k=np.sort(rng.integers(0, 3, 60)))
    for name, start in (("good", "xavier"), ("bad", "zeros")):
        (tmp_path / f"{name}.nn").write_text(SPEC.format(start=start))
    return tmp_path


def result(folder, *args, code):
    outcome = dotnn("overfit", *args, "--json", folder=folder)
    assert outcome.exit_code == code, outcome.stderr
    return json.loads(outcome.stdout)


def test_a_sound_network_learns_a_few_examples(folder):
    """The labels are noise: nothing but memory helps. Of each class there are as many; the split plays no part."""
    found = result(folder, "good.nn", "--examples", "9", code=0)
    assert found["learned"] and found["examples"] == 9 and found["findings"] == []
    assert found["outputs"] == {"p against k": 1.0} and 10 <= found["epochs"] < 1000 and found["epochs"] % 10 == 0
    with np.load(folder / "d.npz") as stored:
        x, k = stored["x"], stored["k"]
    chosen = np.concatenate([np.flatnonzero(k == c)[:3] for c in range(3)])
    w = script_of(folder / "good.nn").init_params(0, np.float64)
    hidden, last = [name.removesuffix(".W") for name in w if name.endswith(".W")]
    scores = np.tanh(x[chosen] @ w[f"{hidden}.W"] + w[f"{hidden}.b"]) @ w[f"{last}.W"] + w[f"{last}.b"]
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    assert found["loss_before"] == pytest.approx(
        -np.log(p[range(9), k[chosen]]).mean(), rel=1e-6
    )  # the data are in single precision


def test_a_broken_network_does_not_and_is_told_why(folder):
    found = result(folder, "bad.nn", "--epochs", "40", code=1)
    assert not found["learned"] and found["epochs"] == 40 and found["outputs"]["p against k"] < 1
    assert found["findings"][0]["finding"] == "symmetry"
    text = dotnn("overfit", "bad.nn", "--epochs", "40", folder=folder)
    assert "NOT learned by heart" in text.stdout and "--set start=xavier" in text.stdout
    mended = result(folder, "bad.nn", "--set", "start=xavier", code=0)
    assert mended["learned"]


def test_numbers_are_learned_to_a_hundredth_of_their_variance(tmp_path):
    outcome = dotnn("overfit", str(SPECS / "linear_regression.nn"), "--examples", "8", "--json", folder=tmp_path)
    found = json.loads(outcome.stdout)
    assert outcome.exit_code == 0 and found["outputs"]["y against progression"] >= 0.99
    more = dotnn(
        "overfit", str(SPECS / "linear_regression.nn"), "--examples", "300", "--epochs", "30", "--json", folder=tmp_path
    )
    assert more.exit_code == 1 and json.loads(more.stdout)["outputs"]["y against progression"] < 0.99


def test_where_there_are_no_data(tmp_path):
    (tmp_path / "s.nn").write_text(
        "model M { input x: [1]  target t: [1]  output y = x -> dense(1) }\ntrain { loss = mse(y, t) }"
    )
    assert "NN405" in dotnn("overfit", "s.nn", folder=tmp_path).stderr
    np.savez(tmp_path / "d.npz", x=np.arange(4.0)[:, None], t=np.arange(4.0)[:, None])
    assert dotnn("overfit", "s.nn", "--data", "d.npz", folder=tmp_path).exit_code == 0
