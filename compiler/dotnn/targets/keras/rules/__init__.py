"""How the members of the library are written for TensorFlow, one file a family. `call` says what a Keras layer is.

A member without a rule is written from its equation where it has one, or refused with the spec's line.
"""

from collections.abc import Mapping

from dotnn.core.registry import collect
from dotnn.targets.keras.rules.base import (
    ClipRule,
    ConstraintRule,
    LayerRule,
    LossRule,
    Note,
    OptimizerRule,
    PenaltyRule,
)

LAYERS: Mapping[str, LayerRule] = collect(__name__, __path__, LayerRule)
LOSSES: Mapping[str, LossRule] = collect(__name__, __path__, LossRule)
OPTIMIZERS: Mapping[str, OptimizerRule] = collect(__name__, __path__, OptimizerRule)
PENALTIES: Mapping[str, PenaltyRule] = collect(__name__, __path__, PenaltyRule)
CLIPS: Mapping[str, ClipRule] = collect(__name__, __path__, ClipRule)
CONSTRAINTS: Mapping[str, ConstraintRule] = collect(__name__, __path__, ConstraintRule)
NOTES: Mapping[str, Note] = collect(__name__, __path__, Note)

_FAMILIES: Mapping[str, Mapping[str, LayerRule | OptimizerRule | PenaltyRule | ClipRule | ConstraintRule]]
_FAMILIES = {
    "layer": LAYERS,
    "optimizer": OPTIMIZERS,
    "penalty": PENALTIES,
    "clip": CLIPS,
    "constraint": CONSTRAINTS,
}


def says(family: str, member: str) -> str:
    """Return what Keras calls a member of the library, "" where nothing is known of it."""
    rule = _FAMILIES.get(family, {}).get(member) or NOTES.get(f"{family} {member}")
    return rule.says if rule else ""
