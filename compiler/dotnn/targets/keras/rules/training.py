"""What trains: optimizers, penalties, clipping and constraints."""

from __future__ import annotations

from dotnn.targets.keras.rules.base import ClipRule, ConstraintRule, OptimizerRule, PenaltyRule

SGD = OptimizerRule("sgd", "SGD", lambda attrs: {n: attrs[n] for n in ("momentum", "nesterov") if attrs[n]})
RMSPROP = OptimizerRule("rmsprop", "RMSprop", lambda attrs: {n: attrs[n] for n in ("rho", "epsilon")})
ADAGRAD = OptimizerRule(
    "adagrad",
    "Adagrad",
    lambda attrs: {"initial_accumulator_value": attrs["start"], "epsilon": attrs["epsilon"]},
)
_EPSILON = "which adds epsilon before it corrects the bias of v"
ADAM = OptimizerRule("adam", "Adam", remark=_EPSILON)
ADAMW = OptimizerRule("adamw", "AdamW", remark=_EPSILON)

L1 = PenaltyRule("l1", "L1")
L2 = PenaltyRule("l2", "L2")
WEIGHT_DECAY = PenaltyRule("weight_decay", "", "weight_decay of the optimizer")

VALUE = ClipRule("value", "clipvalue")
NORM = ClipRule("norm", "clipnorm", squares=True)
GLOBAL_NORM = ClipRule("global_norm", "global_clipnorm", squares=True)

MAX_NORM = ConstraintRule("max_norm", "MaxNorm", "as MaxNorm(limit, axis=0), which divides by |w| + 1e-7")
BOUNDS = ConstraintRule("bounds", "Bounds", "NonNeg is bounds(0, 1e30)")
