"""`dotnn train SPEC --init-from RUN`: a network begins with what another one has learned, by the names of weights."""

import json

import numpy as np
import pytest
from errors.runner import dotnn
from support import module_of

from dotnn.commands.seeing.run import Run
from dotnn_runtime.script.npz_file import load_arrays

SPEC = """model M {{ input x: [2]  target t: [1]
  h = x -> dense(3, tanh)
  output {head} }}
data {{ x = [[0, 1], [1, 2], [2, 3], [3, 1], [1, 0], [4, 4]]  t = [[1], [2], [0], [1], [3], [2]] }}
train {{ loss = mse({name}, t)  optim = sgd({rate})  batch = 2  epochs = 2  checkpoint = every(1)  {more} }}"""
ONE = {"head": "y = h -> dense(1)", "name": "y", "rate": 0.1, "more": ""}
OTHER = {**ONE, "head": "z = h -> dense(4, relu) -> dense(1)", "name": "z", "rate": 1e-60}


@pytest.fixture
def folder(tmp_path):
    for name, parts in (("one", ONE), ("other", OTHER)):
        (tmp_path / f"{name}.nn").write_text(SPEC.format(**parts))
    (tmp_path / "wide.nn").write_text(SPEC.format(**ONE).replace("dense(3", "dense(5"))
    assert dotnn("train", "one.nn", "--run", "first", folder=tmp_path).exit_code == 0
    return tmp_path


def weights(folder, run):
    return {name: a for name, a in load_arrays(folder / run / "weights.npz").items() if a.dtype.kind == "f"}


def test_what_has_the_same_name_begins_as_it_ended(folder):
    """The rate is so small that nothing moves: the rest is what the seed draws."""
    outcome = dotnn("train", "other.nn", "--run", "second", "--init-from", "first", folder=folder)
    assert outcome.exit_code == 0
    assert "weights from first: h.W, h.b; drawn: z.dense1.W, z.dense1.b, z.dense2.W, z.dense2.b" in outcome.stderr
    first, second = weights(folder, "first"), weights(folder, "second")
    drawn = module_of(SPEC.format(**OTHER)).init_params(0, np.float32)
    for name, w in second.items():
        np.testing.assert_array_equal(w, first[name] if name.startswith("h.") else drawn[name])
    assert json.loads((folder / "second" / "run.json").read_text())["init_from"] == "first"


def test_an_interrupted_one_goes_on_from_its_own_weights(folder):
    """The same command again with --resume: the checkpoint counts, not the other run."""
    command = ["train", "other.nn", "--init-from", "first", "--run"]
    assert dotnn(*command, "whole", "--epochs", "4", folder=folder).exit_code == 0
    assert dotnn(*command, "part", "--epochs", "2", folder=folder).exit_code == 0
    assert dotnn(*command, "part", "--epochs", "4", "--resume", folder=folder).exit_code == 0
    for name, w in weights(folder, "whole").items():
        np.testing.assert_array_equal(weights(folder, "part")[name], w)


@pytest.mark.parametrize(
    ("spec", "run", "says"),
    [
        ("one.nn", "nowhere", "there is no such folder"),
        ("one.nn", ".", "not a run of dotnn"),
        ("wide.nn", "first", "y.W is 3×1 there"),
    ],
)
def test_what_cannot_be_begun_with(spec, run, says, folder):
    """Before a folder is made."""
    if spec == "wide.nn":  # nothing fits but the bias of the output, which is renamed
        text = (folder / spec).read_text().replace("y = h -> dense(1)", "y = h -> dense(1, bias = false)")
        (folder / spec).write_text(text)
    outcome = dotnn("train", spec, "--run", "second", "--init-from", run, folder=folder)
    assert outcome.exit_code == 1 and "NN510" in outcome.stderr and says in outcome.stderr
    assert not (folder / "second").exists()


def test_what_it_began_with_is_known_once_the_other_run_is_gone(folder, monkeypatch):
    """Pictures of the first pass, and the signs before the training, are those of these weights, not of drawn ones."""
    command = ["train", "one.nn", "--init-from", "first", "--run", "second", "--seed", "5"]
    assert dotnn(*command, folder=folder).exit_code == 0
    taken = weights(folder, "first")
    for path in (folder / "first").iterdir():
        path.unlink()
    monkeypatch.chdir(folder)
    run = Run.open("second")
    began = run.start(run.parts())
    assert began.keys() == taken.keys()
    for name, w in taken.items():
        np.testing.assert_array_equal(began[name], w)
    assert dotnn("graph", "--run", "second", "--show", "evolution", folder=folder).exit_code == 1
