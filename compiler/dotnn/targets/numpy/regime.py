"""What surrounds the optimizer in `fit`: the schedule, clipping, constraints, and checkpoints to go on from."""

from __future__ import annotations

from typing import Any

from dotnn.codegen import learning_rate, optimizer, training
from dotnn.codegen.lines import indented, literal, wrapped
from dotnn.codegen.regime import RESTORE, SAVING, TRAIN_ARGUMENTS, digest_lines, due, kept
from dotnn.ir.graph import Graph
from dotnn.model.model import Model, Train


def context(model: Model, graph: Graph, *, fast: bool) -> dict[str, Any]:
    """Return what the templates of the training loop show."""
    train = model.train
    checkpoint = train.checkpoint
    return {
        "learning_rate": learning_rate.context(train),
        "rate": learning_rate.current(train),
        "clip": _clip(train),
        "constraints": constraint_lines(model),
        "arguments": "".join(f", {name}" for name in SAVING * bool(checkpoint)),
        "train_head": wrapped("def train(", TRAIN_ARGUMENTS + SAVING * bool(checkpoint), "):"),
        "passed": ", checkpoint=checkpoint, resume=resume" if checkpoint else "",
        "start": indented(_before(model, fast), 4),
        "first": indented(_first_gradient(model, fast), 4),
        "first_epoch": "len(history) + 1" if checkpoint else "1",
        "step": _step(model, graph, fast),
        "after_epoch": indented(learning_rate.after_epoch(train), 8),
        "save": indented(_save(model, fast), 8) if checkpoint else [],
        "overflow": indented(_overflow(model, graph, fast), 4),
        "checkpoint": checkpoint,
    }


def _before(model: Model, fast: bool) -> list[str]:
    """Return the lines before the loop."""
    started = ["started = time.monotonic()"] if training.time_limit(model.train) else []
    restored = [*digest_lines(), *_restore(model, fast)] if model.train.checkpoint else []
    watched = learning_rate.watcher_lines(model.train)
    return [*watched, *restored, *learning_rate.formula_lines(model.train), *started]


def gradient_function(model: Model) -> str:
    """Return the function of the explain style that the training loop calls: with state, it is renewed on the way."""
    return "loss_and_grads" if all(p.trained for p in model.params.values()) else "training_pass"


def _first_gradient(model: Model, fast: bool) -> list[str]:
    """Return the lines that compute the first gradient, where all examples at once are a batch: an epoch ends with
    the gradient for the next one, so that its loss is that after the update."""
    if model.train.batch:
        return []
    fresh = "loss = step(None, rng)" if fast else f"loss, grads = {gradient_function(model)}(params, examples, rng=rng)"
    if model.train.checkpoint is None:
        return [fresh]
    saved = 'g[...] = resume["grads"]' if fast else 'grads = resume["grads"]'
    return ["if resume is None:", f"    {fresh}", "else:", f"    {saved}"]


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
    lines.append(f"update({rate})" if fast else f"update(params, grads, state{f', lr={rate}' if rate else ''})")
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
        memories = ", ".join(f'"{slot}": state["{slot}"]' for slot in slots)
        return wrapped("note_overflow(", ["history", "params", f"{{{memories}}}", *values], ")")
    return [
        "memories = {}",
        f"for slot in {literal(slots)}:",
        "    g[...] = state[slot]  # it lies as the gradients do: `grads` knows the names",
        "    memories[slot] = {name: grads[name].copy() for name in PARAMS}",
        *wrapped("note_overflow(", ["history", "params", "memories", *values], ")"),
    ]


def _save(model: Model, fast: bool) -> list[str]:
    """Return the lines that hand the state of the training over, after an epoch."""
    assert model.train.checkpoint is not None
    state = {"params": "params", "optimizer": "state", "rng": "rng.bit_generator.state", "history": "list(history)"}
    state["data"] = "digest"
    state |= {"best_epoch": "history.best_epoch"} if training.early_stop(model) else {}
    # All examples at once: the gradient for the next update has been computed, and its draws are spent.
    state |= {"grads": "g" if fast else "grads"} if not model.train.batch else {}
    entries = [f'"{name}": {value}' for name, value in {**state, **kept(model)}.items()]
    return [
        f"if checkpoint is not None{due(model.train)}:",
        *indented(wrapped("checkpoint(copy.deepcopy({", entries, "}))"), 4),
    ]


def _restore(model: Model, fast: bool) -> list[str]:
    """Return the lines that put a state back, before the loop."""
    parts = kept(model)
    lines = list(RESTORE)
    if fast:
        lines += ["for name in params:", '    params[name][...] = resume["params"][name]']
        lines += [f'state["{slot}"][...] = resume["optimizer"]["{slot}"]' for slot in optimizer.slots(model.train)]
        lines += ['state["t"] = resume["optimizer"]["t"]'] * optimizer.counts_updates(model.train)
    else:
        lines.append('params, state = resume["params"], resume["optimizer"]')
    lines.append('rng.bit_generator.state = resume["rng"]')
    lines.append('history.extend(resume["history"])')
    if training.early_stop(model):
        lines += ['history.best_epoch = resume["best_epoch"]']
    lines += [f'{name} = resume["{name}"]' for name in parts if name != "plateau"]
    lines += ['vars(plateau).update(resume["plateau"])'] * ("plateau" in parts)
    return ["if resume is not None:", *indented(lines, 4)]
