"""Pooling, borders and repetition: Keras has a class for sequences and one for images; volumes have our own."""

from __future__ import annotations

from dotnn.library.layers.base import Attrs, Types
from dotnn.library.layers.pooling import AS_WINDOW, geometry
from dotnn.library.layers.resizing import pads_of, times_of
from dotnn.targets.keras.call import Keras
from dotnn.targets.keras.rules.base import LayerRule


def _classes(name: str, ranks: int = 2) -> tuple[str, ...]:
    return tuple(f"keras.layers.{name}{rank}D" for rank in range(1, ranks + 1))


VOLUMES = "VolumePooling"
"""The class of our own for volumes."""


def _mean_pooling(kind: str, types: Types, attrs: Attrs) -> Keras:
    return _of_volumes("mean", types, attrs) if kind == VOLUMES else _pooling(kind, types, attrs)


def _of_volumes(what: str, types: Types, attrs: Attrs) -> Keras:
    where = geometry(types[0], attrs)
    options = {"padding": "same"} if attrs["pad"] == "same" else {}
    return Keras(VOLUMES, (what, where["window"], where["stride"]), options)


def _pooling(kind: str, types: Types, attrs: Attrs) -> Keras:
    if kind == VOLUMES:
        return _of_volumes("max", types, attrs)
    options = {"strides": attrs["stride"]} if attrs["stride"] != AS_WINDOW else {}
    options |= {"padding": "same"} if attrs["pad"] == "same" else {}
    return Keras(kind, (attrs["window"],), options)


def _global(kind: str, types: Types, attrs: Attrs) -> Keras:
    return Keras(kind)


def _by_axis(kind: str, sizes: tuple[object, ...]) -> Keras:
    """A sequence has one axis, and no tuple of them."""
    return Keras(kind, (sizes if len(sizes) > 1 else sizes[0],))


MAXPOOL = LayerRule("maxpool", (*_classes("MaxPooling"), VOLUMES), _pooling)
AVGPOOL = LayerRule("avgpool", (*_classes("AveragePooling"), VOLUMES), _mean_pooling)
MAXPOOL_GLOBAL = LayerRule("maxpool_global", _classes("GlobalMaxPooling", 3), _global)
AVGPOOL_GLOBAL = LayerRule("avgpool_global", _classes("GlobalAveragePooling", 3), _global)
ZEROPAD = LayerRule(
    "zeropad", _classes("ZeroPadding"), lambda kind, types, attrs: _by_axis(kind, pads_of(types[0], attrs))
)
UPSAMPLE = LayerRule(
    "upsample", _classes("UpSampling"), lambda kind, types, attrs: _by_axis(kind, times_of(types[0], attrs))
)
