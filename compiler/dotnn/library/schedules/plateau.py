"""The schedules that wait for a quantity to improve."""

from __future__ import annotations

from dotnn.core.arguments import NON_NEGATIVE, POSITIVE, POSITIVE_INT, QUANTITY, Arg, Symbol, integer, number
from dotnn.ir.expr import equations
from dotnn.library.schedules import Schedule, peak

_COUNT = integer("a whole number that is not negative", lambda v: v >= 0)
_BELOW_ONE = number("a number between 0 and 1", lambda v: 0 < v < 1)

PLATEAU = Schedule(
    "plateau",
    "Is multiplied by a factor after `patience` epochs in which a quantity did not improve.",
    (
        peak(),
        Arg("quantity", QUANTITY, Symbol("auto"), "what to watch; auto: val_loss where the data are split, else loss"),
        Arg("factor", _BELOW_ONE, 0.1, "what the learning rate is multiplied by"),
        Arg("patience", POSITIVE_INT, 10, "epochs without improvement before that"),
        Arg("min_delta", NON_NEGATIVE, 0.0001, "a smaller change is no improvement"),
        Arg("cooldown", _COUNT, 0, "epochs after a reduction that are not counted"),
        Arg("least", NON_NEGATIVE, 0.0, "the learning rate does not fall below this"),
    ),
    equations("lr = max(factor * lr, least)"),
    "He et al. 2016, Section 3.4, by the rules of Keras's ReduceLROnPlateau",
    watches="Plateau",
)

RISE = Schedule(
    "rise",
    "Is multiplied by a factor above 1 after `patience` epochs in which a quantity did not improve, to get out of a "
    "local minimum; with the next improvement it is the start again.",
    (
        peak(),
        Arg("quantity", QUANTITY, Symbol("auto"), "what to watch; auto: val_loss where the data are split, else loss"),
        Arg("factor", number("a number above 1", lambda v: v > 1), 2.0, "what the learning rate is multiplied by"),
        Arg("patience", POSITIVE_INT, 10, "epochs without improvement before that"),
        Arg("min_delta", NON_NEGATIVE, 0.0001, "a smaller change is no improvement"),
        Arg("most", POSITIVE, 1.0, "the learning rate does not rise above this"),
    ),
    equations("lr = min(factor * lr, most)"),
    "Goodfellow et al. 2016, Section 8.2, on plateaus and local minima",
    watches="Rise",
)
