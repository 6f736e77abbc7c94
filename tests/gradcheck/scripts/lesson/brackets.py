"""The network of specs/brackets.nn as its script should print it: a block is a function, a composite layer
is a function, a statement is a paragraph, names are local to their function. (Only the network.)
"""
import math

import numpy as np

ENCODER = {
    "a.layernorm1.gamma": (16,), "a.layernorm1.beta": (16,),
    "a.multi_head_attention1.Wq": (16, 2, 8), "a.multi_head_attention1.bq": (2, 8),
    "a.multi_head_attention1.Wk": (16, 2, 8), "a.multi_head_attention1.bk": (2, 8),
    "a.multi_head_attention1.Wv": (16, 2, 8), "a.multi_head_attention1.bv": (2, 8),
    "a.multi_head_attention1.Wo": (2, 8, 16), "a.multi_head_attention1.bo": (16,),
    "f.layernorm1.gamma": (16,), "f.layernorm1.beta": (16,),
    "f.dense1.W": (16, 32), "f.dense1.b": (32,), "f.dense2.W": (32, 16), "f.dense2.b": (16,),
}
PARAMS = {
    "e.embedding1.W": (2, 16), "e.position_embedding1.W": (12, 16),
    **{f"{block}.{name}": shape for block in ("h.Encoder1", "h.Encoder2") for name, shape in ENCODER.items()},
    "p.layernorm1.gamma": (16,), "p.layernorm1.beta": (16,), "p.dense1.W": (192, 2), "p.dense1.b": (2,),
}
INPUTS = {"tokens": ("int:2", (12,))}
TARGETS = {"balanced": ("class:2", ())}
OUTPUTS = {"p": (2,)}
STRUCTURAL_ZEROS = ("h.Encoder1.a.multi_head_attention1.bk", "h.Encoder2.a.multi_head_attention1.bk")


def init_params(seed, dtype=np.float32):
    """Draw fresh parameters."""
    rng = np.random.default_rng(seed)
    drawn = {name: rng.normal(0, 0.3, shape) for name, shape in PARAMS.items()}
    ones = {name: np.ones(shape) for name, shape in PARAMS.items() if name.endswith("gamma")}
    zeros = {name: np.zeros(shape) for name, shape in PARAMS.items() if len(shape) == 1 and name not in ones}
    return {name: value.astype(dtype) for name, value in (drawn | ones | zeros).items()}


def gelu(z):
    """z/2 (1 + tanh(sqrt(2/pi) (z + 0.044715 z^3)))                              Hendrycks and Gimpel 2016"""
    return 0.5 * z * (1 + np.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z * z * z)))


def gelu_slope(z):
    """The derivative of gelu."""
    t = np.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z * z * z))
    return 0.5 * (1 + t) + 0.5 * z * (1 - t * t) * math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * z * z)


def softmax(z):
    """exp(z_i) / sum_j exp(z_j) along the last axis, without overflow."""
    e = np.exp(z - z.real.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def part(params, path):
    """Return the parameters under `path`, by the rest of their names."""
    return {name[len(path) + 1 :]: w for name, w in params.items() if name.startswith(path + ".")}


def layernorm(x, gamma, beta):
    """y = gamma (x - mu) / sigma + beta over the last axis                            Ba et al. 2016"""
    mu = x.mean(axis=-1, keepdims=True)
    sigma2 = ((x - mu) * (x - mu)).mean(axis=-1, keepdims=True)
    inv_sigma = 1 / np.sqrt(sigma2 + 1e-3)
    unit = (x - mu) * inv_sigma
    return gamma * unit + beta, {"unit": unit, "inv_sigma": inv_sigma}


def layernorm_backward(d_y, gamma, cache):
    unit, inv_sigma = cache["unit"], cache["inv_sigma"]
    d_gamma = (d_y * unit).sum(axis=(0, 1))
    d_beta = d_y.sum(axis=(0, 1))
    d_unit = d_y * gamma
    centred = d_unit - d_unit.mean(axis=-1, keepdims=True)
    d_x = inv_sigma * (centred - unit * (d_unit * unit).mean(axis=-1, keepdims=True))
    return d_x, d_gamma, d_beta


def attention(x, p):
    """softmax(Q K' / sqrt(d)) V in every head, then mixed by Wo                       Vaswani et al. 2017"""
    q = np.einsum("btd,dhk->bthk", x, p["Wq"]) + p["bq"]              # [B, 12, 2, 8]
    k = np.einsum("btd,dhk->bthk", x, p["Wk"]) + p["bk"]              # [B, 12, 2, 8]
    v = np.einsum("btd,dhk->bthk", x, p["Wv"]) + p["bv"]              # [B, 12, 2, 8]
    weights = softmax(np.einsum("bqhk,bshk->bhqs", q, k) / math.sqrt(8))  # [B, 2, 12, 12]
    read = np.einsum("bhqs,bshk->bqhk", weights, v)                   # [B, 12, 2, 8]
    y = np.einsum("bqhk,hkd->bqd", read, p["Wo"]) + p["bo"]           # [B, 12, 16]
    return y, {"x": x, "q": q, "k": k, "v": v, "weights": weights, "read": read}


def attention_backward(d_y, p, cache):
    x, q, k, v, weights, read = (cache[n] for n in ("x", "q", "k", "v", "weights", "read"))
    d = {"Wo": np.einsum("bqhk,bqd->hkd", read, d_y), "bo": d_y.sum(axis=(0, 1))}
    d_read = np.einsum("bqd,hkd->bqhk", d_y, p["Wo"])
    d_weights = np.einsum("bqhk,bshk->bhqs", d_read, v)
    d_v = np.einsum("bhqs,bqhk->bshk", weights, d_read)
    d_scores = weights * (d_weights - (d_weights * weights).sum(axis=-1, keepdims=True)) / math.sqrt(8)
    d_q = np.einsum("bhqs,bshk->bqhk", d_scores, k)
    d_k = np.einsum("bhqs,bqhk->bshk", d_scores, q)
    d_x = 0
    for letter, d_z in (("q", d_q), ("k", d_k), ("v", d_v)):
        d["W" + letter] = np.einsum("btd,bthk->dhk", x, d_z)
        d["b" + letter] = d_z.sum(axis=(0, 1))
        d_x = d_x + np.einsum("bthk,dhk->btd", d_z, p["W" + letter])
    return d_x, d


# ------------------------------------------------------------------------------------------- block Encoder


def encoder(x, p):
    """block Encoder(heads = 2, hidden = 32): x [B, 12, 16] -> [B, 12, 16]                   brackets.nn:7"""
    # a = x -> layernorm -> multi_head_attention(heads, 8)                                    brackets.nn:9
    a_norm, a_norm_cache = layernorm(x, p["a.layernorm1.gamma"], p["a.layernorm1.beta"])
    a, a_cache = attention(a_norm, part(p, "a.multi_head_attention1"))

    # h = x + a                                                                              brackets.nn:10
    h = x + a

    # f = h -> layernorm -> dense(hidden, gelu) -> dense(d)                                  brackets.nn:11
    f_norm, f_norm_cache = layernorm(h, p["f.layernorm1.gamma"], p["f.layernorm1.beta"])
    dense1_z = f_norm @ p["f.dense1.W"] + p["f.dense1.b"]              # [B, 12, 32]
    dense1 = gelu(dense1_z)                                            # [B, 12, 32]
    f = dense1 @ p["f.dense2.W"] + p["f.dense2.b"]                     # [B, 12, 16]

    # output h + f                                                                           brackets.nn:12
    cache = {"a_norm": a_norm_cache, "a": a_cache, "h": h, "f_norm": f_norm_cache, "f_norm_y": f_norm,
             "dense1_z": dense1_z, "dense1": dense1}
    return h + f, cache


def encoder_backward(d_y, p, cache):
    """Return the gradient with respect to x, and those of the parameters of this use."""
    d = {}
    # output h + f                                                                           brackets.nn:12
    d_f = d_y

    # f = h -> layernorm -> dense(hidden, gelu) -> dense(d)                                  brackets.nn:11
    d["f.dense2.W"] = np.einsum("bti,btj->ij", cache["dense1"], d_f)   # [32, 16]
    d["f.dense2.b"] = d_f.sum(axis=(0, 1))                             # [16]
    d_dense1 = d_f @ p["f.dense2.W"].T                                 # [B, 12, 32]
    d_dense1_z = d_dense1 * gelu_slope(cache["dense1_z"])              # [B, 12, 32]
    d["f.dense1.W"] = np.einsum("bti,btj->ij", cache["f_norm_y"], d_dense1_z)  # [16, 32]
    d["f.dense1.b"] = d_dense1_z.sum(axis=(0, 1))                      # [32]
    d_f_norm = d_dense1_z @ p["f.dense1.W"].T                          # [B, 12, 16]
    d_h_from_f, d["f.layernorm1.gamma"], d["f.layernorm1.beta"] = layernorm_backward(
        d_f_norm, p["f.layernorm1.gamma"], cache["f_norm"])

    # h = x + a                                                                              brackets.nn:10
    d_h = d_y + d_h_from_f                                             # two uses of h
    d_a = d_h

    # a = x -> layernorm -> multi_head_attention(heads, 8)                                    brackets.nn:9
    d_a_norm, d_a_params = attention_backward(d_a, part(p, "a.multi_head_attention1"), cache["a"])
    d |= {f"a.multi_head_attention1.{name}": g for name, g in d_a_params.items()}
    d_x_from_a, d["a.layernorm1.gamma"], d["a.layernorm1.beta"] = layernorm_backward(
        d_a_norm, p["a.layernorm1.gamma"], cache["a_norm"])
    return d_h + d_x_from_a, d                                         # two uses of x


# --------------------------------------------------------------------------------------------- the network


def forward(params, batch, *, training=False, rng=None):
    """Return the outputs, and the values that backward reads."""
    cache = {}
    # e = tokens -> embedding(2, width) -> position_embedding                                brackets.nn:17
    tokens = batch["tokens"]
    e = params["e.embedding1.W"][tokens] + params["e.position_embedding1.W"]  # [B, 12, 16]

    # h = e -> repeat(2, Encoder(2, 32))                                                     brackets.nn:18
    h = e
    for n in ("h.Encoder1", "h.Encoder2"):
        h, cache[n] = encoder(h, part(params, n))

    # output p = h -> layernorm -> flatten -> dense(2, softmax)                              brackets.nn:19
    norm, cache["norm"] = layernorm(h, params["p.layernorm1.gamma"], params["p.layernorm1.beta"])
    flat = norm.reshape(len(norm), 192)                                # [B, 192]
    p_z = flat @ params["p.dense1.W"] + params["p.dense1.b"]           # [B, 2]
    cache |= {"tokens": tokens, "flat": flat, "p_z": p_z}
    return {"p": softmax(p_z)}, cache


def total_loss(params, batch, cache):
    """cross_entropy(p, balanced), from p_z: E = mean(log sum_j exp(z_j) - z_class)      brackets.nn:26"""
    z, y = cache["p_z"], batch["balanced"]
    top = z.real.max(axis=-1, keepdims=True)
    log_sum = np.log(np.exp(z - top).sum(axis=-1)) + top[:, 0]
    return (log_sum - z[np.arange(len(z)), y]).mean()


def backward(params, batch, cache, d_loss=1.0):
    """Return the gradient of the loss: the chain rule from the loss back to every parameter."""
    grads = {}
    # cross_entropy(p, balanced)                                                             brackets.nn:26
    d_p_z = softmax(cache["p_z"])                                      # [B, 2]
    d_p_z[np.arange(len(d_p_z)), batch["balanced"]] -= 1
    d_p_z = d_loss * d_p_z / len(d_p_z)

    # output p = h -> layernorm -> flatten -> dense(2, softmax)                              brackets.nn:19
    grads["p.dense1.W"] = cache["flat"].T @ d_p_z                      # [192, 2]
    grads["p.dense1.b"] = d_p_z.sum(axis=0)                            # [2]
    d_norm = (d_p_z @ params["p.dense1.W"].T).reshape(-1, 12, 16)      # [B, 12, 16]
    d_h, grads["p.layernorm1.gamma"], grads["p.layernorm1.beta"] = layernorm_backward(
        d_norm, params["p.layernorm1.gamma"], cache["norm"])

    # h = e -> repeat(2, Encoder(2, 32))                                                     brackets.nn:18
    for n in ("h.Encoder2", "h.Encoder1"):
        d_h, d = encoder_backward(d_h, part(params, n), cache[n])
        grads |= {f"{n}.{name}": g for name, g in d.items()}
    d_e = d_h

    # e = tokens -> embedding(2, width) -> position_embedding                                brackets.nn:17
    grads["e.position_embedding1.W"] = d_e.sum(axis=0)                 # [12, 16]
    grads["e.embedding1.W"] = np.zeros_like(params["e.embedding1.W"])
    np.add.at(grads["e.embedding1.W"], cache["tokens"], d_e)           # [2, 16]
    return {name: grads[name] for name in params}



def loss_and_grads(params, batch, *, training=True, rng=None, d_loss=1.0):
    """Return the loss and its gradient with respect to every parameter."""
    outputs, cache = forward(params, batch, training=training, rng=rng)
    return total_loss(params, batch, cache), backward(params, batch, cache, d_loss)
