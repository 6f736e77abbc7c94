"""`dotnn evaluate`: what it prints is what scikit-learn says of the predictions that `dotnn predict` makes."""

import csv
import io
import json
import shutil

import numpy as np
import pytest
from errors.runner import dotnn
from sklearn import metrics as reference
from support import SPECS

from dotnn_runtime.script.split import split_indices


def table(folder, name, seed, count, classes):
    """Write a table: two numbers, a number that depends on them, and a class with a name."""
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((2, count))
    number = 3 * a - b + rng.standard_normal(count) + 100
    label = np.digitize(a + b + rng.standard_normal(count), [-0.5, 0.7])
    with open(folder / name, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["a", "b", "number", "kind", "yes"])
        writer.writerows(zip(a, b, number, np.array(classes)[label], (label > 1).astype(int), strict=True))


SPECS_OF = {
    "classes": (
        "target k: class[3]  output p = x -> dense(6, tanh) -> dense(3, softmax)",
        "k = kind",
        "loss = cross_entropy(p, k)",
    ),
    "one hot": (
        "target k: [3]  output p = x -> dense(6, tanh) -> dense(3, softmax)",
        "k = kind",
        "loss = cross_entropy(p, k)",
    ),
    "yes": ("target k: [1]  output p = x -> dense(4, tanh) -> dense(1, sigmoid)", "k = yes", "loss = bce(p, k)"),
    "number": ("target k: [1]  output p = x -> dense(4, tanh) -> dense(1)", "k = number", "loss = mse(p, k)"),
}


def spec_text(which):
    network, columns, loss = SPECS_OF[which]
    ways = "one_hot = k" if which == "one hot" else "scale = standard(x, k)" if which == "number" else ""
    return f"""
model M {{ input x: [2]  {network} }}
data {{
  source = csv("d.csv", x = [a, b], {columns})
  {ways}
  split  = split(train = 60%, val = 20%, test = 20%)
}}
train {{ {loss}  optim = adam(0.02)  epochs = 8  batch = 16 }}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("evaluate")
    table(made, "d.csv", 0, 90, ["low", "middle", "top"])
    table(made, "new.csv", 1, 40, ["top", "top", "low"])  # one class does not occur, the others are numbered otherwise
    return made


@pytest.fixture(scope="module", params=[*SPECS_OF])
def trained(folder, request):
    """A run of each kind, and its predictions for the new table."""
    name = request.param.replace(" ", "_")
    (folder / f"{name}.nn").write_text(spec_text(request.param))
    command = ["train", f"{name}.nn", "--run", f"runs/{name}", "--precision", "float64"]
    assert dotnn(*command, folder=folder).exit_code == 0
    text = dotnn("predict", f"runs/{name}", "--input", "new.csv", folder=folder).stdout
    rows = [row[:3] if request.param in ("classes", "one hot") else row for row in csv.reader(io.StringIO(text))][1:]
    return request.param, f"runs/{name}", np.array(rows, float)


def evaluated(folder, *args):
    outcome = dotnn("evaluate", *args, "--json", folder=folder)
    assert outcome.exit_code == 0, outcome.stderr
    return json.loads(outcome.stdout)


def columns_of(path):
    with open(path, newline="") as file:
        rows = [*csv.DictReader(file)]
    return {name: [row[name] for row in rows] for name in rows[0]}


def test_the_figures_of_another_file_are_scikit_learn_s(folder, trained):
    which, run, predicted = trained
    found = evaluated(folder, run, "--data", "new.csv")
    assert (found["examples"], found["part"]) == (40, "new.csv")
    (output,) = found["outputs"]
    figures, columns = output["figures"], columns_of(folder / "new.csv")
    if which == "number":
        actual = np.array(columns["number"], float)
        wanted = {
            "mae": reference.mean_absolute_error(actual, predicted[:, 0]),
            "rmse": reference.root_mean_squared_error(actual, predicted[:, 0]),
            "r2": reference.r2_score(actual, predicted[:, 0]),
            "max_error": reference.max_error(actual, predicted[:, 0]),
        }
        assert {name: figures[name] for name in wanted} == pytest.approx(wanted, rel=1e-12)
        return
    if which == "yes":
        scores, actual = np.hstack([1 - predicted, predicted]), np.array(columns["yes"], int)
    else:
        scores = predicted
        actual = np.array([["low", "middle", "top"].index(kind) for kind in columns["kind"]])
    guess, size = scores.argmax(axis=1), scores.shape[1]
    assert output["confusion"] == reference.confusion_matrix(actual, guess, labels=range(size)).tolist()
    precision, recall, f1, support = reference.precision_recall_fscore_support(
        actual, guess, labels=range(size), zero_division=0
    )
    for name, values in (("precision", precision), ("recall", recall), ("f1", f1), ("examples", support)):
        assert [one[name] for one in output["classes"]] == pytest.approx([*values], rel=1e-12)
    assert figures["accuracy"] == pytest.approx(reference.accuracy_score(actual, guess), rel=1e-12)
    for c, one in enumerate(output["classes"]):
        if (actual == c).any():
            assert one["roc_auc"] == pytest.approx(reference.roc_auc_score(actual == c, scores[:, c]), rel=1e-12)
        else:
            assert one["roc_auc"] is None
    brier = reference.brier_score_loss(actual, scores / scores.sum(axis=1, keepdims=True), labels=range(size))
    assert figures["brier"] == pytest.approx(brier, rel=1e-10)
    low, high = output["intervals"]["accuracy"]
    assert low < figures["accuracy"] < high


def test_the_loss_is_that_of_predictions(folder, trained):
    which, run, predicted = trained
    loss, columns = evaluated(folder, run, "--data", "new.csv")["loss"], columns_of(folder / "new.csv")
    if which == "number":
        with open(folder / run / "scaling.json") as file:
            spread = 1 / json.load(file)["k"]["scale"][0]
        actual = np.array(columns["number"], float)
        wanted = reference.mean_squared_error(actual, predicted[:, 0]) / spread**2
    elif which == "yes":
        wanted = reference.log_loss(np.array(columns["yes"], int), predicted[:, 0].astype(float))
    else:
        wanted = reference.log_loss(columns["kind"], predicted, labels=["low", "middle", "top"])
    assert loss == pytest.approx(wanted, rel=1e-10)


def test_without_a_file_it_is_the_test_part_that_training_saw_last(folder, trained):
    found = evaluated(folder, trained[1])
    result = json.loads((folder / trained[1] / "metrics.json").read_text())
    assert (found["part"], found["examples"]) == ("test part", 18)
    assert found["loss"] == result["metrics"]["test_loss"]


def test_text_has_the_numbers_of_json(folder, trained):
    found = evaluated(folder, trained[1])
    text = dotnn("evaluate", trained[1], folder=folder).stdout
    for name, value in found["outputs"][0]["figures"].items():
        assert name and f"{value:.4g}" in text


def test_runs_of_the_other_target_and_of_initial_weights_in_a_file(folder, tmp_path):
    """What was trained by TensorFlow is measured without it; a run does not keep the file that weights came from."""
    shutil.copytree(SPECS / "data", tmp_path / "data")
    shutil.copy(SPECS / "power_plant_by_hand.nn", tmp_path)
    assert dotnn("train", "power_plant_by_hand.nn", "--run", "r", folder=tmp_path).exit_code == 0
    metrics = json.loads((tmp_path / "r/metrics.json").read_text())
    # the first loss of history is of the weights before the last update
    assert evaluated(tmp_path, "r")["loss"] < metrics["loss"] * 1.01


def test_predictions_after_the_data_have_changed_say_so(tmp_path):
    table(tmp_path, "d.csv", 0, 90, ["low", "middle", "top"])
    (tmp_path / "s.nn").write_text(spec_text("number"))
    assert dotnn("train", "s.nn", "--run", "r", folder=tmp_path).exit_code == 0
    assert dotnn("evaluate", "r", folder=tmp_path).stderr == ""
    table(tmp_path, "d.csv", 5, 90, ["low", "middle", "top"])
    assert "not those that r was trained on" in dotnn("evaluate", "r", folder=tmp_path).stderr


def test_predictions_are_kept_on_request(tmp_path):
    """They are those of the test part in its order, each beside what is true; the figures are those of the table."""
    assert dotnn("train", str(SPECS / "iris.nn"), "--run", "run", folder=tmp_path).exit_code == 0
    told = dotnn("evaluate", "run", "--predictions", "kept.csv", "--json", folder=tmp_path)
    assert told.exit_code == 0, told.stderr
    with (tmp_path / "kept.csv").open() as file:
        rows = list(csv.DictReader(file))
    with (SPECS / "data" / "iris.csv").open() as file:
        flowers = list(csv.DictReader(file))
    held = split_indices(150, {"train": 0.6, "val": 0.2, "test": 0.2}, 0)["test"]
    assert [row["true_species"] for row in rows] == [flowers[i]["species"] for i in held]
    assert [int(row["row"]) for row in rows] == [i + 1 for i in held]
    names = [name for name in rows[0] if name.startswith("p_")]
    for row in rows:
        assert row["species"] == max(names, key=lambda name: float(row[name])).removeprefix("p_")
    right = np.mean([row["species"] == row["true_species"] for row in rows])
    assert right == json.loads(told.stdout)["metrics"]["accuracy"]
    (tmp_path / "inputs.csv").write_text(
        "\n".join([",".join(list(flowers[0])[:4]), *(",".join(list(flowers[i].values())[:4]) for i in held)])
    )
    again = dotnn("predict", "run", "--input", "inputs.csv", folder=tmp_path).stdout.splitlines()
    kept = [line.rpartition(",")[0] for line in (tmp_path / "kept.csv").read_text().splitlines()]
    assert kept[0] == f"row,{again[0]}"
    for ours, theirs in zip(kept[1:], again[1:], strict=True):
        (_, *a, b), (*c, d) = ours.split(","), theirs.split(",")
        np.testing.assert_allclose(np.array(a, float), np.array(c, float), rtol=1e-5)
        assert b == d
    refused = dotnn("evaluate", "run", "--predictions", "kept.csv", folder=tmp_path)
    assert refused.exit_code == 1 and "already exists" in refused.stderr
    assert dotnn("evaluate", "run", "--predictions", "kept.csv", "--force", folder=tmp_path).exit_code == 0


NUMBERED = """
model M { input a: [1]  target t: [1]  output y = a -> dense(1) }
data { source = csv("d.csv", a = a, t = t)  REST }
train { loss = mse(y, t)  epochs = 1 }
"""
WAYS = {
    "drawn": "split = split(test = 25%, seed = 4)",
    "in file order": "split = split(test = 25%, order = file)",
    "in the order of a column": "split = split(test = 25%, order = day)",
    "by groups": "split = split(test = 25%, groups = who)",
    "with gaps left out": "missing = drop(a)  split = split(test = 25%)",
    "a file of its own": 'val = csv("v.csv")  test = csv("v.csv")',
    "with gaps in a file of its own": 'missing = drop(a)  test = csv("v.csv")  split = split(val = 25%)',
    "without parts": "take = 100",
}


@pytest.mark.parametrize("data", [None, "v.csv"], ids=["held out", "another file"])
@pytest.mark.parametrize("way", WAYS)
def test_a_kept_prediction_tells_its_row(way, data, tmp_path):
    """What is true of a row is what the file holds there, a number that no other row has."""
    rng, cells = np.random.default_rng(5), {}
    for name, count in (("d.csv", 60), ("v.csv", 21)):
        cells[name] = rng.permutation(1000)[:count]
        gaps = rng.random(count) < 0.2 * ("gaps" in way)
        rows = [
            f"{'' if gap else rng.integers(9)},{t},{rng.integers(50)},{rng.integers(5)}"
            for gap, t in zip(gaps, cells[name], strict=True)
        ]
        (tmp_path / name).write_text("\n".join(["a,t,day,who", *rows, ""]))
    (tmp_path / "s.nn").write_text(NUMBERED.replace("REST", WAYS[way]))
    assert dotnn("train", "s.nn", "--run", "r", folder=tmp_path).exit_code == 0
    more = ["--data", data] if data else []
    told = dotnn("evaluate", "r", "--predictions", "kept.csv", *more, folder=tmp_path)
    assert told.exit_code == 0, told.stderr
    with (tmp_path / "kept.csv").open() as file:
        kept = list(csv.DictReader(file))
    held = cells["v.csv" if data or "own" in way else "d.csv"]
    assert len(kept) > 9
    assert [float(row["true_t"]) for row in kept] == [held[int(row["row"]) - 1] for row in kept]


def test_where_the_data_are_not_there(tmp_path):
    table(tmp_path, "d.csv", 0, 90, ["low", "middle", "top"])
    (tmp_path / "s.nn").write_text(spec_text("number"))
    assert dotnn("train", "s.nn", "--run", "r", folder=tmp_path).exit_code == 0
    (tmp_path / "d.csv").rename(tmp_path / "moved.csv")
    lost = dotnn("evaluate", "r", "--json", folder=tmp_path)
    assert lost.exit_code == 1 and json.loads(lost.stdout)["errors"][0]["code"] == "NN406"
    assert "d.csv" in lost.stderr and "--data" in lost.stderr
    assert dotnn("evaluate", "r", "--data", "moved.csv", folder=tmp_path).exit_code == 0
    assert "NN401" in dotnn("evaluate", "r", "--data", "nothing.csv", folder=tmp_path).stderr
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    assert "no column number" in dotnn("evaluate", "r", "--data", "bad.csv", folder=tmp_path).stderr


def test_where_there_is_no_run(tmp_path):
    assert "NN406" in dotnn("evaluate", "nothing", folder=tmp_path).stderr


MASKED = """
model M {
  input x: [4, 5]  input m: int[4]  target t: class[4, 3]  target v: [4, 2]
  output p = x -> dense(3, softmax)
  output y = x -> dense(2)
}
train { loss = cross_entropy(p, t, mask = m) + mse(y, v, mask = m)  epochs = 3 }
"""


def test_what_a_mask_leaves_out_does_not_count(tmp_path):
    """A class and two numbers at every step: the steps that are marked, against scikit-learn."""
    rng = np.random.default_rng(0)
    marks = rng.integers(0, 2, (30, 4))
    data = {"x": rng.standard_normal((30, 4, 5)), "m": marks, "t": rng.integers(0, 3, (30, 4))}
    data["v"] = rng.standard_normal((30, 4, 2))
    np.savez(tmp_path / "d.npz", **data)
    (tmp_path / "s.nn").write_text(MASKED)
    trained = dotnn("train", "s.nn", "--data", "d.npz", "--run", "r", "--precision", "float64", folder=tmp_path)
    assert trained.exit_code == 0, trained.stderr
    found = {one["output"]: one for one in evaluated(tmp_path, "r")["outputs"]}
    with np.load(tmp_path / "r/weights.npz") as w:
        scores = np.exp(data["x"] @ w["p.W"] + w["p.b"])
        y = data["x"] @ w["y.W"] + w["y.b"]
    kept = marks == 1
    p, t, v, y = (scores / scores.sum(axis=-1, keepdims=True))[kept], data["t"][kept], data["v"][kept], y[kept]
    assert found["p"]["confusion"] == reference.confusion_matrix(t, p.argmax(axis=1), labels=range(3)).tolist()
    area = reference.roc_auc_score(t, p, multi_class="ovr")
    assert found["p"]["figures"]["roc_auc"] == pytest.approx(area, rel=1e-12)
    assert found["y"]["figures"]["r2"] == pytest.approx(reference.r2_score(v, y), rel=1e-12)
    assert found["y"]["figures"]["mae"] == pytest.approx(reference.mean_absolute_error(v, y), rel=1e-12)
    assert dotnn("doctor", "r", folder=tmp_path).exit_code == 0
