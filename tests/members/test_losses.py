"""Every loss and penalty alone: its value by an independent formula, its gradient against the complex step."""

import decimal
import math
import re

import numpy as np
import pytest
from samples import calls, layer_spec, loss_settings, loss_spec
from scipy import special
from sklearn import metrics as reference
from support import SPECS, STYLES, as_module, assert_gradients, generic_point, model_of, module_of

from dotnn.ir.interpret import run
from dotnn.library.layers import LAYERS
from dotnn.library.losses import LOSSES
from dotnn.library.penalties import PENALTIES
from dotnn.model.lint import lint
from dotnn.session import Options, compile_model, lower


def _rows(t, y):
    return np.eye(y.shape[-1])[t] if t.ndim == 1 else t


FORMULAS = {
    "half_sse": lambda y, t: 0.5 * np.sum((t - y) ** 2),
    "sse": lambda y, t: np.sum((t - y) ** 2),
    "mse": reference.mean_squared_error,
    "l1": reference.mean_absolute_error,
    "huber": lambda y, t: special.huber(1, y - t).mean(),
    "bce": lambda y, t: np.mean(special.xlogy(-t, y) - special.xlog1py(1 - t, -y)),
    "cross_entropy": lambda y, t: -special.xlogy(_rows(t, y), y).sum(axis=-1).mean(),
    "hinge": lambda y, t: np.mean([reference.hinge_loss(t[:, k], y[:, k]) for k in range(3)]),
    "perceptron": lambda y, t: -np.sum((t * y)[t * y < 0]),
}
"""Each loss with its defaults, by another library or written out, of three features."""


def from_single_examples(module, params, batch, reduce):
    """A loss of which no other source is at hand: the mean or the sum of what the script says of each example alone."""
    singles = [{name: rows[k : k + 1] for name, rows in batch.items()} for k in range(len(batch["t"]))]
    losses = [module.total_loss(params, one, module.forward(params, one)[1]) for one in singles]
    return np.mean(losses) if reduce == "mean" else np.sum(losses)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(("name", "target", "stage"), [*loss_settings()])
@pytest.mark.parametrize("extra", ["", ", reduce = sum", ", reduce = mean"])
def test_loss(name, target, stage, extra, style):
    module = module_of(loss_spec(f"{name}(y, t{extra})", target, stage), style, input_gradients=True)
    params, batch = generic_point(module, 2)
    assert_gradients(module, params, batch)
    outputs, cache = module.forward(params, batch)
    default = next(arg.default for arg in LOSSES[name].args if arg.name == "reduce")
    reduce = extra.removeprefix(", reduce = ") or default
    expected = from_single_examples(module, params, batch, reduce)
    if name in FORMULAS:
        of_defaults = FORMULAS[name](outputs["y"], batch["t"])
        factor = {("mean", "sum"): 5, ("sum", "mean"): 1 / 5}.get((default, reduce), 1)
        np.testing.assert_allclose(of_defaults * factor, expected, rtol=1e-10)
    np.testing.assert_allclose(module.total_loss(params, batch, cache), expected, rtol=1e-10)
    np.testing.assert_allclose(module.loss_and_grads(params, batch)[0], expected, rtol=1e-10)


@pytest.mark.parametrize(
    ("call", "target", "stage", "formula"),
    [
        ("huber(y, t, 0.3)", "[3]", "", lambda y, t: special.huber(0.3, y - t).mean()),
        (
            "cross_entropy(y, t, 0.2)", "class[3]", "-> softmax",
            lambda y, t: -np.sum((0.8 * np.eye(3)[t] + 0.2 / 3) * np.log(y), axis=1).mean(),
        ),
        (
            "cross_entropy(y, t, 0.2)", "[3]", "-> softmax -> scale(0.9)",
            lambda y, t: -np.sum((0.8 * t + 0.2 / 3) * np.log(y), axis=1).mean(),
        ),
        ("0.3 * mse(y, t) + 2 * l1(y, t)", "[3]", "", lambda y, t: 0.3 * np.mean((y - t) ** 2) + 2 * abs(y - t).mean()),
    ],
)  # fmt: skip
def test_loss_with_arguments(call, target, stage, formula):
    module = module_of(loss_spec(call, target, stage), input_gradients=True)
    params, batch = generic_point(module, 3)
    assert_gradients(module, params, batch)
    outputs, cache = module.forward(params, batch)
    np.testing.assert_allclose(module.total_loss(params, batch, cache), formula(outputs["y"], batch["t"]), rtol=1e-10)


@pytest.mark.parametrize(
    ("loss", "stage", "target"), [("bce", "sigmoid", "[3]"), ("cross_entropy", "softmax", "class[3]")]
)
def test_fused_losses_stay_finite(loss, stage, target):
    """Logits of ±1000 overflow exp; computed from the logits, the loss is their distance and its slope at most 1."""
    module = module_of(loss_spec(f"{loss}(y, t)", target, f"-> {stage}"))
    x = np.array([[1000.0, 0, 0, 0], [-1000.0, 0, 0, 0]])
    params = {"y.dense.W": np.eye(4, 3), "y.W": np.eye(4, 3), "y.b": np.zeros(3)}
    params = {name: params[name] for name in module.PARAMS}
    t = np.array([1, 0]) if target == "class[3]" else np.array([[0, 0, 0], [1.0, 0, 0]])
    value, grads = module.loss_and_grads(params, {"x": x, "t": t})
    expected = 1000 + math.log(2) / 2 if loss == "cross_entropy" else (2000 + 4 * math.log(2)) / 6
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    assert all(np.isfinite(grad).all() for grad in grads.values())


PENALTY_FORMULAS = {
    "l1": lambda w: 0.1 * np.abs(w).sum(),
    "l2": lambda w: 0.1 * (w**2).sum(),
    "weight_decay": lambda w: 0.0,
}


@pytest.mark.parametrize("name", PENALTIES)
def test_penalty(name):
    text = "model M {{ input x: [4]  target t: [3]  output y = x -> dense(3{0}) }} train {{ loss = mse(y, t) {1} }}"
    plain = module_of(text.format("", ""))
    params, batch = generic_point(plain)
    for spec in (text.format("", f"decay = {name}(0.1)"), text.format(f", penalty = {name}(0.1)", "")):
        if "penalty" in spec and not PENALTIES[name].op:
            continue
        module = module_of(spec)
        assert_gradients(module, params, batch)
        loss = module.loss_and_grads(params, batch)[0] - plain.loss_and_grads(params, batch)[0]
        if name in PENALTY_FORMULAS:
            np.testing.assert_allclose(loss, PENALTY_FORMULAS[name](params["y.W"]), rtol=1e-12, atol=1e-15)


def one_decayed_step(style):
    """The parameters before one update, after it, and after it with weight decay."""
    text = """model M {{ input x: [2]  target t: [1]  output y = x -> dense(1, bias_init = constant(1)) }}
    train {{ loss = mse(y, t)  optim = sgd(0.1)  batch = all  {0} }}"""
    data = {"x": np.array([[1.0, 2.0]]), "t": np.array([[3.0]])}
    modules = [module_of(text.format(extra), style) for extra in ("", "decay = weight_decay(0.5)")]
    plain, decayed = (module.train(data, epochs=1, dtype=np.float64)[0] for module in modules)
    return modules[0].init_params(0, np.float64), plain, decayed


@pytest.mark.parametrize("style", STYLES)
def test_weight_decay_acts_in_the_update(style):
    """w - lr decay w - lr g (Loshchilov and Hutter 2019)."""
    start, plain, decayed = one_decayed_step(style)
    np.testing.assert_allclose(decayed["y.W"], plain["y.W"] - 0.1 * 0.5 * start["y.W"], rtol=1e-12)


@pytest.mark.parametrize("style", STYLES)
def test_biases_do_not_decay(style):
    _, plain, decayed = one_decayed_step(style)
    np.testing.assert_allclose(decayed["y.b"], plain["y.b"], rtol=1e-12)


@pytest.mark.parametrize(("ending", "codes"), [("softmax", []), ("sigmoid", ["NN604"]), ("identity", ["NN604"])])
def test_cross_entropy_warns_of_what_is_no_distribution(ending, codes):
    model = model_of(f"""model M {{ input x: [4]  target t: class[3]  output y = x -> dense(3, {ending}) }}
    train {{ loss = cross_entropy(y, t) }}""")
    assert [d.code for d in lint(model)] == codes


@pytest.mark.parametrize(("loss", "target"), [("cross_entropy", "class[3]"), ("bce", "[3]")])
def test_what_the_warning_names_is_right_and_loses_no_digits(loss, target):
    """Of a dense layer without an activation: the layer to write, whose loss holds where probabilities are 0 or 1."""
    text = "model M {{ input x: [3]  target t: {}  output y = x -> {} }}  train {{ loss = {}(y, t) }}"
    (warned,) = lint(model_of(text.format(target, "dense(3)", loss)))
    named = re.search(r"dense\(\d+, \w+\)", warned.help)
    assert warned.code == "NN604" and named
    mended = model_of(text.format(target, named[0], loss))
    assert not list(lint(mended))
    module = module_of(text.format(target, named[0], loss))
    params = {name: np.zeros(shape) for name, shape in module.PARAMS.items()} | {"y.W": np.eye(3)}
    z, t = np.array([900.0, -800.0, 3.0]), np.array([0.0, 1.0, 0.0])
    batch = {"x": z[None], "t": np.array([1]) if loss == "cross_entropy" else t[None]}
    with decimal.localcontext(prec=2000):
        e = [decimal.Decimal(v).exp() for v in z]
        one = [-(e[1] / sum(e)).ln()]
        each = [-((a if k == 1 else 1) / (1 + a)).ln() for k, a in enumerate(e)]
        exact = float(sum(one if loss == "cross_entropy" else each)) / (1 if loss == "cross_entropy" else 3)
    found = module.total_loss(params, batch, module.forward(params, batch)[1])
    np.testing.assert_allclose(found, exact, rtol=1e-12)


LOGITS = [50.0, -50.0, 30.0, -3.0, 0.5, -40.0]
WAYS = {
    "bce": [
        "sigmoid(x) -> reshape([6, 1]) -> flatten",
        "1.0 * sigmoid(x)",
        "x -> reshape([2, 3]) -> sigmoid -> flatten",
    ],
    "cross_entropy": [
        "1.0 * softmax(x)",
        "x -> reshape([1, 6]) -> softmax -> reshape([6])",
        "1 * (softmax(x) -> reshape([1, 6])) -> flatten",
    ],
}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(("loss", "way"), [(loss, way) for loss, ways in WAYS.items() for way in ways])
def test_a_cross_entropy_behind_what_changes_nothing(loss, way, style):
    """No warning, and as exact as from the logits, where the probability has no digits left."""
    model = model_of(f"""model M {{ input raw: [6]  target t: [6]  x = raw -> dense(6)  output y = {way} }}
    train {{ loss = {loss}(y, t, reduce = sum) }}""")
    assert lint(model) == []
    module = as_module(compile_model(model, Options(style)).script, SPECS / "test.nn")
    params = {"x.W": np.eye(6), "x.b": np.zeros(6)}
    t = np.roll(np.eye(6), 1, axis=1) if loss == "cross_entropy" else np.tile([0.0, 1.0, 0.25], (6, 2))
    value, grads = module.loss_and_grads(params, {"raw": np.tile(LOGITS, (6, 1)), "t": t})
    with decimal.localcontext() as context:
        context.prec = 60
        z, rows = [decimal.Decimal(v) for v in LOGITS], [[*map(decimal.Decimal, row)] for row in t]
        if loss == "bce":
            p, scale = [1 / (1 + (-v).exp()) for v in z], 6
            terms = [a * b.ln() + (1 - a) * (1 - b).ln() for row in rows for a, b in zip(row, p, strict=True)]
        else:
            p, scale = [v.exp() / sum(u.exp() for u in z) for v in z], 1
            terms = [a * b.ln() for row in rows for a, b in zip(row, p, strict=True)]
        slopes = [float(sum(b - row[i] for row in rows) / scale) for i, b in enumerate(p)]
        total = float(-sum(terms) / scale)
    np.testing.assert_allclose(value, total, rtol=1e-13)
    np.testing.assert_allclose(grads["x.b"], slopes, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", [name for name, layer in LAYERS.items() if layer.keeps_unit])
def test_layers_that_make_probabilities_of_probabilities(name):
    """What a layer says of itself, at the ends of the range and between them."""
    text = layer_spec(calls(LAYERS[name])[0].replace("sum_features", "mean_features"))
    text = re.sub(r"dense\((\d+)(, \w+)?\)", r"dense(\1, sigmoid)", text)
    params, batch = generic_point(module_of(text), examples=50, spread=3)
    graph = lower(model_of(text))
    made = run(graph, {**params, **batch, "table": (batch["table"] > 0) * 1.0})[graph.steps["made"].id]
    assert made.min() >= 0 and made.max() <= 1 and made.std() > 0.01
