"""What the convolutions make of one example: the feature map of every channel."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dotnn.reports.drawing.marks import figure
from dotnn.reports.drawing.tiles import Tile, Tiles, draw_tiles, gray
from dotnn.reports.pictures.base import Picture
from dotnn.reports.seen import Layer, Seen

MOST_LAYERS, MOST_CHANNELS = 3, 16


def draw(seen: Seen) -> str:
    """Return the first example and, layer by layer, the values that each channel has for it."""
    layers = [one for one in seen.trained.layers if one.a.ndim == 4 and min(one.a.shape[1:3]) > 1][:MOST_LAYERS]
    if not layers:
        return ""
    groups = [*_examples(seen), *map(_maps, layers)]
    described = f"of one example: {', '.join(f'{one.name} with {one.a.shape[3]} channels' for one in layers)}"
    return draw_tiles(f"{seen.model.name}: feature maps of one example", described, groups)


def _examples(seen: Seen) -> Iterator[Tiles]:
    for name, value in seen.graph.inputs.items():
        if len(value.type.example) == 3:
            image = gray(seen.chosen[name][:1])[0]
            yield Tiles(name, [Tile("", image, f"the example: from {figure(image.min())} to {figure(image.max())}")])


def _maps(layer: Layer) -> Tiles:
    maps = np.moveaxis(layer.a[0], -1, 0)[:MOST_CHANNELS]
    return Tiles(
        layer.name,
        [
            Tile(str(c), values, f"{layer.name}, channel {c}: from {figure(values.min())} to {figure(values.max())}")
            for c, values in enumerate(maps)
        ],
    )


FEATURES = Picture(
    "features", "what each channel of the convolutions makes of one example", "convolutions", "Feature maps", draw
)
