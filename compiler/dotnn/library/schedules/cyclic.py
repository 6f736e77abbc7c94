"""Schedules whose rate rises again and again."""

from __future__ import annotations

from dotnn.core.arguments import NON_NEGATIVE, POSITIVE, POSITIVE_DURATION, Arg
from dotnn.ir.expr import equations
from dotnn.library.schedules import Schedule, peak

_EVERY = Arg("every", POSITIVE_DURATION, doc="the length of a cycle")
_CYCLES = "cycles = round(step / every, 9) // 1"  # 7% of 30 is 2.1, and 21 // 2.1 is 9
_SHARE = "x = step / every - cycles"

CYCLIC = Schedule(
    "cyclic",
    "Rises from `base` to the peak and falls back, in straight lines, once in every cycle.",
    (
        peak("learning rate at the peak"),
        Arg("base", NON_NEGATIVE, doc="learning rate where a cycle begins and ends"),
        _EVERY,
        Arg("factor", POSITIVE, 1.0, "what the height of the peak above `base` is multiplied by after a cycle"),
    ),
    equations(_CYCLES, _SHARE, "lr = base + (lr - base) * factor ** cycles * (1 - abs(2 * x - 1))"),
    "Smith 2017, Section 3.2: triangular; with factor = 0.5, triangular2",
)
RESTARTS = Schedule(
    "restarts",
    "Falls along half a wave of the cosine, and begins again from the peak once in every cycle.",
    (peak("learning rate where a cycle begins"), _EVERY, Arg("end", NON_NEGATIVE, 0.0, "what a cycle falls to")),
    equations(_CYCLES, _SHARE, "lr = end + (lr - end) * (1 + cos(pi * x)) / 2"),
    "Loshchilov and Hutter 2017, Eq. 5, with T_mult = 1",
)
