"""What the command line of a script that is to be read takes, and what it refuses in one line."""

import shutil
import subprocess
import sys

import numpy as np
import pytest
from support import SPECS

from dotnn.session import Options, compile_spec
from dotnn_runtime.script.errors import DataError
from dotnn_runtime.script.storage import load_weights, save_weights


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Scripts with their data, and weights that they have saved, or that are not theirs."""
    folder = tmp_path_factory.mktemp("explain")
    (folder / "data").mkdir()
    shutil.copy(SPECS / "data/iris.csv", folder / "data")
    for name in ("xor", "iris"):
        (folder / f"{name}.py").write_text(compile_spec(str(SPECS / f"{name}.nn"), Options("explain")).script, "utf-8")
        done = script(folder, f"{name}.py", "train", "--epochs", "30", "--save", name)
        assert done.returncode == 0, done.stderr
    (folder / "relu.nn").write_text((SPECS / "xor.nn").read_text("utf-8").replace("tanh", "relu"), "utf-8")
    other = compile_spec(str(folder / "relu.nn"), Options("explain")).script
    model = next(line for line in other.splitlines() if line.startswith("MODEL")).split('"')[1]
    weights = dict(np.load(folder / "xor.npz"))
    save_weights(folder / "another.npz", weights, model)
    np.savez(folder / "nameless.npz", **weights)
    np.savez(folder / "new.npz", x=[[0, 1], [1, 1]])
    np.savez(folder / "misnamed.npz", z=[[0, 1], [1, 1]])
    np.save(folder / "one.npy", np.zeros((2, 2)))
    (folder / "one.csv").write_text("x\n1\n", "utf-8")
    return folder


def script(folder, *words):
    return subprocess.run([sys.executable, *words], cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("weights", ["xor.npz", "nameless.npz"])
def test_weights_of_its_own_and_of_no_name(folder, weights):
    done = script(folder, "xor.py", "predict", weights, "new.npz")
    w, x = np.load(folder / weights), np.array([[0, 1], [1, 1]])
    hidden = np.tanh(x @ w["p.dense1.W"] + w["p.dense1.b"])
    expected = 1 / (1 + np.exp(-hidden @ w["p.dense2.W"] - w["p.dense2.b"]))
    name, *rows = done.stdout.replace("[", " ").replace("]", " ").split()
    assert name == "p"
    np.testing.assert_allclose([float(row) for row in rows], expected[:, 0], rtol=1e-6)


def test_saved_weights_name_their_network(folder):
    with pytest.raises(DataError):
        load_weights(folder / "xor.npz", {n: w.shape for n, w in np.load(folder / "xor.npz").items()}, "another")


MISTAKES = {
    "nothing": ["xor.py", "predict"],
    "one file": ["xor.py", "predict", "xor.npz"],
    "no such weights": ["xor.py", "predict", "no.npz", "new.npz"],
    "no such inputs": ["xor.py", "predict", "xor.npz", "no.npz"],
    "another network": ["xor.py", "predict", "another.npz", "new.npz"],
    "a table as arrays": ["xor.py", "predict", "xor.npz", "one.csv"],
    "a table as weights": ["xor.py", "predict", "one.csv", "new.npz"],
    "one array as weights": ["xor.py", "predict", "one.npy", "new.npz"],
    "another input": ["xor.py", "predict", "xor.npz", "misnamed.npz"],
    "arrays as a table": ["iris.py", "predict", "iris.npz", "new.npz"],
    "another table": ["iris.py", "predict", "iris.npz", "one.csv"],
    "no such data": ["iris.py", "train", "--data", "no.csv"],
    "no such folder": ["iris.py", "train", "--data", "nowhere/iris.csv"],
    "nothing fitted": ["iris.py", "predict", "xor.npz", "data/iris.csv"],
}


@pytest.mark.parametrize("words", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_line(folder, words):
    done = script(folder, *words)
    assert done.returncode == 2 and not done.stdout
    usage, _, said = done.stderr.partition(f"{words[0]}: error: ")
    assert usage.startswith("usage: ") and said.count("\n") == 1


def test_weights_of_another_network_are_refused_by_python_without_assertions_too(folder):
    done = script(folder, "-O", "xor.py", "predict", "another.npz", "new.npz")
    assert (done.returncode, done.stdout) == (2, "") and done.stderr.count("error") == 1


def test_no_epochs_train_nothing(folder):
    done = script(folder, "xor.py", "train", "--epochs", "0", "--save", "fresh.npz")
    assert (done.returncode, done.stdout.strip()) == (0, "")
    sys.path.insert(0, str(folder))
    import xor

    sys.path.remove(str(folder))
    fresh = np.load(folder / "fresh.npz")
    assert all(np.array_equal(fresh[name], w) for name, w in xor.init_params(xor.SEED).items())
