"""Losses of the language that compare with one number: as with a target that holds it everywhere."""

import numpy as np
import pytest
from fuzz.trial import attempt
from support import STYLES, assert_gradients, generic_point, gradients, model_of, module_of
from tensorflow_target.test_parity import agrees

CASES = {
    "mse(d, 0)": ("mse(d, t)", 0, "identity"),
    "sse(d, 1 / 2)": ("sse(d, t)", 0.5, "identity"),
    "half_sse(d, half)": ("half_sse(d, t)", 0.5, "identity"),
    "l1(d, -2)": ("l1(d, t)", -2, "identity"),
    "huber(d, 0, delta = 0.3)": ("huber(d, t, delta = 0.3)", 0, "identity"),
    "hinge(d, 1)": ("hinge(d, t)", 1, "identity"),
    "perceptron(d, -1, reduce = mean)": ("perceptron(d, t, reduce = mean)", -1, "identity"),
    "bce(d, 0)": ("bce(d, t)", 0, "sigmoid"),
    "bce(d, 1, reduce = sum)": ("bce(d, t, reduce = sum)", 1, "sigmoid"),
    "bce(d, 0.9)": ("bce(d, t)", 0.9, "sigmoid"),
}
"""Calls, the same with a target, the number, and the last layer."""


def spec(loss, stage, target=""):
    return f"""{"params { half = 0.5 }" * ("half)" in loss)}
    model M {{ input x: [4]  {target}  output d = x -> dense(3, tanh) -> dense(2) -> {stage} }}
    train {{ loss = 0.7 * {loss}  epochs = 2 }}"""


@pytest.mark.parametrize("call", CASES)
@pytest.mark.parametrize("style", STYLES)
def test_as_with_a_target(call, style):
    other, number, stage = CASES[call]
    ours, theirs = (
        module_of(spec(call, stage), style),
        module_of(spec(other, stage, "target t: [2]"), style),
    )
    assert ours.TARGETS == {}
    params, batch = generic_point(ours, 2)
    filled = {**batch, "t": np.full((len(batch["x"]), 2), float(number))}
    losses = [m.total_loss(params, b, m.forward(params, b)[1]) for m, b in ((ours, batch), (theirs, filled))]
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-12)
    wanted = gradients(theirs, params, filled)
    for key, value in gradients(ours, params, batch).items():
        np.testing.assert_allclose(value, wanted[key], rtol=1e-12, atol=1e-14, err_msg=key)
    if style == "explain":
        assert_gradients(ours, params, batch)


def test_an_adversary_trains_and_is_checked():
    text = spec("bce(d, 0) + 0.3 * bce(d, 1) + l1(d, half)", "sigmoid")
    assert attempt(text, 1) == {"numbers": "ok", "check": "ok"}
    assert agrees(model_of(text), 3) < 1e-9


@pytest.mark.parametrize("z", [1e4, -1e4])
def test_it_is_exact_at_extreme_values(z):
    module = module_of("model M { input x: [1]  output d = x -> sigmoid } train { loss = bce(d, 0) }")
    batch = {"x": np.array([[z]])}
    with np.errstate(all="raise", under="ignore"):
        assert module.total_loss({}, batch, module.forward({}, batch)[1]) == max(z, 0)
