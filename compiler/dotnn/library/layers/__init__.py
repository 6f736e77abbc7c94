"""Layers, activations and joins: one file each. A layer is sugar over ops."""

from dotnn.core.registry import chosen, collect
from dotnn.ir.op import Op
from dotnn.library.layers.base import Layer
from dotnn.library.ops import OPS

__all__ = ["ACTIVATIONS", "LAYERS", "Layer"]

LAYERS: dict[str, Layer] = collect(__name__, __path__, Layer)
ACTIVATIONS: dict[str, Layer] = chosen(LAYERS, Layer, lambda layer: layer.family == "activation")
collect(__name__, __path__, Op, OPS)
