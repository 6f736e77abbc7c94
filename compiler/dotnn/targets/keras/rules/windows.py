"""Pooling, borders and repetition: Keras has a class for sequences and one for images."""

from __future__ import annotations

from dotnn.library.layers.base import Attrs, Types
from dotnn.library.layers.pooling import AS_WINDOW
from dotnn.library.layers.resizing import pads_of, times_of
from dotnn.targets.keras.call import Keras
from dotnn.targets.keras.rules.base import LayerRule


def _classes(name: str) -> tuple[str, str]:
    return f"keras.layers.{name}1D", f"keras.layers.{name}2D"


def _pooling(kind: str, types: Types, attrs: Attrs) -> Keras:
    options = {"strides": attrs["stride"]} if attrs["stride"] != AS_WINDOW else {}
    options |= {"padding": "same"} if attrs["pad"] == "same" else {}
    return Keras(kind, (attrs["window"],), options)


def _global(kind: str, types: Types, attrs: Attrs) -> Keras:
    return Keras(kind)


def _by_axis(kind: str, sizes: tuple[object, ...]) -> Keras:
    """A sequence has one axis, and no tuple of them."""
    return Keras(kind, (sizes if len(sizes) > 1 else sizes[0],))


MAXPOOL = LayerRule("maxpool", _classes("MaxPooling"), _pooling)
AVGPOOL = LayerRule("avgpool", _classes("AveragePooling"), _pooling)
MAXPOOL_GLOBAL = LayerRule("maxpool_global", _classes("GlobalMaxPooling"), _global)
AVGPOOL_GLOBAL = LayerRule("avgpool_global", _classes("GlobalAveragePooling"), _global)
ZEROPAD = LayerRule(
    "zeropad", _classes("ZeroPadding"), lambda kind, types, attrs: _by_axis(kind, pads_of(types[0], attrs))
)
UPSAMPLE = LayerRule(
    "upsample", _classes("UpSampling"), lambda kind, types, attrs: _by_axis(kind, times_of(types[0], attrs))
)
