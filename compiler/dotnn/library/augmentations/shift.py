"""Images moved up or down, left or right."""

from dotnn.core.arguments import POSITIVE_INT, Arg, Attrs
from dotnn.library.augmentations.base import Augmentation, Shape


def _misfit(attrs: Attrs, shape: Shape) -> str:
    return "" if attrs["by"] < min(shape[:2]) else f"moved by {attrs['by']}, nothing of it may be left"


SHIFT = Augmentation(
    "shift",
    "Moved by whole elements, up to so many up or down, and left or right.",
    (Arg("by", POSITIVE_INT, doc="how many elements at most"),),
    draws=lambda attrs, shape: {"steps": f"rng.integers({-attrs['by']}, {attrs['by'] + 1}, (count, 2))"},
    apply=lambda attrs: "moved_images({values}, steps)",
    misfit=_misfit,
)
