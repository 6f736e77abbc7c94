"""What each loss is of a single step, written out: for tests of what counts how often."""

from collections.abc import Callable
from functools import cache

import numpy as np
from samples import loss_settings, loss_spec
from scipy import special
from support import model_of

from dotnn.ir.interpret import evaluate
from dotnn.ir.node import Node
from dotnn.library.losses import LOSSES
from dotnn.session import lower

OF_A_STEP = {
    "half_sse": lambda y, t: 0.5 * sum((t - y) ** 2),
    "sse": lambda y, t: sum((t - y) ** 2),
    "mse": lambda y, t: sum((t - y) ** 2) / 3,
    "l1": lambda y, t: sum(abs(t - y)) / 3,
    "huber": lambda y, t: sum(special.huber(1, y - t)) / 3,
    "bce": lambda y, t: -sum(special.xlogy(t, y) + special.xlog1py(1 - t, -y)) / 3,
    "cross_entropy": lambda y, t: -sum((np.eye(3)[t] if t.ndim == 0 else t) * np.log(y)),
    "hinge": lambda y, t: sum(max(1 - a * b, 0) for a, b in zip(y, t, strict=True)) / 3,
    "perceptron": lambda y, t: sum(-a * b for a, b in zip(y, t, strict=True) if a * b <= 0),
}
"""The loss of one step with three features, written out."""


def of_a_step(name: str) -> Callable[[np.ndarray, np.ndarray], float]:
    """The loss of one step: as it is written out here, or what the op of a loss that joined later says of it."""
    return OF_A_STEP.get(name, lambda y, t: evaluate(_node(name), [y[None], t[None]], None, True))


@cache
def _node(name: str) -> Node:
    target, stage = next((target, stage) for known, target, stage in loss_settings() if known == name)
    graph = lower(model_of(loss_spec(f"{name}(y, t)", target, stage)))
    return next(node for node in graph.nodes if node.op == LOSSES[name].op)


def of_an_example(name: str, steps: list[float]) -> float:
    """The loss of an example: the mean over its steps, or, as over its features, their sum."""
    summed = not LOSSES[name].averages and LOSSES[name].target != "class"
    return sum(steps) if summed else sum(steps) / len(steps)
