"""Gaussian noise on gradients and weights."""

import typing

import numpy as np


def with_noise(
    arrays: dict[str, np.ndarray], deviation: float, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Return arrays by name, each with independent Gaussian noise of this standard deviation added."""
    return {name: a + deviation * rng.standard_normal(a.shape, a.dtype) for name, a in arrays.items()}


def add_noise(arrays: list[np.ndarray], deviation: float, rng: np.random.Generator) -> None:
    """Add independent Gaussian noise of this standard deviation to arrays, in place."""
    for a in arrays:
        a += deviation * rng.standard_normal(a.shape, a.dtype)


def at_noisy_weights(
    step: typing.Callable[..., float],
    w: np.ndarray,
    weights: list[np.ndarray],
    deviation: float,
) -> typing.Callable[..., float]:
    """Return a step that is taken at weights with Gaussian noise, which are put back after it.

    `weights` are views of the buffer `w`; the step takes the rows and a generator.
    """
    kept = np.empty_like(w)

    def noisy_step(chosen: np.ndarray | None, rng: np.random.Generator) -> float:
        np.copyto(kept, w)
        add_noise(weights, deviation, rng)
        loss = step(chosen, rng)
        np.copyto(w, kept)
        return loss

    return noisy_step
