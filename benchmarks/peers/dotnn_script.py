"""Ours: the spec of the workload, compiled with `--style fast`; what runs is `fit` of the script, or `predict`.

`validated` also evaluates a quarter as many examples after every epoch, `forward` predicts by the pass to read.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path

from peers.workloads import CannotDo

SPECS = Path(__file__).parents[1] / "specs"


def load(path):
    spec = importlib.util.spec_from_file_location("generated", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


VALIDATED = 'data { source = npz("d.npz", x = "x", y = "y")  split = split(train = 80%, val = 20%) }'


def compiled(workload, more=""):
    with tempfile.TemporaryDirectory() as folder:
        path, spec = Path(folder, "model.py"), Path(folder, workload.spec)
        spec.write_text(f"{(SPECS / workload.spec).read_text(encoding='utf-8')}{more}\n", encoding="utf-8")
        command = [sys.executable, "-m", "dotnn", "compile", spec, "--style", "fast", "-o", path]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise CannotDo(f"does not compile: {(done.stderr.strip().splitlines() or ['?'])[-1]}")
        return load(path)


class Runner:
    def __init__(self, workload, variant="", dtype="float32"):
        script = variant if variant.endswith(".py") else ""
        self.module = load(script) if script else compiled(workload, VALIDATED if variant == "validated" else "")
        x, y = workload.data()
        self.parts = {"train": {"x": x, "y": y}}
        if variant == "validated":
            self.parts["val"] = {"x": x[: len(x) // 4], "y": y[: len(y) // 4]}
        self.by_forward = variant == "forward"
        start = workload.init()
        assert list(self.module.PARAMS.values()) == [value.shape for value in start.values()]
        self.names = dict(zip(start, self.module.PARAMS, strict=True))
        self.params = {self.names[name]: value.astype(dtype) for name, value in start.items()}

    def run(self, epochs):
        self.params, history = self.module.fit(self.params, self.parts, None, epochs=epochs)
        return history[-1]["loss"]

    def predict(self):
        x = self.parts["train"]["x"]
        if self.by_forward:
            return self.module.forward(self.params, {"x": x})[0]["p"]
        return self.module.predict(self.params, {"x": x})["p"]

    def grads(self, rows):
        batch = {name: values[rows] for name, values in self.parts["train"].items()}
        loss, grads = self.module.loss_and_grads(self.params, batch)
        return loss, {name: grads[ours] for name, ours in self.names.items()}

    def trace(self, steps, epochs):
        """Train; return the rows of the first steps that `fit` takes, and the losses before them."""
        make_step, taken = self.module.make_step, []

        def recording(*args, **options):
            step = make_step(*args, **options)

            def run(chosen=None, rng=None):
                loss = step(chosen, rng)
                taken.append((chosen, loss))
                return loss

            return run

        self.module.make_step = recording
        try:
            self.run(epochs)
        finally:
            self.module.make_step = make_step
        return taken[:steps]


class Predicting(Runner):
    def run(self, times):
        for _ in range(times):
            self.predict()


def build(workload, variant, threads):
    return (Predicting if workload.rows else Runner)(workload, variant)
