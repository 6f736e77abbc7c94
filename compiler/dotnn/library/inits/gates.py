"""The bias of an LSTM layer."""

from __future__ import annotations

from dotnn.library.inits.base import Init

FORGET_ONE = Init(
    "forget_one",
    "Zero, but 1 for the second of four gates: an LSTM starts by remembering (Jozefowicz et al. 2015).",
    "forget_one({shape})",
    helpers=("forget_one",),
)
