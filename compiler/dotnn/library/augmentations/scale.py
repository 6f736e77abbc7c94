"""Images enlarged or made smaller."""

from dotnn.core.arguments import Arg
from dotnn.library.augmentations.base import SHARE, Augmentation

SCALE = Augmentation(
    "scale",
    "Enlarged or made smaller about the centre, by a factor from 1 - `by` to 1 + `by`; bilinear between elements.",
    (Arg("by", SHARE, doc="how far the factor is from 1 at most"),),
    draws=lambda attrs, shape: {"factors": f"1 + rng.uniform({-attrs['by']}, {attrs['by']}, count)"},
    apply=lambda attrs: "resized_images({values}, factors)",
)
