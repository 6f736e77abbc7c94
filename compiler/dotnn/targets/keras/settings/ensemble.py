"""`ensemble`: a training is that of one member, on a bag of the examples, and there are functions of all members."""

from __future__ import annotations

from dotnn.codegen.ensemble import functions
from dotnn.model.model import Model
from dotnn.model.settings.ensemble import Bag
from dotnn.targets.keras.settings import Setting


def _lines(model: Model, bag: Bag) -> list[str]:
    return "\n\n\n".join(functions(model, bag)).split("\n")


ENSEMBLE = Setting("ensemble", _lines)
