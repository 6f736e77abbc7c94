"""What surrounds the optimizer in `fit`: the schedule, clipping, constraints, and the state to go on from."""

from __future__ import annotations

from dotnn.codegen import augmenting, learning_rate, optimizer, tree
from dotnn.codegen.epochs import HEAD, Loop
from dotnn.codegen.lines import headed, indented, literal, wrapped
from dotnn.codegen.loop_words import Words
from dotnn.codegen.parts import shown
from dotnn.codegen.printer import print_module, printed
from dotnn.codegen.regime import IN_PLACE_ARGUMENTS, constraint_places, constraints
from dotnn.codegen.sections import Section
from dotnn.codegen.training import evaluated_parts
from dotnn.codegen.wrap import INDENT
from dotnn.ir.graph import Graph
from dotnn.model.model import Model, Train
from dotnn.targets.numpy.settings import fast_parts


def _constraints(model: Model) -> list[str]:
    """Return the lines of `constrain`; a constraint that the spec defines is headed by its definition."""
    heads = {target: headed(text, f"    {place}") for target, (text, place) in constraint_places(model).items()}
    lines = ((heads.get(target), f"{target} = {value}") for target, value in constraints(model))
    return [line for pair in lines for line in pair if line]


def context(model: Model, graph: Graph) -> dict[str, object]:
    """Return what the templates of the training loop show."""
    train = model.train
    parts = fast_parts(model)
    best = f"{{name: w.copy() for name, w in {shown(parts)}.items()}}"
    section = Section(model, parts)
    loop = Loop(model, [section], Words("figures()", "val_figures()", best=lambda names: best))
    functions = [tree.Module("", [function]) for part in parts for function in part.functions]
    on_train, has_val, _ = evaluated_parts(model)
    now = {"rng": "rng.bit_generator.state", **_next_grads(model)}
    return {
        "learning_rate": learning_rate.written(train),
        "rate": section.rate,
        "clip": _clip(train),
        "constraints": _constraints(model),
        "train_head": wrapped("def train(", IN_PLACE_ARGUMENTS, "):"),
        "start": indented(_before(model, loop), 4),
        "first": indented(_first_gradient(model), 4),
        "head": f"{HEAD}:",
        "over": indented(printed(loop.over(), 8), 8),
        "functions": [print_module(module)[0].strip("\n") for module in functions],
        "setup": indented(printed([s for part in parts for s in part.setup], 4), 4),
        "shown": shown(parts),
        "resampled": any(part.resampled for part in parts),
        "accumulate": train.setting("accumulate"),
        "rates_of_parts": bool(train.setting("rates")),
        "step": printed(step(section, loop), 12),
        "after": indented(printed(loop.after(now), 8), 8),
        "end": indented(printed(loop.end(), 4), 4),
        "overflow": indented(_overflow(model, graph), 4),
        "on_train": on_train,
        "has_val": has_val,
        "checkpoint": train.checkpoint,
    }


def _before(model: Model, loop: Loop) -> list[str]:
    """Return the lines before the loop."""
    made = printed(loop.state({"params": "params", "optimizer": "memory", "history": "history"}), 4)
    taken = [*_restore(model), *printed(loop.taken_up(), 8)]
    return [*made, "if resume is not None:", *indented(taken, 4), *printed(loop.begin(), 4)]


def _first_gradient(model: Model) -> list[str]:
    """Return the lines that compute the first gradient, where all examples at once are a batch: an epoch ends with
    the gradient for the next one, so that its loss is that after the update."""
    if model.train.batch:
        return []
    first = ["    renew(1)"] * bool(augmenting.changes(model))
    return ["if resume is None:", *first, "    loss = step(None, rng)", "else:", '    g[...] = resume["grads"]']


def _next_grads(model: Model) -> dict[str, str]:
    """Return the entry of a state for the gradient of the next update, whose draws are spent."""
    return {} if model.train.batch else {"grads": "g"}


# ------------------------------------------------------------------------------------------------------ the step


def _clip(train: Train) -> dict[str, object]:
    """Return what `make_clip` shows; nothing where nothing is clipped."""
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


def step(section: Section, loop: Loop) -> list[tree.Stmt]:
    """Return the statements between one gradient and the next."""
    own, model = section.names.own, section.model
    clip = [tree.Do(f"{own('clip')}()")] if section.train.clip is not None else []
    limits = [tree.Do(f"{own('constrain')}(params)")] if constraints(model) else []
    update = tree.Do(f"{own('update')}({section.rate})")
    return [*clip, *loop.gradient(section), update, *limits, *loop.updated(section)]


def hides_overflow(graph: Graph) -> bool:
    """Whether a value of the network is zero where what it is made of has overflowed."""
    return any(node.hides_overflow for node in graph.all_nodes())


def looked_at(model: Model) -> str:
    """Return the expression of the examples for which the values of the network are looked at, once it is trained."""
    whole = "as_arrays(examples)"
    return "{name: values[:BATCH_SIZE] for name, values in examples.items()}" if model.train.batch else whole


def _overflow(model: Model, graph: Graph) -> list[str]:
    """Return the lines after the loop that find what no loss shows: a last update, a memory of the optimizer, a running
    statistic or a value of the network that is not finite."""
    slots = tuple(optimizer.slots(model.train))
    values = [f"forward(params, {looked_at(model)})[1]"] if hides_overflow(graph) else []
    if not slots and not values and not model.train.batch:
        return []  # the loss of an epoch is that after its only update
    if not slots:
        return wrapped("note_overflow(", ["history", "params", "{}", *values], ")", INDENT)
    return [
        "memories = {}",
        f"for slot in {literal(slots)}:",
        "    g[...] = memory[slot]  # it lies as the gradients do: `grads` knows the names",
        "    memories[slot] = {name: grads[name].copy() for name in PARAMS}",
        *wrapped("note_overflow(", ["history", "params", "memories", *values], ")", INDENT),
    ]


# ------------------------------------------------------------------------------------------------------- the state


def _restore(model: Model) -> list[str]:
    """Return the lines that put parameters, the optimizer's memory and the generator back."""
    lines = ["for name in params:", '    params[name][...] = resume["params"][name]']
    lines += [f'memory["{slot}"][...] = resume["optimizer"]["{slot}"]' for slot in optimizer.slots(model.train)]
    lines += ['memory["t"] = resume["optimizer"]["t"]'] * optimizer.counts_updates(model.train)
    return [*lines, 'rng.bit_generator.state = resume["rng"]']
