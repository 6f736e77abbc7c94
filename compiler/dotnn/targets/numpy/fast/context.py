"""What the templates of the fast style show."""

from __future__ import annotations

import math
from typing import Any

from dotnn.codegen import optimizer
from dotnn.codegen.lines import all_on_the_page, wrapped
from dotnn.codegen.wrap import INDENT, WIDTH
from dotnn.ir.graph import Graph
from dotnn.ir.node import Value
from dotnn.model.model import Model
from dotnn.passes.simplify import drop_unread
from dotnn.targets.base import Draft
from dotnn.targets.numpy.fast.arrays import new_array
from dotnn.targets.numpy.fast.emitter import FastEmitter
from dotnn.targets.numpy.fast.placement.batch import place
from dotnn.targets.numpy.fast.placement.describe import describe
from dotnn.targets.numpy.fast.plan import STEP, Plan
from dotnn.targets.numpy.fast.update import plan_update

CHUNK_NUMBERS = 2**21
"""So many numbers the arrays of a prediction hold at most, about: 8 MiB in single precision."""
CACHED = CHUNK_NUMBERS // 8
"""So many stay in a core's cache, where that are not less than `MANY` examples."""
LEAST, MANY, MOST = 16, 512, 4096
"""How many examples go through the network at once."""


def plans(model: Model, step: Graph, prediction: Graph) -> tuple[Plan, Plan]:
    """Return the plan of a training step, and that of a prediction."""
    of_step = FastEmitter(model, drop_unread(step)).emit()
    return of_step, FastEmitter(model, prediction).emit()


def context(model: Model, graph: Graph, plan: Plan, prediction: Plan) -> dict[str, Any]:
    """Return the lines of the step, of a prediction and of the update."""
    assert graph.loss is not None
    update = plan_update(model.train)
    memories = {slot: f"aligned(w.shape, w.dtype, {start})" for slot, start in optimizer.slots(model.train).items()}
    blocked = len(update.passes) > 3 or bool(update.scratch)
    return {
        "examples": [f'"{name}": {expression},' for name, expression in plan.examples.items()],
        "setup": all_on_the_page(plan.setup, INDENT),
        "takes": [f'take(arrays["{name}"], chosen, 0, batch["{name}"], "clip")' for name in plan.examples],
        "step": all_on_the_page(plan.step, STEP),
        "functions": _functions(plan.functions | {"take"}),
        "loss": graph.loss.name,
        "dtype": "next(iter(params.values())).dtype" if model.params else "np.dtype(float)",
        "input_gradients": {name: _array_of(name, graph) for name in graph.grads if name not in graph.params},
        "rule": update,
        "prediction": _prediction(graph, prediction),
        "update_functions": _functions(update.functions),
        "blocked": blocked,
        "state": optimizer.entries(model.train, memories),
        "averaged": _is_mean(model),
    }


def _array_of(name: str, graph: Graph) -> str:
    """Return the expression of an array for the gradient of an input, or for what is handed on."""
    if name in graph.inputs:
        return f'aligned((size, *INPUTS["{name}"][1]), dtype)'
    return new_array(("size", *graph.grads[name].type.example), "dtype")


def _prediction(graph: Graph, plan: Plan) -> dict[str, Any]:
    """Return the lines of a forward pass over some examples at a time, and how many these are."""
    arrays = {name: _batch_array(graph.inputs[name]) for name in plan.examples}
    numbers = plan.numbers + sum(math.prod(graph.inputs[name].type.example) for name in plan.examples)
    fit, cached = (most // max(1, numbers) // LEAST * LEAST for most in (CHUNK_NUMBERS, CACHED))
    chunk = max(LEAST, min(MOST, fit, max(MANY, cached)))
    return {
        "chunk": chunk,
        "arrays": [f'"{name}": {array},' for name, array in arrays.items()],
        "setup": all_on_the_page(plan.setup, INDENT),
        "functions": _functions(plan.functions | {"copyto"}),
        "copies": [f'copyto(batch["{name}"], examples["{name}"])' for name in plan.examples],
        "step": all_on_the_page(plan.step, STEP),
        "results": wrapped("return {", [f'"{n}": {e}' for n, e in plan.results.items()], "}", room=STEP),
    }


def _batch_array(source: Value) -> str:
    """Return the expression of an array for some examples of an input."""
    dims: tuple[int | str, ...] = ("size", *source.type.example)
    return new_array(dims, "dtype" if source.type.dtype == "real" else "int")


def _is_mean(model: Model) -> bool:
    """Whether the loss of a batch is a mean over its examples, in a part at least."""
    return not all(t.attrs.get("reduce") == "sum" for t in model.train.losses)


def _functions(names: set[str]) -> list[str]:
    """Return the lines that give NumPy's functions local names: looking them up would cost as much as a small call."""
    ordered = sorted(names)
    single = f"{', '.join(ordered)} = {', '.join(f'np.{n}' for n in ordered)}"
    return [single] if len(single) <= WIDTH - INDENT else [f"{n} = np.{n}" for n in ordered]


def describe_schedule(draft: Draft) -> str:
    """Return the arrays and the lines of a training step and a prediction, for `dotnn dump --stage schedule`."""
    parts = zip(("step", "prediction"), plans(draft.model, draft.step, draft.prediction), strict=True)
    return "\n".join(
        line
        for name, plan in parts
        for line in ("-- arrays, made once", *plan.setup, "", f"-- every {name}", *plan.step, "")
    )


def describe_placement(draft: Draft) -> str:
    """Return where the values of a training step and of a prediction live, for `dotnn dump --stage placement`."""
    step, prediction = place(drop_unread(draft.step)), place(draft.prediction)
    return f"-- a training step\n{describe(step)}\n-- a prediction\n{describe(prediction)}"
