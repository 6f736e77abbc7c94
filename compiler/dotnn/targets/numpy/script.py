"""The NumPy script: everything that the templates print, made into finished lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from operator import attrgetter
from pathlib import Path
from typing import Any

import jinja2

from dotnn import __version__
from dotnn.codegen import data, optimizer, paste, regime, training
from dotnn.codegen.heading import digest, heading, is_unchanged, sealed
from dotnn.codegen.hygiene import Mark, names_of
from dotnn.codegen.lines import indented, literal, wrapped
from dotnn.codegen.threads import thread_lines
from dotnn.ir.graph import Graph
from dotnn.ir.node import Value
from dotnn.model.identity import network_identity, training_identity
from dotnn.model.model import Model
from dotnn.passes.build import identifier
from dotnn.passes.zeros import zero_gradients
from dotnn.targets.numpy import equations as explain
from dotnn.targets.numpy.explain.script import explain_script
from dotnn.targets.numpy.fast.context import context as fast_context
from dotnn.targets.numpy.fast.emitter import FastEmitter
from dotnn.targets.numpy.fast.plan import Plan

IMPORTS = "import IMPORTS"
"""Stands in the template where the imports go, which are known once the rest is written."""


@dataclass(frozen=True)
class Options:
    """What the command line adds to the spec. For the header: the texts of `--set`, and of --epochs what it says."""

    style: str = "explain"
    sets: tuple[str, ...] = ()
    input_gradients: bool = False
    target: str = "numpy"
    distribute: str = ""
    epochs: int = 0
    values: Mapping[str, Any] = field(default_factory=dict)


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parents[2] / "codegen" / "templates"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # the output is Python, and every name in it is an identifier
    )


def numpy_script(model: Model, graph: Graph, options: Options, step: Graph) -> str:
    """Return the text of the script; the fast style trains by the graph `step`.

    The same model, graphs and options give the same bytes. Raises `NamesMeet` where a value must be called otherwise.
    """
    if options.style == "explain":
        told = {name: value for name, value in facts_of(model, options).items() if name not in ("sha256", "target")}
        return explain_script(model, graph, told, options.values).text
    return templated_script(model, graph, options, step)


def templated_script(model: Model, graph: Graph, options: Options, step: Graph) -> str:
    """Return the text of a script that templates make. Raises `NamesMeet` where a value must be called otherwise."""
    names, mark = names_of(graph, step), mark_of(model, options)
    graph, step = mark.on(graph), mark.on(step)
    plan = FastEmitter(model, step).emit() if options.style == "fast" else None
    called = explain.helper_names(graph) | (plan.helpers if plan else set()) | training.init_helpers(model)
    formulas = paste.needed(called - {"locate"})
    context: dict[str, Any] = {
        **header(model, options),
        **constants(model, graph),
        "formulas": paste.sources(formulas),
        "init_lines": indented(training.init_lines(model, options.values)),
        "forward_lines": explain.forward(model, graph),
        "loss_lines": explain.total_loss(model, graph),
        "state": bool(graph.state),
        "weights": "{**PARAMS, **STATE}" if graph.state else "PARAMS",
        "all_params": "{**params, **state}" if graph.state else "params",
        "step": regime.gradient_function(model),
        "state_lines": explain.renewal(model, graph) if graph.new_state else [],
        **({"fast": fast_context(model, step, plan)} if plan else {"backward_lines": explain.backward(model, graph)}),
        "update": optimizer.context(model.train, has_state=bool(graph.state)),
        "regime": regime.context(model, graph, options.style),
        "draws": explain.draws(graph),
        "thread_lines": thread_lines(model),
        "style": options.style,
        **training_context(model, graph),
    }
    body = render("numpy_script.py.j2", context)
    library = [name for name in paste.needed(paste.called_in(body)) if name not in formulas]
    tail = render("library.py.j2", {"library": paste.sources(library)})
    modules = sorted({"os"} | regime.modules(model.train) | paste.standard_modules([*formulas, *library]))
    return sealed(mark.off(body.replace(IMPORTS, "\n".join(f"import {m}" for m in modules)) + tail, names))


def mark_of(model: Model, options: Options) -> Mark:
    """Return the mark of the spec's names while a script is written."""
    return Mark.for_text("".join([model.source.text, model.source.path, *options.sets]))


def step_plan(model: Model, step: Graph, options: Options) -> Plan:
    """Return the plan of a fast step with the names that it has in the script."""
    mark = mark_of(model, options)
    return FastEmitter(model, mark.on(step)).emit().spelt(mark.plain)


def render(name: str, context: Mapping[str, Any]) -> str:
    """Fill in a template."""
    return _environment().get_template(name).render(context)


def facts_of(model: Model, options: Options) -> dict[str, Any]:
    """Return what the head of a script says of how it was compiled."""
    return {
        "version": __version__,
        "spec": model.source.path.replace("\\", "/"),
        "sha256": digest(model.source.text),
        "target": options.target,
        **({"style": options.style} if options.target == "numpy" else {}),
        **({"distribute": options.distribute} if options.distribute else {}),
        **({"set": [*options.sets]} if options.sets else {}),
        **({"input_gradients": True} if options.input_gradients else {}),
        **({"epochs": options.epochs} if options.epochs else {}),
    }


def header(model: Model, options: Options) -> dict[str, Any]:
    """Return what the templates of the head show."""
    return {
        "header": heading(facts_of(model, options)),
        "training": training_identity(model, options.target, options.style) if model.train.checkpoint else "",
        "model_name": model.name,
        "size": f"{model.size:,}",
    }


def constants(model: Model, graph: Graph, name_of: Callable[[Value], str] = attrgetter("name")) -> dict[str, Any]:
    """Return the tables at the top of a script; `name_of` says under which name it keeps a value."""
    inputs, targets = data.declarations(model)
    tables: dict[str, Mapping[str, object]] = {
        "PARAMS": {name: p.shape for name, p in model.params.items() if p.trained},
        "STATE": {name: p.shape for name, p in model.params.items() if not p.trained},
        "INPUTS": inputs,
        "TARGETS": targets,
        "OUTPUTS": {name: _shape_of(model, path) for name, path in model.outputs.items()},
    }
    lines: list[str] = []
    for table, entries in tables.items():
        if table == "STATE" and not entries:
            continue
        lines += wrapped(f"{table} = {{", [f"{literal(n)}: {literal(x)}" for n, x in entries.items()], "}")
    columns = _input_columns(model)
    if columns:
        lines += wrapped("INPUT_COLUMNS = {", [f"{literal(n)}: {literal(c)}" for n, c in columns.items()], "}")
    classes = data.classes(model)
    if classes:
        lines += wrapped("CLASSES = {", [f"{literal(n)}: {literal(t)}" for n, t in classes.items()], "}")
    decayed = tuple(name for name, p in model.params.items() if p.decayed)
    if model.train.weight_decay:
        lines.append(f"DECAYED = {literal(decayed)}  # what weight decay acts on")
    dead = zero_gradients(graph)
    if dead:
        lines.append(f"STRUCTURAL_ZEROS = {literal(dead)}  # the loss does not feel them, or only through steps")
    lsuv = training.rescaled(model, graph)
    if lsuv:
        lines += wrapped("LSUV = {", [f"{literal(n)}: {literal(name_of(v))}" for n, v in lsuv.items()], "}")
    scaled = data.scaled_shapes(model)
    if scaled:
        lines += wrapped("SCALED = {", [f"{literal(n)}: {literal(shape)}" for n, shape in scaled.items()], "}")
    lines.append(f'MODEL = "{network_identity(model)}"  # what is computed: weights of another network are refused')
    train = model.train
    if train.checkpoint is not None:
        lines.append(
            f"CHECKPOINT_EVERY, CHECKPOINT_BEST_BY = {train.checkpoint.every}, {literal(train.checkpoint.best_by)}"
        )
    numbers = {"epochs": train.epochs, "batch_size": train.batch, "seed": train.seed}
    return {"tables": lines, "dead": dead, "lsuv": lsuv, "fresh": _fresh(bool(lsuv)), **numbers}


def _fresh(rescaled: bool) -> str:
    """Return what training starts from."""
    return 'unit_variance(init_params(seed, dtype), parts["train"])' if rescaled else "init_params(seed, dtype)"


def _shape_of(model: Model, path: str) -> tuple[int, ...]:
    steps = {s.path: s.type.example for s in model.steps}
    return steps[path] if path in steps else model.inputs[path].type.example


def training_context(model: Model, graph: Graph) -> dict[str, Any]:
    """Return what the templates of the data and of the training loop show."""
    on_train, has_val, has_test = training.evaluated_parts(model)
    add, report = training.epoch_loss(model)
    scaled = data.scaled_outputs(model)
    names = value_names(model, graph)
    early = training.early_stop(model)
    return {
        "shuffle": model.train.shuffle,
        "data_file": bool(model.data and model.data.source),
        "load_lines": indented(data.load_lines(model)),
        "classes": bool(data.classes(model)),
        "prepare_lines": indented(data.prepare_lines(model)),
        "metric_lines": indented(training.metric_lines(model, names), 8),
        "stop_lines": indented(training.stop_lines(model), 8),
        "on_train": on_train,
        "has_val": has_val,
        "has_test": has_test,
        "early": early,
        "predict_dtype": "dtype",
        "predict_setup": [
            "dtype = next(iter(params.values())).dtype if params else np.float64",
            "params = in_precision(params, dtype)",
        ],
        "predict_forward": "outputs, cache = forward(params, batch)",
        "diverged_values": "params, forward(params, examples)[1]",
        "subject": "params",
        "snapshot": "params",
        "restore": "params = best_params",
        "fitted": "params, history",
        "worst": "-np.inf" if early and early.better == "max" else "np.inf",
        "add_loss": add,
        "report_loss": report,
        "full_batch": model.train.batch == 0,
        "scaled": bool(model.data and model.data.scales),
        "scaled_inputs": data.scaled_inputs(model),
        "scaled_outputs": scaled,
        **result_files(model, "weights.npz", "history.csv"),
        "train_options": [],
        "checked_with": "complex-step derivatives",
        "workers": False,
        "tensorflow": False,
        "table": table.entry if (table := data.table_source(model)) else None,
        "column_kinds": literal({n: k for n, k in data.raw_kinds(model).items() if n in model.inputs}),
    }


def result_files(model: Model, *always: str) -> dict[str, Any]:
    """Return the names of what `train --out` writes, but for checkpoints."""
    scaled = ["scaling.json"] if model.data and model.data.scales else []
    labels = ["labels.json"] if data.classes(model) else []
    return {"result_files": [*always, *scaled, *labels], "results": literal((*always, *scaled, *labels))}


def _input_columns(model: Model) -> dict[str, list[str]]:
    table = data.table_source(model)
    return {n: list(c) for n, c in table.fields.items() if n in model.inputs} if table else {}


def value_names(model: Model, graph: Graph) -> dict[str, str]:
    """Return the identifier of every step's value in the script, by its path in the model."""
    return {path: v.name for path, v in graph.steps.items()}


__all__ = ["Options", "identifier", "is_unchanged", "numpy_script", "sealed"]
