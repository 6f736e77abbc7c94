"""Metrics: what is reported besides the loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dotnn.core.arguments import Arg
from dotnn.core.registry import collect


@dataclass(frozen=True)
class Metric:
    """One metric of an output against its target.

    `functions` maps the kind of the target ("real", "unit", "sign", "class", "distribution", or "binary": a real one
    whose values are all 0 or 1) to the function of `dotnn_runtime.script.metrics` that computes it; a missing kind is
    an error in the spec. `args` are what the
    functions of the kinds in `args_for` take besides, each by its name.
    """

    name: str
    doc: str
    functions: Mapping[str, str]
    better: str = "max"
    args: tuple[Arg, ...] = ()
    args_for: tuple[str, ...] = ()


METRICS: dict[str, Metric] = collect(__name__, __path__, Metric)
