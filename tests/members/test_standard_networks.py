"""The blocks and cells of the standard library against Keras, or loops of plain NumPy."""

import math

import numpy as np
import pytest
from scipy.special import expit
from support import STYLES, assert_gradients, double_precision, generic_point, module_of

from dotnn.model.linking import library


def in_keras(layer, weights, x):
    """What a layer of Keras makes of an array, in double precision."""
    keras = pytest.importorskip("keras")
    with double_precision():
        made = layer(keras)
        made.build(x.shape)
        made.set_weights(weights)
        return np.asarray(made(keras.ops.convert_to_tensor(x, "float64")))


def dense(p, name, x):
    """What a dense layer makes of a row."""
    return x @ p[f"{name}.W"] + p.get(f"{name}.b", 0)


def highway(p, x):
    g = expit(x @ p["y.W_gate"] + p["y.b_gate"])
    return np.array([gate * np.tanh(row) + (1 - gate) * v for gate, row, v in zip(g, dense(p, "y", x), x, strict=True)])


def glu(p, x):
    return dense(p, "y.dense1", x) * expit(dense(p, "y.dense2", x))


def swiglu(p, x):
    z = dense(p, "y.dense1", x)
    return z * expit(z) * dense(p, "y.dense2", x)


def squeeze_excitation(p, x):
    made = np.empty_like(x)
    for place, image in enumerate(x):
        means = np.array([image[:, :, c].mean() for c in range(image.shape[-1])])
        shares = expit(dense(p, "y.s.dense2", np.maximum(dense(p, "y.s.dense1", means), 0)))
        for c, share in enumerate(shares):
            made[place, :, :, c] = share * image[:, :, c]
    return made


def rbf(p, x):
    return np.array([[math.exp(-(math.dist(row, c) ** 2) / (2 * 1.5**2)) for c in p["y.centres"].T] for row in x])


def sine_features(p, x):
    z = np.einsum("bi,ij->bj", x, p["y.B"]) * 2 * math.pi
    return np.hstack([np.sin(z), np.cos(z)])


def pelu(p, x):
    a, b = float(p["y.a"]), float(p["y.b"])
    return np.array([[a / b * v if v > 0 else a * (math.exp(v / b) - 1) for v in row] for row in x])


def separable(p, x):
    weights = [p["y.depthwise_conv2d1.W"], p["y.conv2d1.W"], p["y.conv2d1.b"]]
    return in_keras(lambda k: k.layers.SeparableConv2D(2, 2, activation="tanh"), weights, x)


def bidirectional(name, both):
    def through(p, x):
        weights = [p[f"y.{name}{i}.{kind}"] for i in (1, 2) for kind in "WUb"]
        return in_keras(lambda k: k.layers.Bidirectional(both(k)), weights, x)

    return through


def groupnorm(p, x):
    weights = [p["y.gain"], p["y.shift"]]
    return in_keras(lambda k: k.layers.GroupNormalization(2, epsilon=0.001), weights, x)


def rmsnorm(p, x):
    return in_keras(lambda k: k.layers.RMSNormalization(epsilon=1e-6), [p["y.gain"]], x)


BLOCKS = {
    "highway(tanh)": ([3], [3], highway),
    "glu(2)": ([3], [2], glu),
    "swiglu(2)": ([3], [2], swiglu),
    "rmsnorm": ([3], [3], rmsnorm),
    "groupnorm(2)": ([2, 3, 4], [2, 3, 4], groupnorm),
    "separable_conv2d(2, 2, tanh)": ([4, 3, 2], [3, 2, 2], separable),
    "bidirectional(2)": ([4, 3], [4, 4], bidirectional("lstm", lambda k: k.layers.LSTM(2, return_sequences=True))),
    "bidirectional(2, rnn)": (
        [4, 3],
        [4, 4],
        bidirectional("rnn", lambda k: k.layers.SimpleRNN(2, return_sequences=True)),
    ),
    "squeeze_excitation(2)": ([2, 3, 4], [2, 3, 4], squeeze_excitation),
    "sine_features(2)": ([3], [4], sine_features),
    "rbf(4, 1.5)": ([3], [4], rbf),
    "pelu": ([3], [3], pelu),
}
"""Calls, the shapes of an example before and after, and what the block makes of parameters and a batch."""


def mgu(p, x):
    h = np.zeros((len(x), 2))
    for now in np.moveaxis(x, 1, 0):
        f = expit(now @ p["y.Wf"] + h @ p["y.Uf"] + p["y.bf"])
        h = h + f * (np.tanh(now @ p["y.Wh"] + (f * h) @ p["y.Uh"] + p["y.bh"]) - h)
    return h


def indrnn(p, x):
    h = np.zeros((len(x), 2))
    for now in np.moveaxis(x, 1, 0):
        h = np.maximum(now @ p["y.W"] + p["y.u"] * h + p["y.b"], 0)
    return h


def peephole(p, x):
    h = c = np.zeros((len(x), 2))
    for now in np.moveaxis(x, 1, 0):
        i, f, g, o = np.split(now @ p["y.W"] + h @ p["y.U"] + p["y.b"], 4, axis=1)
        c = expit(f + p["y.p_f"] * c) * c + expit(i + p["y.p_i"] * c) * np.tanh(g)
        h = expit(o + p["y.p_o"] * c) * np.tanh(c)
    return h


def leaky(p, x):
    h = np.zeros((len(x), 2))
    for now in np.moveaxis(x, 1, 0):
        h += 0.25 * (np.tanh(now @ p["y.W"] + h @ p["y.U"] + p["y.b"]) - h)
    return h


CELLS = {"mgu(2)": mgu, "indrnn(2)": indrnn, "peephole_lstm(2)": peephole, "leaky_rnn(2, 0.25)": leaky}
NETWORKS = {**BLOCKS, **{call: ([4, 3], [2], function) for call, function in CELLS.items()}}


def test_everything_is_compared_here():
    offered = {s.name.id for part in ("blocks", "cells") for s in library(f"std.{part}")[0].sections}
    assert {call.partition("(")[0] for call in NETWORKS} | {"vae_sample"} == offered


def spec(call):
    before, after, _ = NETWORKS[call]
    return f"""use std.{"cells" if call in CELLS else "blocks"}
    model M {{ input x: {before}  target t: {after}  output y = x -> {call} }}
    train {{ loss = mse(y, t)  batch = 2  optim = adam(0.01)  epochs = 2 }}"""


@pytest.mark.parametrize("call", NETWORKS)
@pytest.mark.parametrize("style", STYLES)
def test_values(call, style):
    module = module_of(spec(call), style)
    params, batch = generic_point(module, 2)
    found = module.forward(params, batch)[0]["y"]
    np.testing.assert_allclose(found, NETWORKS[call][-1](params, batch["x"]), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("call", NETWORKS)
def test_gradients(call):
    module = module_of(spec(call), input_gradients=True)
    assert_gradients(module, *generic_point(module, 2))


VAE = """use std.blocks
use std.losses
model M {
  input x: [4]
  h      = x -> dense(3, tanh)
  mu     = h -> dense(2)
  logvar = h -> dense(2)
  z      = vae_sample(mu, logvar)
  output y = z -> dense(4)
}
loss rebuilt(y, x) = sum((y - x)^2)
train { loss = rebuilt(y, x) + 0.5 * kl(mu, logvar)  epochs = 3 }"""


@pytest.mark.parametrize("style", STYLES)
def test_a_variational_autoencoder(style):
    """Its gradient with the draws held fixed; a draw is the mean and the noise in the size of the deviation."""
    module = module_of(VAE, style)
    params, batch = generic_point(module, 2)
    h = np.tanh(dense(params, "h", batch["x"]))
    mu, logvar = dense(params, "mu", h), dense(params, "logvar", h)
    plain = module.forward(params, batch)[0]["y"]
    np.testing.assert_allclose(plain, dense(params, "y", mu), rtol=1e-10)
    drawn = module.forward(params, batch, training=True, rng=np.random.default_rng(3))[0]["y"]
    noise = np.random.default_rng(3).standard_normal(mu.shape)
    np.testing.assert_allclose(drawn, dense(params, "y", mu + np.exp(logvar / 2) * noise), rtol=1e-10)
    if style == "explain":
        assert_gradients(module, params, batch, rng_seed=4)
    history = module.train({"x": np.float32(batch["x"])}, epochs=3, seed=1, dtype=np.float64)[1]
    assert np.isfinite(history[-1]["loss"])
