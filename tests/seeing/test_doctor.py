"""`dotnn doctor`: planted faults are named in ten seeds, healthy trainings have none, numbers are those of loops."""

import json
from functools import cache

import numpy as np
import pytest
from errors.runner import dotnn
from seeing.watching import compiled, watched

from dotnn.core.registry import file_names
from dotnn.reports.diagnosis import vital_signs, worst_line
from dotnn.reports.findings import FINDINGS, diagnosis

SEEDS = range(10)
SPEC = """
params {{ lr = {lr}  act = {act} }}
model M {{
  input x: [4]  target k: class[3]
  h = x -> {hidden}
  output p = h -> dense(3, softmax, init = {last})
}}
train {{ loss = cross_entropy(p, k)  optim = {optim}(lr)  batch = 16  epochs = {epochs} }}
"""
HEALTHY = {"lr": "0.01", "act": "tanh", "hidden": "dense(8, act)", "optim": "adam", "epochs": 12, "last": "xavier"}
PLANTED = {
    "dead_units": {"act": "relu", "hidden": "dense(8, act, bias_init = constant(-100))"},
    "saturation": {"hidden": "dense(8, act, init = normal(100))"},
    "gradient_flow": {"act": "sigmoid", "hidden": " -> ".join(["dense(8, act)"] * 10)},
    "learning_rate": {"lr": "10"},
    "learning_rate of sgd": {"lr": "100", "optim": "sgd"},
    "learning_rate too low": {"lr": "1e-8"},
    "symmetry": {"hidden": "dense(8, act, init = zeros)", "last": "zeros"},
    "never_moved": {"hidden": "dense(8, act) -> stop_gradient"},
    "constant_guess": {"act": "sigmoid", "hidden": " -> ".join(["dense(8, act)"] * 10)},
}


@cache
def script(**changes):
    return compiled(SPEC.format(**{**HEALTHY, **changes}))


def data(seed, count=120):
    rng = np.random.default_rng(seed)
    k = np.arange(count) % 3
    centres = rng.standard_normal((3, 4)) * 1.5
    return {"x": centres[k] + rng.standard_normal((count, 4)), "k": k}


def found(seen):
    return [fault.finding for fault in diagnosis(seen)]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_healthy_training_has_no_finding(seed):
    begun = script()
    assert found(watched(begun, data(seed), seed)) == []
    begun = script(act="relu", lr="0.1", optim="sgd")
    assert found(watched(begun, data(seed), seed)) == []


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("planted", [*PLANTED])
def test_a_planted_fault_is_named(planted, seed):
    begun = script(**PLANTED[planted])
    seen = watched(begun, data(seed), seed)
    name = planted.partition(" ")[0]
    faults = [fault for fault in diagnosis(seen) if fault.finding == name]
    assert faults, diagnosis(seen)
    fault = faults[0]
    assert fault.place.startswith("line ") and fault.fix and fault.numbers
    assert all(np.isfinite(list(fault.numbers.values())))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_leak_is_named(seed):
    """A column that is the answer, for numbers and for two classes; and held-out rows that were trained on."""
    rng = np.random.default_rng(seed)
    begun = compiled(LEAK)
    x = rng.standard_normal((80, 3))
    t = x[:, :1] + rng.standard_normal((80, 1))
    assert "leak" not in found(watched(begun, {"x": x, "t": t}, seed))
    told = np.hstack([x[:, :2], 5 - 2 * t])
    assert "leak" in found(watched(begun, {"x": told, "t": t}, seed))
    twice = {"x": np.tile(x[:40], (2, 1)), "t": np.tile(t[:40], (2, 1))}
    (fault,) = [f for f in diagnosis(watched(begun, twice, seed)) if f.finding == "leak"]
    parts = watched(begun, twice, seed).parts
    rows = {tuple(row) for row in parts["train"]["x"]}
    assert fault.numbers["repeated"] == sum(tuple(row) in rows for row in parts["test"]["x"])
    begun = compiled(LEAK.replace("dense(1)", "dense(1, sigmoid)").replace("mse", "bce"))
    yes = (x[:, 1:2] > 0.3).astype(float)
    assert "leak" in found(watched(begun, {"x": x, "t": yes}, seed))
    noisy = (x[:, 1:2] + rng.standard_normal((80, 1)) > 0.3).astype(float)
    assert "leak" not in found(watched(begun, {"x": x, "t": noisy}, seed))


LEAK = """
model M { input x: [3]  target t: [1]  output y = x -> dense(1) }
data { x = [[0, 0, 0]]  t = [[0]]  split = split(train = 60%, test = 40%) }
train { loss = mse(y, t)  optim = adam(0.01)  epochs = 2 }
"""
CODED = """
model M { input x: [3]  target k: class[4]  output y = x -> dense(4, softmax) }
data { x = [[0, 0, 0]]  k = [0]  split = split(train = 60%, test = 40%) }
train { loss = cross_entropy(y, k)  optim = adam(0.01)  epochs = 2 }
"""


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("one_hot", [False, True])
def test_a_column_that_parts_several_classes_is_a_leak(one_hot, seed):
    """Whatever number stands for each of them; but not where one of the classes lies across others."""
    rng = np.random.default_rng(seed)
    begun = compiled(CODED.replace("class[4]", "[4]").replace("[0]", "[[1, 0, 0, 0]]") if one_hot else CODED)
    k = np.arange(120) % 4
    x = rng.standard_normal((120, 3)) + k[:, None]
    t = np.eye(4)[k] if one_hot else k
    assert "leak" not in found(watched(begun, {"x": x, "k": t}, seed))
    x[:, 1] = np.array([7.0, -2.0, 30.0, 1.0])[k] + 0.4 * rng.random(120)
    (fault,) = [f for f in diagnosis(watched(begun, {"x": x, "k": t}, seed)) if f.finding == "leak"]
    assert "number 1 of x" in fault.message
    x[k == 2, 1] -= 30 * rng.random(30)  # down to the others
    assert "leak" not in found(watched(begun, {"x": x, "k": t}, seed))


TABLE = """
model M { input x: [3]  target k: class[2]  output p = x -> dense(4, tanh) -> dense(2, softmax) }
data { source = csv("d.csv",
  x = [a, b, c], k = k) }
train { loss = cross_entropy(p, k)  optim = adam(0.03)  epochs = 20 }
"""


@pytest.mark.parametrize("seed", SEEDS)
def test_a_constant_column_and_rare_classes_are_named(seed, tmp_path):
    rng = np.random.default_rng(seed)
    x, noise = rng.standard_normal((200, 3)), rng.standard_normal(200)
    for constant, rare in ((True, False), (False, True), (False, False)):
        k = np.where(np.arange(200) % (50 if rare else 3) == 0, 1, 0)
        x[:, 0] = k * 2 + noise
        x[:, 1] = 7 if constant else rng.standard_normal(200)
        rows = [f"{a},{b},{c},{n}" for (a, b, c), n in zip(x, k, strict=True)]
        (tmp_path / "d.csv").write_text("\n".join(["a,b,c,k", *rows]))
        begun = compiled(TABLE, tmp_path / "s.nn")
        names = found(watched(begun, None, seed))
        assert ("constant_column" in names, "class_imbalance" in names) == (constant, rare)
        if constant:
            (fault,) = [f for f in diagnosis(watched(begun, None, seed)) if f.finding == "constant_column"]
            assert "column b " in fault.message and fault.place == "line 4"
    x[:, 1] = k + rng.random(200) / 2
    rows = [f"{a},{b},{c},{n}" for (a, b, c), n in zip(x, k, strict=True)]
    (tmp_path / "d.csv").write_text("\n".join(["a,b,c,k", *rows]))
    (fault,) = [f for f in diagnosis(watched(compiled(TABLE, tmp_path / "s.nn"), None, seed)) if f.finding == "leak"]
    assert "column b " in fault.message and fault.place == "line 4"


RARE = """
model M { input x: [3]  target t: [1]  output p = x -> dense(4, tanh) -> dense(1, sigmoid) }
data { x = [[0, 0, 0]]  t = [[0]]  split = split(train = 60%, test = 40%) }
train { loss = bce(p, t, class_weight = [1, 19])  optim = adam(0.02)  epochs = 40 }
"""


@pytest.mark.parametrize("seed", SEEDS)
def test_rare_classes_that_count_more_are_judged_by_what_they_count(seed):
    """Whoever finds them is right less often than who always says no; and is no better than that before training."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((600, 3))
    t = (x[:, :1] + 0.7 * rng.standard_normal((600, 1)) > 2).astype(float)
    begun = compiled(RARE)
    seen = watched(begun, {"x": x, "t": t}, seed)
    (one,) = seen.compared
    assert np.mean(one.predicted == one.actual) <= 1 - t.mean()
    assert "constant_guess" not in found(seen)
    seen = watched(compiled(RARE.replace("0.02", "1e-9")), {"x": rng.standard_normal((600, 3)), "t": t}, seed)
    (one,) = seen.compared
    count = np.where(one.actual == 1, 19, 1)
    right = np.average(one.predicted == one.actual, weights=count)
    ones = seen.parts["train"]["t"].sum()
    often = int(19 * ones > len(seen.parts["train"]["t"]) - ones)
    guess = np.average(one.actual == often, weights=count)
    assert ("constant_guess" in found(seen)) == (right <= guess or len(set(one.predicted)) == 1)


GUESSED = """
model M { input x: [2]  target k: class[3]  output p = x -> dense(3, softmax) }
data { x = [[0, 0]]  k = [0]  split = split(train = 60%, test = 40%) }
train { loss = cross_entropy(p, k)  optim = sgd(1e-9)  epochs = 1 }
"""
MEAN = """
model M { input x: [2]  target t: [1]  output y = x -> dense(1) }
data { x = [[0, 0]]  t = [[0]]  split = split(train = 60%, test = 40%) }
train { loss = mse(y, t)  optim = sgd(1e-9)  epochs = 1 }
"""


@pytest.mark.parametrize("seed", SEEDS)
def test_a_constant_guess_is_that_of_the_training_part(seed):
    """The commonest class, or the mean, of what the training has seen, measured on what it has not."""
    rng = np.random.default_rng(seed)
    k, x = rng.integers(0, 3, 90), rng.standard_normal((90, 2))
    seen = watched(compiled(GUESSED), {"x": x, "k": k}, seed)
    (one,) = seen.compared
    often = np.bincount(seen.parts["train"]["k"]).argmax()
    right, guess = np.mean(one.predicted == one.actual), np.mean(one.actual == often)
    faults = [f for f in diagnosis(seen) if f.finding == "constant_guess"]
    assert bool(faults) == (right <= guess)
    assert all(fault.numbers == pytest.approx({"accuracy": right, "guess": guess}) for fault in faults)
    t = 9 * rng.standard_normal((90, 1)) - 1
    seen = watched(compiled(MEAN), {"x": x, "t": t}, seed)
    (one,) = seen.compared
    guess = np.mean((one.actual - seen.parts["train"]["t"].mean(dtype=float)) ** 2)
    faults = [f for f in diagnosis(seen) if f.finding == "constant_guess"]
    assert bool(faults) == (np.mean((one.values - one.actual) ** 2) >= guess)
    assert all(fault.numbers["guess"] == pytest.approx(guess) for fault in faults)


def test_dead_units_beside_equal_ones_are_no_second_finding():
    text = SPEC.format(**{**HEALTHY, "act": "relu", "hidden": "dense(8, act)"}).replace("init = xavier", "init = zeros")
    text = text.replace("epochs = 12 }", "epochs = 12\n  init = zeros }")
    faults = diagnosis(watched(compiled(text), data(0), 0))
    assert [fault.finding for fault in faults] == ["symmetry", "constant_guess"]
    assert faults[0].place == f"line {1 + text[: text.index('  init = zeros }')].count(chr(10))}"
    assert faults[1].fix == "mend the finding above first"


def test_a_fault_that_does_no_harm_is_one_to_look_at():
    """Half of the units are dead, but the others are enough; with none that lives it is a fault."""
    spec = SPEC.format(**{**HEALTHY, "act": "relu", "lr": "0.05", "epochs": 40})
    spec = spec.replace(
        "h = x -> dense(8, act)", "d = x -> dense(8, act, bias_init = constant(-100))\n  h = concat(x, d)"
    )
    rng, k = np.random.default_rng(0), np.arange(120) % 3
    x = 4 * np.eye(3, 4)[k] + 0.1 * rng.standard_normal((120, 4))
    faults = diagnosis(watched(compiled(spec), {"x": x, "k": k}, 0))
    assert [(fault.finding, fault.minor) for fault in faults] == [("dead_units", True), ("never_moved", True)]
    faults = diagnosis(watched(script(**PLANTED["dead_units"]), data(0), 0))
    assert not next(f for f in faults if f.finding == "dead_units").minor
    follows = next(f for f in faults if f.finding == "never_moved")
    assert follows.fix == "mend the finding above first"


@pytest.mark.parametrize("seed", range(3))
def test_saturation_that_the_training_made_has_no_start_as_its_fix(seed):
    """The weights begin by Xavier's rule already: the rate is the fault, and the only fix beside it says so."""
    seen = watched(script(lr="10"), data(seed), seed)
    for fault in (f for f in diagnosis(seen) if f.finding == "saturation"):
        assert fault.numbers["start"] <= 0.75 and fault.fix == "mend the finding above first"


DATED = """
model M { input day: date  input x: [1]  target t: [1]
  output y = concat(x, day) -> dense(1) }
data { source = csv("d.csv", day = day, x = x, t = t)  scale = standard(day) }
train { loss = mse(y, t)  optim = adam(0.1)  epochs = 20 }
"""


def test_dates_of_one_year_are_no_constant_column(tmp_path):
    days = np.arange("2025-01-01", "2025-05-01", dtype="datetime64[D]")
    rows = [f"{day},{i % 7},{i % 7 + i / 60}" for i, day in enumerate(days)]
    (tmp_path / "d.csv").write_text("\n".join(["day,x,t", *rows]))
    assert "constant_column" not in found(watched(compiled(DATED, tmp_path / "s.nn"), None, 0))


OVERFIT = """
model M { input x: [5]  target t: [1]  output y = x -> dense(30, tanh) -> dense(1, sigmoid) }
data { x = [[0, 0, 0, 0, 0]]  t = [[0]]  split = split(train = 50%, val = 50%) }
train { loss = bce(y, t)  optim = adam(0.02)  epochs = 200 STOP }
"""


@pytest.mark.parametrize("seed", SEEDS)
def test_overfitting_is_named_unless_it_is_stopped(seed):
    """A third of the labels are wrong, and learnt by heart."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((120, 5))
    t = ((x[:, :1] > 0) ^ (rng.random((120, 1)) < 0.3)).astype(float)
    begun = compiled(OVERFIT.replace("STOP", ""))
    assert "overfitting" in found(watched(begun, {"x": x, "t": t}, seed))
    begun = compiled(OVERFIT.replace("STOP", "stop = early(val_loss, patience = 15)"))
    assert "overfitting" not in found(watched(begun, {"x": x, "t": t}, seed))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("planted", [name for name in PLANTED if name.startswith(("gradient_flow", "learning_rate"))])
def test_a_fix_that_is_followed_once_mends(planted, seed):
    """Of a vanishing gradient, and of a learning rate, which is as far off as its first update was."""
    name = planted.partition(" ")[0]
    (fault,) = [f for f in diagnosis(watched(script(**PLANTED[planted]), data(seed), seed)) if f.finding == name]
    change, _, wanted = fault.fix.rpartition(": --set ")
    assert change
    begun = compiled(SPEC.format(**{**HEALTHY, **PLANTED[planted]}), sets=[wanted])
    assert name not in found(watched(begun, data(seed), seed))


def test_no_other_number_is_taken_for_the_learning_rate():
    text = SPEC.format(**{**HEALTHY, "lr": "0.9", "optim": "sgd"}).replace("sgd(lr)", "sgd(100, momentum = lr)")
    (fault,) = [f for f in diagnosis(watched(compiled(text), data(0), 0)) if f.finding == "learning_rate"]
    assert "--set" not in fault.fix


TRIED = """
params { lr = 0.01  act = tanh  bias = zeros  start = xavier  depth = 1 }
model M {
  input x: [4]  target k: class[3]
  h = x -> repeat(depth, dense(8, act, bias_init = bias, init = start))
  output p = h -> dense(3, softmax, init = start)
}
train { loss = cross_entropy(p, k)  optim = adam(lr)  batch = 16  epochs = 12 }
"""


@pytest.mark.parametrize(
    ("planted", "sets", "wanted"),
    [
        ("symmetry", ["start=zeros"], "start=xavier"),
        ("saturation", ["start=normal(100)"], "start=xavier"),
        ("gradient_flow", ["act=sigmoid", "depth=10"], "act=relu"),
        ("learning_rate", ["lr=10"], "lr="),
        ("dead_units", ["act=relu", "bias=constant(-100)"], "act=leaky_relu"),
    ],
)
def test_a_fix_takes_the_place_of_what_the_run_was_set_to(planted, sets, wanted):
    """It replaces a --set of the run; of two parameters of 0 it is that of the weights which is to change."""
    begun = compiled(TRIED, sets=sets)
    (fault,) = [f for f in diagnosis(watched(begun, data(0), 0)) if f.finding == planted]
    wanted = wanted if not wanted.endswith("=") else fault.fix.rpartition(" ")[2]
    assert fault.fix.endswith(f": --set {wanted}")
    name = wanted.partition("=")[0]
    tried = [*(text for text in sets if not text.startswith(f"{name}=")), wanted]
    if planted in ("symmetry", "saturation", "learning_rate"):
        assert planted not in found(watched(compiled(TRIED, sets=tried), data(0), 0))


def test_a_run_is_opened_as_it_was_set(tmp_path):
    """What `--set` was given is part of the network: a word of the library as well as a number."""
    x, k = data(0).values()
    np.savez(tmp_path / "d.npz", x=x, k=k)
    section = 'data { source = npz("d.npz", x = x, k = k) }\ntrain {'
    (tmp_path / "s.nn").write_text(SPEC.format(**HEALTHY).replace("train {", section))
    command = ["train", "s.nn", "--set", "act=relu", "--set", "lr=0.02", "--run", "r"]
    assert dotnn(*command, folder=tmp_path).exit_code == 0
    for looked in (["doctor", "r"], ["evaluate", "r"], ["graph", "--run", "r", "--show", "curves"]):
        outcome = dotnn(*looked, folder=tmp_path)
        assert outcome.exit_code == 0, outcome.stderr
    loss = json.loads((tmp_path / "r/metrics.json").read_text())["loss"]
    with np.load(tmp_path / "r/weights.npz") as w:
        scores = np.exp(np.maximum(x @ w["h.W"] + w["h.b"], 0) @ w["p.W"] + w["p.b"])
    wanted = -np.mean(np.log((scores / scores.sum(axis=1, keepdims=True))[np.arange(len(k)), k]))
    found = json.loads(dotnn("evaluate", "r", "--json", folder=tmp_path).stdout)["loss"]
    assert found == pytest.approx(wanted, rel=1e-5) and found == pytest.approx(loss, rel=0.2)


def test_signs_are_those_of_a_loop():
    """Shares of silent units and flat slopes, gradients, the first update: by NumPy lines that share nothing."""
    begun = script(act="relu", optim="sgd", lr="0.1")
    seen = watched(begun, data(3), 3)
    x, k = seen.parts["train"]["x"].astype(float), seen.parts["train"]["k"]
    hidden, last = vital_signs(seen)
    for w, shown in ((seen.start, "gradient_before"), (seen.params, "gradient_after")):
        h = np.maximum(x @ w["h.W"] + w["h.b"], 0)
        scores = np.exp(h @ w["p.W"] + w["p.b"])
        d = (scores / scores.sum(axis=1, keepdims=True) - np.eye(3)[k]) / len(x)
        grads = x.T @ (d @ w["p.W"].T * (h > 0)), h.T @ d
        assert getattr(hidden, shown) == pytest.approx(np.linalg.norm(grads[0]), rel=1e-9)
        assert getattr(last, shown) == pytest.approx(np.linalg.norm(grads[1]), rel=1e-9)
        if shown == "gradient_before":
            assert hidden.update == pytest.approx(0.1 * np.linalg.norm(grads[0]) / np.linalg.norm(w["h.W"]), rel=1e-9)
    assert hidden.silent == np.mean([not h[:, j].any() for j in range(8)])
    begun = script(hidden="dense(8, act, init = normal(3))")
    seen = watched(begun, data(3), 3)
    z = seen.parts["train"]["x"].astype(float) @ seen.params["h.W"] + seen.params["h.b"]
    assert vital_signs(seen)[0].flat == pytest.approx(np.mean(1 - np.tanh(z) ** 2 < 0.01))


def test_the_command(tmp_path):
    """The text and the object say the same; `train` says the worst in its last line, and nothing of a healthy one."""
    text = SPEC.format(**{**HEALTHY, **PLANTED["symmetry"]})
    x, k = data(0).values()
    np.savez(tmp_path / "d.npz", x=x, k=k)
    section = 'data { source = npz("d.npz", x = x, k = k) }\ntrain {'
    (tmp_path / "bad.nn").write_text(text.replace("train {", section))
    (tmp_path / "good.nn").write_text(SPEC.format(**HEALTHY).replace("train {", section))
    bad = dotnn("train", "bad.nn", "--run", "bad", folder=tmp_path)
    good = dotnn("train", "good.nn", "--run", "good", folder=tmp_path)
    assert bad.exit_code == good.exit_code == 0 and "doctor:" not in good.stderr
    seen = json.loads(dotnn("doctor", "bad", "--json", folder=tmp_path).stdout)
    worst = seen["findings"][0]
    assert worst["finding"] == "symmetry" and worst["place"] == "line 5"
    last = bad.stderr.strip().splitlines()[-1]
    assert last.startswith("doctor: ") and worst["message"] in last and worst["fix"] in last
    shown = dotnn("doctor", "bad", folder=tmp_path)
    assert shown.exit_code == 0
    assert all(fault["message"] in shown.stdout and fault["fix"] in shown.stdout for fault in seen["findings"])
    assert "nothing found" in dotnn("doctor", "good", folder=tmp_path).stdout
    silent = dotnn("train", "bad.nn", "--run", "quiet", "--json", folder=tmp_path)
    assert json.loads(silent.stdout)["run"] == "quiet" and "doctor:" not in silent.stderr


def test_a_diverged_run_is_no_reason_to_fail(tmp_path):
    """Weights beyond all bounds: every command has an answer, and its JSON is JSON."""
    (tmp_path / "s.nn").write_text(
        "model N { input x: [2]  target t: [1]  output y = x -> dense(3, tanh) -> dense(1) }\n"
        "data { x = [[1, 2], [3, 4], [5, 6], [7, 9], [8, 8]]  t = [[1], [2], [3], [5], [6]] }\n"
        "train { loss = mse(y, t)  optim = sgd(1e30)  epochs = 20 }"
    )
    assert dotnn("train", "s.nn", "--run", "r", folder=tmp_path).exit_code == 3

    def refuse(word):
        raise AssertionError(word)

    for words in (["doctor", "r", "--json"], ["evaluate", "r", "--json"]):
        outcome = dotnn(*words, folder=tmp_path)
        found = json.loads(outcome.stdout, parse_constant=refuse)
        assert outcome.exit_code == 0
        if words[0] == "doctor":
            assert found["findings"][0]["finding"] == "learning_rate" and "diverged" in found["findings"][0]["message"]
    for name in ("curves", "distributions", "hidden", "residuals", "boundary"):
        assert dotnn("graph", "--run", "r", "--show", name, "-o", "-", folder=tmp_path).exit_code in (0, 1)


def test_a_finding_is_called_as_its_file():
    assert sorted(FINDINGS) == sorted(name for name in file_names("dotnn.reports.findings"))
    assert worst_line("r", []) == ""
