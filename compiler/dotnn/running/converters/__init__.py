"""What reads files that need more than NumPy: folders of images, and tables of other programs."""

from __future__ import annotations

from dotnn.core.registry import collect
from dotnn.running.converters.base import Converted, Converter

CONVERTERS: dict[str, Converter] = collect(__name__, __path__, Converter)

__all__ = ["CONVERTERS", "Converted", "Converter"]
