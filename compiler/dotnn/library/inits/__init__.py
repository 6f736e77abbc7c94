"""Initialisers of parameters."""

from dotnn.core.registry import collect
from dotnn.library.inits.base import Init

__all__ = ["INITS", "Init"]

INITS: dict[str, Init] = collect(__name__, __path__, Init)
