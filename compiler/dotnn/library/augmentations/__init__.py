"""Augmentations: how the examples of the training part are changed at random, anew in every epoch."""

from __future__ import annotations

from dotnn.core.registry import collect
from dotnn.library.augmentations.base import Augmentation

AUGMENTATIONS: dict[str, Augmentation] = collect(__name__, __path__, Augmentation)

__all__ = ["AUGMENTATIONS", "Augmentation"]
