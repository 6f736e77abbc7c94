"""What the templates of the fast style show."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from dotnn.codegen import optimizer
from dotnn.codegen.lines import on_the_page
from dotnn.codegen.wrap import INDENT, WIDTH
from dotnn.ir.graph import Graph
from dotnn.model.model import Model
from dotnn.targets.numpy.fast.emitter import FastEmitter
from dotnn.targets.numpy.fast.plan import STEP, Plan
from dotnn.targets.numpy.fast.update import plan_update


def context(model: Model, graph: Graph, plan: Plan) -> dict[str, Any]:
    """Return the lines of the step and of the update."""
    assert graph.loss is not None
    update = plan_update(model.train)
    slots = optimizer.slots(model.train)
    blocked = len(update.passes) > 3 or bool(update.scratch)
    return {
        "examples": [f'"{name}": {expression},' for name, expression in plan.examples.items()],
        "setup": [part for line in plan.setup for part in on_the_page(line, INDENT)],
        "takes": [f'take(arrays["{name}"], chosen, 0, batch["{name}"], "clip")' for name in plan.examples],
        "step": [part for line in plan.step for part in on_the_page(line, STEP)],
        "functions": _functions(plan.functions | {"take"}),
        "loss": graph.loss.name,
        "dtype": "next(iter(params.values())).dtype" if model.params else "np.dtype(float)",
        "input_gradients": [name for name in graph.grads if name in graph.inputs],
        "rule": update,
        "update_functions": _functions(update.functions),
        "blocked": blocked,
        "blocked_passes": [_sliced(line, update.scratch) for line in update.passes],
        "state": ['"t": 0'] * update.counts + [f'"{s}": {optimizer.fresh(start)}' for s, start in slots.items()],
        "averaged": _is_mean(model),
    }


def _is_mean(model: Model) -> bool:
    """Whether the loss of a batch is a mean over its examples, in a part at least."""
    return not all(t.attrs.get("reduce") == "sum" for t in model.train.losses)


def _functions(names: set[str]) -> list[str]:
    """Return the lines that give NumPy's functions local names: looking them up would cost as much as a small call."""
    ordered = sorted(names)
    single = f"{', '.join(ordered)} = {', '.join(f'np.{n}' for n in ordered)}"
    return [single] if len(single) <= WIDTH else [f"{n} = np.{n}" for n in ordered]


def _sliced(line: str, scratch: Iterable[str]) -> str:
    """Return a pass with its scratch arrays cut to the block."""
    names = "|".join(scratch)
    return re.sub(rf"\b({names})\b", r"\1_", line) if names else line


def describe_schedule(model: Model, graph: Graph) -> str:
    """Return the arrays and the lines of a training step, for `dotnn dump --stage schedule`."""
    plan = FastEmitter(model, graph).emit()
    return "\n".join(["-- arrays, made once", *plan.setup, "", "-- every step", *plan.step]) + "\n"
