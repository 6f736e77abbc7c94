"""Bagging: a member against the script of the same spec without it, on rows drawn here; the whole against loops."""

import csv
import io
import json
import re
import shutil
from xml.etree import ElementTree

import numpy as np
import pytest
from errors.runner import dotnn
from members.test_settings import HELD, SPEC, assert_close, data
from support import STYLES, model_of, module_of

from dotnn.core.diagnostics import CompileError
from dotnn.running.combining import Together
from dotnn.running.scripts import load_module

CLASSES = """model Flowers { input x: [2]  target y: class[3]
  output p = x -> dense(3, softmax) }
data { source = npz("d.npz", x = x, y = y)  split = split(train = 60%, test = 40%, seed = 1) }
train { loss = cross_entropy(p, y)  optim = sgd(0.5)  batch = 8  epochs = 4  seed = 7  metrics = accuracy
  checkpoint = every(1)  ensemble = bag(3COMBINE) }"""
NUMBERS = """model Line { input x: [2]  target t: [2]
  output y = x -> dense(2) }
data { source = npz("d.npz", x = x, t = t)  scale = standard(t) }
train { loss = mse(y, t)  optim = sgd(0.1)  batch = 8  epochs = 3  metrics = mae
  ensemble = bag(4, combine = median) }"""
SPECS = {
    "mean": CLASSES.replace("COMBINE", ""),
    "vote": CLASSES.replace("COMBINE", ", combine = vote"),
    "median": NUMBERS,
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder with an ensemble for each way to answer together."""
    folder, rng = tmp_path_factory.mktemp("ensembles"), np.random.default_rng(0)
    x = rng.standard_normal((50, 2))
    y = np.digitize(x[:, 0] + 0.5 * rng.standard_normal(50), [-0.4, 0.4])
    np.savez(folder / "d.npz", x=x, y=y, t=5 * x @ [[1, 2], [3, -1]] + 100)
    np.savez(folder / "new.npz", x=rng.standard_normal((6, 2)))
    for name, text in SPECS.items():
        (folder / f"{name}.nn").write_text(text)
        (folder / f"{name}.json").write_text(
            dotnn("train", f"{name}.nn", "--run", name, "--json", folder=folder).stdout
        )
    return folder


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("changes", ["", "  augment = noise(0.3, x)"], ids=["as they are", "changed"])
def test_a_member_is_trained_on_a_bag_of_its_own(changes, style):
    """And validated on what is held back, none of which is in a bag."""
    plain, bagged = (
        module_of(SPEC.format(train=f"batch = 4  {train}", data=HELD.replace("split", f"{changes}  split", 1)), style)
        for train in ("", "ensemble = bag(3)")
    )
    for seed in (0, 2):
        rows = np.random.default_rng([seed, 3]).integers(17, size=17)
        given = {name: np.concatenate([values[:17][rows], values[17:]]) for name, values in data().items()}
        assert set(rows) != set(range(17)) and len({*rows}) < 17
        params, history = bagged.train(data(), dtype=np.float64, seed=seed)
        expected, records = plain.train(given, dtype=np.float64, seed=seed)
        assert_close(params, expected)
        assert list(history) == list(records)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("combine", ["mean", "median"])
def test_the_functions_of_a_script_are_the_loop_of_its_members(combine, style):
    module = module_of(SPEC.format(train=f"batch = 4  ensemble = bag(3, combine = {combine})", data=""), style)
    members = module.train_ensemble(data(), epochs=2, seed=5)
    for seed, (params, _) in enumerate(members, 5):
        for name, w in module.train(data(), epochs=2, seed=seed)[0].items():
            np.testing.assert_array_equal(params[name], w)
    x = data()["x"][:4]
    found = [np.tanh(x @ p["h.W"] + p["h.b"]) @ p["y.W"] + p["y.b"] for p, _ in members]
    expected = np.sort(found, axis=0)[1] if combine == "median" else sum(found) / 3
    np.testing.assert_allclose(module.predict_ensemble(members, {"x": x})["y"], expected, rtol=1e-5)


def by_hand(folder, name, x):
    """What each member says, in units of its own, by its equations."""
    found, whole = [], json.loads((folder / name / "run.json").read_text())
    for member in whole["members"]:
        w = {key: value.astype(float) for key, value in np.load(folder / name / member / "weights.npz").items()}
        z = x @ w[next(k for k in w if k.endswith(".W"))] + w[next(k for k in w if k.endswith(".b"))]
        if name == "median":
            scale = json.loads((folder / name / member / "scaling.json").read_text())["t"]
            found.append(z / scale["scale"] + scale["shift"])
        else:
            found.append(np.exp(z) / np.exp(z).sum(axis=1, keepdims=True))
    return np.array(found)


def together(name, found, counted=None):
    """The mean, the shares of votes or the median over the members that count, one example at a time."""
    counted = np.ones(found.shape[:2], bool) if counted is None else counted
    rows = []
    for i in range(found.shape[1]):
        said = found[counted[:, i], i]
        if name == "vote":
            rows.append(np.bincount(said.argmax(axis=1), minlength=said.shape[1]) / len(said))
        else:
            rows.append(np.median(said, axis=0) if name == "median" else said.mean(axis=0))
    return np.array(rows)


@pytest.mark.parametrize("name", SPECS)
def test_predictions(name, runs):
    found = dotnn("predict", name, "--input", "new.npz", folder=runs)
    table = list(csv.DictReader(io.StringIO(found.stdout)))
    output = "y" if name == "median" else "p"
    values = [[float(row[key]) for key in row if key.startswith(output) and key[1:].isdigit()] for row in table]
    expected = together(name, by_hand(runs, name, np.load(runs / "new.npz")["x"]))
    np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", SPECS)
def test_figures_of_the_test_part_and_out_of_bag(name, runs):
    result = json.loads((runs / f"{name}.json").read_text())
    arrays = np.load(runs / "d.npz")
    order = np.random.default_rng(1).permutation(50) if name != "median" else np.arange(50)
    train, test = (np.sort(order[:30]), np.sort(order[30:])) if name != "median" else (order, order)
    seeds = range(7, 10) if name != "median" else range(4)
    assert [json.loads((runs / name / f"member{k}" / "run.json").read_text())["seed"] for k in (1, 2, 3)] == [*seeds][
        :3
    ]
    bags = [np.random.default_rng([seed, 3]).integers(len(train), size=len(train)) for seed in seeds]
    unseen = np.array([~np.isin(np.arange(len(train)), bag) for bag in bags])
    some = unseen.any(axis=0)
    outside = together(name, by_hand(runs, name, arrays["x"][train[some]]), unseen[:, some])
    within = together(name, by_hand(runs, name, arrays["x"][test]))
    evaluated = json.loads(dotnn("evaluate", name, "--json", folder=runs).stdout)
    assert result["out_of_bag"]["examples"] == some.sum() and len(result["members"]) == len(seeds)
    if name == "median":
        expected = np.abs(outside - arrays["t"][train[some]]).mean()
        np.testing.assert_allclose(result["metrics"]["oob_mae"], expected, rtol=1e-4)
        np.testing.assert_allclose(evaluated["metrics"]["mae"], np.abs(within - arrays["t"]).mean(), rtol=1e-4)
        np.testing.assert_allclose(evaluated["outputs"][0]["figures"]["mae"], evaluated["metrics"]["mae"], rtol=1e-6)
        return
    expected = (outside.argmax(axis=1) == arrays["y"][train[some]]).mean()
    np.testing.assert_allclose(result["metrics"]["oob_accuracy"], expected)
    expected = (within.argmax(axis=1) == arrays["y"][test]).mean()
    np.testing.assert_allclose(result["metrics"]["test_accuracy"], expected)
    assert evaluated["metrics"] == {"accuracy": pytest.approx(expected)} and evaluated["loss"] is None
    each = [(p.argmax(axis=1) == arrays["y"][test]).mean() for p in by_hand(runs, name, arrays["x"][test])]
    np.testing.assert_allclose([m["accuracy"] for m in evaluated["members"]], each)


def test_an_interrupted_ensemble_is_continued(runs):
    """As if one member had never been begun, and another one stood at its second epoch: the same weights."""
    whole, again = runs / "mean", runs / "again"
    shutil.copytree(whole, again)
    shutil.rmtree(again / "member3")
    (again / "metrics.json").unlink()
    found = dotnn("train", "mean.nn", "--run", "again", "--resume", folder=runs)
    assert found.exit_code == 0, found.stderr
    for member in ("member1", "member2", "member3"):
        ours, theirs = (np.load(folder / member / "weights.npz") for folder in (again, whole))
        assert all((ours[name] == theirs[name]).all() for name in theirs)
    shutil.copytree(whole, runs / "short")
    found = dotnn("train", "mean.nn", "--run", "short", "--overwrite", "--epochs", "2", folder=runs)
    assert found.exit_code == 0, found.stderr
    found = dotnn("train", "mean.nn", "--run", "short", "--resume", folder=runs)
    assert found.exit_code == 0, found.stderr
    for member in ("member1", "member2", "member3"):
        ours, theirs = (np.load(folder / member / "weights.npz") for folder in (runs / "short", whole))
        assert all((ours[name] == theirs[name]).all() for name in theirs)


def test_a_smaller_ensemble_leaves_nothing_of_a_larger_one(runs):
    shutil.copytree(runs / "mean", runs / "smaller")
    (runs / "two.nn").write_text(SPECS["mean"].replace("bag(3)", "bag(2)"))
    assert dotnn("train", "two.nn", "--run", "smaller", folder=runs).exit_code == 1
    assert dotnn("train", "two.nn", "--run", "smaller", "--overwrite", folder=runs).exit_code == 0
    assert {path.name for path in (runs / "smaller").iterdir()} - {".lock"} == {
        "member1", "member2", "metrics.json", "run.json", "spec.nn",
    }  # fmt: skip


def test_what_is_found_in_a_whole_is_what_is_found_in_each_member(runs):
    """And its page has the figures that `evaluate` gives, and the same network."""
    members = [f"mean/member{k}" for k in (1, 2, 3)]
    each = [json.loads(dotnn("doctor", name, "--json", folder=runs).stdout) for name in members]
    assert json.loads(dotnn("doctor", "mean", "--json", folder=runs).stdout) == {"run": "mean", "members": each}
    said = [dotnn("doctor", name, folder=runs).stdout for name in members]
    assert dotnn("doctor", "mean", folder=runs).stdout == "\n".join(said)
    drawn = [dotnn("graph", "--run", name, "-o", "-", folder=runs).stdout for name in ("mean", "mean/member3")]
    assert drawn[0] == drawn[1] and drawn[0].startswith("<svg")
    text = dotnn("report", "mean", "-o", "-", folder=runs).stdout
    ElementTree.fromstring(text.partition("\n")[2])
    ids = re.findall(r' id="([^"]*)"', text)
    assert len(ids) == len(set(ids)) and {f"diagnosis-member{k}" for k in (1, 2, 3)} <= set(ids)
    figures = json.loads(dotnn("evaluate", "mean", "--json", folder=runs).stdout)
    assert f"examples: accuracy {figures['metrics']['accuracy']:.4g}." in text
    for one in figures["members"]:
        assert f'<td class="number">{one["loss"]:.4g}</td>' in text


def test_what_needs_one_run_says_so(runs):
    for words in (["graph", "--run", "mean", "--show", "curves"], ["generate", "mean"]):
        found = dotnn(*words, folder=runs)
        assert found.exit_code == 1 and "NN533" in found.stderr and "mean/member1" in found.stderr
    shutil.copytree(runs / "mean", runs / "broken")
    (runs / "broken" / "member2" / "weights.npz").unlink()
    for words in (["predict", "broken", "--input", "new.npz"], ["evaluate", "broken"]):
        found = dotnn(*words, folder=runs)
        assert found.exit_code == 1 and re.search("member2.*weights.npz", found.stderr)
    assert dotnn("overfit", "mean.nn", "--epochs", "20", folder=runs).exit_code in (0, 1)


@pytest.mark.parametrize(
    ("train", "code"),
    [("ensemble = bag(1)", "NN"), ("ensemble = 3", "NN"), ("ensemble = bag(3, combine = vote)", "NN318")],
)
def test_what_is_no_ensemble_is_refused(train, code):
    with pytest.raises(CompileError, match=code):
        model_of(SPEC.format(train=train, data=HELD))


def test_votes():
    """By the kind of the target; of equal scores the first class is the likeliest."""
    p = [np.array([[0.4, 0.4, 0.2]]), np.array([[0.1, 0.6, 0.3]]), np.array([[0.2, 0.1, 0.7]])]
    for kind, expected in (("class", [1 / 3, 1 / 3, 1 / 3]), ("unit", [0, 1 / 3, 1 / 3]), ("sign", [1, 1, 1])):
        found = Together("vote", {"p": kind}).outputs([{"p": y} for y in p])["p"]
        np.testing.assert_allclose(found, [expected])


def test_the_script_of_an_ensemble_votes(tmp_path, runs):
    (tmp_path / "m.py").write_text(dotnn("compile", "vote.nn", "-o", "-", folder=runs).stdout)
    module = load_module(tmp_path / "m.py", None)
    arrays = dict(np.load(runs / "d.npz"))
    members = module.train_ensemble({"x": arrays["x"], "y": arrays["y"]}, epochs=1)
    found = [module.predict(params, {"x": arrays["x"]})["p"] for params, _ in members]
    np.testing.assert_allclose(module.predict_ensemble(members, arrays)["p"], together("vote", np.array(found)))


COUNTED = """model Marked {{ input x: [3, 2]  input m: int[3]  target y: class[3, 3]
  output p = x -> dense(3, softmax) }}
data {{ source = npz("d.npz", x = s, m = m, y = c)  split = split(train = 60%, test = 40%, order = file)  {weights} }}
train {{ loss = cross_entropy(p, y{mask})  optim = sgd(0.5)  batch = 8  epochs = 3  metrics = accuracy
  ensemble = bag(3) }}"""


@pytest.mark.parametrize(("weights", "mask"), [("weights = w", ""), ("", ", mask = m"), ("weights = w", ", mask = m")])
def test_figures_count_what_a_member_counts(weights, mask, tmp_path):
    """The weights of examples and the mask of steps: of the test part, and out of bag."""
    rng = np.random.default_rng(4)
    arrays = {"s": rng.standard_normal((50, 3, 2)), "w": rng.uniform(0.1, 3, 50)}
    arrays["m"] = (rng.random((50, 3)) < 0.7).astype(int)
    arrays["c"] = np.digitize(arrays["s"][..., 0] + rng.standard_normal((50, 3)), [-0.4, 0.4])
    np.savez(tmp_path / "d.npz", **arrays)
    text = COUNTED.format(weights=weights, mask=mask).replace(", m = m", ", m = m" * bool(mask))
    (tmp_path / "s.nn").write_text(text if mask else text.replace("input m: int[3]  ", ""))
    found = dotnn("train", "s.nn", "--run", "run", "--json", folder=tmp_path)
    assert found.exit_code == 0, found.stderr
    count = (arrays["w"][:, None] if weights else 1) * (arrays["m"] if mask else np.ones((50, 3)))
    members = [dict(np.load(tmp_path / "run" / f"member{k}" / "weights.npz")) for k in (1, 2, 3)]
    z = np.array([arrays["s"] @ w["p.W"].astype(float) + w["p.b"] for w in members])
    said = np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True)
    bags = [np.random.default_rng([seed, 3]).integers(30, size=30) for seed in range(3)]
    unseen = np.array([~np.isin(np.arange(50), bag) for bag in bags])
    some = np.flatnonzero(unseen[:, :30].any(axis=0))
    outside = np.array([said[unseen[:, i], i].mean(axis=0) for i in some])

    def accuracy(p, rows):
        return np.average(p.argmax(axis=-1) == arrays["c"][rows], weights=np.broadcast_to(count, (50, 3))[rows])

    metrics = json.loads(found.stdout)["metrics"]
    assert metrics["test_accuracy"] == pytest.approx(accuracy(said.mean(axis=0)[30:], slice(30, None)), rel=1e-6)
    assert metrics["oob_accuracy"] == pytest.approx(accuracy(outside, some), rel=1e-6)
    evaluated = json.loads(dotnn("evaluate", "run", "--json", folder=tmp_path).stdout)
    assert evaluated["metrics"]["accuracy"] == pytest.approx(metrics["test_accuracy"], rel=1e-6)
