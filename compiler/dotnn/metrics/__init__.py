"""Metrics: what is reported besides the loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dotnn.registry import collect


@dataclass(frozen=True)
class Metric:
    """One metric of an output against its target.

    `functions` maps the kind of the target ("real", "unit", "sign", "class", "distribution") to the function of
    `dotnn_runtime.script.metrics` that computes it; a missing kind is an error in the spec.
    """

    name: str
    doc: str
    functions: Mapping[str, str]
    better: str = "max"


METRICS: dict[str, Metric] = collect(__name__, __path__, Metric)
