"""Pictures of a finished run: one file each, found by the registry like a layer."""

from __future__ import annotations

from dotnn.core.registry import collect
from dotnn.reports.pictures.base import Picture

__all__ = ["PICTURES", "Picture"]

PICTURES: dict[str, Picture] = collect(__name__, __path__, Picture)
