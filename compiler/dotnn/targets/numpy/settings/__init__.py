"""How a training loop in NumPy does what the settings of `train` say, in both styles: a file for each of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dotnn.codegen.parts import Part
from dotnn.core.registry import collect
from dotnn.model.model import Model


@dataclass(frozen=True)
class Writer:
    """How one setting is written: what it adds to a loop that is to be read, and to one over arrays that exist.

    explain  (model, value, place in the spec) -> the part
    fast     (model, value) -> the part
    """

    name: str
    explain: Callable[[Model, Any, str], Part]
    fast: Callable[[Model, Any], Part]


WRITERS: dict[str, Writer] = collect(__name__, __path__, Writer)


def explained_parts(model: Model, place_of: Callable[[str], str]) -> tuple[Part, ...]:
    """Return what the settings of a model add to the loop of the explain style; `place_of` names a key's place."""
    return tuple(WRITERS[n].explain(model, chosen.value, place_of(n)) for n, chosen in model.train.settings.items())


def fast_parts(model: Model) -> tuple[Part, ...]:
    """Return what the settings of a model add to the loop of the fast style."""
    return tuple(WRITERS[n].fast(model, chosen.value) for n, chosen in model.train.settings.items())
