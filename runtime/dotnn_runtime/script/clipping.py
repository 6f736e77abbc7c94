"""Gradient clipping: `grads` maps parameters to gradients; what comes back has the same keys and shapes."""

import numpy as np


def clip_by_value(grads: dict[str, np.ndarray], limit: float) -> dict[str, np.ndarray]:
    """Return the gradients with every number brought into [-limit, limit]."""
    return {name: np.clip(g, -limit, limit) for name, g in grads.items()}


def clip_by_norm(grads: dict[str, np.ndarray], limit: float) -> dict[str, np.ndarray]:
    """Return the gradients, each scaled down to the norm `limit` where its own norm is larger."""
    return {name: g * (limit / max(np.sqrt(np.sum(g * g)), limit)) for name, g in grads.items()}


def clip_by_global_norm(grads: dict[str, np.ndarray], limit: float) -> dict[str, np.ndarray]:
    """Return the gradients, all scaled down by one factor where their common norm is larger than `limit`.

    Pascanu et al. 2013, "On the difficulty of training recurrent neural networks", Algorithm 1.
    """
    norm = np.sqrt(sum(np.sum(g * g) for g in grads.values()))
    return {name: g * (limit / max(norm, limit)) for name, g in grads.items()}
