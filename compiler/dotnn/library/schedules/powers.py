"""Schedules that fall like a power."""

from __future__ import annotations

from dotnn.core.arguments import DURATION, NON_NEGATIVE, POSITIVE, POSITIVE_DURATION, Arg, Duration
from dotnn.ir.expr import equations
from dotnn.library.schedules import Schedule, peak

POWER = Schedule(
    "power",
    "Falls like a power of the time, fast at first: after the time `over` it has fallen to a half, with power = 1.",
    (
        peak(),
        Arg("over", POSITIVE_DURATION, doc="the time in which lr / 2 ^ power is reached"),
        Arg("power", POSITIVE, 1.0, "how steeply it falls"),
    ),
    equations("lr = lr / (1 + step / over) ** power"),
    "Robbins and Monro 1951; Senior et al. 2013, power scheduling",
)
POLYNOMIAL = Schedule(
    "polynomial",
    "After the warm-up falls like a power of the time that is left, and reaches `end` with the run.",
    (
        peak("learning rate at the peak: after the warm-up"),
        Arg("power", POSITIVE, 2.0, "1 is a straight line"),
        Arg("warmup", DURATION, Duration(0), "how long the learning rate rises from 0, in a straight line"),
        Arg("end", NON_NEGATIVE, 0.0, "learning rate at the end"),
    ),
    equations(
        "left = 1 - (step - warmup) / max(steps - warmup, 1)",
        "falling = end + (lr - end) * max(left, 0) ** power",
        "lr = lr * step / warmup if step < warmup else falling",
    ),
    "Chen et al. 2018 (DeepLab), Section 4.1: the poly policy",
)
