"""Parts of images in the place of the whole."""

from dotnn.core.arguments import Arg
from dotnn.library.augmentations.base import SHARE, Augmentation

CROP = Augmentation(
    "crop",
    "A part at a random place, brought to the size of the whole: of each side a share from `share` to 1; bilinear "
    "between elements.",
    (Arg("share", SHARE, doc="the smallest share of height and width"),),
    draws=lambda attrs, shape: {
        "shares": f"rng.uniform({attrs['share']}, 1, count)",
        "corners": "rng.random((count, 2))",
    },
    apply=lambda attrs: "image_parts({values}, shares, corners)",
)
