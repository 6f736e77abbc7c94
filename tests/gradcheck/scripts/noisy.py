"""Dropout between a relu and a tanh layer, mse, and a gradient for the input (`--input-gradients`)."""

import numpy as np

PARAMS = {"h.W": (4, 7), "h.b": (7,), "g.W": (7, 3), "g.b": (3,)}
INPUTS = {"x": ("real", (4,))}
TARGETS = {"t": ("real", (3,))}
OUTPUTS = {"g": (3,)}


def init_params(seed, dtype=np.float32):
    rng = np.random.default_rng(seed)
    params = {}
    for name, shape in PARAMS.items():
        params[name] = (rng.normal(0.0, 0.6, shape) if name.endswith(".W") else np.zeros(shape)).astype(dtype)
    return params


def forward(params, batch, *, training=False, rng=None):
    # h = dense(7, relu)    noisy.nn:4
    x = batch["x"]
    h_W, h_b = params["h.W"], params["h.b"]
    h_z = x @ h_W + h_b
    h = np.maximum(h_z, 0)

    # drop = dropout(0.4)    noisy.nn:5
    keep = rng.random(h.shape) < 0.6 if training else np.ones(h.shape, dtype=bool)
    drop = h * keep / 0.6 if training else h

    # g = dense(3, tanh)    noisy.nn:6
    g_W, g_b = params["g.W"], params["g.b"]
    g_z = drop @ g_W + g_b
    g = np.tanh(g_z)

    outputs = {"g": g}
    cache = {"h_z": h_z, "h": h, "keep": keep, "drop": drop, "g_z": g_z, "g": g, "training": training}
    return outputs, cache


def total_loss(params, batch, cache):
    # loss = mse(g, t)    noisy.nn:9
    t = batch["t"]
    g = cache["g"]
    loss = ((t - g) ** 2).sum() / (3 * len(g))
    return loss


def backward(params, batch, cache, d_loss=1.0):
    # loss = mse(g, t)    noisy.nn:9
    t = batch["t"]
    g = cache["g"]
    d_g = d_loss * 2 * (g - t) / (3 * len(g))

    # g = dense(3, tanh)    noisy.nn:6
    g_W, drop = params["g.W"], cache["drop"]
    d_g_z = d_g * (1 - g * g)
    d_g_W = drop.T @ d_g_z
    d_g_b = d_g_z.sum(axis=0)
    d_drop = d_g_z @ g_W.T

    # drop = dropout(0.4)    noisy.nn:5
    keep, training = cache["keep"], cache["training"]
    d_h = d_drop * keep / 0.6 if training else d_drop

    # h = dense(7, relu)    noisy.nn:4
    x, h_W, h_z = batch["x"], params["h.W"], cache["h_z"]
    d_h_z = d_h * (h_z > 0)
    d_h_W = x.T @ d_h_z
    d_h_b = d_h_z.sum(axis=0)
    d_x = d_h_z @ h_W.T

    grads = {"h.W": d_h_W, "h.b": d_h_b, "g.W": d_g_W, "g.b": d_g_b, "x": d_x}
    return grads


def loss_and_grads(params, batch, *, training=True, rng=None, d_loss=1.0):
    _, cache = forward(params, batch, training=training, rng=rng)
    loss = total_loss(params, batch, cache)
    return loss, backward(params, batch, cache, d_loss)
