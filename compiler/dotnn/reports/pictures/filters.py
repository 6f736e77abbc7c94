"""What units look for in an image: the kernels of the first convolution, or the weights of units that read an image."""

from __future__ import annotations

import numpy as np

from dotnn.reports.drawing.marks import Array, figure
from dotnn.reports.drawing.tiles import Tile, Tiles, draw_tiles, gray
from dotnn.reports.pictures.base import Picture
from dotnn.reports.seen import Seen

MOST = 32


def draw(seen: Seen) -> str:
    """Return the weights of each unit as an image, all on one scale."""
    name, images = _images(seen)
    if not len(images):
        return ""
    images = images[:MOST]
    ends = f"from {figure(images.min())} to {figure(images.max())}"
    described = f"{len(images)} images of {images.shape[1]} by {images.shape[2]} weights, {ends}"
    tiles = [
        Tile(str(unit), image, f"unit {unit}: from {figure(image.min())} to {figure(image.max())}")
        for unit, image in enumerate(images)
    ]
    return draw_tiles(f"{seen.model.name}: what the units of {name} look for", described, [Tiles("", tiles)])


def _images(seen: Seen) -> tuple[str, Array]:
    """Return the first weights that are images, by unit; of several channels their mean."""
    shapes = [d.type.example for d in seen.model.inputs.values() if len(d.type.example) in (2, 3)]
    for step in seen.model.steps:
        for name in step.params.values():
            w = seen.params.get(name, np.zeros(0))
            if w.ndim == 4 and max(w.shape[:2]) > 1:  # [height, width, channels, units]
                return step.path, np.moveaxis(w.mean(axis=2), -1, 0)
            shape = next((s for s in shapes if w.ndim == 2 and w.shape[0] == np.prod(s)), None)
            if shape is not None and min(shape[:2]) > 2:
                images = w.T.reshape(-1, *shape)
                return step.path, gray(images) if len(shape) == 3 else images
    return "", np.zeros(0)


FILTERS = Picture(
    "filters", "the weights of units that read an image", "units that read an image", "What units look for", draw
)
