"""What all targets' templates of the data, of predictions and of the training loop show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dotnn.codegen import augmenting, data, training
from dotnn.codegen.lines import indented, literal, on_the_page
from dotnn.codegen.preparing import fitted
from dotnn.codegen.wrap import INDENT
from dotnn.ir.graph import Graph
from dotnn.model.model import Model
from dotnn.model.raw import keys_of_predictions, raw_declarations


def training_context(model: Model, *, in_place: bool, from_one: Sequence[str] = ()) -> dict[str, Any]:
    """Return what the templates of the data and of the training loop show, whatever the target.

    `in_place` says whether large data are not copied, or whether the target reads arrays alone; the classes of the
    arrays `from_one` are counted from 1 in their files.
    """
    has_test = training.evaluated_parts(model)[2]
    add, report = training.epoch_loss(model)
    early = training.early_stop(model)
    table = data.table_source(model)
    raw = {n: k for n, (k, _) in raw_declarations(model, training=False).items() if n in model.inputs}
    keys = keys_of_predictions(model)
    kinds = literal({**raw, **keys})
    known = ", read_labels(folder)" if table and table.entry.numbered else ""
    read = f"{table.entry.function}(options.input, INPUT_COLUMNS, {kinds}{known}{data.form(table)})" if table else ""
    seen = ["inputs = in_windows(inputs, WINDOWS)"] if table and table.windows else []
    seen += [f"del inputs[{literal(name)}]" for name in keys]
    return {
        "shuffle": model.train.shuffle,
        "data_file": bool(model.data and model.data.source),
        "load_lines": indented(data.load_lines(model, from_one)),
        "classes": bool(data.classes(model)),
        "in_place": in_place,
        "prepare_lines": indented(data.prepare_lines(model, ", copy=copy" if in_place else ", resident=np.inf")),
        "augment_lines": augmenting.lines(model),
        "has_test": has_test,
        "early": early,
        "add_loss": add,
        "report_loss": report,
        "full_batch": model.train.batch == 0,
        "has_fitted": bool(fitted(model)),
        "raw_inputs": "RAW_INPUTS" if data.raw_inputs(model) else "INPUTS",
        "predict_lines": indented(data.predict_lines(model)),
        "undone_lines": indented(data.undone_lines(model)),
        "table": table.entry if table else None,
        "read_array": data.read_array(model),
        "npz_keys": data.npz_keys(model),
        "read_inputs": indented([*on_the_page(f"inputs, labels = {read}", 2 * INDENT), *seen], 2 * INDENT)
        if table
        else [],
    }


def result_files(model: Model, *always: str) -> dict[str, Any]:
    """Return the names of what `train --out` writes, but for checkpoints."""
    scaled = ["scaling.json"] if fitted(model) else []
    labels = ["labels.json"] if data.classes(model) else []
    return {"result_files": [*always, *scaled, *labels], "results": literal((*always, *scaled, *labels))}


def value_names(model: Model, graph: Graph) -> dict[str, str]:
    """Return the identifier of every step's value in the script, by its path in the model."""
    return {path: v.name for path, v in graph.steps.items()}
