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


class Runner:
    def __init__(self, workload, dtype):
        self.w = workload
        x, y = workload.data()
        self.x = x.astype(dtype)
        self.y = y.astype(dtype) if workload.kind == "xor" else y.astype(np.int64)
        self.p = {k: v.astype(dtype) for k, v in workload.init().items()}
        self.m = {k: np.zeros_like(v) for k, v in self.p.items()}
        self.v = {k: np.zeros_like(v) for k, v in self.p.items()}
        self.t = 0
        self.rng = np.random.default_rng(3)
        self.loss_and_grads = {"xor": self.xor, "mlp": self.mlp, "dag": self.dag}[workload.kind]

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

    def update(self, g):
        w = self.w
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
