"""Units that began alike and stayed alike."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from dotnn.core.diagnostics import Span
from dotnn.reports.findings.base import Fault, Finding, hidden, key_span, place, statement_of, way_to_try
from dotnn.reports.seen import Layer, Seen

ALIKE = 1e-9


def are_alike(w: np.ndarray) -> bool:
    """Whether all units, along the last axis, have the same weights."""
    spread = np.abs(w - w[..., :1]).max()
    return bool(spread <= ALIKE * max(np.abs(w).max(), ALIKE))


def one_unit(seen: Seen, layer: Layer) -> list[str]:
    """Return the weights of a layer of several units, all of which are the same one before and after the training."""
    several = [name for name in layer.weights if seen.params[name].shape[-1] > 1]
    alike = several and all(are_alike(seen.start[name]) and are_alike(seen.params[name]) for name in several)
    return several if alike else []


def look(seen: Seen) -> Iterator[Fault]:
    """Yield a fault for each hidden layer whose units compute the same before and after the training."""
    for layer in hidden(seen, seen.trained.layers):
        several = one_unit(seen, layer)
        if not several:
            continue
        units = seen.params[several[0]].shape[-1]
        began = "alike" if any(seen.start[name].any() for name in several) else "at 0"
        message = f"all {units} units of {layer.name} are identical: their weights began {began} and still are equal"
        at, whole = _init_spans(seen, layer, several[0])
        fix = way_to_try(seen, whole, "start from random weights: init = xavier", {"zeros": "xavier"})
        yield Fault("symmetry", message, place(seen, at), fix, {"units": units})


def _init_spans(seen: Seen, layer: Layer, weight: str) -> tuple[Span, Span]:
    """Return where the spec says how a weight begins: `init = …` itself, and all of the statement that has it."""
    call = seen.model.params[weight].span
    if found := re.search(r"\binit\s*=", seen.model.source.text_at(call)):
        return Span(call.start + found.start(), call.end), statement_of(layer)
    key = key_span(seen, "train", "init")
    if key is not None and re.match(r"init\s*=", seen.model.source.text_at(key)):
        return key, key
    return statement_of(layer), statement_of(layer)


SYMMETRY = Finding(
    "symmetry", "all units of a layer have the same weights, before and after the training", 15, look, of_layers=True
)
