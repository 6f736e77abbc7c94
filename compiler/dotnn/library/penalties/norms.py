"""The norms of the weights, and decoupled decay."""

from __future__ import annotations

from dotnn.core.arguments import NON_NEGATIVE, Arg
from dotnn.library.penalties import Penalty

_STRENGTH = (Arg("strength", NON_NEGATIVE, 0.01, "factor of the penalty"),)

L1 = Penalty("l1", "strength times the sum of |W|, added to the loss.", "l1_penalty", _STRENGTH)
L2 = Penalty("l2", "strength times the sum of W² (no 1/2), added to the loss.", "l2_penalty", _STRENGTH)
WEIGHT_DECAY = Penalty(
    "weight_decay",
    "Decoupled decay: every update also subtracts lr strength W (Loshchilov and Hutter 2019); not part of the loss.",
    "",
    _STRENGTH,
)
