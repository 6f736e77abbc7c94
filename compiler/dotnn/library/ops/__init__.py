"""The tensor ops: about textbook-equation size, one file per family, each with its VJP rule."""

from dotnn.core.registry import collect
from dotnn.ir.op import Op

__all__ = ["OPS", "Op"]

OPS: dict[str, Op] = collect(__name__, __path__, Op)
