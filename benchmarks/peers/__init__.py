"""The contestants. Each module has `build(workload, variant, threads)`, which returns an object with `run(epochs)`:
train that many epochs, in float32 unless it says otherwise, and return the last loss. Where it has a `unit`, it runs
that many epochs in one compiled call, and only multiples of it. Of a workload that predicts, it predicts that often."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import NamedTuple

from peers.workloads import CannotDo


class Peer(NamedTuple):
    module: str
    variant: str = ""
    needs: str = "numpy"
    predicts: bool = False


PEERS = {
    "dotnn": Peer("dotnn_script", predicts=True),
    "dotnn_val": Peer("dotnn_script", "validated"),
    "dotnn_forward": Peer("dotnn_script", "forward", predicts=True),
    "dotnn_tf": Peer("dotnn_tensorflow", needs="tensorflow"),
    "numpy_tuned": Peer("numpy_tuned"),
    "numpy_text32": Peer("numpy_textbook", "float32"),
    "numpy_text64": Peer("numpy_textbook", "float64"),
    "sklearn": Peer("sklearn_mlp", needs="sklearn"),
    "torch": Peer("torch_eager", needs="torch", predicts=True),
    "jax": Peer("jax_jit", "step", "jax"),
    "jax_scan": Peer("jax_jit", "scan", "jax"),
    "keras": Peer("keras_fit", "", "keras"),
    "keras_spe50": Peer("keras_fit", "spe50", "keras"),
    "tf_epoch": Peer("tensorflow_graph", "graph", "tensorflow"),
    "tf_epoch_xla": Peer("tensorflow_graph", "xla", "tensorflow"),
}


def find(name):
    """Return the peer of this name; the path of a generated script is a name, too."""
    if not name.endswith(".py"):
        return PEERS[name]
    for_tensorflow = "import tensorflow" in Path(name).read_text(encoding="utf-8")
    return Peer("dotnn_tensorflow", name, "tensorflow") if for_tensorflow else Peer("dotnn_script", name, predicts=True)


def absent(name):
    return importlib.util.find_spec(find(name).needs) is None


def build(name, workload, threads):
    peer = find(name)
    if workload.rows and not peer.predicts:
        raise CannotDo("trains only")
    return importlib.import_module(f"peers.{peer.module}").build(workload, peer.variant, threads)
