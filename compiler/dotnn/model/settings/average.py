"""`average = ema(0.999)`: what is evaluated and kept is an average of the weights."""

from __future__ import annotations

from dotnn.core.arguments import Arg, Symbol, registered
from dotnn.library.averages import AVERAGES
from dotnn.model.settings import Setting, plain

KIND = registered("average", "an average such as ema(0.999) or last(5)")
AVERAGE = Setting(
    "average",
    "an average of the weights, `ema(0.999)` or `last(5)`, which is validated, returned and kept; default: none",
    plain(Arg("average", KIND, Symbol("none"))),
    args=tuple((a.name, a.args) for a in AVERAGES.values()),
)
