"""The tables at the top of a script: what it computes with, and by what names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any

from dotnn.codegen import data, training
from dotnn.codegen.lines import literal, table_lines, wrapped
from dotnn.codegen.preparing import divided, fitted
from dotnn.ir.graph import Graph
from dotnn.ir.node import Value
from dotnn.model.identity import network_identity
from dotnn.model.model import Model
from dotnn.model.raw import keys_of_predictions
from dotnn.model.settings.rates import factors
from dotnn.passes.zeros import zero_gradients

ZERO_GRADIENTS = "their gradients are zero whatever the data are: dotnn check expects it"
"""What scripts say of `STRUCTURAL_ZEROS`."""


def declared(model: Model) -> dict[str, Mapping[str, Any]]:
    """Return the tables that every script has: of parameters, state, inputs, targets and outputs."""
    inputs, targets = data.declarations(model)
    return {
        "PARAMS": {name: p.shape for name, p in model.params.items() if p.trained},
        "STATE": {name: p.shape for name, p in model.params.items() if not p.trained},
        "INPUTS": inputs,
        "TARGETS": targets,
        "OUTPUTS": {name: _shape_of(model, path) for name, path in model.outputs.items()},
    }


def named_tables(model: Model) -> dict[str, Mapping[str, Any]]:
    """Return the tables that a script has: those of `declared`, of state only where there is any, and of data."""
    tables = {name: entries for name, entries in declared(model).items() if entries or name != "STATE"}
    source = model.data.source if model.data else None
    more: dict[str, Mapping[str, Any]] = {
        "RAW_INPUTS": data.raw_inputs(model),
        "RAW_TARGETS": data.raw_targets(model),
        "INPUT_COLUMNS": _input_columns(model),
        "FORMAT": dict(source.options) if source else {},
        "WINDOWS": dict(source.windows) if source else {},
        "READERS": data.readers(model),
        "CLASSES": data.classes(model),
        "FITTED": fitted(model),
        "DIVIDED_BY": divided(model),
    }
    return tables | {name: entries for name, entries in more.items() if entries}


def decayed(model: Model) -> tuple[str, ...]:
    """Return the names of the parameters that weight decay acts on."""
    return tuple(name for name, p in model.params.items() if p.decayed)


def constants(
    model: Model,
    graph: Graph,
    name_of: Callable[[Value], str] = attrgetter("name"),
    dead: tuple[str, ...] | None = None,
) -> dict[str, Any]:
    """Return the tables at the top of a script; `name_of` says under which name it keeps a value.

    `dead` are the parameters whose gradients are zero, where the graph does not say.
    """
    lines = [line for table, entries in named_tables(model).items() for line in _dict(table, entries)]
    if model.train.weight_decay:
        lines += ["# What weight decay acts on.", *named("DECAYED", decayed(model))]
    if model.train.setting("rates"):
        lines += ["# What the learning rate is multiplied by.", *_dict("RATES", factors(model))]
    dead = zero_gradients(graph) if dead is None else dead
    if dead:
        lines += [f"# {ZERO_GRADIENTS}", *named("STRUCTURAL_ZEROS", dead)]
    lsuv = training.rescaled(model, graph)
    lines += _dict("LSUV", {n: name_of(v) for n, v in lsuv.items()}) if lsuv else []
    lines.append(f'MODEL = "{network_identity(model)}"  # what is computed: weights of another network are refused')
    train = model.train
    if train.checkpoint is not None:
        numbers = f"{train.checkpoint.every}, {literal(train.checkpoint.best_by)}"
        lines.append(f"CHECKPOINT_EVERY, CHECKPOINT_BEST_BY = {numbers}")
    numbers_of = {"epochs": train.epochs, "batch_size": train.batch, "seed": train.seed}
    return {"tables": lines, "dead": dead, "lsuv": lsuv, "fresh": _fresh(bool(lsuv)), **numbers_of}


def _dict(table: str, entries: Mapping[str, object]) -> list[str]:
    return table_lines(table, [f"{literal(n)}: {literal(x)}" for n, x in entries.items()])


def named(table: str, names: tuple[str, ...]) -> list[str]:
    """Return the lines of a tuple of names."""
    if len(names) == 1:
        return [f"{table} = {literal(names)}"]
    return wrapped(f"{table} = (", [literal(name) for name in names], ")")


def _fresh(rescaled: bool) -> str:
    """Return what training starts from."""
    return 'unit_variance(init_params(seed, dtype), parts["train"])' if rescaled else "init_params(seed, dtype)"


def _shape_of(model: Model, path: str) -> tuple[int, ...]:
    steps = {s.path: s.type.example for s in model.steps}
    return steps[path] if path in steps else model.inputs[path].type.example


def _input_columns(model: Model) -> dict[str, list[str]]:
    table = data.table_source(model)
    read = {*model.inputs, *keys_of_predictions(model)}
    return {n: list(c) for n, c in table.fields.items() if n in read} if table else {}
