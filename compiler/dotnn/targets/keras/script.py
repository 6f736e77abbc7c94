"""The TensorFlow script: everything that the templates print, made into finished lines."""

from __future__ import annotations

from pathlib import Path

from dotnn.codegen import paste, training
from dotnn.codegen.called import ONLY
from dotnn.codegen.definitions import metric_functions
from dotnn.codegen.heading import headed, header
from dotnn.codegen.hygiene import Mark, names_of
from dotnn.codegen.lines import indented, literal, wrapped
from dotnn.codegen.regime import modules as regime_modules
from dotnn.codegen.render import Parts, assembled
from dotnn.codegen.shared import result_files, training_context
from dotnn.codegen.tables import constants
from dotnn.codegen.wrap import INDENT, WIDTH
from dotnn.ir.graph import Graph
from dotnn.ir.node import Node
from dotnn.ir.op import no_gradient
from dotnn.model.model import Model
from dotnn.running.told_by_data import classes_from_one
from dotnn.targets.base import Draft
from dotnn.targets.keras import optimizer, parameters, training_loop
from dotnn.targets.keras.cells import base_of
from dotnn.targets.keras.layout import as_black
from dotnn.targets.keras.loss import loss_lines
from dotnn.targets.keras.lowered import PACKAGES
from dotnn.targets.keras.network import Network
from dotnn.targets.keras.settings import check
from dotnn.targets.keras.settings.rates import check_stacked

TEMPLATES = Path(__file__).parent / "templates"

CUTS = ("stop_gradient", "truncate")
"""Ops through which the loss depends on a weight whose gradient does not know of it."""

SEEDED = (
    "for layer in model.layers if rng else ():",
    '    if hasattr(layer, "seed_generator"):',
    "        layer.seed_generator.state.assign(rng.integers(2**32, size=2))",
)
"""What lets the layers of a network draw from a generator."""

MODULES = {"mirrored": {"functools"}, "multiworker": {"functools", "os"}}
"""The standard modules that the script itself uses where replicas share a batch."""


def script(draft: Draft) -> str:
    """Return the text of the script. Equal drafts give the same bytes.

    Raises `CompileError` for a layer that has no counterpart
    in Keras, and `NamesMeet` where there are more such words.
    """
    model, distribute = draft.model, draft.options.get("distribute")
    if draft.parts:
        from dotnn.targets.keras.turns import script_of_turns

        return script_of_turns(draft)
    check(model, distribute)
    names, mark = (
        names_of(draft.graph),
        Mark.for_text(model.source.whole + model.source.path + "".join(draft.options.sets)),
    )
    graph = mark.on(draft.graph)
    network = Network(model, graph, mark, draft.words, distributed=bool(distribute))
    stacked = stacked_rows(model, network)
    check_stacked(model, stacked)
    losses = loss_lines(model, graph, network)
    pasted = paste.called_in(
        "\n".join([*network.lines, *network.functions.values(), *losses]), PACKAGES
    ) | used_activations(network)
    pasted |= {base_of(step.attrs) for step in model.steps if step.layer.expand}
    layers = paste.needed((pasted | training.init_helpers(model)) - {"locate", "DataError"}, PACKAGES)
    context: dict[str, object] = {
        **header(model, draft.facts, draft.style.name),
        **constants(model, graph, lambda v: network.keys[v.id]),
        "layers": [*paste.sources(layers, PACKAGES), *network.functions.values()],
        "init_lines": indented(training.init_lines(model, draft.values)),
        "model_lines": indented(model_lines(model, graph, network)),
        "variable_lines": indented(variable_lines(model, network, stacked), 8),
        "stacked": literal(stacked) if stacked else "",
        "stacked_frozen": any(model.params[name].frozen for name in stacked),
        "read_lines": indented(read_lines(network)),
        "loss_lines": indented(losses),
        "optimizer": optimizer.context(model.train, stacked=bool(stacked)),
        "regime": training_loop.context(model, distribute),
        "names": ONLY,
        "updated": "network.trainable_variables",
        "distribute": distribute,
        "train_call": indented(_train_call(model, distribute)),
        "xla": network.xla,
        "sparse": network.sparse,
        "cut": any(node.op in CUTS for node in graph.all_nodes()),
        "unordered": any(map(_is_read_in_vain, graph.all_nodes())),
        "state": bool(graph.state),
        "samples": graph.samples,
        "weights": "{**PARAMS, **STATE}" if graph.state else "PARAMS",
        "first_input": next(iter(model.inputs)),
        "summed": training.epoch_loss(model)[1] == "total",
        **training_context(model, in_place=False, from_one=classes_from_one(model, draft.labels)),
        **_differences(model, network, distribute, samples=graph.samples),
    }
    modules = regime_modules(model.train) | MODULES.get(distribute, set())
    alone = draft.options.get("helpers") != "import"
    text = assembled(Parts(TEMPLATES, PACKAGES, layers, modules, alone), context)
    text = as_black(mark.off(text, names | network.words_made))
    return headed(model, text, draft.facts)


def used_activations(network: Network) -> set[str]:
    """Return the functions that stand in the model without being called: `activation=gelu`."""
    text = "\n".join(network.lines)
    return {n for n in ("gelu",) if f"activation={n}" in text or f"Activation({n}" in text}


def model_lines(model: Model, graph: Graph, network: Network) -> list[str]:
    """Return the lines of `build_model` that make the model."""
    inputs = ", ".join(f'"{n}": {v.name}' for n, v in graph.inputs.items())
    outputs = ", ".join(f'"{n}": {word}' for n, word in network.outputs.items())
    ends = [f"{{{inputs}}}", f"{{{outputs}}}", f'name="{model.name}"']
    return [*network.lines, *wrapped("model = keras.Model(", ends, ")"), *parameters.freezing(network)]


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


def train_options(distribute: str) -> list[str]:
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


def variable_lines(model: Model, network: Network, stacked: dict[str, tuple[str, ...]]) -> list[str]:
    """Return the entries of `variables`: where Keras keeps each parameter."""
    later_rows = {name for rows in stacked.values() for name in rows[1:]}
    lines = []
    for full in model.params:
        layer, attribute = network.variables[full]
        if full not in later_rows:
            attribute = attribute.partition("[")[0]
            line = f'"{full}": model.get_layer("{layer}").{attribute},'
            broken = [f'"{full}": model.get_layer(', f'    "{layer}"', f").{attribute},"]
            lines += [line] if len(line) <= WIDTH - 2 * INDENT else broken
    return lines


def stacked_rows(model: Model, network: Network) -> dict[str, tuple[str, ...]]:
    """Return the parameters that are the rows of one variable in Keras, by the first of them."""
    rows: dict[tuple[str, str], list[str]] = {}
    for full in model.params:
        layer, attribute = network.variables[full]
        if "[" in attribute:
            rows.setdefault((layer, attribute.partition("[")[0]), []).append(full)
    return {names[0]: tuple(names) for names in rows.values()}


def read_lines(network: Network) -> list[str]:
    """Return the entries of what the losses and metrics read besides the outputs."""
    return [f'    "{key}": model.get_layer("{layer}").output,' for key, layer in network.read.items()]


def _differences(model: Model, network: Network, distribute: str, *, samples: bool) -> dict[str, object]:
    """Return what the shared templates say otherwise than in the NumPy script."""
    names = {path: network.keys.get(v.id, path) for path, v in network.values.items()}
    loss = "total_loss(network, values, examples)"
    return {
        "workers": distribute == "multiworker",
        "framework_errors": True,
        "noted_at_once": False,
        "more_made_of": ', "precision": options.precision',
        **result_files(model, "weights.npz", "model.keras", "history.csv"),
        "train_options": indented(train_options(distribute)),
        "checked_with": "differences of the loss",
        "metric_functions": metric_functions(model),
        "metric_lines": indented(training.metric_lines(model, names, loss, "values"), 8),
        "diverged_values": "weights(network), forward(network, examples)",
        "subject": "network",
        "restore": 'assign(network, state["best_params"])',
        "keep_shown": "average.keep()",
        "fitted": "history",
        **prediction(model, network, samples=samples),
    }


def prediction(model: Model, network: Network, *, samples: bool) -> dict[str, object]:
    """Return what the template of `predict` shows."""
    return {
        "predict_dtype": "model.variable_dtype",
        "predict_setup": [
            "model = params if isinstance(params, keras.Model) else build_model(params)",
            "in_precision(weights(model), model.variable_dtype)  # raises DataError where one is not finite",
            *(SEEDED if samples else []),
        ],
        "predict_forward": "outputs = forward(model, batch)"
        if network.outputs.keys() == set(model.outputs)
        else "outputs = {name: value for name, value in forward(model, batch).items() if name in OUTPUTS}",
    }
