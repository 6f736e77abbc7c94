"""What trains: optimizers, penalties, clipping and constraints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dotnn.targets.keras.rules.base import ClipRule, ConstraintRule, OptimizerRule, PenaltyRule


def _steady_sgd(attrs: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the update with v / -lr as the velocity.

    XLA of TensorFlow 2.21 takes twice as long for `w + v`, a lone addition of arrays, as for `w - lr * v`.
    """
    if not attrs["momentum"] or attrs["nesterov"]:
        return ()
    return ("v = momentum * v + g", "w = w - lr * v")


SGD = OptimizerRule(
    "sgd", "SGD", lambda attrs: {n: attrs[n] for n in ("momentum", "nesterov") if attrs[n]}, steady=_steady_sgd
)
RMSPROP = OptimizerRule("rmsprop", "RMSprop", lambda attrs: {n: attrs[n] for n in ("rho", "epsilon")})
ADAGRAD = OptimizerRule(
    "adagrad",
    "Adagrad",
    lambda attrs: {"initial_accumulator_value": attrs["start"], "epsilon": attrs["epsilon"]},
)
ADAM = OptimizerRule("adam", "Adam", remark="which places epsilon before the correction")
ADAMW = OptimizerRule("adamw", "AdamW", remark="which places epsilon before the correction")

L1 = PenaltyRule("l1", "L1")
L2 = PenaltyRule("l2", "L2")
WEIGHT_DECAY = PenaltyRule("weight_decay", "", "weight_decay of the optimizer")

VALUE = ClipRule("value", "clipvalue")
NORM = ClipRule("norm", "clipnorm", squares=True)
GLOBAL_NORM = ClipRule("global_norm", "global_clipnorm", squares=True)

MAX_NORM = ConstraintRule("max_norm", "MaxNorm", "as MaxNorm(limit, axis=0), which divides by |w| + 1e-7")
BOUNDS = ConstraintRule("bounds", "Bounds", "NonNeg is bounds(0, 1e30)")
