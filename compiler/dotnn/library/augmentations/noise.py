"""Gaussian noise on inputs."""

from dotnn.core.arguments import POSITIVE, Arg
from dotnn.library.augmentations.base import Augmentation

NOISE = Augmentation(
    "noise",
    "Gaussian noise on all numbers, of whatever shape.",
    (Arg("sigma", POSITIVE, doc="standard deviation, in the units that the network sees"),),
    draws=lambda attrs, shape: {},
    apply=lambda attrs: f"plus_noise({{values}}, {attrs['sigma']}, rng)",
    of="input",
)
