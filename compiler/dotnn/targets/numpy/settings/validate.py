"""`validate`: the loop itself has it, with the rule that stops early (`codegen.epochs`); this is what it keeps."""

from __future__ import annotations

from dotnn.codegen.parts import Part
from dotnn.targets.numpy.settings import Writer

KEPT = Part(kept={"validations": "[]"})
VALIDATE = Writer("validate", lambda model, value, names, place: KEPT, lambda model, value, names: KEPT)
