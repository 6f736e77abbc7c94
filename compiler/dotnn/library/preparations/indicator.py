"""Where the gaps of another input are: an input of its own."""

from __future__ import annotations

from dotnn.library.preparations.base import Preparation

INDICATOR = Preparation(
    "indicator",
    "1 where the other input has a gap, else 0.",
    "input",
    gaps=True,
    apply=lambda attrs, shape: "np.isnan({values}).astype(float)",
    bare=lambda attrs, shape: "np.isnan({values}).astype(dtype)",
)
