"""An update of the parameters by the optimizer's equations, as the spec has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from dotnn.codegen import optimizer
from dotnn.ir.expr import Equation
from dotnn.ir.interpret import scope_of_lines
from dotnn.model.model import Model
from dotnn.model.settings.rates import factors

Arrays = dict[str, np.ndarray]


def solved(
    model: Model,
    equations: Sequence[Equation],
    numbers: Mapping[str, float],
    params: Arrays,
    grads: Arrays,
    slots: dict[str, Arrays],
) -> Arrays:
    """Return the parameters after one update of those that have a gradient, and renew the memories in `slots`.

    `numbers` are what the equations read beside `w`, `g` and the memories: the optimizer's arguments, `lr`, `t`.
    """
    train, starts, of_parts = model.train, optimizer.slots(model.train), factors(model)
    text = "\n".join(optimizer.numpy_equation(line, numbers) for line in equations)
    program = compile(text, "<equations>", "exec")
    after = dict(params)
    for name, g in grads.items():
        w, lr = params[name], numbers["lr"] * of_parts.get(name, 1.0)
        if model.params[name].decayed:
            w = w - lr * train.weight_decay * w
        scope = {**scope_of_lines(), **numbers, "lr": lr, "w": w, "g": g}
        for slot, start in starts.items():
            scope[slot] = slots.setdefault(slot, {}).get(name, np.full_like(g, start))
        exec(program, scope)
        after[name] = scope["w"]
        for slot in starts:
            slots[slot][name] = scope[slot]
    return after
