"""What units look for in an image: the kernels of the first convolution, or the weights of units that read an image."""

from __future__ import annotations

import numpy as np

from dotnn.reports.pictures.base import Array, Picture, draw_shades, figure, signed_shades
from dotnn.reports.seen import Seen
from dotnn_runtime.pictures.draw import box, group, path, text
from dotnn_runtime.pictures.style import STYLE
from dotnn_runtime.pictures.svg import frame, text_of

SIDE, GAP, TOP, ACROSS, MOST = 56.0, 14.0, 44.0, 8, 32


def draw(seen: Seen) -> str:
    """Return the weights of each unit as an image: blue above 0, orange below, all on one scale."""
    name, images = _images(seen)
    if not len(images):
        return ""
    images = images[:MOST]
    rows = (len(images) + ACROSS - 1) // ACROSS
    largest = float(np.abs(images).max())
    title = f"{seen.model.name}: what the units of {name} look for"
    ends = f"from {figure(images.min())} to {figure(images.max())}"
    described = f"{len(images)} images of {images.shape[1]} by {images.shape[2]} weights, {ends}"
    width, height = 32 + ACROSS * (SIDE + GAP), TOP + rows * (SIDE + GAP + 14) + 20
    root = frame(f"{width:.0f}", f"{height:.0f}", title=title, description=described, style=STYLE)
    text(root, 16, 24, title, "title")
    for number, image in enumerate(images):
        left, top = 16 + (SIDE + GAP) * (number % ACROSS), TOP + (SIDE + GAP + 14) * (number // ACROSS)
        of = group(root, f"unit {number}: from {figure(image.min())} to {figure(image.max())}")
        text(of, left, top + 10, str(number), "small")
        draw_shades(of, left, top + 14, (SIDE, SIDE), *signed_shades(image, largest))
        path(of, box(left, top + 14, SIDE, SIDE), "frame")
    text(root, 16, height - 6, f"blue above 0, orange below; full colour at ±{figure(largest)}", "small")
    return text_of(root)


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
                return step.path, images.mean(axis=3) if len(shape) == 3 else images
    return "", np.zeros(0)


FILTERS = Picture(
    "filters", "the weights of units that read an image", "units that read an image", "What units look for", draw
)
