"""Distributions of values that a network draws itself: `noise([8], normal)`."""

from __future__ import annotations

from dataclasses import dataclass

from dotnn.core.arguments import Arg
from dotnn.core.registry import collect


@dataclass(frozen=True)
class Draw:
    """One distribution; `line` draws from it, over `rng`, the arguments in braces and `{shape}`, batch first."""

    name: str
    doc: str
    line: str
    args: tuple[Arg, ...] = ()


DRAWS: dict[str, Draw] = collect(__name__, __path__, Draw)
