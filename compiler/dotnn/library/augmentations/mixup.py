"""Examples mixed with others, inputs and targets alike."""

from dotnn.core.arguments import POSITIVE, Arg
from dotnn.library.augmentations.base import Augmentation

MIXUP = Augmentation(
    "mixup",
    "Each example mixed with another one of the training part: λ x + (1 - λ) x', the targets, too; λ is drawn from "
    "Beta(`alpha`, `alpha`).",
    (Arg("alpha", POSITIVE, 0.2, "the smaller, the closer to one of the two"),),
    draws=lambda attrs, shape: {
        "shares": f"rng.beta({attrs['alpha']}, {attrs['alpha']}, count)",
        "others": "rng.permutation(count)",
    },
    apply=lambda attrs: "mixed_examples({values}, shares, others)",
    of="all",
    source="Zhang et al. 2018",
)
