"""The lines around the training loop: metrics, stop rules, initial parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dotnn.codegen import counting
from dotnn.codegen.lines import indented, literal, wrapped
from dotnn.codegen.preparing import undone_outputs
from dotnn.codegen.wrap import INDENT, WIDTH, filled
from dotnn.ir.graph import Graph
from dotnn.ir.node import Value
from dotnn.model.model import Data, EarlyStop, Model, Parameter, Read, StopAfter, Train

LITERAL_LIMIT = 5_000
"""Parameters from a file with more numbers than this are read when the script runs, not written into it."""


def init_lines(model: Model, values: Mapping[str, Any]) -> list[str]:
    """Return the body of `init_params`; `values` are the arrays of parameters that start from a file."""
    later = {n: str(p.init.attrs["path"]) for n, p in model.params.items() if _read_later(p, values)}
    files = sorted(set(later.values()))
    stored: list[str] = []
    for i, path in enumerate(files):
        names = [literal(name) for name, file in later.items() if file == path]
        stored += wrapped(f"stored_{i} = load_arrays(locate({literal(path)}, __file__), [", names, "])")
    lines = [*stored, "params = {"]
    for name, p in model.params.items():
        lines += indented(_init_line(name, p, values, files))
    draws = ["rng = np.random.default_rng(seed)"] if "rng" in "\n".join(lines) else []
    return [*draws, *lines, "}", "return {name: np.asarray(value, dtype) for name, value in params.items()}"]


def _read_later(p: Parameter, values: Mapping[str, Any]) -> bool:
    return p.init.name == "file" and values[p.name].size > LITERAL_LIMIT


def _init_line(name: str, p: Parameter, values: Mapping[str, Any], files: list[str]) -> list[str]:
    if p.init.name != "file":
        return filled([f'"{name}": {p.init.entry.line(p.shape, p.init.attrs)}'], 0, WIDTH - 2 * INDENT)
    if _read_later(p, values):
        return [f'"{name}": stored_{files.index(p.init.attrs["path"])}["{name}"],']
    rows = values[name].astype(float)
    if rows.ndim < 2:
        return wrapped(f'"{name}": np.array([', [repr(float(v)) for v in rows.ravel()], "]),", 2 * INDENT)
    return wrapped(f'"{name}": np.array([', [repr(row.tolist()) for row in rows], "]),", 2 * INDENT)


def init_helpers(model: Model) -> set[str]:
    """Return the helpers that `init_params` calls."""
    drawn = [p for p in model.params.values() if p.init.entry.helpers]
    return {h for p in drawn for h in p.init.entry.helpers if f"{h}(" in p.init.entry.line(p.shape, p.init.attrs)} | (
        {"locate"} if any(p.init.name == "file" for p in model.params.values()) else set()
    )


def metric_lines(
    model: Model, names: Mapping[str, str], loss: str = "total_loss(params, examples, cache)", table: str = "cache"
) -> list[str]:
    """Return the entries of the record that `evaluate` returns; `names` maps paths of the model to keys of `table`."""
    undone = {chain.name: chain for chain in undone_outputs(model).values()}
    lines = [f'"loss": float({loss}),']
    for m in model.train.metrics:
        output, target = _source(Read(m.output), model, names, table), f'examples["{m.target}"]'
        if m.target in undone:  # metrics are in the target's own units
            output, target = undone[m.target].undo(output), undone[m.target].undo(target)
        more = "".join(f", {name}={literal(value)}" for name, value in m.attrs.items())
        count = counting.weights(m, model, lambda read: _source(read, model, names, table))
        parts = [output, target, f"{count}{more}"] if count else [output, f"{target}{more}"]
        lines += wrapped(f'"{m.key}": {m.function}(', parts, "),", room=12)
    return lines


def _source(read: Read, model: Model, names: Mapping[str, str], table: str) -> str:
    """Return where the script has what a metric reads: among the examples, or in `table`."""
    if read.target or read.value in model.inputs:
        return f'examples["{read.name}"]'
    return f'{table}["{names[read.value]}"]'


def time_limit(train: Train) -> StopAfter | None:
    """Return the shortest time budget, if the spec has one."""
    return min((s for s in train.stops if isinstance(s, StopAfter)), key=lambda s: s.minutes, default=None)


def early_stop(model: Model) -> EarlyStop | None:
    """Return the early-stopping rule, if the spec has one."""
    return next((s for s in model.train.stops if isinstance(s, EarlyStop)), None)


def validates_early(early: EarlyStop, train: Train) -> bool:
    """Whether early stopping goes by the validations between the ends of epochs."""
    return early.quantity.startswith("val_") and bool(train.setting("validate"))


def evaluated_parts(model: Model) -> tuple[bool, bool, bool]:
    """Return whether metrics are computed on the training part, and whether there are validation and test parts."""
    data = model.data or Data()
    return bool(model.train.metrics), data.has_part("val"), data.has_part("test")


def sums(model: Model) -> bool:
    """Whether the loss of a batch is a sum over its examples."""
    return all(t.attrs.get("reduce") == "sum" for t in model.train.losses)


def epoch_loss(model: Model, count: str = "count") -> tuple[str, str]:
    """Return how the losses of an epoch's batches are added up and reported: a summing loss is summed.

    `count` is the expression of how many examples there are.
    """
    return ("float(loss)", "total") if sums(model) else ("float(loss) * len(chosen)", f"total / {count}")


def rescaled(model: Model, graph: Graph) -> dict[str, Value]:
    """Return the weights that are to be rescaled by the examples, each with the first value made from it, in order.

    That is what a layer computes, before its activation; weights of what is inside a layer (the gates of a recurrent
    one, the queries of an attention) are left as they are.
    """
    names = {v.id: name for name, v in graph.weights.items() if model.params[name].init.entry.rescaled}
    computed = _computed_by_layers(graph) if names else set()
    found: dict[str, Value] = {}
    for node in graph.phase("forward"):
        for value in node.ins:
            if value.id in names and node.op == "reshape_weight":
                names[node.out.id] = names[value.id]
            elif value.id in names and node.loop is None and node.outs[0].id in computed:
                found.setdefault(names[value.id], node.outs[0])
    return found


def _computed_by_layers(graph: Graph) -> set[int]:
    """Return the numbers of the results of layers, and of what their activations read."""
    producers = graph.producers()
    results = {v.id: producers[v.id] for v in graph.steps.values() if v.id in producers}
    return {*results, *(node.ins[0].id for node in results.values() if node.ins and node.loop is None)}
