"""JAX: a compiled step called from Python (variant step), or a whole epoch as one `lax.scan` (variant scan)."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

MANY = 1000  # epochs in one scan where an epoch is a single step


def loss_of(w, p, x, y):
    def dense(key, x):
        return x @ p["W" + key] + p["b" + key]

    relu = jax.nn.relu
    if w.kind == "dag":
        h = relu(dense("i", x))
        h = relu(h + dense("b", relu(dense("a", h))))
        h = relu(h + dense("d", relu(dense("c", h))))
        z = dense("o", jnp.concatenate([h, dense("w", x)], 1))
    elif w.kind == "cnn":
        for key, pad in (("1", "SAME"), ("2", "VALID")):
            z = lax.conv_general_dilated(x, p["K" + key], (1, 1), pad, dimension_numbers=("NHWC", "HWIO", "NHWC"))
            x = lax.reduce_window(relu(z + p["c" + key]), -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
        z = dense("5", relu(dense("4", relu(dense("3", x.reshape(len(x), -1))))))
    elif w.length:
        z = dense("o", last_state(w, p, x))
    else:
        last = len(p) // 2
        for i in range(1, last):
            x = (jnp.tanh if w.kind == "xor" else relu)(dense(str(i), x))
        z = dense(str(last), x)
    if w.kind == "xor":
        return jnp.mean(jax.nn.softplus(z) - y * z)
    if w.kind == "rnn":
        return jnp.mean((z - y) ** 2)
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(z), y[:, None], 1))


def last_state(w, p, x):
    """Return h after the last step; the steps are a `lax.scan`."""

    def rnn(state, xz):
        (h,) = state
        return (jnp.tanh(xz + h @ p["U"]),), None

    def lstm(state, xz):
        h, c = state
        i, f, g, o = jnp.split(xz + h @ p["U"], 4, axis=1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None

    start = jnp.zeros((len(x), w.dims[1]))
    xz = jnp.swapaxes(x @ p["W"] + p["b"], 0, 1)
    state, _ = lax.scan(lstm, (start, start), xz) if w.kind == "lstm" else lax.scan(rnn, (start,), xz)
    return state[0]


def update(w, p, state, g):
    each = jax.tree.map
    if w.clip:
        norm = jnp.sqrt(sum(jnp.sum(a * a) for a in g.values()))
        g = each(lambda g: g * (w.clip / jnp.maximum(norm, w.clip)), g)
    m, v, t = state
    if w.optimizer == "sgd":
        return each(lambda p, g: p - w.lr * g, p, g), state
    if w.optimizer == "momentum":
        m = each(lambda m, g: w.mu * m + g, m, g)
        return each(lambda p, m: p - w.lr * m, p, m), (m, v, t)
    t = t + 1
    m = each(lambda m, g: w.beta1 * m + (1 - w.beta1) * g, m, g)
    v = each(lambda v, g: w.beta2 * v + (1 - w.beta2) * g * g, v, g)
    c1, c2 = -jnp.expm1(t * np.log(w.beta1)), -jnp.expm1(t * np.log(w.beta2))  # 1 - b**t is inexact in float32
    return each(lambda p, m, v: p - w.lr * (m / c1) / (jnp.sqrt(v / c2) + w.eps), p, m, v), (m, v, t)


class Runner:
    def __init__(self, workload, variant):
        self.w, self.scan = workload, variant == "scan"
        self.unit = MANY if self.scan and workload.count == workload.batch else 1
        self.x, self.y = (jnp.asarray(a) for a in workload.data())
        p = {k: jnp.asarray(v) for k, v in workload.init().items()}
        m, v = (jax.tree.map(jnp.zeros_like, p) for _ in range(2))
        self.state = p, (m, v, jnp.zeros(()))
        self.rng = np.random.default_rng(3)
        gradient = jax.value_and_grad(partial(loss_of, workload))

        def step(x, y, state, rows):
            p, memory = state
            if workload.count != workload.batch:
                x, y = x[rows], y[rows]
            loss, g = gradient(p, x, y)
            return update(workload, p, memory, g), loss

        def epoch(x, y, state, order):
            state, losses = lax.scan(partial(step, x, y), state, order)
            return state, losses[-1]

        self.call = jax.jit(epoch if self.scan else step, donate_argnums=2)

    def run(self, epochs):
        w = self.w
        for _ in range(epochs // self.unit):
            if self.unit > 1:
                orders = [np.zeros((self.unit, 1), np.int32)]
            else:
                order = self.rng.permutation(w.count).astype(np.int32).reshape(w.steps, w.batch)
                orders = [order] if self.scan else order
            for rows in orders:
                self.state, loss = self.call(self.x, self.y, self.state, rows)
        return float(loss)


def build(workload, variant, threads):
    return Runner(workload, variant)
