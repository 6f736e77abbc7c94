"""Losses and metrics in which only marked examples or steps count: sum m l / sum m."""

import numpy as np
import pytest
from samples import loss_settings
from sklearn.metrics import accuracy_score, f1_score, mean_absolute_error, r2_score
from steps import OF_A_STEP
from support import STYLES, assert_gradients, generic_point, module_of

from dotnn.library.losses import LOSSES

MASKS = {
    "tokens": "input m: int[4]",
    "padding": "input w: int[4]  m = w -> padding_mask",
    "numbers": "target m: [4]",
    "examples": "target m: [1]",
    "marks": "input m: int[1]",
}


def spec(loss: str, target: str, stage: str, mask: str = "numbers", metrics: str = "[]") -> str:
    """A network with three outputs for each of four steps."""
    target = target.replace("[", "[4, ")
    return f"""model M {{ input x: [4, 5]  target t: {target}  {MASKS[mask]}
      output y = x -> dense(3) {stage} }}
    train {{ loss = {loss}  batch = 3  metrics = {metrics} }}"""


def marks(batch, mask):
    """How much each example or step counts."""
    given = batch["w" if mask == "padding" else "m"]
    return given if mask in ("numbers", "examples") else (given != 0).astype(float)


def by_hand(name, y, t, m, reduce):
    """The loss by a loop over examples and steps."""
    total = count = 0.0
    for example in range(len(y)):
        steps = [OF_A_STEP[name](y[example, k], t[example, k]) for k in range(4)]
        if m.shape[1] == 1:
            whole = sum(steps) if name in ("sse", "half_sse", "perceptron") else sum(steps) / 4
            total, count = total + m[example, 0] * whole, count + m[example, 0]
        else:
            total, count = total + sum(m[example] * steps), count + sum(m[example])
    return total / count if reduce == "mean" else total


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(("name", "target", "stage"), [*loss_settings()])
@pytest.mark.parametrize(("mask", "reduce"), [("tokens", "mean"), ("padding", "sum"), ("numbers", "mean")])
def test_a_mask_of_the_steps(name, target, stage, mask, reduce, style):
    check(name, target, stage, mask, reduce, style)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(("name", "target", "stage"), [*loss_settings()])
@pytest.mark.parametrize(("mask", "reduce"), [("examples", "sum"), ("marks", "mean")])
def test_a_mask_of_the_examples(name, target, stage, mask, reduce, style):
    check(name, target, stage, mask, reduce, style)


def check(name, target, stage, mask, reduce, style):
    """Compare a loss and its gradients with a loop."""
    module = module_of(spec(f"{name}(y, t, mask = m, reduce = {reduce})", target, stage, mask), style)
    params, batch = generic_point(module, 3, examples=6)
    y = module.forward(params, batch)[0]["y"]
    expected = by_hand(name, y, batch["t"], marks(batch, mask), reduce)
    np.testing.assert_allclose(module.loss_and_grads(params, batch)[0], expected, rtol=1e-12)
    assert_gradients(module, params, batch)
    assert set(OF_A_STEP) == set(LOSSES)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("loss", ["cross_entropy(y, t, mask = m)", "cross_entropy(y, t, mask = m, reduce = sum)"])
def test_where_nothing_counts_there_is_no_loss(loss, style):
    module = module_of(spec(loss, "class[3]", "-> softmax", "padding"), style)
    params, batch = generic_point(module)
    batch["w"][:] = 0
    value, grads = module.loss_and_grads(params, batch)
    assert value == 0
    assert all((grad == 0).all() for grad in grads.values())


@pytest.mark.parametrize("style", STYLES)
def test_metrics_take_the_mask_of_their_loss_or_their_own(style):
    metrics = "[accuracy, f1, f1(average = micro, mask = k)]"
    text = spec("cross_entropy(y, t, mask = m)", "class[3]", "-> softmax", "padding", metrics)
    module = module_of(text.replace("output y", "target k: [4]  output y"), style)
    params, batch = generic_point(module, 5, examples=9)
    figures = module.evaluate(params, batch, {})
    found, there = module.forward(params, batch)[0]["y"].argmax(axis=-1), batch["w"] != 0
    assert 0 < there.sum() < there.size
    assert figures["accuracy"] == pytest.approx(accuracy_score(batch["t"][there], found[there]), rel=1e-12)
    assert figures["f1"] == pytest.approx(f1_score(batch["t"][there], found[there], average="macro"), rel=1e-12)
    own = accuracy_score(batch["t"].ravel(), found.ravel(), sample_weight=batch["k"].ravel())
    assert figures["f1_micro"] == pytest.approx(own, rel=1e-12)


@pytest.mark.parametrize("style", STYLES)
def test_metrics_of_numbers(style):
    """Against scikit-learn: weights of the steps are those of as many examples."""
    module = module_of(spec("mse(y, t, mask = m)", "[3]", "", "examples", "[mae, rmse, r2]"), style)
    params, batch = generic_point(module, 6, examples=9)
    figures = module.evaluate(params, batch, {})
    y, t = (a.reshape(9, 12) for a in (module.forward(params, batch)[0]["y"], batch["t"]))
    m = batch["m"][:, 0]
    assert figures["mae"] == pytest.approx(mean_absolute_error(t, y, sample_weight=m), rel=1e-12)
    assert figures["rmse"] == pytest.approx(np.sqrt(figures["loss"]), rel=1e-12)
    assert figures["r2"] == pytest.approx(r2_score(t, y, sample_weight=m), rel=1e-12)


@pytest.mark.parametrize("style", STYLES)
def test_definitions_take_masks_of_examples(style):
    """A loss and a metric that the spec defines give one number for each example."""
    text = """loss worst(y, t) = max((y - t)^2)
    metric off(y, t) = mean(abs(y - t))
    model M { input x: [5]  input m: int[1]  target t: [3]  output y = x -> dense(3) }
    train { loss = worst(y, t, mask = m)  batch = 3  metrics = off }"""
    module = module_of(text, style)
    params, batch = generic_point(module, 7, examples=8)
    y, there = module.forward(params, batch)[0]["y"], batch["m"][:, 0] != 0
    worst = [max((a - b) ** 2) for a, b in zip(y[there], batch["t"][there], strict=True)]
    np.testing.assert_allclose(module.loss_and_grads(params, batch)[0], sum(worst) / len(worst), rtol=1e-12)
    assert_gradients(module, params, batch)
    figures = module.evaluate(params, batch, {})
    assert figures["off"] == pytest.approx(np.mean(abs(y - batch["t"])[there]), rel=1e-12)


@pytest.mark.parametrize("style", STYLES)
def test_an_argument_of_the_same_name_is_the_definitions(style):
    text = """loss masked(y, t, mask = 2) = mask * mean((y - t)^2)
    model M { input x: [5]  target t: [3]  output y = x -> dense(3) }
    train { loss = masked(y, t, mask = 3) }"""
    module = module_of(text, style)
    params, batch = generic_point(module)
    y = module.forward(params, batch)[0]["y"]
    np.testing.assert_allclose(module.loss_and_grads(params, batch)[0], 3 * np.mean((y - batch["t"]) ** 2), rtol=1e-12)
