"""Images mirrored."""

from dotnn.core.arguments import Arg, Attrs, choice
from dotnn.library.augmentations.base import Augmentation

AXES = {"vertical": 1, "horizontal": 2}


def _apply(attrs: Attrs) -> str:
    return f"mirrored_images({{values}}, which, axis={AXES[attrs['along']]})"


FLIP = Augmentation(
    "flip",
    "Half of them mirrored: `horizontal` swaps left and right, `vertical` top and bottom; `[flip(horizontal), "
    "flip(vertical)]` does both.",
    (Arg("along", choice("horizontal", "vertical"), doc="which sides are swapped"),),
    draws=lambda attrs, shape: {"which": "rng.random(count) < 0.5"},
    apply=_apply,
)
