"""Convolutions. A border in numbers is a layer of its own."""

from __future__ import annotations

from dataclasses import replace

from dotnn.library.layers.base import Attrs, Types
from dotnn.library.layers.convolution import geometry
from dotnn.library.layers.windows import Pads
from dotnn.targets.keras.call import Keras, without
from dotnn.targets.keras.rules.base import LayerRule

NAMED = ("valid", "same")
"""Borders for which Keras has a word."""


def _options(attrs: Attrs) -> dict[str, object]:
    """Return the options that are not as usual."""
    return {
        **({"depth_multiplier": attrs["multiplier"]} if attrs.get("multiplier", 1) != 1 else {}),
        **({"strides": attrs["stride"]} if attrs["stride"] != 1 else {}),
        **({"padding": "same"} if attrs["pad"] == "same" else {}),
        **({"dilation_rate": attrs["dilation"]} if attrs.get("dilation", 1) != 1 else {}),
        **({"groups": attrs["groups"]} if attrs.get("groups", 1) != 1 else {}),
        **without(use_bias=attrs["bias"]),
    }


def _layer(kind: str, attrs: Attrs, *arguments: object) -> Keras:
    """Return the call without its border. XLA slows convolutions on a CPU."""
    return Keras(kind, arguments, _options(attrs), attrs["act"], xla=False)


def _per_axis(kind: str, types: Types, widths: Pads) -> Keras:
    """Return the call of a layer that changes the border; a sequence has one axis, and no tuple of them."""
    rank = len(types[0].example) - 1
    return Keras(f"keras.layers.{kind}{rank}D", (widths if rank > 1 else widths[0],))


def _with_border(call: Keras, types: Types, attrs: Attrs) -> Keras:
    pads = geometry(types[0], attrs)["pad"]
    numbers = attrs["pad"] not in NAMED and pads
    return replace(call, before=_per_axis("ZeroPadding", types, pads)) if numbers else call


def _convolution(kind: str, types: Types, attrs: Attrs) -> Keras:
    return _with_border(_layer(kind, attrs, attrs["filters"], attrs["kernel"]), types, attrs)


def _depthwise(kind: str, types: Types, attrs: Attrs) -> Keras:
    call = replace(_layer(kind, attrs, attrs["kernel"]), keywords={"kernel": "depthwise"})
    return _with_border(call, types, attrs)


def _transposed(kind: str, types: Types, attrs: Attrs) -> Keras:
    call = _layer(kind, attrs, attrs["filters"], attrs["kernel"])
    if attrs["pad"] in NAMED:
        return call
    where = geometry(types[0], attrs)
    around = zip(where["kernel"], where["stride"], where["pad"], strict=True)
    # A stride longer than the kernel leaves zeros behind the last one: Keras keeps them, as `valid` does.
    cut = tuple((before, after + max(s - k, 0)) for k, s, (before, after) in around)
    return replace(call, then=_per_axis("Cropping", types, cut))


CONV1D = LayerRule("conv1d", ("keras.layers.Conv1D",), _convolution)
CONV2D = LayerRule("conv2d", ("keras.layers.Conv2D",), _convolution)
CONV3D = LayerRule("conv3d", ("keras.layers.Conv3D",), _convolution)
CONV1D_TRANSPOSE = LayerRule("conv1d_transpose", ("keras.layers.Conv1DTranspose",), _transposed)
CONV2D_TRANSPOSE = LayerRule("conv2d_transpose", ("keras.layers.Conv2DTranspose",), _transposed)
DEPTHWISE_CONV2D = LayerRule("depthwise_conv2d", ("keras.layers.DepthwiseConv2D",), _depthwise)
