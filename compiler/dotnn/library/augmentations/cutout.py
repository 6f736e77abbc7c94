"""A square of an image hidden."""

from dotnn.core.arguments import POSITIVE_INT, Arg, Attrs
from dotnn.library.augmentations.base import Augmentation, Shape


def _misfit(attrs: Attrs, shape: Shape) -> str:
    return "" if attrs["size"] < min(shape[:2]) else f"a square of {attrs['size']} may hide the whole of it"


CUTOUT = Augmentation(
    "cutout",
    "A square of zeros, whose centre is at a random place: a part of it may lie outside.",
    (Arg("size", POSITIVE_INT, doc="the side of the square, in elements"),),
    draws=lambda attrs, shape: {"centres": f"rng.integers(0, {list(shape[:2])}, (count, 2))"},
    apply=lambda attrs: f"without_squares({{values}}, centres, {attrs['size']})",
    misfit=_misfit,
    source="DeVries and Taylor 2017",
)
