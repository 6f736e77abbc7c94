"""An Elman network over four time steps: buffers filled step by step, cotangents carried backward in time."""

import numpy as np

PARAMS = {"r.Wx": (2, 3), "r.Wh": (3, 3), "r.b": (3,), "y.W": (3, 2), "y.b": (2,)}
INPUTS = {"x": ("real", (4, 2))}
TARGETS = {"t": ("real", (2,))}
OUTPUTS = {"y": (2,)}


def init_params(seed, dtype=np.float32):
    rng = np.random.default_rng(seed)
    return {n: (rng.normal(0, 0.6, s) if "W" in n else np.zeros(s)).astype(dtype) for n, s in PARAMS.items()}


def forward(params, batch, *, training=False, rng=None):
    # r = elman(3)    recurrent.nn:4
    x = batch["x"]
    r_Wx, r_Wh, r_b = params["r.Wx"], params["r.Wh"], params["r.b"]
    r_in = x @ r_Wx + r_b
    r_seq = np.zeros((len(x), 5, 3), dtype=r_in.dtype)
    for t in range(4):
        r_z = r_in[:, t] + r_seq[:, t] @ r_Wh
        r_h = np.tanh(r_z)
        r_seq[:, t + 1] = r_h
    r = r_seq[:, 4]
    # y = dense(2)    recurrent.nn:5
    y_W, y_b = params["y.W"], params["y.b"]
    y = r @ y_W + y_b
    return {"y": y}, {"r_seq": r_seq, "r": r, "y": y}


def total_loss(params, batch, cache):
    # mse(y, t)    recurrent.nn:7
    y, t = cache["y"], batch["t"]
    loss = ((y - t) ** 2).mean()
    return loss


def backward(params, batch, cache, d_loss=1.0):
    # mse(y, t)    recurrent.nn:7
    y, t = cache["y"], batch["t"]
    d_y = d_loss * 2 * (y - t) / y.size
    # y = dense(2)    recurrent.nn:5
    r, y_W = cache["r"], params["y.W"]
    d_y_W = r.T @ d_y
    d_y_b = d_y.sum(axis=0)
    d_r = d_y @ y_W.T
    # r = elman(3)    recurrent.nn:4
    r_seq, x = cache["r_seq"], batch["x"]
    r_Wh = params["r.Wh"]
    d_r_in = np.zeros((len(x), 4, 3), dtype=r_seq.dtype)
    d_r_Wh = np.zeros((3, 3), dtype=r_seq.dtype)
    d_r_h = d_r
    for t in range(3, -1, -1):
        h = r_seq[:, t + 1]
        d_r_z = d_r_h * (1 - h * h)
        d_r_in[:, t] = d_r_z
        d_r_Wh += r_seq[:, t].T @ d_r_z
        d_r_h = d_r_z @ r_Wh.T
    d_r_Wx = np.einsum("bti,bto->io", x, d_r_in)
    d_r_b = d_r_in.sum(axis=(0, 1))
    return {"r.Wx": d_r_Wx, "r.Wh": d_r_Wh, "r.b": d_r_b, "y.W": d_y_W, "y.b": d_y_b}


def loss_and_grads(params, batch, *, training=True, rng=None, d_loss=1.0):
    _, cache = forward(params, batch, training=training, rng=rng)
    return total_loss(params, batch, cache), backward(params, batch, cache, d_loss)
