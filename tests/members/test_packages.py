"""Members of another package: `use dotnn_example`, which lies on the path of a Python of its own."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from support import ROOT, as_module, assert_gradients, generic_point

EXAMPLE = ROOT / "tests" / "example_package"


def installed(site, name, version="0.3.1"):
    """Let a module in a folder be an installed package with members."""
    info = site / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(f"[dotnn.members]\n{name} = {name}\n")


@pytest.fixture
def place(tmp_path):
    """A folder with a spec of the example package, which is installed in `site` there."""
    site = tmp_path / "site"
    shutil.copytree(EXAMPLE / "dotnn_example", site / "dotnn_example", ignore=shutil.ignore_patterns("__pycache__"))
    installed(site, "dotnn_example")
    for name in ("example.nn", "example.tsv"):
        shutil.copy(EXAMPLE / name, tmp_path)
    return tmp_path


def run(place, *arguments, status=0):
    """Run dotnn (or Python, with -c) in the folder; return what it printed."""
    path = os.pathsep.join([str(ROOT / "compiler"), str(ROOT / "runtime"), str(place / "site")])
    command = [sys.executable, *(arguments if arguments[0] == "-c" else ("-m", "dotnn", *arguments))]
    done = subprocess.run(
        command, cwd=place, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    assert done.returncode == status, done.stderr
    return done.stdout + done.stderr


def test_its_members_are_proven_and_train(place):
    """Against Polyak's method written out, with gradients that complex steps confirm; the script stands alone."""
    assert "PASS" in run(place, "check", "example.nn").splitlines()[-1]
    run(place, "compile", "example.nn", "-o", "example.py")
    module = as_module((place / "example.py").read_text(), place / "example.nn")
    params, batch = generic_point(module)
    assert_gradients(module, params, batch)
    start, data = module.init_params(0, np.float64), module.load_data()
    w, v = {n: a.copy() for n, a in start.items()}, dict.fromkeys(start, 0.0)
    for _ in range(5):
        hidden = data["x"] @ w["h.dense1.W"] + w["h.dense1.b"]
        hidden = hidden / (1 + abs(hidden)) * w["h.affine_features1.scale"] + w["h.affine_features1.shift"]
        error = hidden / (1 + abs(hidden)) @ w["p.W"] + w["p.b"] - data["y"]
        loss = (np.sqrt(1 + error**2) - 1).mean()
        np.testing.assert_allclose(module.evaluate(w, data)["loss"], loss, rtol=1e-10)
        _, grads = module.loss_and_grads(w, data)
        for name, g in grads.items():
            v[name] = 0.9 * v[name] + 0.1 * g
            w[name] = w[name] - 0.1 * v[name]
    trained, _ = module.train(data, epochs=5, params=start, dtype=np.float64)
    for name, value in w.items():
        np.testing.assert_allclose(trained[name], value, rtol=1e-10)


def test_a_run_records_the_version_and_reads_the_files(place):
    spec = place / "example.nn"
    spec.write_text(spec.read_text().replace("batch = all", "batch = all  checkpoint = every(1)"))
    run(place, "train", "example.nn", "--run", "r", "--epochs", "2")
    assert json.loads((place / "r" / "run.json").read_text())["packages"] == {"dotnn_example": "0.3.1"}
    shutil.move(place / "site" / "dotnn_example-0.3.1.dist-info", place / "gone")
    installed(place / "site", "dotnn_example", "0.4.0")
    assert "0.4.0" in run(place, "train", "example.nn", "--run", "r", "--epochs", "3", "--resume", status=1)


def test_nothing_is_seen_without_use(place):
    """Nor after another spec, in the same process, has used it."""
    found = run(place, "-c", """
from dotnn.core.diagnostics import CompileError
from dotnn.core.registry import seen
from dotnn.library.layers import ACTIVATIONS, LAYERS
from dotnn.session import Compilation
text = open("example.nn").read()
for name in ("example.nn", "without.nn"):
    open("without.nn", "w").write(text.replace("use dotnn_example", ""))
    try:
        print([step.layer.name for step in Compilation.read(name).model.steps])
    except CompileError as error:
        print(sorted({d.code for d in error.diagnostics}))
with seen([]):
    print("squash" in ACTIVATIONS, "squash" in LAYERS)
with seen(["dotnn_example"]):
    print("squash" in ACTIVATIONS, "squash" in LAYERS)
""").splitlines()  # fmt: skip
    assert found == [
        "['dense', 'affine_features', 'squash', 'dense']",
        "['NN202', 'NN303', 'NN322']",
        "False False",
        "True True",
    ]


def test_a_target_of_a_package(place):
    written = run(place, "compile", "example.nn", "--target", "table", "-o", "-")
    assert run(place, "-c", written).splitlines()[0] == "h_dense1_z\taffine\t[B, 4]"
    spec = place / "plain.nn"
    spec.write_text("model M { input x: [1]  target t: [1]  output y = x -> dense(1) } train { loss = mse(y, t) }")
    assert "error[NN238]" in run(place, "compile", "plain.nn", "--target", "table", status=1)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("raise ValueError('no licence')", "ValueError: no licence"),
        ("from dotnn.library.layers.base import activation\nDENSE = activation('dense', 'Mine.')", "layer dense"),
    ],
)
def test_a_package_that_does_not_work_is_an_error_at_its_use(place, text, reason):
    (place / "site" / "broken.py").write_text(text)
    installed(place / "site", "broken")
    spec = place / "example.nn"
    spec.write_text(spec.read_text().replace("use dotnn_example", "use broken"))
    said = run(place, "check", "example.nn", status=1)
    assert "error[NN238]" in said and reason in said and "example.nn:1:5" in said


def test_tensorflow_trains_alike(place):
    pytest.importorskip("tensorflow")
    spec = place / "example.nn"
    spec.write_text(spec.read_text().replace(" -> affine_features", ""))  # a layer needs a rule
    assert "PASS" in run(place, "diff", "example.nn", "--steps", "3")
