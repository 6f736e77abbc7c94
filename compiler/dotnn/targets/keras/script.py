"""The TensorFlow script: everything that the templates print, made into finished lines."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from dotnn.codegen import paste, training
from dotnn.codegen.data import scaled_inputs, scaled_outputs
from dotnn.codegen.hygiene import Mark, names_of
from dotnn.codegen.lines import indented, literal, wrapped
from dotnn.codegen.regime import modules as regime_modules
from dotnn.ir.graph import Graph
from dotnn.ir.node import Node
from dotnn.ir.op import no_gradient
from dotnn.model.model import Model
from dotnn.targets.keras import optimizer, regime
from dotnn.targets.keras.loss import loss_lines
from dotnn.targets.keras.network import Network
from dotnn.targets.numpy.script import (
    IMPORTS,
    Options,
    constants,
    header,
    render,
    result_files,
    sealed,
    training_context,
)

CUTS = ("stop_gradient", "truncate")
"""Ops through which the loss depends on a weight whose gradient does not know of it."""

MODULES = {"mirrored": {"functools"}, "multiworker": {"functools", "os"}}
"""The standard modules that the script itself uses where replicas share a batch."""


def tensorflow_script(model: Model, graph: Graph, options: Options, words: Collection[str] = ()) -> str:
    """Return the text of the script. The same model, graph and options give the same bytes.

    `words` are names of the spec that the script itself uses. Raises `CompileError` for a layer that has no counterpart
    in Keras, and `NamesMeet` where there are more such words.
    """
    distributed = bool(options.distribute)
    names, mark = names_of(graph), Mark.for_text("".join([model.source.text, model.source.path, *options.sets]))
    graph = mark.on(graph)
    network = Network(model, graph, mark, words, distributed=distributed)
    stacked = _stacked(model, network)
    losses = loss_lines(model, graph, network)
    pasted = paste.called_in("\n".join([*network.lines, *losses]), paste.TENSORFLOW) | _activations(network)
    layers = paste.needed((pasted | training.init_helpers(model)) - {"locate", "DataError"}, paste.TENSORFLOW)
    context: dict[str, Any] = {
        **header(model, options),
        **constants(model, graph, lambda v: network.keys[v.id]),
        "layers": paste.sources(layers, paste.TENSORFLOW),
        "init_lines": indented(training.init_lines(model, options.values)),
        "model_lines": indented(_model_lines(model, graph, network)),
        "variable_lines": indented(_variable_lines(model, network, stacked), 8),
        "stacked": literal(stacked) if stacked else "",
        "read_lines": indented(_read_lines(network)),
        "loss_lines": indented(losses),
        "optimizer": optimizer.context(model.train, stacked=bool(stacked), xla=network.xla and not distributed),
        "regime": regime.context(model, options.distribute),
        "distribute": options.distribute,
        "train_call": indented(_train_call(model, options.distribute)),
        "xla": network.xla,
        "sparse": network.sparse,
        "cut": any(node.op in CUTS for node in graph.all_nodes()),
        "unordered": any(map(_is_read_in_vain, graph.all_nodes())),
        "state": bool(graph.state),
        "weights": "{**PARAMS, **STATE}" if graph.state else "PARAMS",
        "first_input": next(iter(model.inputs)),
        "summed": training.epoch_loss(model)[1] == "total",
        **training_context(model, graph),
        **_differences(model, network, options.distribute),
    }
    body = render("tensorflow_script.py.j2", context)
    library = [n for n in paste.needed(paste.called_in(body, paste.TENSORFLOW), paste.TENSORFLOW) if n not in layers]
    tail = render("library.py.j2", {"library": paste.sources(library, paste.TENSORFLOW)})
    modules = regime_modules(model.train) | MODULES.get(options.distribute, set())
    modules |= paste.standard_modules([*layers, *library], paste.TENSORFLOW)
    script = body.replace(IMPORTS, "\n".join(f"import {m}" for m in sorted(modules))) + tail
    return sealed(mark.off(script, names | network.words_made))


def _activations(network: Network) -> set[str]:
    """Return the functions that stand in the model without being called: `activation=gelu`."""
    text = "\n".join(network.lines)
    return {n for n in ("gelu",) if f"activation={n}" in text or f"Activation({n}" in text}


def _model_lines(model: Model, graph: Graph, network: Network) -> list[str]:
    inputs = ", ".join(f'"{n}": {v.name}' for n, v in graph.inputs.items())
    outputs = [f'"{n}": {word}' for n, word in network.outputs.items()]
    return [*network.lines, *wrapped(f"model = keras.Model({{{inputs}}}, {{", outputs, f'}}, name="{model.name}")')]


def _is_read_in_vain(node: Node) -> bool:
    """Whether real numbers are read whose gradient does not wait for what is computed from them."""
    op = node.rule
    blocks = op.vjp is no_gradient and not op.detached and node.ins[0].type.dtype == "real"
    return blocks or node.op in CUTS


def _train_call(model: Model, distribute: str) -> list[str]:
    """Return the call of `train` in `run_train`."""
    shown = "after_epoch if chief else None" if distribute == "multiworker" else "after_epoch"
    arguments = ["data", "epochs=options.epochs", "seed=options.seed"]
    arguments += ["resume=resume"] if model.train.checkpoint else []
    arguments += [f"on_epoch={shown}"]
    arguments += ["strategy=strategy"] if distribute else []
    return wrapped("params, history = train(", arguments, ")")


def _train_options(distribute: str) -> list[str]:
    """Return the lines of `command_line` for what `train` of a NumPy script has not."""
    lines = [
        'command.add_argument("--export", metavar="DIR", help="folder for a SavedModel")',
        'command.add_argument("--tensorboard", metavar="DIR", help="folder for TensorBoard\'s logs")',
        "command.add_argument(",
        '    "--precision", default="float32", choices=["float32", "float64", "mixed_bfloat16", "mixed_float16"]',
        ")",
    ]
    if distribute == "mirrored":
        help = "how many GPUs; without GPUs, logical CPU devices"
        lines.append(f'command.add_argument("--replicas", metavar="N", type=int, help="{help}")')
    return lines


def _variable_lines(model: Model, network: Network, stacked: dict[str, tuple[str, ...]]) -> list[str]:
    later_rows = {name for rows in stacked.values() for name in rows[1:]}
    lines = []
    for full in model.params:
        layer, attribute = network.variables[full]
        if full not in later_rows:
            lines.append(f'"{full}": model.get_layer("{layer}").{attribute.partition("[")[0]},')
    return lines


def _stacked(model: Model, network: Network) -> dict[str, tuple[str, ...]]:
    """Return the parameters that are the rows of one variable in Keras, by the first of them."""
    rows: dict[tuple[str, str], list[str]] = {}
    for full in model.params:
        layer, attribute = network.variables[full]
        if "[" in attribute:
            rows.setdefault((layer, attribute.partition("[")[0]), []).append(full)
    return {names[0]: tuple(names) for names in rows.values()}


def _read_lines(network: Network) -> list[str]:
    return [f'    "{key}": model.get_layer("{layer}").output,' for key, layer in network.read.items()]


def _differences(model: Model, network: Network, distribute: str) -> dict[str, Any]:
    """Return what the shared templates say otherwise than in the NumPy script."""
    names = {path: network.keys.get(v.id, path) for path, v in network.values.items()}
    loss = "total_loss(network, values, examples)"
    return {
        "workers": distribute == "multiworker",
        "tensorflow": True,
        **result_files(model, "weights.npz", "model.keras", "history.csv"),
        "train_options": indented(_train_options(distribute)),
        "checked_with": "differences of the loss",
        "metric_lines": indented(training.metric_lines(model, names, loss, "values"), 8),
        "diverged_values": "weights(network), forward(network, examples)",
        "subject": "network",
        "restore": 'assign(network, state["best_params"])',
        "fitted": "history",
        "predict_dtype": "model.variable_dtype",
        "predict_setup": [
            "model = params if isinstance(params, keras.Model) else build_model(params)",
            "in_precision(weights(model), model.variable_dtype)  # raises DataError where one is not finite",
        ],
        "predict_forward": "outputs = forward(model, batch)"
        if network.outputs.keys() == set(model.outputs)
        else "outputs = {name: value for name, value in forward(model, batch).items() if name in OUTPUTS}",
        "scaled_inputs": scaled_inputs(model),
        "scaled_outputs": scaled_outputs(model),
    }


__all__ = ["tensorflow_script"]
