"""The image that each unit of the output would have the highest score for."""

from __future__ import annotations

from collections.abc import Sequence

from dotnn.reports.drawing.marks import figure
from dotnn.reports.drawing.tiles import Tile, Tiles, draw_tiles, gray
from dotnn.reports.pictures.base import Picture
from dotnn.reports.preferred import Preferred, preferred_inputs
from dotnn.reports.seen import Classes, Seen


def draw(seen: Seen) -> str:
    """Return an image for each unit, of the norm of the training examples, in their range of values."""
    shapes = [v.type.example for v in seen.graph.inputs.values()]
    if len(shapes) != 1 or len(shapes[0]) not in (2, 3) or min(shapes[0][:2]) < 3:
        return ""
    found = preferred_inputs(seen)
    if found is None:
        return ""
    images = gray(found.inputs) if len(shapes[0]) == 3 else found.inputs
    tiles = [
        Tile(name, image, f"{name}: score {figure(score)}")
        for name, image, score in zip(_names(seen, found), images, found.scores, strict=True)
    ]
    title = f"{seen.model.name}: the image that each unit of {found.output} prefers"
    return draw_tiles(title, f"{len(images)} images of the examples' mean norm", [Tiles("", tiles)])


def _names(seen: Seen, found: Preferred) -> Sequence[str]:
    """Return the classes that the units stand for, their numbers where they stand for none."""
    units, all_units = len(found.scores), seen.graph.outputs[found.output].type.example[0]
    labels = [one.labels for one in seen.compared if isinstance(one, Classes) and one.output == found.output]
    fitting = [names for names in labels if len(names) == all_units]
    return fitting[0][:units] if fitting else [str(unit) for unit in range(units)]


PREFERRED = Picture(
    "preferred",
    "the image for which a unit's score is highest",
    "outputs of networks that read one image",
    "What units prefer",
    draw,
)
