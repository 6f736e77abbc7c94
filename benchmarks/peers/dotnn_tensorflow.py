"""Ours for TensorFlow: the spec of the workload, compiled with `--target tensorflow`; what runs is `fit` of the script.

A training traces and compiles its epoch once. Here that is done before the clock runs, as for every other peer.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf

from peers.dotnn_script import SPECS, load


def compiled(workload, folder):
    from dotnn.session import Options, compile_spec

    path = Path(folder, "model.py")
    path.write_text(compile_spec(str(SPECS / workload.spec), Options(target="tensorflow")).script)
    return path


class Runner:
    def __init__(self, workload, script, threads):
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
        with tempfile.TemporaryDirectory() as folder:
            self.module = module = load(script or compiled(workload, folder))
            x, y = workload.data()
            self.parts = {"train": {"x": x, "y": y}}
            start = workload.init()
            self.model = module.build_model(dict(zip(module.PARAMS, start.values(), strict=True)))
            network = module.training_model(self.model) if hasattr(module, "training_model") else self.model
            optimizer = module.make_optimizer(network)
            epoch = module.make_epoch(network, optimizer, self.parts["train"])
            module.training_model = lambda model: network
            module.make_optimizer = lambda network: optimizer
            module.make_epoch = lambda *arguments: epoch
            self.run(1)  # traced while the file is still there

    def run(self, epochs):
        return self.module.fit(self.model, self.parts, None, epochs=epochs)[-1]["loss"]


def build(workload, variant, threads):
    return Runner(workload, variant, threads)
