"""A bias before batch norm: its gradient is zero by construction, and the script says so."""

import numpy as np

PARAMS = {"h.W": (3, 4), "h.b": (4,), "n.gamma": (4,), "n.beta": (4,), "y.W": (4, 2)}
INPUTS = {"x": ("real", (3,))}
TARGETS = {"t": ("real", (2,))}
OUTPUTS = {"y": (2,)}
STRUCTURAL_ZEROS = ("h.b",)


def init_params(seed, dtype=np.float32):
    rng = np.random.default_rng(seed)
    params = {"h.W": rng.normal(0.0, 0.6, (3, 4)), "h.b": np.zeros(4), "n.gamma": np.ones(4), "n.beta": np.zeros(4)}
    params["y.W"] = rng.normal(0.0, 0.6, (4, 2))
    return {name: value.astype(dtype) for name, value in params.items()}


def forward(params, batch, *, training=False, rng=None):
    # h = dense(4)    batchnorm.nn:4
    x = batch["x"]
    h_W, h_b = params["h.W"], params["h.b"]
    h = x @ h_W + h_b

    # n = batchnorm    batchnorm.nn:5
    n_gamma, n_beta = params["n.gamma"], params["n.beta"]
    n_centred = h - h.mean(axis=0)
    n_sigma = np.sqrt((n_centred * n_centred).mean(axis=0) + 1e-3)
    n_unit = n_centred / n_sigma
    n = n_gamma * n_unit + n_beta

    # output y = dense(2, bias = false)    batchnorm.nn:6
    y_W = params["y.W"]
    y = np.tanh(n) @ y_W
    return {"y": y}, {"n_sigma": n_sigma, "n_unit": n_unit, "n": n, "y": y}


def total_loss(params, batch, cache):
    # mse(y, t)    batchnorm.nn:8
    y, t = cache["y"], batch["t"]
    return ((t - y) ** 2).sum() / (2 * len(y))


def backward(params, batch, cache, d_loss=1.0):
    # mse(y, t)    batchnorm.nn:8
    y, t = cache["y"], batch["t"]
    d_y = d_loss * 2 * (y - t) / (2 * len(y))

    # output y = dense(2, bias = false)    batchnorm.nn:6
    y_W, n = params["y.W"], cache["n"]
    d_y_W = np.tanh(n).T @ d_y
    d_n = (d_y @ y_W.T) * (1 - np.tanh(n) ** 2)

    # n = batchnorm    batchnorm.nn:5
    n_gamma, n_sigma, n_unit = params["n.gamma"], cache["n_sigma"], cache["n_unit"]
    d_n_gamma = (d_n * n_unit).sum(axis=0)
    d_n_beta = d_n.sum(axis=0)
    d_n_unit = d_n * n_gamma
    d_h = (d_n_unit - d_n_unit.mean(axis=0) - n_unit * (d_n_unit * n_unit).mean(axis=0)) / n_sigma

    # h = dense(4)    batchnorm.nn:4
    x = batch["x"]
    d_h_W = x.T @ d_h
    d_h_b = d_h.sum(axis=0)
    return {"h.W": d_h_W, "h.b": d_h_b, "n.gamma": d_n_gamma, "n.beta": d_n_beta, "y.W": d_y_W}


def loss_and_grads(params, batch, *, training=True, rng=None, d_loss=1.0):
    _, cache = forward(params, batch, training=training, rng=rng)
    return total_loss(params, batch, cache), backward(params, batch, cache, d_loss)
