"""Initialisers of parameters."""

from dotnn.inits.base import Init
from dotnn.registry import collect

INITS: dict[str, Init] = collect(__name__, __path__, Init)
