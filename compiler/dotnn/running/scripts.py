"""Generated scripts as modules. Those for TensorFlow import it; where it is missing, the message says what to do."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from dotnn.core.diagnostics import CompileError, Diagnostic

FRAMEWORKS = ("tensorflow", "keras")


def load_module(path: Path) -> ModuleType:
    """Import a generated script from its file, without leaving bytecode beside it.

    Raises `CompileError` where it needs TensorFlow and there is none.
    """
    spec = importlib.util.spec_from_file_location("dotnn_generated_model", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    saved, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        with _framework():
            spec.loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = saved
    return module


def run_script(script: str, name: str, file: str = "") -> ModuleType:
    """Return a generated script as a module that would lie at `file`, beside which it looks for data.

    Raises `CompileError` where it needs TensorFlow and there is none.
    """
    module = ModuleType(name)
    module.__file__ = file or f"{name}.py"
    with _framework():
        exec(compile(script, f"<{name}>", "exec"), vars(module))
    return module


def require(target: str) -> None:
    """Raise `CompileError` where what a target needs is not installed."""
    try:
        found = target != "tensorflow" or importlib.util.find_spec("tensorflow") is not None
    except ValueError:  # a module that was put in its place
        found = False
    if not found:
        raise _missing()


def _missing() -> CompileError:
    return CompileError([Diagnostic("NN506", "TensorFlow is not installed", help="pip install 'dotnn[tensorflow]'")])


@contextmanager
def _framework() -> Iterator[None]:
    """Import TensorFlow without its notes on the processor; say how to install it where it is missing."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in FRAMEWORKS:
            raise
        raise _missing() from None
