"""Gradient clipping: what is done to the gradients before the optimizer sees them."""

from __future__ import annotations

from dataclasses import dataclass

from dotnn.core.arguments import POSITIVE, Arg
from dotnn.core.registry import collect


@dataclass(frozen=True)
class Clip:
    """One way to clip.

    `helper` is the function of `dotnn_runtime.script.clipping` that the explain style calls with all gradients by
    name and the limit. `fast` are the same as lines that work in place on `g`, one flat array: all gradients end to
    end, or (`each`) one parameter's after the other. `equation` says it in one line, over `g` and `limit`.
    """

    name: str
    doc: str
    equation: str
    helper: str
    fast: tuple[str, ...]
    source: str
    each: bool = False
    args: tuple[Arg, ...] = (Arg("limit", POSITIVE, doc="the largest value that is let through"),)


CLIPS: dict[str, Clip] = collect(__name__, __path__, Clip)
