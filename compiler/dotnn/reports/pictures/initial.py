"""How weights, pre-activations, activations and their derivatives were spread before the training."""

from __future__ import annotations

from dotnn.reports.pictures.base import Picture
from dotnn.reports.pictures.distributions import draw_layers
from dotnn.reports.seen import Seen


def draw(seen: Seen) -> str:
    """Return the histograms of the first pass, with the weights that the training began with."""
    return draw_layers(f"{seen.model.name}: layers before training", seen.fresh.layers, seen.start)


INITIAL = Picture(
    "initial",
    "the same before the training: how far activations and derivatives fade or grow from layer to layer",
    "layers with weights or activations",
    "Weights, activations and gradients before training",
    draw,
)
