"""`recompute = k`: every k-th state is kept, the steps between are computed again on the way back."""

import tracemalloc
from functools import cache

import numpy as np
import pytest
from support import ROOT, STYLES, as_module, generic_point, gradients, loss_at, model_of, module_of

from dotnn.session import Options, compile_model

CELL = """
cell fading(units) {
  input x: [n]
  state h: [units] = 0.5
  param W: [n, units]
  param u: [units]
  kept = u * h
  next h = kept + tanh(x @ W)
  output kept
}
"""
WAYS = (
    "x -> rnn(4{})",
    "lstm(x, 4, mask = m, reverse = true, returns = sequence{})",
    "x -> gru(4, reset = before, dropout = 0.25, recurrent_dropout = 0.5, returns = sequence{})",
    "fading(x, 4, mask = m, initial = s, returns = sequence{}) -> gru(3{})",
    "x -> gru(12, dropout = 0.25, recurrent_dropout = 0.5, returns = sequence{})",  # as many units as there are steps
    "x -> fading(4, reverse = true, returns = sequence{})",
    "x -> lstm(3, truncate = 2, returns = sequence{})",
    "fading(x, 4, mask = m, truncate = 2, reverse = true, returns = sequence{})",
)
LENGTHS = (*((way, 4) for way in WAYS), *((way, 8) for way in WAYS), (WAYS[0], 1), (WAYS[0], 12), (WAYS[1], 7),
           (WAYS[3], 5), ("x -> gru(3, truncate = 5, reverse = true{})", 10))  # fmt: skip
"""Ways, and how long the parts of the twelve steps are: a third, two thirds with a rest, …"""


def network(way, more="", style="explain"):
    """A network with one layer that is written in this way, and `more` said of it."""
    inputs = "input m: int[12]  " * ("mask" in way) + "input s: [4]  " * ("initial" in way)
    text = f"""{CELL * ("fading" in way)} model M {{ input x: [12, 3]  {inputs} target t: [5]
      output y = {way.replace("{}", more)} -> flatten -> dense(5) }} train {{ loss = mse(y, t) }}"""
    return module_of(text, style)


@cache
def kept(way, style):
    """The same network, of which everything is kept."""
    return network(way, style=style)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(("way", "every"), LENGTHS)
def test_gradients_are_those_of_a_layer_that_keeps_everything(way, every, style):
    plain, module = kept(way, style), network(way, f", recompute = {every}", style)
    params, batch = generic_point(plain, 1, examples=4)
    for seed in (None, 3):
        assert loss_at(module, params, batch, seed) == pytest.approx(loss_at(plain, params, batch, seed), rel=1e-14)
        found, expected = (gradients(m, params, batch, seed) for m in (module, plain))
        for name, value in expected.items():
            np.testing.assert_allclose(found[name], value, rtol=1e-12, atol=1e-15, err_msg=name)


def by_hand(params, batch, every):
    """An Elman network gone through in parts, of which everything is kept; sums in the order of the way back."""
    W, U, b, V, c = (params[f"y.{n}"] for n in ("rnn1.W", "rnn1.U", "rnn1.b", "dense1.W", "dense1.b"))
    x, t = batch["x"], batch["t"]
    parts, h = x.reshape(len(x), -1, every, 3), np.zeros((len(x), 4))
    kept = []
    for k in range(parts.shape[1]):
        z = parts[:, k] @ W + b
        for step in range(every):
            before, h = h, np.tanh(z[:, step] + h @ U)
            kept.append((before, h))
    d_y = 2 * (h @ V + c - t) / (5 * len(x))
    d_V, d_c, d_h = h.T @ d_y, d_y.sum(axis=0), d_y @ V.T
    d_W, d_U, d_b = np.zeros_like(W), np.zeros_like(U), np.zeros_like(b)
    for k in reversed(range(parts.shape[1])):
        d_part = np.zeros((len(x), every, 4))
        for step in reversed(range(every)):
            before, after = kept[k * every + step]
            d_part[:, step] = d_z = d_h * (1 - after * after)
            d_h = d_z @ U.T
            d_U += before.T @ d_z
        d_W += parts[:, k].reshape(-1, 3).T @ d_part.reshape(-1, 4)
        d_b += d_part.sum(axis=(0, 1))
    return {"y.rnn1.W": d_W, "y.rnn1.U": d_U, "y.rnn1.b": d_b, "y.dense1.W": d_V, "y.dense1.b": d_c}


@pytest.mark.parametrize("every", [3, 4, 12])
def test_what_is_computed_again_is_the_same_to_the_bit(every):
    module = network("x -> rnn(4{})", f", recompute = {every}")
    params, batch = generic_point(module, 2)
    found = gradients(module, params, batch)
    for name, value in by_hand(params, batch, every).items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)


@cache
def peak(steps, every, style):
    """The most bytes that Python holds during a step of training."""
    text = f"""model M {{ input x: [{steps}, 1]  target t: [1]
      output y = x -> lstm(16, recompute = {every}) -> dense(1) }} train {{ loss = mse(y, t) }}"""
    module = as_module(compile_model(model_of(text), Options(style)).script, ROOT / "test.nn")
    params, batch = generic_point(module, examples=16)
    gradients(module, params, batch)
    tracemalloc.start()
    gradients(module, params, batch)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most


@pytest.mark.parametrize("style", STYLES)
def test_memory_grows_like_the_square_root_of_the_steps(style):
    assert peak(256, 0, style) > 3.5 * peak(64, 0, style)  # kept as it is: like the steps
    assert peak(256, 16, style) < 2.3 * peak(64, 8, style)
    assert peak(256, 16, style) < peak(256, 0, style) / 4
