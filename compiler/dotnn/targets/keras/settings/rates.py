"""`rates`: the optimizer multiplies the rate of every variable by its factor."""

from __future__ import annotations

from collections.abc import Mapping

from dotnn.core.diagnostics import CompileError
from dotnn.model import messages
from dotnn.model.model import Model
from dotnn.model.settings.rates import Rate, factors
from dotnn.targets.keras.settings import Setting


def _lines(model: Model, rates: tuple[Rate, ...]) -> list[str]:
    return []


def check_stacked(model: Model, stacked: Mapping[str, tuple[str, ...]]) -> None:
    """Raise `CompileError` where parameters that are one variable in Keras have rates of their own."""
    of_parts = factors(model)
    for rows in stacked.values():
        if len({of_parts.get(name, 1.0) for name in rows}) > 1:
            reason = f"{' and '.join(rows)} are one variable in Keras, and have two rates"
            span, help = model.train.settings["rates"].span, "name all of them, or use --target numpy"
            found = messages.training.setting_unwritten(span, "rates", "TensorFlow", reason, help)
            raise CompileError([found], model.source)


RATES = Setting("rates", _lines)
