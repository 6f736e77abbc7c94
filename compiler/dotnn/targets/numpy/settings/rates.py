"""`rates`: the update reads `RATES`, by the name of each parameter; the loop is the same."""

from __future__ import annotations

from dotnn.codegen.parts import Part
from dotnn.targets.numpy.settings import Writer

RATES = Writer("rates", lambda model, value, names, place: Part(), lambda model, value, names: Part())
