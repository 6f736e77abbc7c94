"""The command line of a script: where examples come from, and what is refused before anything is trained."""

import subprocess
import sys

import numpy as np
import pytest
from support import SPECS, compiled, model_of, run_program

from dotnn.session import Options, compile_model

NO_DATA = "model M { input x: [2]  target t: [1]  output y = x -> dense(1) }  train { loss = mse(y, t)  epochs = 2 }"


@pytest.mark.parametrize("own", [False, True], ids=["no data", "rows in the spec"])
def test_examples_come_from_a_file(own, tmp_path):
    script = compiled(SPECS / "xor.nn", "fast") if own else compile_model(model_of(NO_DATA), Options("fast"))
    (tmp_path / "model.py").write_text(script.script, encoding="utf-8")
    rng = np.random.default_rng(0)
    data = {"x": rng.standard_normal((30, 2)), "t": rng.integers(0, 2, (30, 1)).astype(float)}
    np.savez(tmp_path / "examples.npz", **data)
    module = {"__name__": "model", "__file__": str(tmp_path / "model.py")}
    exec(compile(script.script, "model.py", "exec"), module)
    expected, _ = module["train"](data, epochs=2)
    command = [sys.executable, "model.py", "train", "--data", "examples.npz", "--epochs", "2", "--out", "."]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    with np.load(tmp_path / "weights.npz") as stored:
        for name, weight in expected.items():
            np.testing.assert_array_equal(stored[name], weight)


@pytest.mark.parametrize("target", ["numpy", "tensorflow"])
def test_results_are_not_overwritten_unasked(target, tmp_path):
    script = compile_model(model_of(NO_DATA), Options("fast", target=target)).script
    (tmp_path / "model.py").write_text(script, encoding="utf-8")
    np.savez(tmp_path / "examples.npz", x=np.ones((4, 2)), t=np.ones((4, 1)))
    train = ["train", "--data", "examples.npz", "--out", "out"]
    predict = ["predict", "--weights", "out", "--input", "examples.npz", "-o", "p.npz"]

    def run(*words):
        if target == "tensorflow":
            return run_program(tmp_path / "model.py", *words, folder=tmp_path)
        return subprocess.run([sys.executable, "model.py", *words], cwd=tmp_path, capture_output=True, text=True)

    for command, written, anyway in ((train, "out/weights.npz", "--overwrite"), (predict, "p.npz", "--force")):
        assert run(*command).returncode == 0
        (tmp_path / written).write_bytes(before := (tmp_path / written).read_bytes() + b" ")
        refused = run(*command)
        assert refused.returncode == 1 and anyway in refused.stderr and "Traceback" not in refused.stderr
        assert (tmp_path / written).read_bytes() == before
        assert run(*command, anyway).returncode == 0
        assert (tmp_path / written).read_bytes() == before[:-1]


CHECKPOINT = "checkpoint = every(1)  stop = early(loss, patience = 2) }"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--epochs", "0"], "must be 1 or more"),
        (["--seed", "-1"], "must be 0 or more"),
        (["--resume"], "--resume needs --out"),
        (["--out", "model.py"], "File exists"),
        (["--data", "nothing.npz"], "cannot be read"),
    ],
)
def test_options_that_cannot_be(options, message, tmp_path):
    script = compile_model(model_of(NO_DATA.replace("epochs = 2 }", CHECKPOINT)), Options("fast")).script
    (tmp_path / "model.py").write_text(script, encoding="utf-8")
    np.savez(tmp_path / "examples.npz", x=np.ones((4, 2)), t=np.ones((4, 1)))
    command = [sys.executable, "model.py", "train", "--data", "examples.npz", *options]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode in (1, 2)
    assert message in done.stderr and "Traceback" not in done.stderr
    assert (tmp_path / "model.py").read_text(encoding="utf-8") == script
