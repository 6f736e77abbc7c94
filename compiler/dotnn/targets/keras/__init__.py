"""TensorFlow: the network as a Keras model, its loss, and a training loop for speed.

Its script holds no backward pass: TensorFlow differentiates, so it is an independent witness of the NumPy one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from dotnn.targets.base import Draft, Framework, Style, Target
from dotnn.targets.keras.needs import NEEDS
from dotnn.targets.options import HELPERS, Option, Options

if TYPE_CHECKING:
    import numpy as np

    from dotnn.ir.graph import Graph
    from dotnn.model.model import Model
    from dotnn.passes.base import Pipeline
    from dotnn.running.peer import Peer


def _write(draft: Draft) -> str:
    from dotnn.targets.keras.script import script

    return script(draft)


def _plain(options: Options, words: frozenset[str]) -> Pipeline:
    from dotnn.passes.pipelines import plain

    return plain(words=words)


def _witness(model: Model, graph: Graph, script: str) -> Peer:
    from dotnn.targets.keras.witness import KerasPeer

    return KerasPeer(model, graph, script)


def _says(family: str, member: str) -> str:
    from dotnn.targets.keras.counterparts import says

    return says(family, member)


def _save_model(module: ModuleType, params: Mapping[str, np.ndarray], path: Path) -> None:
    from dotnn.targets.keras.saving import save_model

    module.set_precision("float32")  # what it was trained in does not matter to who uses it
    save_model(module.build_model(params), path)


TENSORFLOW = Target(
    "tensorflow",
    "TensorFlow",
    _write,
    (Style("explain", "to be read", _plain),),
    options=(
        Option(
            "distribute",
            "train on several devices of one machine, or on several machines.",
            ("mirrored", "multiworker"),
        ),
        HELPERS,
    ),
    reason="it is for TensorFlow, which computes the gradients itself",
    needs=NEEDS,
    suffix="_tf",
    framework=Framework("Keras", _says),
    witness=_witness,
    precisions=("float32", "float64", "mixed_bfloat16", "mixed_float16"),
    results={"model.keras": _save_model},
)
