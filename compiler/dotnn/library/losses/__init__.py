"""Losses: which op computes them, what target they need, and how they reduce."""

from __future__ import annotations

from dotnn.core.registry import collect
from dotnn.ir.op import Op
from dotnn.library.losses.base import Loss
from dotnn.library.ops import OPS

__all__ = ["LOSSES", "Loss"]

LOSSES: dict[str, Loss] = collect(__name__, __path__, Loss)
collect(__name__, __path__, Op, OPS)
