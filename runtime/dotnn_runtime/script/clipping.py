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
    norm = np.sqrt(sum(np.sum(g * g) for g in grads.values()))
    if norm == np.inf:  # the squares are too large for a number; the gradients need not be
        return clip_large(grads, limit)
    return {name: g * (limit / max(norm, limit)) for name, g in grads.items()}


def clip_large(grads: dict[str, np.ndarray], limit: float) -> dict[str, np.ndarray]:
    """Return what `clip_by_global_norm` does, by way of
    gradients that are divided by their largest number first.
    """
    largest = max(float(np.max(np.abs(g))) for g in grads.values())
    relative = {name: g / largest for name, g in grads.items()}
    norm = float(np.sqrt(sum(np.sum(g * g) for g in relative.values())))
    return grads if norm * largest <= limit else {name: g * (limit / norm) for name, g in relative.items()}
