"""Images turned about their centre."""

from dotnn.core.arguments import Arg, number
from dotnn.library.augmentations.base import Augmentation

ANGLE = number("a number above 0, up to 180", lambda v: 0 < v <= 180)
ROTATE = Augmentation(
    "rotate",
    "Turned about the centre, by up to so many degrees to the left or to the right; bilinear between elements.",
    (Arg("degrees", ANGLE, doc="the largest angle, in degrees"),),
    draws=lambda attrs, shape: {"degrees": f"rng.uniform({-attrs['degrees']}, {attrs['degrees']}, count)"},
    apply=lambda attrs: "turned_images({values}, degrees)",
)
