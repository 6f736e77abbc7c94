"""Weights of classes: the loss of an example counts as often as its class says."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from support import SPECS, STYLES, as_module, assert_gradients, generic_point, model_of, module_of

from dotnn.session import Options, compile_model

NETWORK = """model M {{ input x: [4]  target y: {target}  output p = x -> dense(3){stage} }}
train {{ loss = cross_entropy(p, y{more})  batch = 4 }}"""


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("target", ["class[3]", "[3]"])
@pytest.mark.parametrize("stage", [" -> softmax", " -> softmax -> scale(0.9)"])
@pytest.mark.parametrize("smoothing", ["", ", smoothing = 0.2"])
def test_whole_weights_are_repeated_examples(target, stage, smoothing, style):
    """With weights 2, 0 and 3: the same sum as over a batch in which every example stands that often."""
    weighted = module_of(
        NETWORK.format(target=target, stage=stage, more=f"{smoothing}, reduce = sum, class_weight = [2, 0, 3]"), style
    )
    plain = module_of(NETWORK.format(target=target, stage=stage, more=f"{smoothing}, reduce = sum"), style)
    params, batch = generic_point(weighted, 1, examples=9)
    classes = batch["y"]
    if target == "[3]":
        classes = np.arange(9) % 3
        batch["y"] = np.eye(3)[classes]
    often = np.repeat(np.arange(9), np.array([2, 0, 3])[classes])
    loss, grads = weighted.loss_and_grads(params, batch)
    expected, others = plain.loss_and_grads(params, {name: values[often] for name, values in batch.items()})
    np.testing.assert_allclose(loss, expected, rtol=1e-12)
    for name, grad in others.items():
        np.testing.assert_allclose(grads[name], grad, rtol=1e-10, atol=1e-13)
    assert_gradients(weighted, params, batch)


def test_the_mean_is_over_examples():
    """As in Keras: divided by the number of examples, not by the sum of their weights."""
    plain, weighted = (
        module_of(NETWORK.format(target="class[3]", stage=" -> softmax", more=more))
        for more in ("", ", class_weight = [5, 5, 5]")
    )
    params, batch = generic_point(plain)
    np.testing.assert_allclose(
        weighted.loss_and_grads(params, batch)[0], 5 * plain.loss_and_grads(params, batch)[0], rtol=1e-12
    )


def test_against_scikit_learn():
    """The softmax regression of specs/, with the weights that scikit-learn calls class_weight."""
    text = (SPECS / "softmax_regression.nn").read_text()
    text = text.replace("cross_entropy(p, species)", "cross_entropy(p, species, class_weight = [1, 4, 0.5])")
    assert "class_weight" in text
    module = as_module(compile_model(model_of(text), Options(STYLES[-1])).script, SPECS / "softmax_regression.nn")
    params, _ = module.train(dtype=np.float64)
    parts, _ = module.prepare(module.load_data(), np.float64)
    x, y = parts["train"]["x"], parts["train"]["species"]
    exact = LogisticRegression(
        C=1 / (2 * 0.01 * len(x)), class_weight={0: 1, 1: 4, 2: 0.5}, tol=1e-10, max_iter=10_000
    ).fit(x, y)
    np.testing.assert_allclose(params["p.W"].T, exact.coef_, atol=2e-4)


SIGMOID = """model M {{ input x: [4]  target t: [{units}]  output p = x -> dense({units}){stage} }}
train {{ loss = bce(p, t{more})  batch = 4 }}"""


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("units", [1, 2])
@pytest.mark.parametrize("stage", [" -> sigmoid", " -> sigmoid -> scale(0.9)"])
def test_weights_of_a_sigmoid_s_classes_are_those_of_each_number(stage, units, style):
    """Beside a loop over all numbers; a target in between has the share of each weight that it has of the classes."""
    more = ", class_weight = [0.5, 4]"
    module = module_of(SIGMOID.format(units=units, stage=stage, more=more), style)
    params, batch = generic_point(module, 1, examples=9)
    batch["t"][:5] = np.arange(5 * units).reshape(5, units) % 2
    p = module.forward(params, batch)[0]["p"]
    total = 0.0
    for y, t in zip(p.ravel(), batch["t"].ravel(), strict=True):
        total -= ((1 - t) * 0.5 + t * 4) * (t * np.log(y) + (1 - t) * np.log(1 - y))
    loss, _ = module.loss_and_grads(params, batch)
    np.testing.assert_allclose(loss, total / p.size, rtol=1e-12)
    assert_gradients(module, params, batch)


def test_a_weighted_sigmoid_is_the_logistic_regression_of_scikit_learn():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((60, 4))
    t = (x @ [1, -2, 0.5, 0] + rng.standard_normal(60) > 0.7).astype(float)
    text = """model M { input x: [4]  target t: [1]  output p = x -> dense(1, sigmoid, penalty = l2(0.01)) }
train { loss = bce(p, t, class_weight = [1, 5])  optim = sgd(0.5)  batch = all  epochs = 4000 }"""
    params, _ = module_of(text, STYLES[-1]).train({"x": x, "t": t[:, None]}, dtype=np.float64)
    exact = LogisticRegression(C=1 / (2 * 0.01 * len(x)), class_weight={0: 1, 1: 5}, tol=1e-12, max_iter=10_000)
    exact.fit(x, t)
    np.testing.assert_allclose(params["p.W"][:, 0], exact.coef_[0], rtol=1e-6)
    np.testing.assert_allclose(params["p.b"], exact.intercept_, rtol=1e-6)
