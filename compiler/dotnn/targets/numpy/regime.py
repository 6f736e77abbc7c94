"""What surrounds the optimizer in `fit`: the schedule, clipping, constraints, and the state to go on from."""

from __future__ import annotations

from typing import Any

from dotnn.codegen import learning_rate, optimizer
from dotnn.codegen.epochs import HEAD, Loop, Words
from dotnn.codegen.lines import indented, literal, wrapped
from dotnn.codegen.regime import TRAIN_ARGUMENTS
from dotnn.ir.graph import Graph
from dotnn.model.model import Model, Train

EXPLAIN = Words(best="dict(params)")
FAST = Words()


def context(model: Model, graph: Graph, *, fast: bool) -> dict[str, Any]:
    """Return what the templates of the training loop show."""
    train = model.train
    loop = Loop(model, FAST if fast else EXPLAIN)
    return {
        "learning_rate": learning_rate.context(train),
        "rate": learning_rate.current(train),
        "clip": _clip(train),
        "constraints": constraint_lines(model),
        "train_head": wrapped("def train(", TRAIN_ARGUMENTS, "):"),
        "start": indented(_before(model, loop, fast), 4),
        "first": indented(_first_gradient(model, fast), 4),
        "head": HEAD,
        "over": indented(loop.over(), 8),
        "step": _step(model, graph, fast),
        "after": indented(loop.after({"rng": "rng.bit_generator.state", **_next_grads(model, fast)}), 8),
        "end": indented(loop.end(), 4),
        "overflow": indented(_overflow(model, graph, fast), 4),
        "checkpoint": train.checkpoint,
    }


def _before(model: Model, loop: Loop, fast: bool) -> list[str]:
    """Return the lines before the loop."""
    made = loop.state({"params": "params", "optimizer": "memory", "history": "history"})
    taken = [*_restore(model, fast), *loop.taken_up()]
    return [*made, "if resume is not None:", *indented(taken, 4), *loop.begin()]


def gradient_function(model: Model) -> str:
    """Return the function of the explain style that the training loop calls: with state, it is renewed on the way."""
    return "loss_and_grads" if all(p.trained for p in model.params.values()) else "training_pass"


def _first_gradient(model: Model, fast: bool) -> list[str]:
    """Return the lines that compute the first gradient, where all examples at once are a batch: an epoch ends with
    the gradient for the next one, so that its loss is that after the update."""
    if model.train.batch:
        return []
    fresh = "loss = step(None, rng)" if fast else f"loss, grads = {gradient_function(model)}(params, examples, rng=rng)"
    saved = 'g[...] = resume["grads"]' if fast else 'grads = resume["grads"]'
    return ["if resume is None:", f"    {fresh}", "else:", f"    {saved}"]


def _next_grads(model: Model, fast: bool) -> dict[str, str]:
    """Return the entry of a state for the gradient of the next update, whose draws are spent."""
    return {} if model.train.batch else {"grads": "g" if fast else "grads"}


# ------------------------------------------------------------------------------------------------------ the step


def _clip(train: Train) -> dict[str, object]:
    """Return what the fast style's `make_clip` shows; nothing where nothing is clipped."""
    if train.clip is None:
        return {}
    entry = train.clip.entry
    return {
        "call": str(train.clip),
        "equation": entry.equation,
        "source": entry.source,
        "limit": train.clip.attrs["limit"],
        "each": entry.each,
        "lines": entry.fast,
    }


def _step(model: Model, graph: Graph, fast: bool) -> list[str]:
    """Return the lines between one gradient and the next."""
    train, rate = model.train, learning_rate.current(model.train)
    lines = []
    if train.clip is not None:
        # Gradients by inputs, where they were asked for, are nothing to be trained by.
        grads = "grads" if graph.grads.keys() <= graph.params.keys() else "{name: grads[name] for name in PARAMS}"
        lines.append("clip()" if fast else f"grads = {train.clip.entry.helper}({grads}, {train.clip.attrs['limit']})")
    lines.append(f"update({rate})" if fast else f"update(params, grads, memory{f', lr={rate}' if rate else ''})")
    lines += ["constrain(params)"] if constraint_lines(model) else []
    return lines + learning_rate.after_step(train)


def constraint_lines(model: Model) -> list[str]:
    """Return the body of `constrain`: one line for every parameter that is constrained."""
    lines = []
    for name, p in model.params.items():
        if p.constraint is not None:
            weight = f'params["{name}"]'
            lines.append(f"{weight}[...] = {p.constraint.entry.written(weight, p.constraint.attrs)}")
    return lines


def _overflow(model: Model, graph: Graph, fast: bool) -> list[str]:
    """Return the lines after the loop that find what no loss shows: a last update, a memory of the optimizer, a running
    statistic or a value of the network that is not finite."""
    slots = optimizer.slots(model.train)
    hidden = any(n.rule.vanishes for n in graph.all_nodes())
    if not slots and not hidden and not model.train.batch:
        return []  # the loss of an epoch is that after its only update
    rows = "examples" if not model.train.batch else "{name: values[:BATCH_SIZE] for name, values in examples.items()}"
    values = [f"forward(params, {rows})[1]"] if hidden else []
    if not fast or not slots:
        memories = ", ".join(f'"{slot}": memory["{slot}"]' for slot in slots)
        return wrapped("note_overflow(", ["history", "params", f"{{{memories}}}", *values], ")")
    return [
        "memories = {}",
        f"for slot in {literal(slots)}:",
        "    g[...] = memory[slot]  # it lies as the gradients do: `grads` knows the names",
        "    memories[slot] = {name: grads[name].copy() for name in PARAMS}",
        *wrapped("note_overflow(", ["history", "params", "memories", *values], ")"),
    ]


# ------------------------------------------------------------------------------------------------------- the state


def _restore(model: Model, fast: bool) -> list[str]:
    """Return the lines that put parameters, the optimizer's memory and the generator back."""
    if not fast:
        lines = ['params, memory = dict(resume["params"]), resume["optimizer"]']
        lines.append('state |= {"params": params, "optimizer": memory}')
        return [*lines, 'rng.bit_generator.state = resume["rng"]']
    lines = ["for name in params:", '    params[name][...] = resume["params"][name]']
    lines += [f'memory["{slot}"][...] = resume["optimizer"]["{slot}"]' for slot in optimizer.slots(model.train)]
    lines += ['memory["t"] = resume["optimizer"]["t"]'] * optimizer.counts_updates(model.train)
    return [*lines, 'rng.bit_generator.state = resume["rng"]']
