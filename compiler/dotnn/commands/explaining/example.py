"""The numbers of one example: one step of training that the script itself takes, with all values on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType

import numpy as np

from dotnn.commands.explaining.script import Explanation
from dotnn.core.diagnostics import CompileError, Diagnostic, Source, Span
from dotnn.running.script_values import ScriptValues, script_values
from dotnn.running.scripts import run_script
from dotnn.running.spec_files import load_examples, refusals
from dotnn_runtime.gradcheck.tracing.recording import record

Array = np.ndarray
Arrays = Mapping[str, Array]


@dataclass(frozen=True)
class Worked:
    """One step of training, and one example in it.

    number   which example, from 1;  row: where it is in the batch;  size: how many examples the batch has
    batch    the arrays of the batch;  values: what the script computes of it
    shares   the gradients that this example alone adds, None where they do not add up
    before, after  the parameters before and after the update
    """

    number: int
    row: int
    size: int
    batch: Arrays
    values: ScriptValues
    shares: Arrays | None
    before: Arrays
    after: Arrays


def worked(found: Explanation, number: int, data: str | None) -> Worked:
    """Take one step of training: with all examples where the spec trains on all at once, else with this one alone.

    `number` counts from 1; `data` is a file that takes the place of the spec's own. Raises `CompileError`.
    """
    model = found.model
    examples, _ = load_examples(model, data)
    module = run_script(found.text, "dotnn_explained", model.source.path)
    with refusals(model), np.errstate(all="ignore"):
        parts = module.prepare(dict(examples), np.float64)[0]
    whole = parts["train"]
    count = len(next(iter(whole.values())))
    if not 1 <= number <= count:
        raise CompileError([_no_such_example(number, count, len(parts) > 1)])
    alone = model.train.batch != 0
    row = 0 if alone else number - 1
    batch = {name: rows[number - 1 : number] if alone else rows for name, rows in whole.items()}
    return _step(found, module, parts, batch, number, row)


def _step(
    found: Explanation, module: ModuleType, parts: Mapping[str, Arrays], batch: Arrays, number: int, row: int
) -> Worked:
    size = len(next(iter(batch.values())))
    start = module.init_params(found.model.train.seed, np.float64)
    if hasattr(module, "unit_variance"):
        start = module.unit_variance(start, parts["train"])
    others = {name: dict(arrays) for name, arrays in parts.items()}
    with np.errstate(all="ignore"):
        step = record(module, dict(start), {**others, "train": dict(batch)}, epochs=1, size=size).steps[0]
        values = _values(found, module, step.before, batch, step.again())
        shares = _shares(found, module, step.before, batch, row, values) if size > 1 else values.grads
    return Worked(number, row, size, batch, values, shares, step.before, step.after or step.before)


def _values(
    found: Explanation, module: ModuleType, params: Arrays, batch: Arrays, rng: np.random.Generator, d_loss: float = 1.0
) -> ScriptValues:
    return script_values(found.graph, module, found.text, found.sites, params, batch, d_loss=d_loss, rng=rng)


def _shares(
    found: Explanation, module: ModuleType, params: Arrays, batch: Arrays, row: int, values: ScriptValues
) -> Arrays | None:
    """Return the gradients of the example alone, scaled as in the batch, if it sends back the same there."""
    graph, size = found.graph, len(next(iter(batch.values())))
    reductions = {node.attrs.get("reduce") for node in graph.phase("loss") if node.op != "total"}
    if len(reductions) > 1 or graph.new_state:
        return None
    one = {name: rows[row : row + 1] for name, rows in batch.items()}
    d_loss = 1 / size if reductions == {"mean"} else 1.0
    alone = _values(found, module, params, one, np.random.default_rng(0), d_loss)
    sent = [v.name for node in graph.phase("backward") for v in node.outs if v.type.batched]
    pairs = ((alone.whole[name][0], values.whole[name][row]) for name in sent)
    return alone.grads if all(np.allclose(a, b, rtol=1e-9, atol=1e-15) for a, b in pairs) else None


def _no_such_example(number: int, count: int, is_split: bool) -> Diagnostic:
    which = "the training part has" if is_split else "the data have"
    place = Source("--example", str(number))
    help = f"examples count from 1: name one of 1 to {count}"
    message = f"there is no example {number}: {which} {count}"
    return Diagnostic("NN511", message, Span(0, len(place.text)), help=help, source=place)
