"""Initialisers of parameters."""

from dotnn.inits.base import Init
from dotnn.registry import collect

__all__ = ["INITS", "Init"]

INITS: dict[str, Init] = collect(__name__, __path__, Init)
