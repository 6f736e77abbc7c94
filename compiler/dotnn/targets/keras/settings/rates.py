"""`rates`: the optimizer multiplies the rate of every variable by its factor."""

from __future__ import annotations

from dotnn.model.model import Model
from dotnn.model.settings.rates import Rate
from dotnn.targets.keras.settings import Setting


def _lines(model: Model, rates: tuple[Rate, ...]) -> list[str]:
    return []


RATES = Setting("rates", _lines)
