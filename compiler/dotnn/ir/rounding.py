"""Another arithmetic: every number is moved by a unit in the last place, up or down by chance, as it is computed.

Stochastic arithmetic: Vignes 1993, "A stochastic arithmetic for reliable scientific computation".
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from dotnn_runtime.gradcheck.probing.rounding import EPSILON, Arithmetic


class RandomRounding:
    """The moves of one computation, drawn from `chance`; `ir.interpret.run` takes it as `rounded`."""

    def __init__(self, chance: np.random.Generator) -> None:
        self.chance = chance

    def __call__(self, value: object, operands: list[np.ndarray]) -> np.ndarray:
        """Return a value rounded in another way, as the numbers of a script are in the validator's arithmetic."""
        return np.asarray(Arithmetic(self.chance).rounded(np.asarray(value), operands))

    def moved(self, params: Mapping[str, np.ndarray], *, ties: bool) -> dict[str, np.ndarray]:
        """Return parameters moved likewise; with `ties` zeros, too, by a unit in the last place of 1."""
        zero = 1.0 if ties else 0.0
        return {name: w + self._units(w) * np.where(w, w, zero) for name, w in params.items()}

    def _units(self, x: np.ndarray) -> np.ndarray:
        """Return for every number a unit in the last place of 1, up or down."""
        return np.asarray(EPSILON * self.chance.choice([-1.0, 1.0], np.shape(x)))
