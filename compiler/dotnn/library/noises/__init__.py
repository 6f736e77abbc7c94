"""Noise in training: Gaussian numbers that are added to gradients or weights at every update."""

from __future__ import annotations

from dataclasses import dataclass

from dotnn.core.arguments import Arg
from dotnn.core.registry import collect


@dataclass(frozen=True)
class Noise:
    """One noise. `on` is what it is added to: "gradient" or "weights"; `deviation` its standard deviation.

    That is a formula over the arguments and `step`, the number of the update, from 0.
    """

    name: str
    doc: str
    equation: str
    source: str
    args: tuple[Arg, ...]
    on: str
    deviation: str


NOISES: dict[str, Noise] = collect(__name__, __path__, Noise)
