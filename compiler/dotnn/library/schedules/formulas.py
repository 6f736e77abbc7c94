"""Schedules that are a formula over the number of the step."""

from __future__ import annotations

from dotnn.core.arguments import DURATION, NON_NEGATIVE, POSITIVE, POSITIVE_DURATION, Arg, Duration
from dotnn.ir.expr import equations
from dotnn.library.schedules import Schedule, peak

_PEAK = peak("learning rate at the peak: after the warm-up")
_WARMUP = Arg("warmup", DURATION, Duration(0), "how long the learning rate rises from 0, in a straight line")
_END = Arg("end", NON_NEGATIVE, 0.0, "learning rate at the end")
_PROGRESS = "progress = (step - warmup) / max(steps - warmup, 1)"
_RISE = "lr = lr * step / warmup if step < warmup else falling"

COSINE = Schedule(
    "cosine",
    "After the warm-up falls along half a wave of the cosine.",
    (_PEAK, _WARMUP, _END),
    equations(_PROGRESS, "falling = end + (lr - end) * (1 + cos(pi * progress)) / 2", _RISE),
    "Loshchilov and Hutter 2017, Eq. 5, for one cycle; warm-up of Goyal et al. 2017, Section 2.2",
)
LINEAR = Schedule(
    "linear",
    "After the warm-up falls in a straight line.",
    (_PEAK, _WARMUP, _END),
    equations(_PROGRESS, "falling = lr + (end - lr) * progress", _RISE),
    "Devlin et al. 2019, Section A.2",
)
ONE_CYCLE = Schedule(
    "one_cycle",
    "Rises to the peak and falls far below the start, both along half a wave of the cosine.",
    (
        _PEAK,
        Arg("warmup", DURATION, Duration(0.3, "share"), "how long the learning rate rises"),
        Arg("div", POSITIVE, 25.0, "the start is the peak divided by this"),
        Arg("final_div", POSITIVE, 10000.0, "the end is the start divided by this"),
    ),
    equations(
        "rises = step + 1 < warmup",
        "x = (step + 1 - warmup) / ((warmup - 1 if rises else steps - warmup) or 1)",  # -1, then 0 at the peak, then 1
        "low = lr / div if rises else lr / div / final_div",
        "lr = low + (lr - low) * (1 + cos(pi * x)) / 2",
    ),
    "Smith and Topin 2018, with the waves of PyTorch's OneCycleLR",
)
STEP = Schedule(
    "step",
    "Is multiplied by a factor every so often.",
    (
        peak(),
        Arg("every", POSITIVE_DURATION, doc="how long the learning rate stays the same"),
        Arg("factor", POSITIVE, 0.1, "what it is multiplied by then"),
    ),
    # 7% of 30 is 2.1, and 21 // 2.1 is 9
    equations("times = round(step / every, 9) // 1", "lr = lr * factor ** times"),
    "He et al. 2016, Section 4.2",
)
EXPONENTIAL = Schedule(
    "exponential",
    "Falls by the same rate all the time.",
    (
        peak(),
        Arg("rate", POSITIVE, 0.96, "what the learning rate is multiplied by in the time `every`"),
        Arg("every", POSITIVE_DURATION, Duration(1, "epochs"), "the time for one such factor"),
    ),
    equations("lr = lr * rate ** (step / every)"),
    "Keras's ExponentialDecay",
)
WARMUP = Schedule(
    "warmup",
    "Rises from 0 in a straight line and stays.",
    (_PEAK, Arg("over", POSITIVE_DURATION, doc="how long it rises")),
    equations("lr = lr * min(step / over, 1)"),
    "Goyal et al. 2017, Section 2.2",
)
