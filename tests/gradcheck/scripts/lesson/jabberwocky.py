"""The network of specs/jabberwocky.nn as its script should print it: BPTT that fits on a slide.

Only the network. A recurrent layer is a function with one loop; a step leaves one record for the way back.
"""
import numpy as np

PARAMS = {
    "p.lstm1.W": (27, 192), "p.lstm1.U": (48, 192), "p.lstm1.b": (192,), "p.dense1.W": (48, 27), "p.dense1.b": (27,)
}
INPUTS = {"before": ("real", (12, 27))}
TARGETS = {"after": ("class:27", ())}
OUTPUTS = {"p": (27,)}


def init_params(seed, dtype=np.float32):
    """Draw fresh parameters."""
    rng = np.random.default_rng(seed)
    drawn = {name: rng.normal(0, 0.3, shape) for name, shape in PARAMS.items()}
    ones = {name: np.ones(shape) for name, shape in PARAMS.items() if name.endswith("gamma")}
    zeros = {name: np.zeros(shape) for name, shape in PARAMS.items() if len(shape) == 1 and name not in ones}
    return {name: value.astype(dtype) for name, value in (drawn | ones | zeros).items()}


def sigmoid(z):
    """1 / (1 + exp(-z)), without overflow and without losing small values."""
    e = np.exp(np.where(z.real > 0, -z, z))
    return np.where(z.real > 0, 1, e) / (1 + e)


def softmax(z):
    """exp(z_k) / sum_j exp(z_j), without overflow."""
    e = np.exp(z - z.real.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def lstm(x, W, U, b):
    """z = x_t W + h U + b;  c = f c + i g,  h = o tanh(c)                  Hochreiter and Schmidhuber 1997"""
    h = c = np.zeros((len(x), 48), x.dtype)
    steps = []
    for t in range(12):
        z = x[:, t] @ W + h @ U + b                         # [B, 192]
        i = sigmoid(z[:, 0:48])                             # input gate
        f = sigmoid(z[:, 48:96])                            # forget gate
        g = np.tanh(z[:, 96:144])                           # what may be added
        o = sigmoid(z[:, 144:192])                          # output gate
        h_before, c_before = h, c
        c = f * c_before + i * g
        tanh_c = np.tanh(c)
        h = o * tanh_c
        steps.append((h_before, c_before, i, f, g, o, tanh_c))
    return h, steps


def lstm_backward(d_h, x, W, U, steps):
    """Backpropagation through time: from the last step to the first."""
    d_x, d_W, d_U, d_b = np.zeros_like(x), np.zeros_like(W), np.zeros_like(U), np.zeros(192, x.dtype)
    d_c = np.zeros_like(d_h)
    for t in reversed(range(12)):
        h_before, c_before, i, f, g, o, tanh_c = steps[t]
        d_o = d_h * tanh_c
        d_c = d_c + d_h * o * (1 - tanh_c * tanh_c)         # through h_t, and from the step after
        d_i, d_f, d_g = d_c * g, d_c * c_before, d_c * i
        d_z = np.concatenate([
            d_i * i * (1 - i), d_f * f * (1 - f), d_g * (1 - g * g), d_o * o * (1 - o),
        ], axis=1)                                          # [B, 192]
        d_W += x[:, t].T @ d_z                              # the same weights in every step: gradients add up
        d_U += h_before.T @ d_z
        d_b += d_z.sum(axis=0)
        d_x[:, t] = d_z @ W.T
        d_h = d_z @ U.T                                     # to the step before
        d_c = d_c * f
    return d_x, d_W, d_U, d_b


# --------------------------------------------------------------------------------------------- the network


def forward(params, batch, *, training=False, rng=None):
    """Return the outputs, and the values that backward reads."""
    # p = before -> lstm(48) -> dense(27, softmax)                                          jabberwocky.nn:6
    lstm1, steps = lstm(batch["before"], params["p.lstm1.W"], params["p.lstm1.U"], params["p.lstm1.b"])
    p_z = lstm1 @ params["p.dense1.W"] + params["p.dense1.b"]          # [B, 27]
    return {"p": softmax(p_z)}, {"steps": steps, "lstm1": lstm1, "p_z": p_z}


def total_loss(params, batch, cache):
    """cross_entropy(p, after), from p_z: E = mean(log sum_j exp(z_j) - z_class)         jabberwocky.nn:12"""
    z, y = cache["p_z"], batch["after"]
    top = z.real.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(z - top).sum(axis=1)) + top[:, 0]
    return (log_sum - z[np.arange(len(z)), y]).mean()


def backward(params, batch, cache, d_loss=1.0):
    """Return the gradient of the loss: the chain rule from the loss back to every parameter."""
    # cross_entropy(p, after)                                                              jabberwocky.nn:12
    d_p_z = softmax(cache["p_z"])                                      # [B, 27]
    d_p_z[np.arange(len(d_p_z)), batch["after"]] -= 1
    d_p_z = d_loss * d_p_z / len(d_p_z)

    # p = before -> lstm(48) -> dense(27, softmax)                                          jabberwocky.nn:6
    d_dense1_W = cache["lstm1"].T @ d_p_z                              # [48, 27]
    d_dense1_b = d_p_z.sum(axis=0)                                     # [27]
    d_lstm1 = d_p_z @ params["p.dense1.W"].T                           # [B, 48]
    d_before, d_lstm1_W, d_lstm1_U, d_lstm1_b = lstm_backward(
        d_lstm1, batch["before"], params["p.lstm1.W"], params["p.lstm1.U"], cache["steps"])

    return {
        "p.lstm1.W": d_lstm1_W, "p.lstm1.U": d_lstm1_U, "p.lstm1.b": d_lstm1_b,
        "p.dense1.W": d_dense1_W, "p.dense1.b": d_dense1_b,
    }



def loss_and_grads(params, batch, *, training=True, rng=None, d_loss=1.0):
    """Return the loss and its gradient with respect to every parameter."""
    outputs, cache = forward(params, batch, training=training, rng=rng)
    return total_loss(params, batch, cache), backward(params, batch, cache, d_loss)
