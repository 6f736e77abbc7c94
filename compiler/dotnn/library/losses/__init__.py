"""Losses: which op computes them, what target they need, and how they reduce."""

from __future__ import annotations

from dotnn.core.registry import collect
from dotnn.library.losses.base import Loss

__all__ = ["LOSSES", "Loss"]

LOSSES: dict[str, Loss] = collect(__name__, __path__, Loss)
