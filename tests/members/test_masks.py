"""Losses and metrics in which only marked examples or steps count: sum m l / sum m."""

import numpy as np
import pytest
from samples import loss_settings
from sklearn.metrics import accuracy_score, f1_score, mean_absolute_error, r2_score
from steps import of_a_step, of_an_example
from support import STYLES, assert_gradients, generic_point, model_of, module_of

from dotnn.core.diagnostics import CompileError
from dotnn.running.scripts import load_module
from dotnn.session import Options, compile_spec

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
        steps = [of_a_step(name)(y[example, k], t[example, k]) for k in range(4)]
        if m.shape[1] == 1:
            whole = of_an_example(name, steps)
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


def loaded(folder, options):
    """The script of a spec, from a file."""
    script = folder / f"{options.style}_{options.target}.py"
    script.write_text(compile_spec(str(folder / "spec.nn"), options).script)
    return load_module(script, None)


@pytest.mark.parametrize("weights", ["", "  weights = w_of"], ids=["alike", "weighted"])
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("target", [*STYLES, "tensorflow"])
def test_a_batch_in_pieces_has_the_divisor_of_the_whole(target, mask, weights, tmp_path, request):
    """Each piece by what it counts, one of them nothing: the same updates as of the large batch at once."""
    if target == "tensorflow":
        request.getfixturevalue("step_by_step")
    fields = "x = x, t = t" + ", w = w" * (mask == "padding") + ", m = m" * (mask != "padding")
    text = spec("cross_entropy(y, t, mask = m)", "class[3]", "-> softmax", mask)
    text = text.replace("train {", f'data {{ source = npz("d.npz", {fields}){weights} }}\n    train {{')
    text = text.replace("batch = 3", "decay = l2(0.015625)  optim = sgd(0.5)  shuffle = false  epochs = 2  REGIME")
    (tmp_path / "spec.nn").write_text(text.replace("REGIME", "batch = 9"))
    whole = loaded(tmp_path, Options("explain"))
    (tmp_path / "spec.nn").write_text(text.replace("REGIME", "batch = 3  accumulate = 3"))
    options = Options(target=target) if target == "tensorflow" else Options(target)
    module = loaded(tmp_path, options)
    params, data = generic_point(whole, 3, examples=23)
    marked = data["w" if mask == "padding" else "m"]
    marked[3:6], marked[-1] = 0, 1
    if weights:
        data["weights"][7:9] = 0
    found, history = module.train(data, params=params, dtype="float64" if target == "tensorflow" else np.float64)
    right, records = whole.train(data, params=params, dtype=np.float64)
    for name, w in right.items():
        np.testing.assert_allclose(found[name], w, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose([r["loss"] for r in history], [r["loss"] for r in records], rtol=1e-12)


@pytest.mark.parametrize(
    ("mask", "loss"),
    [
        ("m", "cross_entropy(y, t, mask = m) + cross_entropy(y, t)"),
        ("k", "cross_entropy(y, t, mask = k)"),
    ],
)
def test_divisors_that_a_piece_has_no_share_of(mask, loss):
    """Two losses that are divided by different numbers, and a mask that the network computes."""
    made = "k = m -> flatten -> padding_mask" if mask == "k" else ""
    text = f"""model M {{ input x: [4, 5]  target t: class[4, 3]  input m: int[4]  {made}
      output y = x -> dense(3) -> softmax }}
    train {{ loss = {loss}  batch = 3  accumulate = 2 }}"""
    model_of(text.replace("accumulate = 2", ""))
    with pytest.raises(CompileError, match="NN318"):
        model_of(text)
