"""Gradient clipping: `grads` maps parameters to gradients; what comes back has the same keys and shapes."""

import numpy as np


def clip_by_value(grads: dict[str, np.ndarray], limit: float) -> dict[str, np.ndarray]:
    """Return the gradients with every number brought into [-limit, limit]."""
    return {name: np.clip(g, -limit, limit) for name, g in grads.items()}


def clip_by_norm(grads: dict[str, np.ndarray], limit: float) -> dict[str, np.ndarray]:
    """Return the gradients, each scaled down to the norm `limit` where its own norm is larger."""
    return {name: clip_by_global_norm({name: g}, limit)[name] for name, g in grads.items()}


def clip_by_global_norm(grads: dict[str, np.ndarray], limit: float) -> dict[str, np.ndarray]:
    """Return the gradients, all scaled down by one factor where their common norm is larger than `limit`.

    Pascanu et al. 2013, "On the difficulty of training recurrent neural networks", Algorithm 1.
    """
    norm = common_norm(grads)
    if norm < np.inf:
        return {name: g * (limit / max(norm, limit)) for name, g in grads.items()}
    # The squares are too large for a number; the gradients need not be.
    largest = max(float(np.max(np.abs(g))) for g in grads.values())
    scaled = {name: g / largest for name, g in grads.items()}
    norm = float(common_norm(scaled))
    return grads if norm * largest <= limit else {name: g * (limit / norm) for name, g in scaled.items()}


def common_norm(grads: dict[str, np.ndarray]) -> np.floating:
    """Return the root of the sum of all squares."""
    norm: np.floating = np.sqrt(sum(np.sum(g * g) for g in grads.values()))
    return norm
