"""PyTorch, run as written."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn


def linear(p, key):
    layer = nn.Linear(*p["W" + key].shape)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(p["W" + key].T.copy()))
        layer.bias.copy_(torch.from_numpy(p["b" + key]))
    return layer


def convolution(p, key, pad):
    kernel = p["K" + key].transpose(3, 2, 0, 1)
    layer = nn.Conv2d(kernel.shape[1], kernel.shape[0], kernel.shape[2], padding=pad)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(kernel.copy()))
        layer.bias.copy_(torch.from_numpy(p["c" + key]))
    return layer


class Chain(nn.Module):
    def __init__(self, p, activation):
        super().__init__()
        self.layers = nn.ModuleList(linear(p, str(i)) for i in range(1, len(p) // 2 + 1))
        self.activation = activation

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = self.activation(layer(x))
        return self.layers[-1](x)


class Cnn(nn.Module):
    def __init__(self, p):
        super().__init__()
        self.convolutions = nn.ModuleList(convolution(p, key, pad) for key, pad in (("1", 2), ("2", 0)))
        self.layers = nn.ModuleList(linear(p, key) for key in "345")

    def forward(self, x):
        for layer in self.convolutions:
            x = F.max_pool2d(F.relu(layer(x)), 2)
        x = x.permute(0, 2, 3, 1).flatten(1)
        for layer in self.layers[:-1]:
            x = F.relu(layer(x))
        return self.layers[-1](x)


class Dag(nn.Module):
    def __init__(self, p):
        super().__init__()
        self.at = nn.ModuleDict({key: linear(p, key) for key in "iabcdwo"})

    def forward(self, x):
        at = self.at
        h = F.relu(at["i"](x))
        h = F.relu(h + at["b"](F.relu(at["a"](h))))
        h = F.relu(h + at["d"](F.relu(at["c"](h))))
        return at["o"](torch.cat([h, at["w"](x)], 1))


class Recurrent(nn.Module):
    """Gates in the order i f g o, as ours; torch has a second bias, which stays zero."""

    def __init__(self, w, p):
        super().__init__()
        kind = nn.LSTM if w.kind == "lstm" else nn.RNN
        self.cell = kind(*w.dims[:2], batch_first=True)
        self.out = linear(p, "o")
        with torch.no_grad():
            for name, value in (("weight_ih_l0", p["W"].T), ("weight_hh_l0", p["U"].T), ("bias_ih_l0", p["b"])):
                getattr(self.cell, name).copy_(torch.from_numpy(value.copy()))
            self.cell.bias_hh_l0.zero_().requires_grad_(False)

    def forward(self, x):
        return self.out(self.cell(x)[0][:, -1])


class Runner:
    def __init__(self, workload, threads):
        torch.set_num_threads(threads)
        self.w = w = workload
        x, y = w.data()
        self.x, self.y = torch.from_numpy(x), torch.from_numpy(y.astype("int64") if y.dtype.kind == "i" else y)
        if w.kind == "cnn":
            self.x = self.x.permute(0, 3, 1, 2).contiguous()
        p = w.init()
        networks = {"dag": Dag, "cnn": Cnn, "xor": lambda p: Chain(p, torch.tanh), "mlp": lambda p: Chain(p, F.relu)}
        self.model = Recurrent(w, p) if w.length else networks[w.kind](p)
        if w.optimizer == "adam":
            self.optimizer = torch.optim.Adam(self.model.parameters(), w.lr, (w.beta1, w.beta2), w.eps)
        else:
            momentum = w.mu if w.optimizer == "momentum" else 0.0
            self.optimizer = torch.optim.SGD(self.model.parameters(), w.lr, momentum=momentum)
        losses = {"xor": F.binary_cross_entropy_with_logits, "rnn": F.mse_loss}
        self.loss = losses.get(w.kind, F.cross_entropy)

    def step(self, x, y):
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss(self.model(x), y)
        loss.backward()
        if self.w.clip:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.w.clip)
        self.optimizer.step()
        return loss

    def run(self, epochs):
        b, n = self.w.batch, self.w.count
        for _ in range(epochs):
            if n == b:
                loss = self.step(self.x, self.y)
                continue
            order = torch.randperm(n)
            for i in range(0, n, b):
                rows = order[i : i + b]
                loss = self.step(self.x[rows], self.y[rows])
        return loss.item()


class Predicting(Runner):
    def predict(self):
        with torch.inference_mode():
            return torch.softmax(self.model(self.x), 1).numpy()

    def run(self, times):
        self.model.eval()
        for _ in range(times):
            self.predict()


def build(workload, variant, threads):
    return (Predicting if workload.rows else Runner)(workload, threads)
