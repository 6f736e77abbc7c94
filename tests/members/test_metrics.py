"""Every metric for every kind of target, in the target's own units, against scikit-learn."""

import re

import numpy as np
import pytest
from errors.runner import dotnn
from sklearn import metrics as reference
from support import STYLES, generic_point, module_of

from dotnn.library.metrics import METRICS
from dotnn_runtime.script.split import split_indices

METRIC_FORMULAS = {
    ("accuracy", "class"): lambda y, t: reference.accuracy_score(t, y.argmax(axis=1)),
    ("accuracy", "distribution"): lambda y, t: reference.accuracy_score(t.argmax(axis=1), y.argmax(axis=1)),
    ("accuracy", "unit"): lambda y, t: np.mean((y > 0.5) == (t > 0.5)),
    ("accuracy", "binary"): lambda y, t: reference.accuracy_score(t.ravel(), y.ravel() > 0.5),
    ("accuracy", "sign"): lambda y, t: np.mean(np.sign(y) == t),
    ("f1", "class"): lambda y, t: reference.f1_score(t, y.argmax(axis=1), average="macro"),
    ("f1", "distribution"): lambda y, t: reference.f1_score(t.argmax(axis=1), y.argmax(axis=1), average="macro"),
    ("f1", "binary"): lambda y, t: reference.f1_score(t.ravel(), y.ravel() > 0.5),
    ("f1", "unit"): lambda y, t: reference.f1_score(t.ravel() > 0.5, y.ravel() > 0.5),
    **dict.fromkeys([("mae", k) for k in ("real", "unit", "sign", "distribution")], lambda y, t: abs(y - t).mean()),
    **{
        ("rmse", k): lambda y, t: np.sqrt(reference.mean_squared_error(t, y))
        for k in ("real", "unit", "sign", "distribution")
    },
    **{("r2", k): lambda y, t: reference.r2_score(t, y) for k in ("real", "unit", "sign", "distribution")},
}
SETTINGS = {
    "real": ("mse", "", "[3]", "[[1, 2, 3]]"),
    "binary": ("sse", "", "[3]", "[[0, 1, 1]]"),
    "unit": ("bce", "-> sigmoid", "[3]", "[[0, 1, 1]]"),
    "sign": ("hinge", "", "[3]", "[[-1, 1, 1]]"),
    "class": ("cross_entropy", "-> softmax", "class[3]", "[0]"),
    "distribution": ("cross_entropy", "-> softmax", "[3]", "[[0, 0, 1]]"),
}
"""A loss that asks for this kind of target, the way to its output, the target, and one example of it."""


@pytest.mark.parametrize(("name", "kind"), [(m.name, kind) for m in METRICS.values() for kind in m.functions])
def test_metric(name, kind):
    loss, stage, target, example = SETTINGS[kind]
    scale = "scale = standard(x, t)" if kind in ("real", "binary") else ""
    module = module_of(
        f"""model M {{ input x: [4]  target t: {target}  output y = x -> dense(3) {stage} }}
        data {{ {scale}  split = split(train = 50%, test = 50%)  x = [[1, 2, 3, 4]]  t = {example} }}
        train {{ loss = {loss}(y, t)  metrics = [{name}]  batch = all }}"""
    )
    _, batch = generic_point(module, 3, examples=20)
    if kind == "binary":
        batch["t"] = (batch["t"] > 0).astype(float)
    params, history = module.train(batch, epochs=2, dtype=np.float64)
    rows = split_indices(20, {"train": 0.5, "test": 0.5}, 0)
    for part, value in (("train", history[-1][name]), ("test", history.test[name])):
        y = module.predict(params, {"x": batch["x"][rows[part]]}, history.scaling)["y"]
        np.testing.assert_allclose(value, METRIC_FORMULAS[name, kind](y, batch["t"][rows[part]]), rtol=1e-10)


def test_f1_by_its_average():
    """Each is a quantity of its own, that a stop rule may watch."""
    module = module_of(
        """model M { input x: [4]  target y: class[3]  output p = x -> dense(3, softmax) }
        train { loss = cross_entropy(p, y)  batch = all  stop = early(f1_micro, patience = 100)
          metrics = [f1, f1(average = micro), f1(p, y, average = weighted)] }"""
    )
    _, batch = generic_point(module, 3, examples=20)
    params, history = module.train(batch, epochs=2, dtype=np.float64)
    y = module.predict(params, {"x": batch["x"]})["p"].argmax(axis=1)
    best = history[history.best_epoch - 1]
    for key, average in (("f1", "macro"), ("f1_micro", "micro"), ("f1_weighted", "weighted")):
        expected = reference.f1_score(batch["y"], y, average=average, zero_division=0)
        np.testing.assert_allclose(best[key], expected, rtol=1e-12)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("shape", ["[1]", "[3]", "[4, 2]"])
def test_rmse_is_the_root_of_the_mse_of_the_same_run(style, shape):
    net = {"[1]": "dense(1)", "[3]": "dense(3)", "[4, 2]": "dense(8) -> reshape([4, 2])"}[shape]
    module = module_of(
        f"""model M {{ input x: [4]  target t: {shape}  output y = x -> {net} }}
        data {{ split = split(train = 50%, val = 50%)  source = npz("d.npz", x = x, t = t) }}
        train {{ loss = mse(y, t)  metrics = rmse  batch = all }}""",
        style,
    )
    _, batch = generic_point(module, 3, examples=20)
    record = module.train(batch, epochs=2, dtype=np.float64)[1][-1]
    for part in ("", "val_"):
        np.testing.assert_allclose(record[f"{part}rmse"] ** 2, record[f"{part}loss"], rtol=1e-12)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("metric", [m.name for m in METRICS.values() if "binary" in m.functions])
def test_numbers_that_are_no_classes_have_no_accuracy(metric, style, tmp_path):
    """The script for speed says so itself, and `dotnn train` before it runs any."""
    text = f"""model M {{ input x: [4]  target t: [2]  output y = x -> dense(2) }}
    data {{ source = npz("data.npz", x = x, t = t) }}  train {{ loss = mse(y, t)  metrics = {metric} }}"""
    module = module_of(text, STYLES[-1])
    _, batch = generic_point(module, 3)
    with pytest.raises(ValueError, match=r"t\[0, 0\] is .*, allowed is 0 and 1"):
        module.train(batch)
    np.savez(tmp_path / "data.npz", **batch)
    (tmp_path / "spec.nn").write_text(text)
    outcome = dotnn("train", "spec.nn", "--style", style, "--run", "run", folder=tmp_path)
    assert outcome.exit_code == 1
    assert re.search(r"t\[0, 0\] is .*, allowed is 0 and 1", outcome.stderr)
