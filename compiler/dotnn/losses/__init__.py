"""Losses: which op computes them, what target they need, and how they reduce."""

from __future__ import annotations

from dotnn.losses.base import Loss
from dotnn.registry import collect

__all__ = ["LOSSES", "Loss"]

LOSSES: dict[str, Loss] = collect(__name__, __path__, Loss)
