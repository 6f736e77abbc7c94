"""The recurrent networks written by hand for speed; what `numpy_tuned` says of the others holds here too.

* the input of a step is one row [x, h, 1], so that a step is one product, and the gradient of W, U and b is one
  product over all steps and examples
* the views of every step are made once, and handed to the loop as tuples
* sigmoid(z) = (1 + tanh(z/2)) / 2: with the half in the weights, one tanh serves all four gates; the gates lie in the
  order i f o g, so that the three sigmoids are neighbours
* gradients are written over the gates
* U is turned once a step into a contiguous transpose
"""

from __future__ import annotations

import numpy as np

from peers.numpy_tuned import Base, SoftmaxCE, f4


class Recurrent(Base):
    packed = ("U", "b")

    def setup(self):
        inputs, h, _ = self.w.dims
        b, t = self.w.batch, self.w.length
        self.width = inputs + h + 1
        gates = self.P["b"].size
        rows = (self.width, gates)
        self.W, self.gW = (np.lib.stride_tricks.as_strided(d["W"], rows, d["W"].strides) for d in (self.P, self.G))
        self.S = np.zeros((t + 1, b, self.width), f4)
        self.S[:, :, -1] = 1
        self.xs, self.hs = self.S[:t, :, :inputs], self.S[1:, :, inputs:-1]
        self.h_last = self.S[t][:, inputs:-1]
        self.S_T = self.S[:t].reshape(t * b, self.width).T
        self.UT = np.empty((gates, h), f4)
        self.xb = np.empty((b, *self.x.shape[1:]), f4)
        self.dh, self.ones = np.empty((b, h), f4), np.ones(b, f4)

    def load(self, rows):
        np.take(self.x, rows, 0, self.xb, "clip")
        self.xs[...] = self.xb.transpose(1, 0, 2)
        np.copyto(self.UT, self.P["U"].T)


class Lstm(Recurrent):
    def internal(self, p):
        h = self.w.dims[1]

        def swapped(a):
            return np.concatenate([a[..., : 2 * h], a[..., 3 * h :], a[..., 2 * h : 3 * h]], -1)

        return {k: swapped(v) if k in ("W", "U", "b") else v for k, v in p.items()}

    external = internal  # the exchange of o and g is its own inverse

    def setup(self):
        super().setup()
        _, h, out = self.w.dims
        b, t = self.w.batch, self.w.length

        def e(*s):
            return np.empty(s, f4)

        self.half = np.where(np.arange(4 * h) < 3 * h, f4(0.5), f4(1))
        self.scaled, self.tmp, self.dc = e(self.width, 4 * h), e(b, h), e(b, h)
        Z, C, self.TC = e(t, b, 4 * h), np.zeros((t + 1, b, h), f4), e(t, b, h)
        self.dZ = Z.reshape(t * b, 4 * h)
        self.z, self.ce = e(out, b), SoftmaxCE(out, b, self.opt.gscale)
        i, f, o, g = (Z[:, :, k * h : (k + 1) * h] for k in range(4))
        three, pair = Z[:, :, : 3 * h], Z[:, :, : 2 * h].reshape(t, b, 2, h)
        self.forward = list(zip(self.S, Z, three, i, f, o, g, C, C[1:], self.TC, self.hs, strict=False))
        self.backward = list(zip(Z, three, pair, i, f, o, g, C, self.TC, strict=False))[::-1]
        s = e(b, 3 * h)
        self.scratch = s, s[:, : 2 * h].reshape(b, 2, h), s[:, :h], s[:, h : 2 * h], s[:, 2 * h :], e(b, h)

    def loss_and_grads(self, rows, dot=np.dot, mul=np.multiply, add=np.add, sub=np.subtract, tanh=np.tanh):
        P, G, W, tmp, half, one = self.P, self.G, self.scaled, self.tmp, f4(0.5), f4(1)
        self.load(rows)
        np.take(self.onehot, rows, 0, self.ce.onehot, "clip")
        mul(self.W, self.half, W)
        for s, z, three, i, f, o, g, c_before, c, tc, h in self.forward:
            dot(s, W, z)
            tanh(z, z)
            mul(three, half, three)
            add(three, half, three)
            mul(i, g, tmp)
            mul(f, c_before, c)
            add(c, tmp, c)
            tanh(c, tc)
            mul(o, tc, h)
        dot(P["Wo"].T, self.h_last.T, self.z)
        add(self.z, P["bo"][:, None], self.z)
        loss = self.ce(self.z)
        dz = self.z.T
        dot(self.h_last.T, dz, G["Wo"])
        dot(self.ones, dz, G["bo"])
        dh, dc, UT = self.dh, self.dc, self.UT
        slopes, s_pair, s_i, s_f, s_o, s_g = self.scratch
        dot(dz, P["Wo"].T, dh)
        dc[...] = 0
        for z, three, pair, i, f, o, g, c_before, tc in self.backward:
            mul(tc, tc, tmp)  # dc += dh o (1 - tanh(c)^2)
            sub(one, tmp, tmp)
            mul(tmp, o, tmp)
            mul(tmp, dh, tmp)
            add(dc, tmp, dc)
            mul(three, three, slopes)  # s (1 - s) of the three sigmoids
            sub(three, slopes, slopes)
            mul(s_i, g, s_i)
            mul(s_f, c_before, s_f)
            mul(tc, dh, tmp)
            mul(g, g, s_g)
            sub(one, s_g, s_g)
            mul(s_g, i, s_g)
            mul(s_o, tmp, o)  # from here on the gates hold their gradients
            mul(s_g, dc, g)
            mul(dc, f, tmp)
            mul(s_pair, dc[:, None], pair)
            dc, tmp = tmp, dc
            dot(z, UT, dh)
        dot(self.S_T, self.dZ, self.gW)
        return loss


class Rnn(Recurrent):
    def setup(self):
        super().setup()
        h = self.w.dims[1]
        b, t = self.w.batch, self.w.length
        self.z, self.D, self.dZ = np.empty((b, h), f4), np.empty((t, b, h), f4), np.empty((t, b, h), f4)
        self.yb, self.o = np.empty((b, 1), f4), np.empty((b, 1), f4)
        self.forward = list(zip(self.S, self.hs, strict=False))
        self.backward = list(zip(self.D, self.dZ, strict=True))[::-1]
        self.dZ_rows = self.dZ.reshape(t * b, h)
        self.scale = f4(2 * self.opt.gscale / b)

    def loss_and_grads(self, rows, dot=np.dot, mul=np.multiply, tanh=np.tanh):
        P, G, W, z, o, dh, UT = self.P, self.G, self.W, self.z, self.o, self.dh, self.UT
        self.load(rows)
        np.take(self.y, rows, 0, self.yb, "clip")
        for s, h in self.forward:
            dot(s, W, z)
            tanh(z, h)
        dot(self.h_last, P["Wo"], o)
        np.add(o, P["bo"], o)
        np.subtract(o, self.yb, o)
        error = o.reshape(-1)
        loss = dot(error, error) / len(error)
        mul(o, self.scale, o)
        dot(self.h_last.T, o, G["Wo"])
        dot(self.ones, o, G["bo"])
        dot(o, P["Wo"].T, dh)
        mul(self.hs, self.hs, self.D)  # tanh' of all steps at once
        np.subtract(f4(1), self.D, self.D)
        for slope, dz in self.backward:
            mul(dh, slope, dz)
            dot(dz, UT, dh)
        dot(self.S_T, self.dZ_rows, self.gW)
        return float(loss)
