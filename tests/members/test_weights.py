"""`weights = column` of `data`: how much each example counts, in the loss and in the metrics."""

import csv

import numpy as np
import pytest
from errors.runner import dotnn
from samples import loss_settings
from sklearn import metrics as reference
from sklearn._loss.loss import HalfBinomialLoss
from sklearn.utils.class_weight import compute_sample_weight
from steps import of_a_step, of_an_example
from support import STYLES, as_module, assert_gradients, generic_point, model_of, module_of

from dotnn.running.scripts import load_module
from dotnn.session import Options, compile_model, compile_spec

pytestmark = pytest.mark.usefixtures("step_by_step")

NETWORK = """model M {{ input x: [4, 5]  target t: {target}  {more}
  output y = x -> dense(3) {stage} }}
data {{ {data}  weights = w }}
train {{ loss = {loss}  batch = 3  metrics = {metrics} }}"""


def spec(loss, target, stage="", more="", metrics="[]"):
    """A network with three outputs for each of four steps, whose examples have weights."""
    fields = "x = x, t = t" + (", m = m" if more else "")
    target, data = target.replace("[", "[4, "), f'source = npz("d.npz", {fields})'
    return NETWORK.format(target=target, stage=stage, more=more, data=data, loss=loss, metrics=metrics)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("reduce", ["mean", "sum"])
@pytest.mark.parametrize(("name", "target", "stage"), [*loss_settings()])
def test_weights_of_examples(name, target, stage, reduce, style):
    """By a loop: the loss of an example is its mean over the steps, or their sum."""
    module = module_of(spec(f"{name}(y, t, reduce = {reduce})", target, stage), style)
    assert module.TARGETS["weights"] == ("weight", ())
    params, batch = generic_point(module, 3, examples=6)
    y = module.forward(params, batch)[0]["y"]
    total = 0.0
    for example, weight in enumerate(batch["weights"]):
        steps = [of_a_step(name)(y[example, k], batch["t"][example, k]) for k in range(4)]
        total += weight * of_an_example(name, steps)
    expected = total / sum(batch["weights"]) if reduce == "mean" else total
    np.testing.assert_allclose(module.loss_and_grads(params, batch)[0], expected, rtol=1e-12)
    assert_gradients(module, params, batch)


IN_PIECES = """model M { input x: [3]  target t: [2]
  h = x -> dense(4, tanh)  output y = h -> dense(2) }
data { source = npz("d.npz", x = x, t = t)  weights = w }
train { loss = mse(y, t)  decay = l2(0.015625)  optim = sgd(0.25)  batch = 3  accumulate = 3  shuffle = false
  epochs = 2 }"""


@pytest.mark.parametrize("target", [*STYLES, "tensorflow"])
def test_a_batch_in_pieces_is_the_weighted_mean_of_all_of_them(target, tmp_path):
    """By a loop over the updates, of nine examples each: pieces count by their weights, one of them by nothing."""
    options = Options(target=target) if target == "tensorflow" else Options(target)
    (tmp_path / "s.nn").write_text(IN_PIECES)
    (tmp_path / "m.py").write_text(compile_spec(str(tmp_path / "s.nn"), options).script)
    module = load_module(tmp_path / "m.py", None)
    rng = np.random.default_rng(3)
    data = {"x": rng.normal(size=(20, 3)), "t": rng.normal(size=(20, 2)), "weights": rng.uniform(0, 5, 20)}
    data["weights"][3:6] = 0  # a piece
    params = {name: np.asarray(w, float) for name, w in module.init_params(0).items()}
    found = module.train(data, params=params, dtype="float64" if target == "tensorflow" else np.float64)[0]
    for start in 2 * [0, 9, 18]:
        rows = slice(start, start + 9)
        x, t, w = data["x"][rows], data["t"][rows], data["weights"][rows]
        h = np.tanh(x @ params["h.W"] + params["h.b"])
        y = h @ params["y.W"] + params["y.b"]
        d_y = w[:, None] * (y - t) / (w.sum() or 1)
        d_z = d_y @ params["y.W"].T * (1 - h**2)
        grads = {"y.W": h.T @ d_y, "y.b": d_y.sum(axis=0)}
        grads |= {"h.W": x.T @ d_z, "h.b": d_z.sum(axis=0)}
        for name in params:
            decay = 0.03125 * params[name] if name.endswith("W") else 0
            params[name] = params[name] - 0.25 * (grads[name] + decay)
    for name, w in params.items():
        np.testing.assert_allclose(found[name], w, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("style", STYLES)
def test_weights_masks_and_weights_of_classes_together(style):
    """Σ w m c l / Σ w m: weights of classes do not enter the divisor."""
    loss = "cross_entropy(y, t, mask = m, class_weight = [2, 1, 0.5])"
    module = module_of(spec(loss, "class[3]", "-> softmax", "input m: int[4]", "[accuracy, f1]"), style)
    params, batch = generic_point(module, 4, examples=7)
    y = module.forward(params, batch)[0]["y"]
    total = count = 0.0
    for example, weight in enumerate(batch["weights"]):
        for step in np.flatnonzero(batch["m"][example]):
            label = batch["t"][example, step]
            total -= weight * [2, 1, 0.5][label] * np.log(y[example, step, label])
            count += weight
    np.testing.assert_allclose(module.loss_and_grads(params, batch)[0], total / count, rtol=1e-12)
    assert_gradients(module, params, batch)
    figures, there = module.evaluate(params, batch, {}), batch["m"] != 0
    weights = np.broadcast_to(batch["weights"][:, None], there.shape)[there]
    found, labels = y.argmax(axis=-1)[there], batch["t"][there]
    assert figures["accuracy"] == pytest.approx(reference.accuracy_score(labels, found, sample_weight=weights), 1e-12)
    expected = reference.f1_score(labels, found, average="macro", sample_weight=weights)
    assert figures["f1"] == pytest.approx(expected, 1e-12)


@pytest.mark.parametrize("style", STYLES)
def test_whole_weights_are_repeated_examples(style):
    text = spec("huber(y, t, reduce = sum)", "[3]")
    weighted, plain = module_of(text, style), module_of(text.replace("weights = w", ""), style)
    params, batch = generic_point(weighted, 5, examples=6)
    batch["weights"] = np.array([2.0, 0, 1, 3, 1, 0])
    often = {name: np.repeat(rows, batch["weights"].astype(int), axis=0) for name, rows in batch.items()}
    del often["weights"]
    value, grads = weighted.loss_and_grads(params, batch)
    expected, others = plain.loss_and_grads(params, often)
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    for name, grad in others.items():
        np.testing.assert_allclose(grads[name], grad, rtol=1e-12, atol=1e-14)


REGRESSION = """model Survey {{ input x: [3]  target rich: [1]  output p = x -> dense(1, sigmoid) }}
data {{ {data} }}
train {{ loss = bce(p, rich{more})  batch = all  epochs = 3  metrics = [accuracy, f1]  optim = sgd(0.1) }}"""
SPLIT = "split = split(val = 30%, test = 20%, seed = 1)"


def table():
    """Forty answers to a survey with their weights."""
    rng = np.random.default_rng(3)
    x, weights = rng.standard_normal((40, 3)), rng.uniform(0.1, 5.0, 40)
    return x, (x @ [1.0, -2.0, 0.5] + rng.standard_normal(40) > 0).astype(float), weights


def as_lists(x, rich, weights):
    """The data section of the table, written out."""
    return f"x = {x.tolist()}  rich = {rich[:, None].tolist()}  weights = {weights.tolist()}"


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("classes", [(1, 1), (1, 4)])
def test_logistic_regression_is_that_of_scikit_learn(classes, style):
    """Loss, gradient and metrics, with the weights of examples times those of classes."""
    x, rich, weights = table()
    more = f", class_weight = {[*classes]}" if classes != (1, 1) else ""
    module = module_of(REGRESSION.format(data=as_lists(x, rich, weights), more=more), style)
    params, batch = generic_point(module, 6)
    batch = module.prepare(module.load_data(), np.float64)[0]["train"]
    loss, grads = module.loss_and_grads(params, batch)
    of_classes = compute_sample_weight(dict(enumerate(map(float, classes))), rich)
    logits = (x @ params["p.W"] + params["p.b"])[:, 0]
    losses, slopes = HalfBinomialLoss().loss_gradient(rich, logits, weights * of_classes)
    np.testing.assert_allclose(loss, losses.sum() / weights.sum(), rtol=1e-12)
    np.testing.assert_allclose(grads["p.W"][:, 0], x.T @ slopes / weights.sum(), rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(grads["p.b"], slopes.sum() / weights.sum(), rtol=1e-11, atol=1e-14)
    figures, p = module.evaluate(params, batch, {}), module.forward(params, batch)[0]["p"][:, 0] > 0.5
    assert figures["accuracy"] == pytest.approx(reference.accuracy_score(rich, p, sample_weight=weights), 1e-12)
    assert figures["f1"] == pytest.approx(reference.f1_score(rich, p, sample_weight=weights), 1e-12)
    if classes == (1, 1):
        p = module.forward(params, batch)[0]["p"][:, 0]
        assert figures["loss"] == pytest.approx(reference.log_loss(rich, p, sample_weight=weights), 1e-12)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("source", ["csv", "npz", "inline"])
def test_all_sources_and_all_parts(source, style, tmp_path):
    """The figures of training, validation and test are weighted, wherever the weights come from."""
    x, rich, weights = table()
    if source == "csv":
        with open(tmp_path / "d.csv", "w", encoding="utf-8", newline="") as file:
            rows = np.column_stack([x, rich, weights]).tolist()
            csv.writer(file).writerows([["a", "b", "c", "rich", "people"], *rows])
        data = f'source = csv("d.csv", x = [a, b, c], rich = rich)  weights = people {SPLIT}'
    elif source == "npz":
        np.savez(tmp_path / "d.npz", x=x, rich=rich, people=weights)
        data = f'source = npz("d.npz", x = x, rich = rich)  weights = people {SPLIT}'
    else:
        data = f"{as_lists(x, rich, weights)} {SPLIT}"
    script = compile_model(model_of(REGRESSION.format(data=data, more="")), Options(style)).script
    module = as_module(script, tmp_path / "spec.nn")
    params, history = module.train(dtype=np.float64)
    parts, _ = module.prepare(module.load_data(), np.float64)
    assert sum(len(part["weights"]) for part in parts.values()) == 40
    for part, figures in [("train", history[-1]), ("val", history[-1]), ("test", history.test)]:
        rows, before = parts[part], "val_" if part == "val" else ""
        p, t, w = module.forward(params, rows)[0]["p"][:, 0], rows["rich"][:, 0], rows["weights"]
        accuracy = reference.accuracy_score(t, p > 0.5, sample_weight=w)
        assert figures[f"{before}accuracy"] == pytest.approx(accuracy, 1e-12)
        if part != "train":
            assert figures[f"{before}loss"] == pytest.approx(reference.log_loss(t, p, sample_weight=w), 1e-12)


@pytest.mark.parametrize("style", STYLES)
def test_where_all_weights_are_zero_nothing_is_learned(style):
    module = module_of(spec("mse(y, t)", "[3]"), style)
    params, batch = generic_point(module)
    batch["weights"][:] = 0
    value, grads = module.loss_and_grads(params, batch)
    assert value == 0
    assert all((grad == 0).all() for grad in grads.values())


@pytest.mark.parametrize("style", STYLES)
def test_metrics_of_numbers_and_of_the_spec(style):
    text = "metric off(y, t) = mean(abs(y - t))\n" + spec("mse(y, t)", "[3]", "", "", "[mae, rmse, r2, off]")
    module = module_of(text, style)
    params, batch = generic_point(module, 8, examples=9)
    figures, w = module.evaluate(params, batch, {}), batch["weights"]
    y, t = (a.reshape(9, 12) for a in (module.forward(params, batch)[0]["y"], batch["t"]))
    assert figures["mae"] == pytest.approx(reference.mean_absolute_error(t, y, sample_weight=w), 1e-12)
    assert figures["off"] == pytest.approx(figures["mae"], 1e-12)
    assert figures["rmse"] == pytest.approx(np.sqrt(reference.mean_squared_error(t, y, sample_weight=w)), 1e-12)
    assert figures["r2"] == pytest.approx(reference.r2_score(t, y, sample_weight=w), 1e-12)


def test_the_key_yields_to_an_input_of_its_name():
    text = """model M { input weights: [2]  target t: [1]  output y = weights -> dense(1) }
    data { weights = [[1, 2], [3, 4]]  t = [[0], [1]] }
    train { loss = mse(y, t) }"""
    module = module_of(text)
    assert module.INPUTS == {"weights": ("real", (2,))}
    assert module.TARGETS == {"t": ("real", (1,))}


def test_a_run_with_weights_is_resumed_bit_by_bit(tmp_path):
    """And predicts without them."""
    x, rich, weights = table()
    data = as_lists(x, rich, weights)
    text = REGRESSION.format(data=data, more="").replace("batch = all", "batch = 7  checkpoint = every(1)")
    (tmp_path / "s.nn").write_text(text, encoding="utf-8")
    for name, epochs in (("whole", 3), ("halved", 2)):
        (tmp_path / "s.nn").write_text(text.replace("epochs = 3", f"epochs = {epochs}"), encoding="utf-8")
        assert dotnn("train", "s.nn", "--run", name, folder=tmp_path).exit_code == 0
    (tmp_path / "s.nn").write_text(text, encoding="utf-8")
    resumed = dotnn("train", "s.nn", "--run", "halved", "--resume", folder=tmp_path)
    assert resumed.exit_code == 0, resumed.stderr
    found, expected = ((tmp_path / name / "weights.npz").read_bytes() for name in ("halved", "whole"))
    assert found == expected
    np.savez(tmp_path / "new.npz", x=x[:5])
    assert len(dotnn("predict", "halved", "--input", "new.npz", folder=tmp_path).stdout.splitlines()) == 6
