"""The tensor ops: about textbook-equation size, one file per family, each with its VJP rule."""

from dotnn.ops.base import Op
from dotnn.registry import collect

__all__ = ["OPS", "Op"]

OPS: dict[str, Op] = collect(__name__, __path__, Op)
