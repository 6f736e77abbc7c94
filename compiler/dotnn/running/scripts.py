"""Generated scripts as modules."""

from __future__ import annotations

import importlib.util
import sys
from contextlib import nullcontext
from functools import lru_cache
from pathlib import Path
from types import CodeType, ModuleType

from dotnn.running.requirement import Requirement

FILE = "<generated script>"
"""What the code of a script that lies in no file says of where it is from."""


def load_module(path: Path, needs: Requirement | None = None) -> ModuleType:
    """Import a generated script from its file, without leaving bytecode beside it.

    Raises `CompileError` where what it `needs` is not installed.
    """
    spec = importlib.util.spec_from_file_location("dotnn_generated_model", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    saved, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        with needs.imported() if needs else nullcontext():
            spec.loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = saved
    return module


def run_script(script: str, name: str, file: str = "", needs: Requirement | None = None) -> ModuleType:
    """Return a generated script as a module that would lie at `file`, beside which it looks for data.

    Raises `CompileError` where what it `needs` is not installed.
    """
    module = ModuleType(name)
    module.__file__ = file or f"{name}.py"
    with needs.imported() if needs else nullcontext():
        exec(code_of(script), vars(module))
    return module


@lru_cache(maxsize=4)
def code_of(script: str) -> CodeType:
    """Return the code of a script: one and the same text is verified, tried, trained and looked at in the end."""
    return compile(script, FILE, "exec")
