"""Scripts of the fast style and of TensorFlow as programs: helpers that are imported, and output that nobody reads."""

import ast
import os
import subprocess
import sys

import numpy as np
import pytest
from errors.runner import dotnn

from dotnn.session import compile_spec
from dotnn.targets import Options

SPEC = """
model M { input x: [3]  target y: class[2]  output p = x -> dense(4, tanh) -> dropout(0.1) -> dense(2, softmax) }
data { source = csv("d.csv", x = [a, b, c], y = kind)  scale = standard(x)  split = split(train = 70%, val = 30%) }
train { loss = cross_entropy(p, y)  optim = adam(0.1)  batch = 8  epochs = 5000  checkpoint = every(100)
  metrics = [accuracy]  stop = early(val_loss, patience = 5000) }
"""


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    rows = [f"{a},{b},{c},{'red' if a + b > c else 'blue'}" for a, b, c in rng.random((40, 3))]
    (tmp_path / "d.csv").write_text("\n".join(["a,b,c,kind", *rows]) + "\n")
    (tmp_path / "s.nn").write_text(SPEC)
    return tmp_path


def script(folder, *arguments, name="model.py", **options):
    return subprocess.run([sys.executable, name, *arguments], cwd=folder, text=True, **options)


def test_imported_helpers_do_what_pasted_ones_do(folder):
    """Every file and every word of a training, a resumption, predictions and the check."""
    said = {}
    for helpers in ("paste", "import"):
        assert dotnn("compile", "s.nn", "--style", "fast", "--helpers", helpers, folder=folder).exit_code == 0
        commands = [
            ["train", "--out", helpers, "--epochs", "7"],
            ["train", "--out", helpers, "--epochs", "9", "--resume"],
        ]
        commands += [["predict", "--weights", helpers, "--input", "d.csv"], ["check"]]
        done = [script(folder, *command, name="s.py", capture_output=True) for command in commands]
        assert [d.returncode for d in done] == [0, 0, 0, 0], [d.stderr for d in done]
        said[helpers] = [d.stdout for d in done]
    assert said["paste"] == said["import"]
    for file in (folder / "paste").iterdir():
        assert file.read_bytes() == (folder / "import" / file.name).read_bytes()


def test_imported_helpers_of_tensorflow(folder):
    """A script that imports them is the script that holds them, but for their texts."""
    options = [Options(target="tensorflow", helpers=helpers) for helpers in ("import", "paste")]
    ours, theirs = (functions(compile_spec(str(folder / "s.nn"), each).script) for each in options)
    assert ours.items() < theirs.items()


def functions(script):
    return {node.name: ast.unparse(node) for node in ast.parse(script).body if hasattr(node, "name")}


@pytest.mark.parametrize("command", [["train"], ["train", "--epochs", "1"], ["predict"], ["check"]])
@pytest.mark.parametrize("read", [0, 1])
def test_output_that_nobody_reads_ends_the_program_quietly(command, read, folder):
    assert dotnn("compile", "s.nn", "-o", "model.py", "--style", "fast", folder=folder).exit_code == 0
    if command == ["predict"]:
        assert script(folder, "train", "--out", "out", "--epochs", "2", capture_output=True).returncode == 0
        command = ["predict", "--weights", "out", "--input", "d.csv"]
    reading, writing = os.pipe()
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    whole = [sys.executable, "model.py", *command]
    program = subprocess.Popen(whole, cwd=folder, stdout=writing, stderr=subprocess.PIPE, text=True, env=buffered)
    os.close(writing)
    if read:
        os.read(reading, read)
    os.close(reading)
    _, said = program.communicate(timeout=120)
    assert said == "" and program.returncode in (0, 1)
