"""dotnn: a compiler for neural networks with readable, validated backpropagation."""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

__all__ = ["CompileError", "check", "compile", "explain", "load", "train"]


def __getattr__(name: str) -> Any:
    """Return what is offered, imported when it is first used: the version alone costs nothing."""
    if name not in __all__:
        raise AttributeError(f"module 'dotnn' has no attribute {name!r}")
    return getattr(import_module("dotnn.api"), name)


def __dir__() -> list[str]:
    return sorted([*__all__, *(name for name in globals() if name.startswith("__"))])
