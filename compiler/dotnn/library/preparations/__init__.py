"""What is done to data before the network sees it: gaps filled, numbers scaled, texts numbered."""

from __future__ import annotations

from dotnn.core.registry import collect
from dotnn.library.preparations.base import Preparation

PREPARATIONS: dict[str, Preparation] = collect(__name__, __path__, Preparation)

__all__ = ["PREPARATIONS", "Preparation"]
