"""Losses for classes."""

from __future__ import annotations

from dotnn.core.arguments import FRACTION, WEIGHTS, Arg
from dotnn.library.losses.base import Loss, reduce_arg

BCE = Loss(
    "bce",
    "Binary cross-entropy of a probability; fused with a sigmoid that produces it.",
    "bce",
    "unit",
    averages=True,
    args=(
        reduce_arg("mean"),
        Arg(
            "class_weight",
            WEIGHTS,
            None,
            "what the loss of a 0 and that of a 1 are multiplied by, [1, 5]; the mean is over examples, as in Keras",
        ),
    ),
    equation="E = -mean (t log p + (1 - t) log(1 - p))",
    term="-(t * log(y) + (1 - t) * log(1 - y))",
)
CROSS_ENTROPY = Loss(
    "cross_entropy",
    "Categorical cross-entropy of probabilities, for class numbers or one-hot rows; fused with a softmax that"
    " produces them.",
    "cross_entropy",
    "class",
    args=(
        Arg("smoothing", FRACTION, 0.0, "target probability moved to all classes evenly"),
        reduce_arg("mean"),
        Arg(
            "class_weight",
            WEIGHTS,
            None,
            "what the loss of an example of each class is multiplied by; the mean is over examples, as in Keras",
        ),
    ),
    equation="E = -mean over examples of sum_k t_k log p_k",
)
HINGE = Loss(
    "hinge",
    "Zero once the margin t y reaches 1; targets are -1 and +1.",
    "hinge",
    "sign",
    averages=True,
    args=(reduce_arg("mean"),),
    equation="E = mean max(1 - t y, 0)",
    term="maximum(1 - t * y, 0)",
)
PERCEPTRON = Loss(
    "perceptron",
    "The perceptron criterion: -t y summed over misclassified examples; targets are -1 and +1.",
    "perceptron",
    "sign",
    args=(reduce_arg("sum"),),
    equation="E = -sum of t y where t y <= 0",
    term="where(t * y <= 0, -t * y, 0)",
)
