"""The workloads: shapes, optimizer settings, data and initial weights, the same for every peer.

Weights are a dict of float32 arrays, (inputs, outputs) each, kernels (rows, columns, inputs, outputs); `specs/` holds
each workload as a spec.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np


class CannotDo(Exception):
    """The peer has no way to build this network."""


@dataclass(frozen=True)
class Workload:
    name: str
    kind: str  # xor | mlp | cnn | dag | lstm | rnn
    dims: tuple[int, ...]
    batch: int
    steps: int  # per epoch
    optimizer: str  # sgd | momentum | adam
    lr: float
    mu: float = 0.9
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    length: int = 0  # time steps of a sequence
    clip: float = 0.0  # the largest norm of all gradients together
    rows: int = 0  # examples of a prediction; 0: a training
    source: str = ""  # the spec, where its name is not the workload's

    @property
    def count(self):
        return self.batch * self.steps

    @property
    def spec(self):
        return self.source or self.name.lower().replace("-", "_") + ".nn"

    def predicting(self, rows):
        """Return the prediction of so many examples by the same network; a step is one prediction."""
        return replace(self, name=f"{self.name}-predict-{rows}", rows=rows, steps=1, batch=rows, source=self.spec)

    def data(self):
        if self.kind == "xor":
            x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
            return x, np.array([[0], [1], [1], [0]], np.float32)
        rng = np.random.default_rng(1)
        steps = (self.length,) if self.length else ()
        shape = (28, 28, 1) if self.kind == "cnn" else (*steps, self.dims[0])
        x = rng.standard_normal((self.count, *shape), dtype=np.float32)
        if self.kind == "rnn":
            return x, np.ascontiguousarray(x[:, :, :1].mean(axis=1))
        return x, rng.integers(0, 10, self.count).astype(np.int32)

    def shapes(self):
        if self.kind == "cnn":
            kernels = {"K1": (5, 5, 1, 6), "c1": (6,), "K2": (5, 5, 6, 16), "c2": (16,)}
            sizes = zip("345", zip(self.dims, self.dims[1:], strict=False), strict=True)
            return kernels | {name: s for key, both in sizes for name, s in (("W" + key, both), ("b" + key, both[1:]))}
        if self.length:
            inputs, units, outputs = self.dims
            gates = (4 if self.kind == "lstm" else 1) * units
            matrices = {"W": (inputs, gates), "U": (units, gates), "b": (gates,)}
            return matrices | {"Wo": (units, outputs), "bo": (outputs,)}
        if self.kind == "dag":
            sizes = dict(zip("iabcdwo", [(64, 64)] * 5 + [(64, 16), (80, 10)], strict=True))
        else:
            sizes = {str(i): s for i, s in enumerate(zip(self.dims, self.dims[1:], strict=False), 1)}
        return {name: shape for key, s in sizes.items() for name, shape in (("W" + key, s), ("b" + key, s[1:]))}

    def init(self):
        rng = np.random.default_rng(2)
        return {
            name: (rng.standard_normal(s) / np.sqrt(np.prod(s[:-1]))).astype(np.float32)
            if len(s) > 1
            else np.zeros(s, np.float32)
            for name, s in self.shapes().items()
        }


TRAININGS = {
    w.name: w
    for w in (
        Workload("W1", "xor", (2, 4, 1), 4, 1, "sgd", 0.5),
        Workload("W2", "mlp", (784, 128, 10), 128, 100, "momentum", 0.01),
        Workload("W2-32", "mlp", (784, 128, 10), 32, 200, "momentum", 0.01),
        Workload("W2-adam", "mlp", (784, 128, 10), 128, 100, "adam", 1e-3),
        Workload("W2-32-adam", "mlp", (784, 128, 10), 32, 200, "adam", 1e-3),
        Workload("W3", "mlp", (784, 1024, 1024, 10), 128, 25, "adam", 1e-3),
        Workload("W4", "cnn", (400, 120, 84, 10), 64, 50, "sgd", 0.01),
        Workload("W5", "lstm", (32, 128, 10), 64, 10, "adam", 1e-3, length=50, clip=5.0),
        Workload("W6", "dag", (64, 64, 10), 64, 100, "adam", 1e-3),
        Workload("W7", "rnn", (2, 16, 1), 16, 100, "sgd", 0.01, length=20),
    )
}

PREDICTIONS = [TRAININGS[name].predicting(rows) for name in ("W2", "W4", "W5") for rows in (1, 64, 1000)]
WORKLOADS = TRAININGS | {w.name: w for w in PREDICTIONS}
