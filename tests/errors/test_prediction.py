"""What `predict` answers and refuses, by all ways: the command, the script's own command, both styles."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from errors.runner import dotnn
from support import STYLES, module_of

FLOWERS = """model M {
  input  x: [2]
  target t: class[3]
  output p = x -> dense(3, softmax)
}
data { source = csv("d.csv", x = [a, b], t = kind) }
train { loss = cross_entropy(p, t)  epochs = 2 }"""
TABLE = "a,b,kind\n0,1,rose\n1,0,lily\n1,1,rose\n0,0,lily\n2,1,tulip, red\n".replace("tulip, red", '"tulip, red"')


def runs(folder, style):
    """Train by the command and by a script that writes a folder; return how each predicts, by its name."""
    (folder / "s.nn").write_text(FLOWERS)
    (folder / "d.csv").write_text(TABLE)
    assert dotnn("train", "s.nn", "--run", "r", "--style", style, folder=folder).exit_code == 0
    assert dotnn("compile", "s.nn", "--style", "fast", folder=folder).exit_code == 0
    assert script(folder, "s.py", "train", "--out", "o").returncode == 0
    return {
        "command": lambda: told(dotnn("predict", "r", "--input", "d.csv", folder=folder)),
        "script": lambda: told(script(folder, "s.py", "predict", "--weights", "o", "--input", "d.csv")),
    }


def script(folder, *words):
    return subprocess.run([sys.executable, *words], cwd=folder, capture_output=True, text=True, env=os.environ)


def told(outcome):
    return outcome.stdout, outcome.stderr


@pytest.mark.parametrize("style", STYLES)
def test_by_every_way(style, tmp_path):
    ways = runs(tmp_path, style)
    texts = ["lily", "rose", "tulip, red"]
    assert [json.loads((tmp_path / d / "labels.json").read_text())["t"] for d in "ro"] == [texts] * 2
    answers = {way: predict()[0] for way, predict in ways.items()}
    if style == "fast":  # the explain style adds up in another order
        assert answers["command"] == answers["script"]
    head, *rows = answers["command"].splitlines()
    assert head == 'p_lily,p_rose,"p_tulip, red",t'
    for row in rows:
        probabilities = [float(cell) for cell in row.split(",")[:3]]
        assert row.split(",", 3)[3].strip('"') == texts[int(np.argmax(probabilities))]
    for folder in "ro":
        weights = dict(np.load(tmp_path / folder / "weights.npz"))
        np.savez(tmp_path / folder / "weights.npz", **{**weights, "p.b": np.array([0, np.inf, 0], np.float32)})
    for predict in ways.values():
        stdout, stderr = predict()
        assert stdout == "" and "p.b[1] is inf, which is not finite in float32" in stderr


def test_texts_of_fewer_classes(tmp_path):
    (tmp_path / "s.nn").write_text(FLOWERS)
    (tmp_path / "d.csv").write_text("a,b,kind\n0,1,rose\n1,0,lily\n")
    assert "warning[NN610]" in dotnn("train", "s.nn", "--run", "r", folder=tmp_path).stderr
    weights = dict(np.load(tmp_path / "r/weights.npz"))
    np.savez(tmp_path / "r/weights.npz", **{**weights, "p.b": np.array([0, 0, 9], np.float32)})
    head, row, _ = dotnn("predict", "r", "--input", "d.csv", folder=tmp_path).stdout.splitlines()
    assert head == "p_lily,p_rose,p3,t" and row.endswith(",2")  # the class without a text has its number


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("scaled", ["", "scale = standard(x)"])
def test_numbers_beyond_the_precision_in_a_run(style, scaled, tmp_path):
    """1e39 is finite in a file and not in float32: it is refused, but where it is scaled it is only a large number."""
    (tmp_path / "s.nn").write_text(FLOWERS.replace("t = kind)", f"t = kind)  {scaled}"))
    (tmp_path / "d.csv").write_text(TABLE)
    (tmp_path / "large.csv").write_text("a,b\n0,1\n1,1e37\n" if scaled else "a,b\n0,1\n1,1e39\n")
    assert dotnn("train", "s.nn", "--run", "r", "--style", style, folder=tmp_path).exit_code == 0
    outcome = dotnn("predict", "r", "--input", "large.csv", folder=tmp_path)
    assert outcome.exit_code == (0 if scaled else 1)
    assert scaled or "x[1, 1] is 1e+39, which is not finite in float32" in outcome.stderr
    (tmp_path / "d.csv").write_text(TABLE.replace("1,1,rose", "1,1e39,rose"))
    outcome = dotnn("train", "s.nn", "--run", "again", "--style", style, folder=tmp_path)
    assert outcome.exit_code == (0 if scaled else 1) and (tmp_path / "again").exists() == bool(scaled)
    assert scaled or "which is not finite in float32" in outcome.stderr


def test_numbers_beyond_the_precision():
    """1e39 is finite in a file and not in float32: predicting and training refuse it by its name and place."""
    script = module_of(FLOWERS.replace('source = csv("d.csv", x = [a, b], t = kind)', "x = [[0, 1]]  t = [2]"), "fast")
    x = np.array([[0, 1], [1, 1e39]])
    params = script.init_params(0)
    with pytest.raises(ValueError, match=r"x\[1, 1\] is 1e\+39, which is not finite in float32"):
        script.predict(params, {"x": x})
    with pytest.raises(ValueError, match=r"x\[1, 1\] is 1e\+39, which is not finite in float32"):
        script.train({"x": x, "t": np.array([0, 1])})
    assert np.isfinite(script.predict(script.init_params(0, np.float64), {"x": x})["p"]).all()
    with pytest.raises(ValueError, match=r"p.W\[0, 0\] is nan"):
        script.predict({**params, "p.W": np.full((2, 3), np.nan, np.float32)}, {"x": x[:1]})
