"""How the members of the library are written for TensorFlow, one file a family. `call` says what a Keras layer is.

A member without a rule is written from its formula where TensorFlow has the words, or refused with the spec's line;
`counterparts` says which.
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
    ValueRule,
)

LAYERS: Mapping[str, LayerRule] = collect(__name__, __path__, LayerRule)
VALUES: Mapping[str, ValueRule] = collect(__name__, __path__, ValueRule)
LOSSES: Mapping[str, LossRule] = collect(__name__, __path__, LossRule)
OPTIMIZERS: Mapping[str, OptimizerRule] = collect(__name__, __path__, OptimizerRule)
PENALTIES: Mapping[str, PenaltyRule] = collect(__name__, __path__, PenaltyRule)
CLIPS: Mapping[str, ClipRule] = collect(__name__, __path__, ClipRule)
CONSTRAINTS: Mapping[str, ConstraintRule] = collect(__name__, __path__, ConstraintRule)
NOTES: Mapping[str, Note] = collect(__name__, __path__, Note)

Rule = LayerRule | OptimizerRule | PenaltyRule | ClipRule | ConstraintRule
"""What knows the name of a member in Keras."""
