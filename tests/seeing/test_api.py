"""`import dotnn`: what programs use says the same as the commands."""

import json
import subprocess
import sys

import numpy as np
import pytest
from errors.runner import dotnn as command
from support import SPECS

import dotnn

TEXT = """
params { units = 4 in 2..20  act = tanh }
model M { input x: [2]  target t: [1]  output y = x -> dense(units, act) -> dense(1) }
data { x = [[0, 0]]  t = [[0]]  scale = standard(x)  split = split(train = 70%, test = 30%) }
train { loss = mse(y, t)  optim = adam(0.02)  epochs = 5  metrics = [mae] }
"""


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((50, 2)) * 3 + 1
    return {"x": x, "t": x[:, :1] * 2 - x[:, 1:]}


def test_what_it_offers_is_what_the_commands_make(tmp_path, data):
    (tmp_path / "s.nn").write_text(TEXT)
    np.savez(tmp_path / "d.npz", **data)
    spec = dotnn.load(tmp_path / "s.nn", units=5)
    assert (spec.name, spec.parameters, spec.settings) == ("M", 2 * 5 + 5 + 5 + 1, {"units": 5, "act": "tanh"})
    trained = dotnn.train(spec, tmp_path / "d.npz", seed=3)
    ran = command("train", "s.nn", "--set", "units=5", "--data", "d.npz", "--seed", "3", "--run", "r", folder=tmp_path)
    assert ran.exit_code == 0, ran.stderr
    with np.load(tmp_path / "r/weights.npz") as stored:
        assert all(np.array_equal(trained.params[name], stored[name]) for name in stored.files)
    metrics = json.loads((tmp_path / "r/metrics.json").read_text())
    assert all(trained.result[name] == metrics[name] for name in ("loss", "metrics", "epochs", "best_epoch"))
    figures = json.loads(command("evaluate", "r", "--json", folder=tmp_path).stdout)
    assert trained.evaluate()["outputs"] == figures["outputs"] and trained.evaluate()["loss"] == figures["loss"]
    assert trained.evaluate("train")["examples"] == 35
    doctor = json.loads(command("doctor", "r", "--json", folder=tmp_path).stdout)
    assert [fault.as_json() for fault in trained.diagnose()] == doctor["findings"]
    text = command("compile", "s.nn", "--set", "units=5", "-o", "-", folder=tmp_path).stdout
    ours = dotnn.compile(spec).text
    assert ours.partition('"""')[2] == text.partition('"""')[2]


def test_predictions_are_those_of_a_loop(data):
    trained = dotnn.train(dotnn.load("m.nn", text=TEXT), data, precision="float64")
    w, s = trained.params, trained.run.kept.scaling["x"]
    (hidden, last) = [name.removesuffix(".W") for name in w if name.endswith(".W")]
    for row, found in zip(data["x"], trained.predict(x=data["x"])["y"], strict=True):
        z = (row - s["shift"]) * s["scale"]
        h = np.tanh(z @ w[f"{hidden}.W"] + w[f"{hidden}.b"])
        assert found == pytest.approx(h @ w[f"{last}.W"] + w[f"{last}.b"], rel=1e-12)
    assert (
        len(trained.history) == 5
        and len(dotnn.train("m.nn" and dotnn.load("m.nn", text=TEXT), data, epochs=2).history) == 2
    )


def test_settings_are_those_of_set():
    spec = dotnn.load("m.nn", text=TEXT)
    other = dotnn.compile(spec, act="relu", units=7)
    assert other.module.PARAMS[next(iter(other.module.PARAMS))] == (2, 7)
    assert dotnn.compile(dotnn.load("m.nn", text=TEXT, act="relu"), units=7).text == other.text
    with pytest.raises(dotnn.CompileError, match="NN"):
        dotnn.load("m.nn", text=TEXT, units=99)
    with pytest.raises(ValueError, match="no target"):
        dotnn.compile(spec, target="fortran")


def test_the_gradients_and_the_equations(tmp_path):
    report = dotnn.check(SPECS / "xor.nn")
    assert str(report.verdict) == "PASS" and report.exit_code == 0
    found = dotnn.explain(SPECS / "xor.nn")
    shown = command("explain", str(SPECS / "xor.nn"), folder=tmp_path).stdout
    assert str(found).splitlines() == shown.splitlines()
    assert found._repr_html_().count("<math") > 5 and found.markdown.startswith("#")


def test_what_is_wrong_is_an_error_with_its_place(data):
    with pytest.raises(dotnn.CompileError) as caught:
        dotnn.load("m.nn", text=TEXT.replace("dense(1)", "dence(1)"))
    assert "m.nn:3" in caught.value.render() and "dense" in caught.value.render()
    with pytest.raises(dotnn.CompileError, match="shape"):
        dotnn.train(dotnn.load("m.nn", text=TEXT), {**data, "x": np.ones((50, 3))})
    with pytest.raises(AttributeError, match="no attribute 'fit'"):
        _ = dotnn.fit


def test_pictures_for_notebooks(data):
    trained = dotnn.train(dotnn.load("m.nn", text=TEXT), data)
    for svg in (trained._repr_svg_(), trained.picture("residuals"), dotnn.load("m.nn", text=TEXT)._repr_svg_()):
        assert svg.startswith("<svg")


TWO = """
model M { input a: [1]  input b: [1]  target t: [1]  output y = concat(a, b) -> dense(1) }
train { loss = mse(y, t)  optim = sgd(0.1) }
"""


@pytest.mark.parametrize(
    "mistake",
    [
        lambda trained: trained.predict(y=[[1, 2]]),
        lambda trained: trained.predict(x=[[1, 2]], y=[[1]]),
        lambda trained: trained.predict(),
        lambda trained: trained.predict(x=[[1, 2, 3]]),
        lambda trained: trained.predict(x=[["a", "b"]]),
        lambda trained: trained.predict([[1, 2], [3]]),
        lambda trained: trained.predict([[1, 2]], [[1, 2]]),
        lambda trained: trained.predict([[1, 2]], x=[[1, 2]]),
        lambda trained: trained.picture("residual"),
        lambda trained: trained.evaluate("tset"),
        lambda trained: dotnn.train(dotnn.load("m.nn", text=TEXT), {"x": [[1, 2], [3]], "t": [[1], [2]]}),
        lambda trained: dotnn.train(dotnn.load("m.nn", text=TEXT), precision="float16"),
        lambda trained: dotnn.train(dotnn.load("m.nn", text=TWO), {n: np.ones((4, 1)) for n in "abt"}).predict([[1]]),
    ],
)
def test_a_slip_in_a_program_is_an_error_of_dotnn(data, mistake):
    with pytest.raises(dotnn.CompileError) as caught:
        mistake(dotnn.train(dotnn.load("m.nn", text=TEXT), data))
    assert all(fault.help for fault in caught.value.diagnostics)


@pytest.mark.parametrize(
    "function, settings, meant",
    [
        (dotnn.train, {"epoch": 3}, "epochs"),
        (dotnn.check, {"sed": 3}, "seed"),
        (dotnn.compile, {"unit": 3}, "units"),
        (dotnn.explain, {"unit": 3}, "units"),
        (dotnn.load, {"unit": 3, "text": TEXT}, "units"),
    ],
)
def test_a_misspelt_keyword(function, settings, meant):
    """The keyword that was meant is named, of the function or of the spec, and no option of the command line."""
    spec = "m.nn" if "text" in settings else dotnn.load("m.nn", text=TEXT)
    with pytest.raises(dotnn.CompileError) as caught:
        function(spec, **settings)
    (fault,) = caught.value.diagnostics
    assert f'"{meant}"' in fault.help and "--" not in caught.value.render()


@pytest.mark.parametrize(
    "text, settings, said",
    [
        (TEXT, {"quite_another": 3}, "keyword:1:1"),
        (TEXT, {"units": ""}, "keyword:1:1"),
        (TEXT, {"units": "[1"}, "keyword:1:7"),
        (
            "model M { input x: [n]  target t: [1]  output y = x -> dense(1) }\ntrain { loss = mse(y, t) }",
            {},
            "so does n=4",
        ),
    ],
)
def test_what_is_wrong_with_a_keyword_is_no_option_of_the_command_line(text, settings, said):
    with pytest.raises(dotnn.CompileError) as caught:
        dotnn.load("m.nn", text=text, **settings)
    shown = caught.value.render()
    assert said in shown and "--set" not in shown and all(fault.help for fault in caught.value.diagnostics)


def test_the_only_input_needs_no_name(data):
    trained = dotnn.train(dotnn.load("m.nn", text=TEXT), data)
    assert np.array_equal(trained.predict(data["x"])["y"], trained.predict(x=data["x"])["y"])


def test_the_texts_of_classes():
    trained = dotnn.train(SPECS / "iris.nn", epochs=40)
    rows = [line.split(",") for line in (SPECS / "data/iris.csv").read_text().split()[1:]]
    p = trained.predict(np.array([row[:4] for row in rows], float))["p"]
    said = [trained.labels["species"][i] for i in p.argmax(axis=1)]
    assert np.mean([text == row[4] for text, row in zip(said, rows, strict=True)]) > 0.9


def test_classes_as_texts_are_refused_with_their_place_and_a_way_that_works():
    rows = [line.split(",") for line in (SPECS / "data/iris.csv").read_text().split()[1:]]
    x, texts = np.array([row[:4] for row in rows], float), np.array([row[4] for row in rows])
    with pytest.raises(dotnn.CompileError) as caught:
        dotnn.train(SPECS / "iris.nn", {"x": x, "species": texts}, epochs=1)
    (fault,) = caught.value.diagnostics
    assert "whole numbers" in fault.message and "species[0] is setosa" in fault.message
    way = fault.help.partition(": ")[2].partition(" does")[0]
    numbers = eval(way, {"np": np, "texts": texts})
    trained = dotnn.train(SPECS / "iris.nn", {"x": x, "species": numbers}, epochs=1)
    assert np.array_equal(trained.params["p.dense1.W"], dotnn.train(SPECS / "iris.nn", epochs=1).params["p.dense1.W"])


def test_what_is_shown_of_an_object_is_a_line(data):
    spec = dotnn.load("m.nn", text=TEXT)
    for shown in (spec, dotnn.train(spec, data), dotnn.compile(spec), dotnn.explain(spec)):
        assert len(repr(shown)) < 100 and repr(shown).count("\n") == 0


def test_what_it_offers_is_what_can_be_imported():
    names: dict[str, object] = {}
    exec("from dotnn import *", names)
    assert {*names} - {"__builtins__"} == {*dotnn.__all__} == {n for n in dir(dotnn) if not n.startswith("__")}


def test_why_there_is_nothing_to_draw(data):
    """What the network has stands beside what the picture needs."""
    with pytest.raises(dotnn.CompileError) as caught:
        dotnn.train(dotnn.load("m.nn", text=TEXT), data).picture("confusion")
    (fault,) = caught.value.diagnostics
    assert fault.message.endswith("reads x: [2], and its target is t: [1]")


def test_the_version_costs_nothing():
    heavy = "import sys, dotnn; dotnn.__version__; print(*{'numpy', 'lark', 'click', 'dotnn.api'} & {*sys.modules})"
    outcome = subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True)
    assert outcome.stdout.strip() == ""
