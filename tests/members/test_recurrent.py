"""Recurrent layers: dropout in time, one mask a sequence (Gal and Ghahramani 2016), and activations of one's own."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import STYLES, assert_gradients, generic_point, module_of, values_in

RATES = st.sampled_from(["0.3", "0.5"])
SEEDS = st.integers(0, 10**6)
SPEC = """model M {{ input x: [6, 3]  target t: [4]
  output y = x -> rnn(4, dropout = {0}, recurrent_dropout = {1}, reverse = {2})
}}
train {{ loss = half_sse(y, t, reduce = sum) }}"""


def drawn(module, params, batch, seed):
    return module.forward(params, batch, training=True, rng=np.random.default_rng(seed))


@settings(max_examples=20, deadline=None, derandomize=True)
@given(RATES, RATES, st.booleans(), SEEDS)
def test_the_mask_of_a_recurrent_layer_is_the_same_in_every_step(rate, recurrent, reverse, seed):
    module = module_of(SPEC.format(rate, recurrent, str(reverse).lower()))
    params, batch = generic_point(module, seed % 7)
    held = values_in("rnn", lambda: drawn(module, params, batch, seed))
    (x_mask,), (h_mask,) = held["x_mask"], held["h_mask"]
    for mask, keep in ((x_mask, 1 - float(rate)), (h_mask, 1 - float(recurrent))):
        assert set(np.unique(mask)) <= {0, 1 / keep}
    assert x_mask.shape == (5, 1, 3)
    h = np.zeros((5, 4))
    for t in reversed(range(6)) if reverse else range(6):
        z = (batch["x"][:, t] * x_mask[:, 0]) @ params["y.W"] + (h * h_mask) @ params["y.U"]
        h = np.tanh(z + params["y.b"])
    outputs, _ = drawn(module, params, batch, seed)
    np.testing.assert_allclose(outputs["y"], h, rtol=1e-12)
    for style in STYLES:
        other = module_of(SPEC.format(rate, recurrent, str(reverse).lower()), style)
        loss, _ = other.loss_and_grads(params, batch, rng=np.random.default_rng(seed))
        np.testing.assert_allclose(loss, 0.5 * np.sum((h - batch["t"]) ** 2), rtol=1e-12)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(RATES, SEEDS)
def test_sequence_dropout_silences_a_feature_in_all_steps(rate, seed):
    module = module_of(
        f"""model M {{ input x: [6, 3]  target t: [6, 3]  output y = x -> sequence_dropout({rate}) }}
        train {{ loss = mse(y, t) }}"""
    )
    _, batch = generic_point(module, seed % 7)
    outputs, _ = drawn(module, {}, batch, seed)
    ratio = outputs["y"] / batch["x"]
    np.testing.assert_allclose(ratio, np.broadcast_to(ratio[:, :1], ratio.shape), rtol=1e-12)
    np.testing.assert_array_equal(module.forward({}, batch)[0]["y"], batch["x"])


OWN = "activation own(z, a = -2) = cos(z) + 0.1 * a * z"  # its slope reads z, and does not only read its result
GIVEN = {"rnn": ("act",), "lstm": ("act", "gate"), "gru": ("act", "gate")}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(("layer", "key"), [(layer, key) for layer, keys in GIVEN.items() for key in keys])
def test_an_activation_whose_slope_reads_its_operand_may_be_anywhere_in_it(layer, key, style):
    network = (
        f"input x: [4, 2]  target t: [1]  output y = x -> {layer}(3, returns = last, {key} = own(a = 2)) -> dense(1)"
    )
    module = module_of(f"{OWN}  model M {{ {network} }}  train {{ loss = mse(y, t) }}", style)
    assert_gradients(module, *generic_point(module))
