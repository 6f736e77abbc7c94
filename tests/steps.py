"""What each loss is of a single step, written out: for tests of what counts how often."""

import numpy as np
from scipy import special

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
