"""How a training loop in NumPy does what the settings of `train` say, in both styles: a file for each of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dotnn.codegen.called import ONLY, Names
from dotnn.codegen.parts import Part
from dotnn.core.registry import collect
from dotnn.model.model import Model


@dataclass(frozen=True)
class Writer:
    """How one setting is written: what it adds to a loop that is to be read, and to one over arrays that exist.

    explain  (model, value, names of the training, place in the spec) -> the part
    fast     (model, value, names of the training) -> the part
    """

    name: str
    explain: Callable[[Model, Any, Names, str], Part]
    fast: Callable[[Model, Any, Names], Part]


WRITERS: dict[str, Writer] = collect(__name__, __path__, Writer)


def explained_parts(model: Model, place_of: Callable[[str], str], names: Names = ONLY) -> tuple[Part, ...]:
    """Return what the settings of a model add to the loop of the explain style; `place_of` names a key's place."""
    chosen = model.train.settings.items()
    return tuple(WRITERS[key].explain(model, setting.value, names, place_of(key)) for key, setting in chosen)


def fast_parts(model: Model, names: Names = ONLY) -> tuple[Part, ...]:
    """Return what the settings of a model add to the loop of the fast style."""
    return tuple(WRITERS[key].fast(model, setting.value, names) for key, setting in model.train.settings.items())
