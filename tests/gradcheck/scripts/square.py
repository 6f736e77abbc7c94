"""A 4-4-4-4 network, all sizes equal, of sigmoid and tanh units under half_sse, in the form of a generated script."""

import numpy as np

PARAMS = {"h1.W": (4, 4), "h1.b": (4,), "h2.W": (4, 4), "h2.b": (4,), "y.W": (4, 4), "y.b": (4,)}
INPUTS = {"x": ("real", (4,))}
TARGETS = {"t": ("real", (4,))}
OUTPUTS = {"y": (4,)}


def sigmoid(z):
    return 0.5 * (1 + np.tanh(0.5 * z))


def init_params(seed, dtype=np.float32):
    rng = np.random.default_rng(seed)
    params = {}
    for name, shape in PARAMS.items():
        values = rng.uniform(-0.5, 0.5, shape) if name.endswith(".W") else np.zeros(shape)
        params[name] = values.astype(dtype)
    return params


def forward(params, batch, *, training=False, rng=None):
    # h1 = dense(4, sigmoid)    square.nn:4
    x = batch["x"]
    h1_W, h1_b = params["h1.W"], params["h1.b"]
    h1_z = x @ h1_W + h1_b
    h1 = sigmoid(h1_z)

    # h2 = dense(4, tanh)    square.nn:5
    h2_W, h2_b = params["h2.W"], params["h2.b"]
    h2_z = h1 @ h2_W + h2_b
    h2 = np.tanh(h2_z)

    # output y = dense(4, sigmoid)    square.nn:6
    y_W, y_b = params["y.W"], params["y.b"]
    y_z = h2 @ y_W + y_b
    y = sigmoid(y_z)

    outputs = {"y": y}
    cache = {"h1_z": h1_z, "h1": h1, "h2_z": h2_z, "h2": h2, "y_z": y_z, "y": y}
    return outputs, cache


def total_loss(params, batch, cache):
    # loss = half_sse(y, t)    square.nn:9
    t = batch["t"]
    y = cache["y"]
    loss = 0.5 * ((t - y) ** 2).sum()
    return loss


def backward(params, batch, cache, d_loss=1.0):
    # loss = half_sse(y, t)    square.nn:9
    t = batch["t"]
    y = cache["y"]
    d_y = d_loss * (y - t)

    # output y = dense(4, sigmoid)    square.nn:6
    y_W = params["y.W"]
    h2 = cache["h2"]
    d_y_z = d_y * y * (1 - y)
    d_y_W = h2.T @ d_y_z
    d_y_b = d_y_z.sum(axis=0)
    d_h2 = d_y_z @ y_W.T

    # h2 = dense(4, tanh)    square.nn:5
    h2_W = params["h2.W"]
    h1 = cache["h1"]
    d_h2_z = d_h2 * (1 - h2 * h2)
    d_h2_W = h1.T @ d_h2_z
    d_h2_b = d_h2_z.sum(axis=0)
    d_h1 = d_h2_z @ h2_W.T

    # h1 = dense(4, sigmoid)    square.nn:4
    x = batch["x"]
    d_h1_z = d_h1 * h1 * (1 - h1)
    d_h1_W = x.T @ d_h1_z
    d_h1_b = d_h1_z.sum(axis=0)

    grads = {
        "h1.W": d_h1_W, "h1.b": d_h1_b, "h2.W": d_h2_W, "h2.b": d_h2_b, "y.W": d_y_W, "y.b": d_y_b,
    }  # fmt: skip
    return grads


def loss_and_grads(params, batch, *, training=True, rng=None, d_loss=1.0):
    _, cache = forward(params, batch, training=training, rng=rng)
    loss = total_loss(params, batch, cache)
    return loss, backward(params, batch, cache, d_loss)
