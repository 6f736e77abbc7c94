"""The script of the fast style: everything that the templates print, made into finished lines."""

from __future__ import annotations

from pathlib import Path

from dotnn.codegen import counting, optimizer, paste, training
from dotnn.codegen.called import ONLY, Names
from dotnn.codegen.definitions import defined
from dotnn.codegen.heading import headed, header
from dotnn.codegen.hygiene import Mark, names_of
from dotnn.codegen.lines import all_on_the_page, indented, literal, wrapped
from dotnn.codegen.regime import modules
from dotnn.codegen.render import Parts, assembled
from dotnn.codegen.shared import result_files, training_context, value_names
from dotnn.codegen.tables import constants
from dotnn.codegen.threads import thread_lines
from dotnn.codegen.wrap import INDENT
from dotnn.ir.graph import Graph
from dotnn.model.model import Model
from dotnn.running.told_by_data import classes_from_one
from dotnn.targets.base import Draft
from dotnn.targets.numpy import training_loop
from dotnn.targets.numpy.equations import forward, helper_names, total_loss
from dotnn.targets.numpy.fast import context as fast
from dotnn.targets.numpy.fast.plan import Plan

TEMPLATES = Path(__file__).parent / "templates"


def script(draft: Draft) -> str:
    """Return the text of the script: a training step computes the graph `draft.step` in arrays that exist.

    Equal drafts give the same bytes. Raises `NamesMeet` where a value must be called otherwise.
    """
    model = draft.model
    names, mark = names_of(draft.graph, draft.step, draft.prediction), mark_of(draft)
    graph, step, prediction = mark.on(draft.graph), mark.on(draft.step), mark.on(draft.prediction)
    plan, of_prediction = fast.plans(model, step, prediction)
    called = helper_names(graph) | plan.helpers | of_prediction.helpers
    called |= training.init_helpers(model) | optimizer.helpers(model.train)
    formulas = paste.needed(called - {"locate"})
    context: dict[str, object] = {
        **header(model, draft.facts, draft.style.name),
        **constants(model, graph),
        "formulas": [*paste.sources(formulas), *defined(model, graph)],
        "init_lines": indented(training.init_lines(model, draft.values)),
        "forward_lines": forward(model, graph),
        "loss_lines": total_loss(model, graph),
        "state": bool(graph.state),
        "weights": "{**PARAMS, **STATE}" if graph.state else "PARAMS",
        "all_params": "{**params, **state}" if graph.state else "params",
        "fast": fast.context(model, step, plan, of_prediction),
        "update": optimizer.context(model.train),
        "regime": training_loop.context(model, graph),
        "names": ONLY,
        "counted": counting.of_a_batch(model, 'arrays["{}"][chosen]'),
        "draws": graph.draws,
        "samples": graph.samples,
        "thread_lines": thread_lines(model),
        **training_context(model, in_place=True, from_one=classes_from_one(model, draft.labels)),
        **_own(model, graph),
    }
    alone = draft.options.get("helpers") != "import"
    text = mark.off(assembled(Parts(TEMPLATES, paste.SCRIPT, formulas, modules(model.train), alone), context), names)
    return headed(model, text, draft.facts)


def _own(model: Model, graph: Graph) -> dict[str, object]:
    """Return what the shared templates say otherwise for other targets."""
    return {
        "figures_read": literal(read_by_figures(model, graph)),
        "metric_lines": training.metric_lines(model, value_names(model, graph)),
        "predict_dtype": "dtype",
        "predict_setup": [
            "dtype = next(iter(params.values())).dtype if params else np.float64",
            "params = in_precision(params, dtype)",
        ],
        "predict_forward": predicted(graph),
        "diverged_values": "params, forward(params, as_arrays(examples))[1]",
        "subject": "params",
        "restore": 'params = state["best_params"]',
        "keep_shown": "params = average_params",
        "fitted": "params, history",
        **result_files(model, "weights.npz", "history.csv"),
        "train_options": [],
        "checked_with": "complex-step derivatives",
        "workers": False,
        "framework_errors": False,
        "noted_at_once": True,
        "more_made_of": ', "precision": "float32"',
    }


def mark_of(draft: Draft) -> Mark:
    """Return the mark of the spec's names while its script is written."""
    return Mark.for_text("".join([draft.model.source.whole, draft.model.source.path, *draft.options.sets]))


def read_by_figures(model: Model, graph: Graph) -> tuple[str, ...]:
    """Return the names of the examples' arrays that the loss and the metrics read."""
    read = {v.id for node in graph.phase("loss") for v in node.ins}
    names = {name for name, v in {**graph.inputs, **graph.targets}.items() if v.id in read}
    names |= {name for metric in model.train.metrics for name in (*metric.values, *metric.targets)}
    return tuple(name for name in (*graph.inputs, *graph.targets) if name in names)


def predicted(graph: Graph, names: Names = ONLY) -> str:
    """Return the lines of `predict` that run the network; `names` are those of the training whose pass predicts."""
    outputs = [f'"{name}": values["{v.name}"]' for name, v in graph.outputs.items()]
    make, chunk = names.own("make_forward"), names.own("CHUNK")
    run = [f"values = run_again(LAST_PASS, {make}, params, batch, {chunk})"]
    if graph.samples:
        made = f"{make}(params, len(next(iter(batch.values()))))"
        run = ["rng = np.random.default_rng(SEED) if rng is None else rng", f"values = {made}(batch, rng)"]
    lines = [*all_on_the_page(run, INDENT), *wrapped("outputs = {", outputs, "}", room=INDENT)]
    return "\n    ".join(lines)


def plans(draft: Draft) -> tuple[Plan, ...]:
    """Return the plans of a fast step and of a prediction with the names that they have in the script."""
    mark = mark_of(draft)
    found = fast.plans(draft.model, mark.on(draft.step), mark.on(draft.prediction))
    return tuple(plan.spelt(mark.plain) for plan in found)
