"""Clipping by value, by the norm of each gradient, and by the norm of all of them."""

from __future__ import annotations

from dotnn.library.clips import Clip

_SCALE = (
    "norm = math.sqrt(np.dot(g, g))",
    "if norm == math.inf:  # the squares are too large for a number; the gradients need not be",
    '    g[...] = clip_large({"g": g}, limit)["g"]',
    "elif norm > limit:",
    "    np.multiply(g, limit / norm, g)",
)
_SOURCE = "Pascanu et al. 2013, Algorithm 1"

VALUE = Clip(
    "value",
    "Every number of every gradient.",
    "g = min(max(g, -limit), limit)",
    "clip_by_value",
    ("np.clip(g, -limit, limit, g)",),
    "Mikolov 2012",
)
NORM = Clip(
    "norm",
    "Each parameter's gradient by its own norm.",
    "g = g limit / |g| where |g| > limit",
    "clip_by_norm",
    _SCALE,
    _SOURCE,
    each=True,
)
GLOBAL_NORM = Clip(
    "global_norm",
    "All gradients by the norm of all of them together: their direction stays.",
    "g = g limit / |all g| where |all g| > limit",
    "clip_by_global_norm",
    _SCALE,
    _SOURCE,
)
