"""A script under test, loaded twice: as it is written, and traced."""

from __future__ import annotations

import ast
import itertools
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType
from typing import Any

from .anatomy import Anatomy, parse_script
from .instrument import Instrumented, instrument
from .tracer import MODULE_NAME, Tracer

TABLES = ("PARAMS", "INPUTS", "TARGETS")
REQUIRED = (*TABLES, "init_params", "forward", "total_loss", "loss_and_grads")
_SERIAL = itertools.count()


class ScriptError(ValueError):
    """The text is not a script in the form of the contract."""


@dataclass(frozen=True)
class Script:
    """A generated script: its functions (`plain`), what looks on while their twins run, and its static facts."""

    filename: str
    anatomy: Anatomy
    plain: ModuleType
    tracer: Tracer

    @cached_property
    def instrumented(self) -> Instrumented:
        """The syntax tree with calls of the tracer in it, and where its branches and readings of values are."""
        return instrument(self.anatomy)

    @cached_property
    def traced(self) -> ModuleType:
        """The traced twin of `plain`, made when it is first asked for."""
        return _execute(self.instrumented.tree, self.filename, {MODULE_NAME: self.tracer})

    @property
    def sites(self) -> list[int]:
        """The line of every branch."""
        return self.instrumented.sites

    @property
    def uses(self) -> list[tuple[str, int]]:
        """The name and the line of every reading of a value."""
        return self.instrumented.uses

    @cached_property
    def whole(self) -> ModuleType:
        """The script with all that `train` and `predict` run, which the other two leave out. Raises `ScriptError`."""
        return _execute(ast.parse(self.anatomy.source, self.filename), self.filename, {})

    @property
    def params(self) -> Mapping[str, tuple[int, ...]]:
        """Parameter name → shape."""
        return {name: tuple(shape) for name, shape in self.plain.PARAMS.items()}

    @property
    def structural_zeros(self) -> frozenset[str]:
        """The parameters whose gradient is zero by construction, as the script declares them."""
        return frozenset(getattr(self.plain, "STRUCTURAL_ZEROS", ()))

    @property
    def explains(self) -> bool:
        """Whether the script assigns every value once, batch first, and has a backward pass of its own."""
        return hasattr(self.plain, "backward")


def load_script(source: str, filename: str) -> Script:
    """Execute the source text of a generated script as two fresh modules."""
    try:
        tree = parse_script(source, filename)
    except SyntaxError as error:
        raise ScriptError(f"{filename}:{error.lineno}: {error.msg}") from error
    anatomy = Anatomy(source, tree)
    plain = _execute(tree, filename, {})
    missing = [name for name in REQUIRED if not hasattr(plain, name)]
    if missing:
        raise ScriptError(f"{filename}: a generated script has {', '.join(missing)}; this one does not")
    for name in TABLES:
        if not isinstance(getattr(plain, name), Mapping):
            raise ScriptError(f"{filename}: {name} is a {type(getattr(plain, name)).__name__}, not a dict")
    return Script(filename, anatomy, plain, Tracer())


def _execute(tree: ast.Module, filename: str, names: Mapping[str, Any]) -> ModuleType:
    module = ModuleType(f"script_under_test_{next(_SERIAL)}")
    module.__dict__.update(names, __file__=filename)
    sys.modules[module.__name__] = module  # dataclasses look their module up while it runs
    try:
        exec(compile(tree, filename, "exec"), module.__dict__)
    except (Exception, SystemExit) as error:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == filename]
        place = f"{filename}:{lines[-1]}" if lines else filename
        raise ScriptError(f"{place}: {type(error).__name__}: {error}") from error
    finally:
        del sys.modules[module.__name__]
    return module
