"""A residual network: skip connection, shared square weights, relu, a weight penalty, softmax cross-entropy."""

import numpy as np

PARAMS = {"a.W": (3, 4), "a.b": (4,), "s.W": (4, 4), "s.b": (4,), "logits.W": (4, 6), "logits.b": (6,)}
INPUTS = {"x": ("real", (3,))}
TARGETS = {"y": ("class:6", ())}
OUTPUTS = {"probs": (6,)}


def softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def init_params(seed, dtype=np.float32):
    rng = np.random.default_rng(seed)
    params = {}
    for name, shape in PARAMS.items():
        params[name] = (rng.normal(0.0, 0.7, shape) if name.endswith(".W") else np.zeros(shape)).astype(dtype)
    return params


def forward(params, batch, *, training=False, rng=None):
    # a = dense(4)    residual.nn:4
    x = batch["x"]
    a_W, a_b = params["a.W"], params["a.b"]
    a = x @ a_W + a_b

    # s1 = s    residual.nn:6
    s_W, s_b = params["s.W"], params["s.b"]
    s1_z = a @ s_W + s_b
    s1 = np.maximum(s1_z, 0)

    # s2 = s    residual.nn:7
    s2_z = s1 @ s_W + s_b
    s2 = s2_z * (s2_z.real > 0)

    # r = a + s2    residual.nn:8
    r = a + s2

    # logits = dense(6)    residual.nn:9
    logits_W, logits_b = params["logits.W"], params["logits.b"]
    logits = r @ logits_W + logits_b
    probs = softmax(logits)

    outputs = {"probs": probs}
    cache = {
        "a": a, "s1_z": s1_z, "s1": s1, "s2_z": s2_z, "s2": s2, "r": r, "logits": logits, "probs": probs,
    }  # fmt: skip
    return outputs, cache


def total_loss(params, batch, cache):
    # loss = cross_entropy(probs, y)    residual.nn:12
    y = batch["y"]
    logits = cache["logits"]
    shifted = logits - logits.max(axis=-1, keepdims=True)
    log_sum = np.log(np.exp(shifted).sum(axis=-1))
    data_loss = (log_sum - shifted[np.arange(len(y)), y]).sum() / len(y)

    # decay = l2(0.05)    residual.nn:13
    s_W = params["s.W"]
    penalty = 0.05 * (s_W * s_W).sum()
    loss = data_loss + penalty
    return loss


def backward(params, batch, cache, d_loss=1.0):
    # loss = cross_entropy(probs, y)    residual.nn:12
    y = batch["y"]
    probs = cache["probs"]
    d_logits = d_loss * (probs - np.eye(6, dtype=probs.dtype)[y]) / len(y)

    # decay = l2(0.05)    residual.nn:13
    s_W = params["s.W"]
    d_s_W_from_penalty = d_loss * 2 * 0.05 * s_W

    # logits = dense(6)    residual.nn:9
    r, logits_W = cache["r"], params["logits.W"]
    d_logits_W = r.T @ d_logits
    d_logits_b = d_logits.sum(axis=0)
    d_r = d_logits @ logits_W.T

    # r = a + s2    residual.nn:8
    d_a_from_r = d_r
    d_s2 = d_r

    # s2 = s    residual.nn:7
    s2_z, s1 = cache["s2_z"], cache["s1"]
    d_s2_z = d_s2 * (s2_z > 0)
    d_s_W_from_s2 = s1.T @ d_s2_z
    d_s_b_from_s2 = d_s2_z.sum(axis=0)
    d_s1 = d_s2_z @ s_W.T

    # s1 = s    residual.nn:6
    s1_z, a = cache["s1_z"], cache["a"]
    d_s1_z = d_s1 * (s1_z > 0)
    d_s_W_from_s1 = a.T @ d_s1_z
    d_s_b_from_s1 = d_s1_z.sum(axis=0)
    d_a_from_s1 = d_s1_z @ s_W.T
    d_s_W = d_s_W_from_s2 + d_s_W_from_s1 + d_s_W_from_penalty
    d_s_b = d_s_b_from_s2 + d_s_b_from_s1

    # a = dense(4)    residual.nn:4
    x = batch["x"]
    d_a = d_a_from_r + d_a_from_s1
    d_a_W = x.T @ d_a
    d_a_b = d_a.sum(axis=0)

    grads = {
        "a.W": d_a_W, "a.b": d_a_b, "s.W": d_s_W, "s.b": d_s_b, "logits.W": d_logits_W, "logits.b": d_logits_b,
    }  # fmt: skip
    return grads


def loss_and_grads(params, batch, *, training=True, rng=None, d_loss=1.0):
    _, cache = forward(params, batch, training=training, rng=rng)
    loss = total_loss(params, batch, cache)
    return loss, backward(params, batch, cache, d_loss)
