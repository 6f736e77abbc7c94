"""What another target must offer so that its gradients and its training can be compared with a NumPy script's."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Protocol

import numpy as np

from dotnn_runtime.gradcheck import Witness

Arrays = dict[str, np.ndarray]


class Peer(Protocol):
    """The network of a spec in another target's hands, computing in float64 until the end of its `with` block.

    It draws nothing itself: what the NumPy script draws (dropout masks, noise) `draw` keeps.
    """

    title: str
    module: ModuleType
    network: object

    def __enter__(self) -> Peer:
        """Return itself."""
        ...

    def __exit__(self, *error: object) -> None:
        """Put the precision back."""
        ...

    def draw(self, params: Arrays, batch: Arrays, rng: np.random.Generator, piece: int = 0) -> None:
        """Keep what a NumPy script draws in a forward pass with this generator, in pieces of so many examples."""
        ...

    def witness(self) -> Witness:
        """Return the loss, the outputs and the gradients at a point, with the draws that a NumPy script makes there."""
        ...

    def make_step(self) -> Callable[[Arrays, float], tuple[float, Arrays]]:
        """Return a function that takes one step on a batch at a learning rate and returns the loss and the gradients
        before it."""
        ...
