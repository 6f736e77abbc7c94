"""Digests that identify a network and a training run: of the model, not of how it is written down."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Protocol, runtime_checkable

from dotnn.core.diagnostics import Source, Span
from dotnn.ir.expr import Expr
from dotnn.library.inits import Init
from dotnn.library.layers import Layer
from dotnn.library.layers.loop import ROWS
from dotnn.library.optimizers import Optimizer
from dotnn.library.schedules import Schedule
from dotnn.library.values import FAMILY
from dotnn.model.definitions.whole import Formula
from dotnn.model.model import Model, Step

OF_TRAINING = ("init", "penalty", "decay", "constraint")
"""The families whose members say how parameters come about, not what is computed with them."""
LATER = (
    "frozen",
    "options",
    "windows",
    "formats",
    "packages",
    "mask",
    "counts",
    "stateful",
    "always",
    "take",
    "recompute",
    "augment",
    "turns",
    "hands",
)
"""Fields and arguments that came later: they count where they are set, so that a run from before can be resumed."""


@runtime_checkable
class Registered(Protocol):
    """A member of a registry: what the spec calls it, and its sentence in the manual."""

    name: str
    doc: str


def network_identity(model: Model) -> str:
    """Return the identity of a network in prediction: equal ones compute the same from the same weights."""
    inputs = {name: (declared.kind, declared.bound, declared.type) for name, declared in model.inputs.items()}
    shapes = {name: p.shape for name, p in model.params.items() if not p.carried}
    return digest((inputs, tuple(map(_computed, model.steps)), model.outputs, shapes))


def _computed(step: Step) -> tuple[object, ...]:
    args = (a for a in step.layer.args if a.kind.registry not in OF_TRAINING)
    lasting = {a.name for a in args if not a.training or step.attrs.get(a.until)}
    if step.layer.family == FAMILY:  # a formula and its like have no arguments: all that it says counts
        lasting = {*step.attrs}
    lasting |= step.attrs.keys() - {a.name for a in step.layer.args} - {ROWS}  # what is no argument: a cell's step
    return (
        step.path,
        step.layer,
        {n: v for n, v in step.attrs.items() if n in lasting},
        (*step.ins, *step.weights),
        {short: name for short, name in step.params.items() if not short.endswith(".carried")},
    )


def training_identity(model: Model, target: str, style: str) -> str:
    """Return what identifies a training run: all that the spec says but the number of epochs, and how it is run."""
    left_out = ("source", "constants", "train", "check", "sizes")  # part of something else here, or of no effect
    parts = {f.name: getattr(model, f.name) for f in fields(model) if f.name not in left_out}
    parts = {name: part for name, part in parts.items() if part or name not in LATER}
    train = {f.name: getattr(model.train, f.name) for f in fields(model.train) if f.name != "epochs"}
    if not train["settings"]:
        del train["settings"]  # what a spec does not say does not make another training of it
    return digest((parts, train, target, style))


def digest(value: object) -> str:
    """Return the start of the SHA-256 of a value made of dataclasses, mappings, sequences, numbers and texts.

    A member of a registry counts by its name, a place in the spec not at all. Raises TypeError for anything else: what
    is left out in silence would make two things one.
    """
    return hashlib.sha256(repr(_plain(value)).encode()).hexdigest()[:16]


def _plain(value: object) -> object:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return [(str(key), _plain(inner)) for key, inner in value.items() if inner or key not in LATER]
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, Expr):
        return str(value)
    meaning = _defined(value)
    if meaning:
        return "defined", meaning
    if isinstance(value, Registered):
        return type(value).__name__, value.name
    if is_dataclass(value) and not isinstance(value, Span | Source):
        return type(value).__name__, _fields(value)
    raise TypeError(f"{type(value).__name__} has no digest")


def _defined(value: object) -> str:
    """Return what a member means that the spec defines, "" for all else."""
    if isinstance(value, Layer):
        return str(value.definition.body) if value.definition is not None else ""
    if isinstance(value, Optimizer | Schedule | Init) and value.definition:
        return value.definition
    formula = getattr(value, "formula", None)
    return formula.meaning if isinstance(formula, Formula) else ""


def _fields(value: object) -> list[tuple[str, object]]:
    assert is_dataclass(value)
    found = [(f.name, getattr(value, f.name)) for f in fields(value)]
    return [
        (name, _plain(inner)) for name, inner in found if not _is_place(name, inner) and (inner or name not in LATER)
    ]


def _is_place(name: str, value: object) -> bool:
    return name == "places" or isinstance(value, Span | Source)
