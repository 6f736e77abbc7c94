"""The usual metrics."""

from __future__ import annotations

from dotnn.metrics import Metric

ACCURACY = Metric(
    "accuracy",
    "The share of examples that are classified correctly.",
    {
        "class": "accuracy_class",
        "distribution": "accuracy_onehot",
        "unit": "accuracy_binary",
        "sign": "accuracy_sign",
    },
)
_REAL = ("real", "unit", "sign", "distribution")
MAE = Metric("mae", "The mean absolute error, in the target's own units.", dict.fromkeys(_REAL, "mae"), "min")
RMSE = Metric("rmse", "The root mean squared error, in the target's own units.", dict.fromkeys(_REAL, "rmse"), "min")
R2 = Metric("r2", "The coefficient of determination.", dict.fromkeys(_REAL, "r2"))
