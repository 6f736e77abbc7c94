"""The moving average of all updates, and the mean of the last epochs."""

from __future__ import annotations

from dotnn.core.arguments import POSITIVE_INT, Arg, number
from dotnn.ir.expr import equations
from dotnn.library.averages import Average

EMA = Average(
    "ema",
    "The exponential moving average over all updates; it begins as the weights after the first one.",
    "a = decay * a + (1 - decay) * w",
    "Polyak and Juditsky 1992; Tarvainen and Valpola 2017",
    (
        Arg(
            "decay",
            number("a number between 0 and 1", lambda v: 0 < v < 1),
            0.999,
            "how much of the average is kept at every update",
        ),
    ),
    lambda attrs: equations("a = decay * a + (1 - decay) * w"),
)
LAST = Average(
    "last",
    "The mean of the weights after the last epochs, or with `last(updates = 20)` after the last updates.",
    "a = (w of this epoch + … + w of the epoch `epochs` - 1 before) / `epochs`",
    "Izmailov et al. 2018; Vaswani et al. 2017, Section 6.1",
    (
        Arg("epochs", POSITIVE_INT, None, "how many epochs; at first, as many as there are"),
        Arg("updates", POSITIVE_INT, None, "how many updates, in place of epochs"),
    ),
)
