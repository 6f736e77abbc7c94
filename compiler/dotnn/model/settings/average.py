"""`average = ema(0.999)`: what is evaluated and kept is an average of the weights."""

from __future__ import annotations

from collections.abc import Iterator

from dotnn.core.arguments import Arg, Bound, Symbol, registered
from dotnn.library.averages import AVERAGES, Average
from dotnn.model.model import Model
from dotnn.model.settings import EACH, Clash, Setting, plain


def _clashes(model: Model, average: Bound[Average]) -> Iterator[Clash]:
    given = [name for name in ("epochs", "updates") if average.attrs.get(name)]
    if average.entry.equations is None and len(given) != 1:
        yield "it is of so many epochs, or of so many updates", "write last(5), or last(updates = 20)"


KIND = registered("average", "an average such as ema(0.999) or last(5)")
AVERAGE = Setting(
    "average",
    "an average of the weights, `ema(0.999)` or `last(5)`, which is validated, returned and kept; default: none",
    plain(Arg("average", KIND, Symbol("none"))),
    _clashes,
    counts=lambda average: bool(average.attrs.get("updates")),
    args=tuple((a.name, a.args) for a in AVERAGES.values()),
    turns=EACH,
)
