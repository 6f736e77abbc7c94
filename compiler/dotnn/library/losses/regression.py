"""Losses for real targets."""

from __future__ import annotations

from dotnn.core.arguments import POSITIVE, Arg
from dotnn.library.losses.base import Loss, reduce_arg

HALF_SSE = Loss(
    "half_sse",
    "Half the sum of squared errors: its derivative by y is y - t.",
    "half_sse",
    args=(reduce_arg("sum"),),
    equation="E = 1/2 sum (t - y)²",
    term="(y - t) ** 2 / 2",
)
SSE = Loss(
    "sse",
    "The sum of squared errors.",
    "sse",
    args=(reduce_arg("sum"),),
    equation="E = sum (t - y)²",
    term="(y - t) ** 2",
)
MSE = Loss(
    "mse",
    "The mean squared error, over examples and features.",
    "mse",
    averages=True,
    args=(reduce_arg("mean"),),
    equation="E = mean (t - y)²",
    term="(y - t) ** 2",
)
L1 = Loss(
    "l1",
    "The mean absolute error.",
    "l1",
    averages=True,
    args=(reduce_arg("mean"),),
    equation="E = mean |y - t|",
    term="abs(y - t)",
)
HUBER = Loss(
    "huber",
    "Quadratic for small errors, linear for large ones.",
    "huber",
    averages=True,
    args=(Arg("delta", POSITIVE, 1.0, "where it turns linear"), reduce_arg("mean")),
    equation="E = mean of 1/2 e² where |e| <= delta, else delta (|e| - delta/2)",
    term="where(abs(y - t) <= delta, (y - t) ** 2 / 2, delta * (abs(y - t) - delta / 2))",
)
