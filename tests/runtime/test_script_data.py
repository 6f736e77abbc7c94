"""`--data` of a script whose spec names no data file."""

import subprocess
import sys

import numpy as np
import pytest
from support import SPECS, compiled, model_of

from dotnn.driver import Options, compile_model

NO_DATA = "model M { input x: [2]  target t: [1]  output y = x -> dense(1) }  train { loss = mse(y, t)  epochs = 2 }"


@pytest.mark.parametrize("own", [False, True], ids=["no data", "rows in the spec"])
def test_examples_come_from_a_file(own, tmp_path):
    script = compiled(SPECS / "xor.nn", "explain") if own else compile_model(model_of(NO_DATA), Options())
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
