"""A script that is not written beside its spec: what it lacks is said at once, with ways that work."""

import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from errors.runner import dotnn
from support import SPECS

WIDE = """
model Wide {
  input  x: [4]
  target species: class[3]
  h = x -> dense(2000, tanh, init = file("wide.npz"))
  output p = h -> dense(3, softmax)
}
data {
  source = csv("data/iris.csv", x = [sepal_length, sepal_width, petal_length, petal_width], species = species)
}
train { loss = cross_entropy(p, species)  optim = sgd(0.1)  epochs = 1 }
"""


def trains(script: str, *words: str, folder) -> bool:
    done = subprocess.run(
        [sys.executable, script, "train", "--epochs", "1", *words], cwd=folder, capture_output=True, check=False
    )
    return done.returncode == 0


@pytest.mark.parametrize("style", ["explain", "fast"])
@pytest.mark.parametrize(
    "spec, has_data_alone", [("iris", True), ("pumps", True), ("frozen_encoder", True), ("wide", False), ("xor", None)]
)
def test_the_ways_that_are_named_work(spec, has_data_alone, style, tmp_path):
    """Data of one file, of a file for each array, few and many weights to begin with, and no data."""
    shutil.copytree(SPECS, tmp_path / "specs")
    (tmp_path / "specs/wide.nn").write_text(WIDE, "utf-8")
    np.savez(tmp_path / "specs/wide.npz", **{"h.W": np.ones((4, 2000)), "h.b": np.zeros(2000)})
    said = dotnn("compile", f"specs/{spec}.nn", "--style", style, folder=tmp_path).stderr
    assert trains(f"{spec}.py", folder=tmp_path) == (has_data_alone is None) == ("note" not in said)
    if has_data_alone is None:
        return
    beside, data = re.search(r"-o (\S+\.py)", said), re.search(r"train (--data) (\S+)", said)
    assert beside and bool(data) == has_data_alone
    if data:
        assert trains(f"{spec}.py", *data.groups(), folder=tmp_path)
    written = dotnn("compile", f"specs/{spec}.nn", "--style", style, "-o", beside[1], folder=tmp_path)
    assert "note" not in written.stderr and trains(beside[1], folder=tmp_path)
    assert (tmp_path / f"{spec}.py").read_bytes() == (tmp_path / beside[1]).read_bytes()


def test_nothing_is_said_where_the_data_are_there(tmp_path):
    shutil.copytree(SPECS, tmp_path / "specs")
    shutil.copytree(SPECS / "data", tmp_path / "data")
    assert "note" not in dotnn("compile", "specs/iris.nn", folder=tmp_path).stderr
    assert trains("iris.py", folder=tmp_path)
