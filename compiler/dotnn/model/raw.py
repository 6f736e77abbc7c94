"""What is read of each input and target, before anything is done to it."""

from __future__ import annotations

from dotnn.model.model import Data, Model

Declaration = tuple[str, tuple[int, ...]]
"""A kind, and the shape of one example. A kind that ends in "?" may have gaps, which are NaN."""


def raw_declarations(model: Model, *, training: bool = True) -> dict[str, Declaration]:
    """Return the kinds and shapes of what is read: of inputs and targets with data of their own, and beside them.

    In prediction no example is left out: what may then have no gaps has none.
    """
    data = model.data or Data()
    names = (name for name in (*model.inputs, *model.targets) if name not in data.made_of)
    found = {name: raw_declaration(model, name, training=training) for name in names}
    beside = {name: kind for name, kind in data.beside.items() if name != "order" or not data.sorted}
    return {**found, **{name: (kind, ()) for name, kind in beside.items()}}


def read_kinds(model: Model) -> dict[str, str]:
    """Return the kinds of all columns that are read; of a series, what it is sorted by is read and then left out."""
    beside = model.data.beside if model.data else {}
    return {**{name: kind for name, (kind, _) in raw_declarations(model).items()}, **beside}


def keys_of_predictions(model: Model) -> dict[str, str]:
    """Return the columns that a prediction reads beside its inputs, with their kinds: what tells series apart."""
    return {"groups": "key"} if model.data and model.data.in_groups else {}


def raw_declaration(model: Model, name: str, *, training: bool = True) -> Declaration:
    """Return the kind and shape of an input or target as it is read."""
    declared = model.inputs.get(name) or model.targets[name]
    kind, shape = prepared_declaration(model, name)
    ways = (model.data or Data()).prepared.get(name, ())
    for way in reversed(ways):
        if way.entry.key != "missing":
            kind, shape = way.entry.raw(way.attrs, declared.type.example), way.entry.raw_shape(shape)
    if name in model.targets and model.raw_kind(name) == "binary":
        kind = "binary"
    gaps = any(way.entry.gaps and (training or not way.entry.drops) for way in ways)
    return kind + "?" * gaps, shape


def prepared_declaration(model: Model, name: str) -> Declaration:
    """Return the kind and shape of an input or target as the network takes it."""
    if name in model.inputs:
        return model.input_kind(name), model.inputs[name].type.example
    return model.target_kind(name), model.targets[name].type.example
