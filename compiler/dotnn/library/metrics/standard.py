"""The usual metrics."""

from __future__ import annotations

from dotnn.core.arguments import Arg, choice
from dotnn.library.metrics import Metric

ACCURACY = Metric(
    "accuracy",
    "The share of examples that are classified correctly; of several outputs without classes, the share of numbers.",
    {
        "class": "accuracy_class",
        "distribution": "accuracy_onehot",
        "unit": "accuracy_binary",
        "sign": "accuracy_sign",
        "binary": "accuracy_binary",
    },
)
F1 = Metric(
    "f1",
    "The harmonic mean of precision and recall.",
    {"class": "f1_class", "distribution": "f1_onehot", "unit": "f1_binary", "binary": "f1_binary"},
    args=(
        Arg(
            "average",
            choice("macro", "weighted", "micro"),
            "macro",
            "over the classes: plain, by how often a class is true, or of all counts together",
        ),
    ),
    args_for=("class", "distribution"),
)
_REAL = ("real", "unit", "sign", "distribution")
MAE = Metric(
    "mae",
    "The mean absolute error of all examples and outputs, in the target's own units.",
    dict.fromkeys(_REAL, "mae"),
    "min",
)
RMSE = Metric(
    "rmse",
    "The root of `mse`, the mean squared error of all examples and outputs, in the target's own units.",
    dict.fromkeys(_REAL, "rmse"),
    "min",
)
R2 = Metric("r2", "The coefficient of determination of each output, averaged over them.", dict.fromkeys(_REAL, "r2"))
