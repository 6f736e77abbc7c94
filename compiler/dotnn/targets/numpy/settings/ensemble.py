"""`ensemble`: a training is that of one member, on a bag of the examples, and there are functions of all members."""

from __future__ import annotations

from dotnn.codegen import tree
from dotnn.codegen.called import Names
from dotnn.codegen.ensemble import functions
from dotnn.codegen.parts import Part
from dotnn.model.model import Model
from dotnn.model.settings.ensemble import Bag
from dotnn.targets.numpy.settings import Writer


def _part(model: Model, bag: Bag, names: Names, place: str = "") -> Part:
    return Part([tree.Prose(text) for text in functions(model, bag)], resampled=True)


ENSEMBLE = Writer("ensemble", _part, _part)
