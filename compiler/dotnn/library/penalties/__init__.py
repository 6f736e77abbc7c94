"""Penalties on parameters, added to the loss."""

from __future__ import annotations

from dataclasses import dataclass

from dotnn.core.arguments import Arg
from dotnn.core.registry import collect


@dataclass(frozen=True)
class Penalty:
    """One penalty: the op that computes it from a parameter. A decoupled one (`op` empty) acts in the update."""

    name: str
    doc: str
    op: str
    args: tuple[Arg, ...]


PENALTIES: dict[str, Penalty] = collect(__name__, __path__, Penalty)
