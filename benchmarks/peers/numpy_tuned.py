"""The same networks written by hand for speed: what an expert gets out of NumPy, and the mark that ours must reach.

* parameters, gradients and optimizer memory lie in one aligned flat buffer each; layers hold views
* every array is made once; every call writes into one (`out`)
* gathers are np.take(..., mode="clip", out=...), which writes straight into the array
* the learning rate of SGD and momentum is folded into the 1/batch factor of the loss gradient
* Adam runs over cache-sized blocks of the flat buffer
* bias gradients are matrix-vector products with a vector of ones
* the last layer is computed transposed, (classes, batch): the reductions of softmax become vectorised
"""

from __future__ import annotations

import numpy as np

f4 = np.float32
BLOCK = 32768  # floats per block of the optimizer: five of 128 KiB fit into L2


class Flat:
    """One buffer that holds many arrays, each starting on a 64-byte boundary unless packed."""

    def __init__(self, shapes, packed=()):
        at, spans = 0, {}
        for k, s in shapes.items():
            if k not in packed:
                at = -(-at // 16) * 16
            spans[k] = (at, s)
            at += int(np.prod(s))
        self.size, self.spans = -(-at // 16) * 16, spans

    def alloc(self):
        raw = np.zeros(self.size + 16, f4)
        o = (-raw.ctypes.data % 64) // 4
        buf = raw[o : o + self.size]
        return buf, {k: buf[a : a + int(np.prod(s))].reshape(s) for k, (a, s) in self.spans.items()}


class Optimizer:
    """Updates one flat parameter buffer in place from one flat gradient buffer."""

    def __init__(self, w, p, g):
        self.w, self.p, self.g = w, p, g
        n = p.size
        self.m = np.zeros(n, f4) if w.optimizer != "sgd" else None
        self.t = 0
        self.gscale = f4(w.lr if w.optimizer != "adam" else 1.0)  # folded into the loss gradient
        if w.optimizer == "adam":
            v = np.zeros(n, f4)
            cut = [slice(i, min(i + BLOCK, n)) for i in range(0, n, BLOCK)]
            self.blocks = [(p[c], g[c], self.m[c], v[c]) for c in cut]
            tmp = np.empty(min(BLOCK, n), f4)
            self.tmps = [tmp[: c.stop - c.start] for c in cut]

    def step(self):
        w, p, g, m = self.w, self.p, self.g, self.m
        if w.optimizer == "sgd":
            np.subtract(p, g, p)
            return
        if w.optimizer == "momentum":
            np.multiply(m, f4(w.mu), m)
            np.add(m, g, m)
            np.subtract(p, m, p)
            return
        self.t += 1
        c1, c2 = 1 - w.beta1**self.t, 1 - w.beta2**self.t
        # m, v are kept as plain decayed sums (without the 1-beta factors, which go into the step size)
        s = ((1 - w.beta2) / c2) ** 0.5
        eps, a = f4(w.eps / s), f4(w.lr * (1 - w.beta1) / (c1 * s))
        b1, b2 = f4(w.beta1), f4(w.beta2)
        mul, add = np.multiply, np.add
        for (p, g, m, v), t in zip(self.blocks, self.tmps, strict=True):
            mul(m, b1, m)
            add(m, g, m)
            mul(g, g, g)
            mul(v, b2, v)
            add(v, g, v)
            np.sqrt(v, t)
            add(t, eps, t)
            np.divide(m, t, t)
            mul(t, a, t)
            np.subtract(p, t, p)


class SoftmaxCE:
    """Mean cross-entropy on transposed logits (classes, batch); turns the logits into their gradient in place."""

    def __init__(self, c, b, scale):
        self.row = np.empty((1, b), f4)
        self.log = np.empty((1, b), f4)
        self.onehot = np.empty((b, c), f4)
        self.oh_t = self.onehot.T
        self.b, self.scale = b, f4(scale / b)
        self.prod = np.empty((c, b), f4)

    def __call__(self, z):
        row = self.row
        np.maximum.reduce(z, axis=0, keepdims=True, out=row)
        np.subtract(z, row, z)
        np.multiply(z, self.oh_t, self.prod)
        hit = float(np.add.reduce(self.prod, axis=None))
        np.exp(z, z)
        np.add.reduce(z, axis=0, keepdims=True, out=row)
        np.log(row, self.log)
        loss = (float(np.add.reduce(self.log, axis=None)) - hit) / self.b
        np.divide(z, row, z)
        np.subtract(z, self.oh_t, z)
        np.multiply(z, self.scale, z)
        return loss


class Base:
    packed = ()

    def __init__(self, w):
        self.w = w
        init = w.init()
        layout = Flat({k: v.shape for k, v in init.items()}, self.packed)
        self.p, self.P = layout.alloc()
        self.g, self.G = layout.alloc()
        for k, v in init.items():
            self.P[k][...] = v
        self.opt = Optimizer(w, self.p, self.g)
        self.x, self.y = w.data()
        self.onehot = np.eye(10, dtype=f4)[self.y] if self.y.dtype == np.int32 else None
        self.rng = np.random.default_rng(3)
        self.setup()

    def run(self, epochs):
        w, b = self.w, self.w.batch
        grads, update = self.loss_and_grads, self.opt.step
        for _ in range(epochs):
            perm = self.rng.permutation(w.count)
            for i in range(0, w.count, b):
                loss = grads(perm[i : i + b])
                update()
        return loss

    def trace(self, batches):
        """Return the losses before each of these steps."""
        out = []
        for rows in batches:
            out.append(self.loss_and_grads(rows))
            self.opt.step()
        return out

    def grads(self, rows):
        loss = self.loss_and_grads(rows)
        return loss, {k: v / self.opt.gscale for k, v in self.G.items()}


class TinyMlp(Base):
    """W1: the bias is an extra weight row against a constant 1 column; everything is the overhead of calls."""

    packed = ("b1", "b2")

    def setup(self):
        p, g = self.P, self.G
        b = 4

        def cat(d, w):
            return np.lib.stride_tricks.as_strided(d[w], (d[w].shape[0] + 1, d[w].shape[1]), d[w].strides)

        self.xa = np.hstack([self.x, np.ones((b, 1), f4)])
        h = np.ones((b, 5), f4)
        ns = np.where(self.y > 0.5, -1, 1).astype(f4)
        self.c = (
            *(self.xa, self.xa.T, cat(p, "W1"), cat(p, "W2"), p["W2"].T, cat(g, "W1"), cat(g, "W2")),
            *(h, h[:, :4], h.T, np.empty((b, 4), f4), np.empty((b, 4), f4), np.empty((b, 1), f4), np.empty((b, 1), f4)),
            *(ns, ns * (self.opt.gscale / f4(b)), np.full((1, b), 1 / b, f4), np.empty((1, 1), f4), f4(1)),
        )

    def run(self, epochs):
        for _ in range(epochs):
            loss = self.loss_and_grads()
            self.opt.step()
        return loss

    def loss_and_grads(
        self, rows=None, dot=np.dot, mul=np.multiply, sub=np.subtract, exp=np.exp, tanh=np.tanh, lae=np.logaddexp
    ):
        xa, xt, w1, w2, w2t, g1, g2, h, hv, ht, z, u, t, l, ns, nsc, q, out, one = self.c
        dot(xa, w1, z)
        tanh(z, hv)
        dot(h, w2, t)
        mul(t, ns, t)  # t = -(2y-1) z, loss = softplus(t), dloss/dt = sigmoid(t)
        lae(t, 0.0, l)
        dot(q, l, out)
        sub(t, l, t)
        exp(t, t)
        mul(t, nsc, t)
        dot(ht, t, g2)
        dot(t, w2t, z)
        mul(hv, hv, u)
        sub(one, u, u)
        mul(z, u, z)
        dot(xt, z, g1)
        return out.item()


class Mlp(Base):
    def setup(self):
        d, b = self.w.dims, self.w.batch
        self.xb = np.empty((b, d[0]), f4)
        self.ce = SoftmaxCE(10, b, self.opt.gscale)
        self.ones = np.ones(b, f4)
        self.a = [np.empty((b, n), f4) for n in d[1:-1]]
        self.mask = [np.empty((b, n), bool) for n in d[1:-1]]
        self.da = [np.empty((b, n), f4) for n in d[1:-1]]
        self.z = np.empty((d[-1], b), f4)

    def loss_and_grads(self, rows):
        P, G, n = self.P, self.G, len(self.a)
        np.take(self.x, rows, 0, self.xb, "clip")
        np.take(self.onehot, rows, 0, self.ce.onehot, "clip")
        h = self.xb
        for i, a in enumerate(self.a, 1):
            np.dot(h, P[f"W{i}"], a)
            np.add(a, P[f"b{i}"], a)
            np.maximum(a, 0, out=a)
            h = a
        z, wo = self.z, P[f"W{n + 1}"]
        np.dot(wo.T, h.T, z)
        np.add(z, P[f"b{n + 1}"][:, None], z)
        loss = self.ce(z)
        dz = z.T
        for i in range(n, -1, -1):
            h = self.a[i - 1] if i else self.xb
            np.dot(h.T, dz, G[f"W{i + 1}"])
            np.dot(self.ones, dz, G[f"b{i + 1}"])
            if i:
                da, m = self.da[i - 1], self.mask[i - 1]
                np.dot(dz, P[f"W{i + 1}"].T, da)
                np.greater(h, 0, m)
                np.multiply(da, m, da)
                dz = da
        return loss


class Dag(Base):
    """W6, feature-major (features, batch): the concatenation is two row blocks of one buffer, so it is free."""

    def setup(self):
        b = self.w.batch

        def e(*s):
            return np.empty(s, f4)

        self.xb = e(b, 64)
        self.h0, self.t1, self.h1, self.t2 = e(64, b), e(64, b), e(64, b), e(64, b)
        self.cat, self.dcat, self.z = e(80, b), e(80, b), e(10, b)
        self.m = np.empty((64, b), bool)
        self.d1, self.d2 = e(64, b), e(64, b)
        self.ones = np.ones(b, f4)
        self.ce = SoftmaxCE(10, b, self.opt.gscale)
        P, G = self.P, self.G
        self.L = {k: (P["W" + k], P["W" + k].T, P["b" + k][:, None], G["W" + k], G["b" + k]) for k in "iabcdwo"}

    def dense(self, k, x, out):
        _, wt, b, _, _ = self.L[k]
        np.dot(wt, x, out)
        np.add(out, b, out)

    def back(self, k, x, dz, dx=None):
        w, _, _, gw, gb = self.L[k]
        np.dot(x, dz.T, gw)
        np.dot(dz, self.ones, gb)
        if dx is not None:
            np.dot(w, dz, dx)

    def gate(self, h, d):
        np.greater(h, 0, self.m)
        np.multiply(d, self.m, d)

    def loss_and_grads(self, rows):
        np.take(self.x, rows, 0, self.xb, "clip")
        np.take(self.onehot, rows, 0, self.ce.onehot, "clip")
        x = self.xb.T
        h0, t1, h1, t2, cat, dcat, d1, d2 = self.h0, self.t1, self.h1, self.t2, self.cat, self.dcat, self.d1, self.d2
        h2, wide = cat[:64], cat[64:]
        self.dense("i", x, h0)
        np.maximum(h0, 0, out=h0)
        for h, t, out, a, c in ((h0, t1, h1, "a", "b"), (h1, t2, h2, "c", "d")):
            self.dense(a, h, t)
            np.maximum(t, 0, out=t)
            self.dense(c, t, out)
            np.add(out, h, out)
            np.maximum(out, 0, out=out)
        self.dense("w", x, wide)
        self.dense("o", cat, self.z)
        loss = self.ce(self.z)
        self.back("o", cat, self.z, dcat)
        self.back("w", x, dcat[64:])
        d = dcat[:64]
        for h, t, out, a, c in ((h1, t2, h2, "c", "d"), (h0, t1, h1, "a", "b")):
            self.gate(out, d)
            self.back(c, t, d, d1)
            self.gate(t, d1)
            self.back(a, h, d1, d2)
            np.add(d, d2, d)
        self.gate(h0, d)
        self.back("i", x, d)
        return loss


def build(workload, variant, threads):
    return {"xor": TinyMlp, "mlp": Mlp, "dag": Dag}[workload.kind](workload)
