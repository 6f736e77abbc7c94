"""How far two trainings are apart: distances of tensors that mean the same at every size."""

from __future__ import annotations

import math
from collections.abc import Container

import numpy as np

Arrays = dict[str, np.ndarray]
Step = tuple[float, Arrays, Arrays]
"""The loss, the gradients and the weights of a training step."""
Distance = tuple[str, str, float]
"""Kind (loss, gradient or weight), name and distance of a tensor."""

NOISE = {"loss": 0.0, "gradient": 1e-6, "weight": 1e-3}
"""A tensor is compared relative to its own size, or to this share of the largest of its kind.

An optimizer such as Adam makes a step of a gradient that is nothing but rounding: weights need the larger share.
"""


class Distances:
    """Distances of tensors, relative to their size, or to the share `NOISE` of the largest of their kind so far.

    Rounding does not shrink with a gradient that cancels out, as that of a bias does near the minimum. `zeros` are the
    parameters that the loss does not depend on.
    """

    def __init__(self, zeros: Container[str]) -> None:
        self.zeros = zeros
        self.largest: dict[str, float] = {}

    def __call__(self, ours: Step, theirs: Step) -> list[Distance]:
        """Return the distances of the losses, the gradients and the weights of both."""
        (loss, grads, weights), (their_loss, their_grads, their_weights) = ours, theirs
        # Where the loss does not depend on a weight, TensorFlow's gradient is rounding, which Adam makes steps of.
        trained = {name: w for name, w in weights.items() if name not in self.zeros}
        return [
            *self._of("loss", {"": np.asarray(loss)}, {"": np.asarray(their_loss)}),
            *self._of("gradient", dict(reversed(grads.items())), their_grads),
            *self._of("weight", trained, their_weights),
        ]

    def _of(self, kind: str, ours: Arrays, theirs: Arrays) -> list[Distance]:
        sizes = {name: _norm(a) for name, a in ours.items()}
        self.largest[kind] = largest = max([self.largest.get(kind, 0.0), *sizes.values()])
        floors = {name: largest * (1.0 if name in self.zeros else NOISE[kind]) for name in ours}
        far = {name: _distance(a, theirs[name]) for name, a in ours.items()}
        scales = {name: max(sizes[name], floors[name]) or 1.0 for name in ours}
        return [(kind, n, error / scales[n] if math.isfinite(error) else error) for n, error in far.items()]


def _distance(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Return the norm of the difference; where something is not finite, NaN for both, infinity for one of them."""
    finite = [bool(np.isfinite(a).all()) for a in (ours, theirs)]
    return _norm(ours - theirs) if all(finite) else math.inf if any(finite) else math.nan


def _norm(a: np.ndarray) -> float:
    """Return the norm, whose squares do not overflow: a training that diverges has numbers that large."""
    largest = float(np.abs(a).max(initial=0.0))
    return largest * float(np.linalg.norm(a / largest)) if 0 < largest < math.inf else largest
