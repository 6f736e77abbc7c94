"""NumPy as textbooks and courses write it: functions that allocate their results, a dict of parameters, an optimizer
loop over the dict, fancy indexing for batches."""

from __future__ import annotations

import numpy as np


def softmax_loss(z, y):
    z = z - z.max(axis=1, keepdims=True)
    p = np.exp(z)
    p /= p.sum(axis=1, keepdims=True)
    n = len(z)
    loss = -np.mean(np.log(p[np.arange(n), y]))
    d = p.copy()
    d[np.arange(n), y] -= 1
    return loss, d / n


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def relu(x):
    return np.maximum(0, x)


def windows(x, k):
    """Index arrays (channel, row, column) that spread (n, c, h, w) into columns of k x k windows."""
    _, c, h, w = x.shape
    rows, columns = h - k + 1, w - k + 1
    i = np.tile(np.repeat(np.arange(k), k), c)[:, None] + np.repeat(np.arange(rows), columns)
    j = np.tile(np.arange(k), k * c)[:, None] + np.tile(np.arange(columns), rows)
    return np.repeat(np.arange(c), k * k)[:, None], i, j


def conv(x, kernel, bias, pad):
    """Images (n, c, h, w), kernels (f, c, k, k): the windows as columns, by fancy indexing."""
    n, f, k = len(x), len(kernel), kernel.shape[-1]
    x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    where = windows(x, k)
    columns = x[:, *where].transpose(1, 2, 0).reshape(kernel[0].size, -1)
    out = kernel.reshape(f, -1) @ columns + bias[:, None]
    return out.reshape(f, x.shape[2] - k + 1, -1, n).transpose(3, 0, 1, 2), (x.shape, where, columns, kernel, pad)


def conv_back(d, cache, wanted=True):
    shape, where, columns, kernel, pad = cache
    f = len(kernel)
    rows = d.transpose(1, 2, 3, 0).reshape(f, -1)
    d_kernel, d_bias = (rows @ columns.T).reshape(kernel.shape), d.sum(axis=(0, 2, 3))
    if not wanted:
        return None, d_kernel, d_bias
    d_columns = (kernel.reshape(f, -1).T @ rows).reshape(kernel[0].size, -1, shape[0]).transpose(2, 0, 1)
    d_x = np.zeros(shape, d.dtype)
    np.add.at(d_x, (slice(None), *where), d_columns)
    return d_x[:, :, pad : shape[2] - pad, pad : shape[3] - pad], d_kernel, d_bias


def pool(x):
    n, c, h, w = x.shape
    blocks = x.reshape(n, c, h // 2, 2, w // 2, 2)
    out = blocks.max(axis=(3, 5))
    return out, blocks == out[:, :, :, None, :, None]


def pool_back(d, mask):
    spread = d[:, :, :, None, :, None] * mask / mask.sum(axis=(3, 5), keepdims=True)
    return spread.reshape(*d.shape[:2], 2 * d.shape[2], 2 * d.shape[3])


class Runner:
    def __init__(self, workload, dtype):
        self.w = workload
        x, y = workload.data()
        self.x = x.astype(dtype)
        if workload.kind == "cnn":
            self.x = np.ascontiguousarray(self.x.transpose(0, 3, 1, 2))
        self.y = y.astype(np.int64 if y.dtype.kind == "i" else dtype)
        self.p = {k: v.astype(dtype) for k, v in workload.init().items()}
        self.m = {k: np.zeros_like(v) for k, v in self.p.items()}
        self.v = {k: np.zeros_like(v) for k, v in self.p.items()}
        self.t = 0
        self.rng = np.random.default_rng(3)
        self.loss_and_grads = getattr(self, workload.kind)

    def forward(self, key, x):
        return x @ self.p["W" + key] + self.p["b" + key]

    def back(self, key, x, d, grads):
        grads["W" + key] = x.T @ d
        grads["b" + key] = d.sum(axis=0)
        return d @ self.p["W" + key].T

    def xor(self, x, y):
        g = {}
        h = np.tanh(self.forward("1", x))
        q = sigmoid(self.forward("2", h))
        loss = -np.mean(y * np.log(q) + (1 - y) * np.log(1 - q))
        d = self.back("2", h, (q - y) / len(x), g)
        self.back("1", x, d * (1 - h**2), g)
        return loss, g

    def mlp(self, x, y):
        g, depth, inputs = {}, len(self.p) // 2, [x]
        for i in range(1, depth):
            inputs.append(relu(self.forward(str(i), inputs[-1])))
        loss, d = softmax_loss(self.forward(str(depth), inputs[-1]), y)
        for i in range(depth, 0, -1):
            d = self.back(str(i), inputs[i - 1], d, g)
            if i > 1:
                d = d * (inputs[i - 1] > 0)
        return loss, g

    def cnn(self, x, y):
        g, p = {}, self.p
        z1, of_1 = conv(x, p["K1"].transpose(3, 2, 0, 1), p["c1"], 2)
        q1, mask1 = pool(relu(z1))
        z2, of_2 = conv(q1, p["K2"].transpose(3, 2, 0, 1), p["c2"], 0)
        q2, mask2 = pool(relu(z2))
        flat = q2.transpose(0, 2, 3, 1).reshape(len(x), -1)
        h3 = relu(self.forward("3", flat))
        h4 = relu(self.forward("4", h3))
        loss, d = softmax_loss(self.forward("5", h4), y)
        d = self.back("5", h4, d, g) * (h4 > 0)
        d = self.back("3", flat, self.back("4", h3, d, g) * (h3 > 0), g)
        d = pool_back(d.reshape(len(x), 5, 5, 16).transpose(0, 3, 1, 2), mask2) * (z2 > 0)
        d, kernel2, g["c2"] = conv_back(d, of_2)
        _, kernel1, g["c1"] = conv_back(pool_back(d, mask1) * (z1 > 0), of_1, wanted=False)
        return loss, g | {"K1": kernel1.transpose(2, 3, 1, 0), "K2": kernel2.transpose(2, 3, 1, 0)}

    def dag(self, x, y):
        g = {}
        h0 = relu(self.forward("i", x))
        t1 = relu(self.forward("a", h0))
        h1 = relu(h0 + self.forward("b", t1))
        t2 = relu(self.forward("c", h1))
        h2 = relu(h1 + self.forward("d", t2))
        both = np.concatenate([h2, self.forward("w", x)], axis=1)
        loss, d = softmax_loss(self.forward("o", both), y)
        d = self.back("o", both, d, g)
        self.back("w", x, d[:, 64:], g)
        d = d[:, :64] * (h2 > 0)
        d = d + self.back("c", h1, self.back("d", t2, d, g) * (t2 > 0), g)
        d = d * (h1 > 0)
        d = d + self.back("a", h0, self.back("b", t1, d, g) * (t1 > 0), g)
        self.back("i", x, d * (h0 > 0), g)
        return loss, g

    def rnn(self, x, y):
        p, g, states = self.p, {}, [np.zeros((len(x), self.w.dims[1]), x.dtype)]
        for t in range(self.w.length):
            states.append(np.tanh(x[:, t] @ p["W"] + states[-1] @ p["U"] + p["b"]))
        error = self.forward("o", states[-1]) - y
        d = self.back("o", states[-1], 2 * error / error.size, g)
        g |= {k: np.zeros_like(p[k]) for k in ("W", "U", "b")}
        for t in reversed(range(self.w.length)):
            d = self.back_in_time(t, x, states[t], d * (1 - states[t + 1] ** 2), g)
        return np.mean(error**2), g

    def lstm(self, x, y):
        p, g, h = self.p, {}, np.zeros((len(x), self.w.dims[1]), x.dtype)
        c, saved = h, []
        for t in range(self.w.length):
            zi, zf, zg, zo = np.split(x[:, t] @ p["W"] + h @ p["U"] + p["b"], 4, axis=1)
            gates = sigmoid(zi), sigmoid(zf), np.tanh(zg), sigmoid(zo)
            i, f, new, o = gates
            saved.append((*gates, c, h))
            c = f * c + i * new
            h = o * np.tanh(c)
            saved[-1] += (np.tanh(c),)
        loss, d = softmax_loss(self.forward("o", h), y)
        d = self.back("o", h, d, g)
        g |= {k: np.zeros_like(p[k]) for k in ("W", "U", "b")}
        dc = np.zeros_like(d)
        for t in reversed(range(self.w.length)):
            i, f, new, o, c_before, h_before, tanh_c = saved[t]
            dc = dc + d * o * (1 - tanh_c**2)
            parts = dc * new * i * (1 - i), dc * c_before * f * (1 - f), dc * i * (1 - new**2), d * tanh_c * o * (1 - o)
            d = self.back_in_time(t, x, h_before, np.concatenate(parts, axis=1), g)
            dc = dc * f
        return loss, g

    def back_in_time(self, t, x, h_before, dz, g):
        g["W"] += x[:, t].T @ dz
        g["U"] += h_before.T @ dz
        g["b"] += dz.sum(axis=0)
        return dz @ self.p["U"].T

    def update(self, g):
        w = self.w
        if w.clip:
            norm = np.sqrt(sum(np.sum(v**2) for v in g.values()))
            g = {k: v * (w.clip / max(norm, w.clip)) for k, v in g.items()}
        self.t += 1
        for k, p in self.p.items():
            if w.optimizer == "sgd":
                p -= w.lr * g[k]
            elif w.optimizer == "momentum":
                self.m[k] = w.mu * self.m[k] + g[k]
                p -= w.lr * self.m[k]
            else:
                self.m[k] = w.beta1 * self.m[k] + (1 - w.beta1) * g[k]
                self.v[k] = w.beta2 * self.v[k] + (1 - w.beta2) * g[k] ** 2
                m_hat, v_hat = self.m[k] / (1 - w.beta1**self.t), self.v[k] / (1 - w.beta2**self.t)
                p -= w.lr * m_hat / (np.sqrt(v_hat) + w.eps)

    def step(self, rows):
        loss, grads = self.loss_and_grads(self.x[rows], self.y[rows])
        self.update(grads)
        return float(loss)

    def run(self, epochs):
        for _ in range(epochs):
            order = self.rng.permutation(self.w.count)
            for i in range(0, self.w.count, self.w.batch):
                loss = self.step(order[i : i + self.w.batch])
        return loss

    def trace(self, batches):
        """Return the losses before each of these steps."""
        return [self.step(rows) for rows in batches]


def build(workload, variant, threads):
    return Runner(workload, np.dtype(variant))
