"""A script under test: its text, its static facts, and its functions as a module."""

from __future__ import annotations

import ast
import itertools
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType

from .structure import Structure, parse_script

TABLES = ("PARAMS", "INPUTS", "TARGETS")
REQUIRED = (*TABLES, "init_params", "forward", "total_loss", "loss_and_grads")
_SERIAL = itertools.count()


class ScriptError(ValueError):
    """The text is not a script in the form of the contract."""


@dataclass(frozen=True)
class Script:
    """A generated script: its functions (`plain`) and its static facts."""

    filename: str
    structure: Structure
    plain: ModuleType

    @cached_property
    def whole(self) -> ModuleType:
        """The script with all that `train` and `predict` run, which the other two leave out. Raises `ScriptError`."""
        return execute(self.structure.source, self.filename, {})

    @property
    def params(self) -> Mapping[str, tuple[int, ...]]:
        """Parameter name → shape."""
        return {name: tuple(shape) for name, shape in self.plain.PARAMS.items()}

    @property
    def structural_zeros(self) -> frozenset[str]:
        """The parameters whose gradient is zero by construction, as the script declares them."""
        return frozenset(getattr(self.plain, "STRUCTURAL_ZEROS", ()))

    @property
    def loop(self) -> str:
        """The name of the function that trains; a lean script has no `fit` besides `train`."""
        return "fit" if hasattr(self.whole, "fit") else "train"

    @property
    def explains(self) -> bool:
        """Whether the script assigns every value once, batch first, and has a backward pass of its own."""
        return hasattr(self.plain, "backward")


def read_script(source: str, filename: str) -> Script:
    """Execute the source text of a generated script as a fresh module. Raises `ScriptError`."""
    try:
        tree = parse_script(source, filename)
    except SyntaxError as error:
        raise ScriptError(f"{filename}:{error.lineno}: {error.msg}") from error
    structure = Structure(source, tree)
    plain = execute(tree, filename, {})
    missing = [name for name in REQUIRED if not hasattr(plain, name)]
    if missing:
        raise ScriptError(f"{filename}: a generated script has {', '.join(missing)}; this one does not")
    for name in TABLES:
        if not isinstance(getattr(plain, name), Mapping):
            raise ScriptError(f"{filename}: {name} is a {type(getattr(plain, name)).__name__}, not a dict")
    return Script(filename, structure, plain)


def execute(script: ast.Module | str, filename: str, names: Mapping[str, object]) -> ModuleType:
    """Execute a tree, or a text, as a module that knows these names, too. Raises `ScriptError`."""
    module = ModuleType(f"script_under_test_{next(_SERIAL)}")
    module.__dict__.update(names, __file__=filename)
    sys.modules[module.__name__] = module  # dataclasses look their module up while it runs
    try:
        exec(compile(script, filename, "exec"), module.__dict__)
    except (Exception, SystemExit) as error:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == filename]
        place = f"{filename}:{lines[-1]}" if lines else filename
        raise ScriptError(f"{place}: {type(error).__name__}: {error}") from error
    finally:
        del sys.modules[module.__name__]
    return module
