"""Constraints: where the weights are put back to after every update."""

from __future__ import annotations

from dataclasses import dataclass

from dotnn.core.arguments import Arg
from dotnn.core.registry import collect


@dataclass(frozen=True)
class Constraint:
    """One constraint of a weight. `line` is one expression over `{w}` and the arguments, of the shape of `{w}`.

    `helper` names the function of `dotnn_runtime.script.constraints` that it calls, if any.
    """

    name: str
    doc: str
    equation: str
    line: str
    args: tuple[Arg, ...]
    source: str
    helper: str = ""


CONSTRAINTS: dict[str, Constraint] = collect(__name__, __path__, Constraint)
