"""Sources of examples: the formats of data files that a spec's `data` section can name."""

from __future__ import annotations

from dotnn.core.registry import collect
from dotnn.library.sources.base import DataSource

SOURCES: dict[str, DataSource] = collect(__name__, __path__, DataSource)

__all__ = ["SOURCES", "DataSource"]
