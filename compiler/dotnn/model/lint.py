"""Warnings: specs that compile and train, but hardly as meant."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from dotnn.core.arguments import Bound
from dotnn.core.diagnostics import Diagnostic
from dotnn.library.layers import Layer
from dotnn.model import messages
from dotnn.model.model import Data, LossTerm, Model, Step


def lint(model: Model) -> list[Diagnostic]:
    """Return the warnings of a model."""
    steps = {s.path: s for s in model.steps}
    found = [warning for step in model.steps for warning in _of_step(model, step)]
    found += _lost_biases(model)
    found += _of_data(model.data) if model.data else []
    if model.train.batch == 1:
        found += batches_of_one(model, "every batch")
    found += _of_outputs(model, steps)
    found += [warning for term in model.train.losses for warning in _of_loss(term, steps)]
    return found


def _of_data(data: Data) -> Iterator[Diagnostic]:
    split, windowed = data.split, data.source is not None and data.source.length > 1
    if windowed and split is not None and split.span is not None and not (split.order or split.grouped):
        yield messages.warnings.shuffled_windows(split.span)


def _of_step(model: Model, step: Step) -> Iterator[Diagnostic]:
    if _ends_with(step, "softmax") and step.type.example[-1:] == (1,):
        yield messages.warnings.softmax_one(step.span)
    weight = model.params.get(step.params.get("W", ""))
    if weight is not None and weight.init.name == "zeros" and _ends_with(step, "relu"):
        yield messages.warnings.relu_zero_init(step.span, weight.name)


def _of_outputs(model: Model, steps: Mapping[str, Step]) -> Iterator[Diagnostic]:
    for path in model.outputs.values():
        if path in steps and steps[path].layer.name == "dropout":
            yield messages.warnings.dropout_before_output(steps[path].span)


def _of_loss(term: LossTerm, steps: Mapping[str, Step]) -> Iterator[Diagnostic]:
    """Yield a warning where a loss of probabilities may be given something else."""
    last = steps.get(term.output)
    if last is None or term.loss.op not in ("cross_entropy", "bce"):
        return
    if not _is_probability(last, steps):
        yield messages.warnings.not_probability(last.span, term.loss.name, term.output, _linear_units(last))
    elif term.loss.op == "cross_entropy" and not _is_distribution(last, steps):
        yield messages.warnings.not_distribution(last.span, term.output)


def _linear_units(step: Step) -> int | None:
    """Return how many units a dense layer without an activation has, None for any other step."""
    plain = step.layer.name == "dense" and _ends_with(step, "identity")
    return int(step.attrs["units"]) if plain else None


def _lost_biases(model: Model) -> Iterator[Diagnostic]:
    """Yield a warning for every bias that nothing but batch norm reads, whichever use of its layer it is added in."""
    readers = _readers(model)
    for name, uses in _uses_of_biases(model).items():
        if all(_is_linear(step) and readers.get(step.path) == {"batchnorm"} for step in uses):
            owner = uses[0].path if len(uses) == 1 else name.removesuffix(".b")
            yield messages.warnings.bias_before_batchnorm(uses[0].span, owner, uses[0].layer.name)


def _readers(model: Model) -> dict[str, set[str]]:
    """Return the layers that read each value; an output, or what a loss or a metric compares, has a reader outside."""
    compared = [
        *(path for term in model.train.losses for path in term.outputs),
        *(metric.output for metric in model.train.metrics),
    ]
    readers = {path: {"the user"} for path in (*model.outputs.values(), *compared)}
    for step in model.steps:
        for path in step.ins:
            readers.setdefault(path, set()).add("the frozen" * step.frozen or step.layer.name)
    return readers


def _uses_of_biases(model: Model) -> dict[str, list[Step]]:
    """Return the steps that add each bias; what a gate or a state of a recurrent layer adds up is no plain sum."""
    uses: dict[str, list[Step]] = {}
    for step in model.steps:
        if "b" in step.params and "U" not in step.params and step.layer.expand is None:
            uses.setdefault(step.params["b"], []).append(step)
    return uses


def batches_of_one(model: Model, which: str) -> list[Diagnostic]:
    """Return a warning for every layer that takes its statistics over the batch, which then holds a single example.

    Such a layer is known by the state it keeps of them; one with several positions has those to take a mean over.
    """
    return [
        messages.warnings.batch_of_one(step.span, step.path, step.layer.name, which)
        for step in model.steps
        if any(model.params[name].renewed for name in step.params.values()) and math.prod(step.type.example[:-1]) == 1
    ]


def _act(step: Step) -> Bound[Layer] | None:
    """Return the activation that a layer was given; a cell may call something else so."""
    act = step.attrs.get("act")
    return act if isinstance(act, Bound) else None


def _ends_with(step: Step, name: str) -> bool:
    """Whether a step is an activation, or ends with it."""
    act = _act(step)
    return step.layer.name == name or (act is not None and act.name == name)


def _ending(step: Step) -> str:
    """Return the activation that a step ends with, else its layer."""
    act = _act(step)
    return act.name if act is not None else step.layer.name


def _is_probability(last: Step, steps: Mapping[str, Step]) -> bool:
    """Whether all numbers of a step lie in [0, 1]: it makes such numbers, or only takes, moves and shrinks them."""
    pending, seen = [last.path], {last.path}
    while pending:
        step = steps.get(pending.pop())
        if step is not None and _ending(step) in ("softmax", "sigmoid"):
            continue
        if step is None or not _keeps_unit(step):
            return False
        pending += [path for path in step.ins if path not in seen]
        seen |= set(step.ins)
    return True


def _keeps_unit(step: Step) -> bool:
    return step.layer.keeps_unit or (step.layer.name == "scale" and 0 <= step.attrs["factor"] <= 1)


def _is_distribution(step: Step | None, steps: Mapping[str, Step]) -> bool:
    """Whether each row of a step adds up to 1: it is a softmax, through whatever leaves its rows as they are."""
    while step is not None and _ending(step) != "softmax":
        before = steps.get(step.ins[0])
        moved = step.layer.name in ("reshape", "flatten", "stop_gradient")
        rows = before is not None and before.type.example[-1:] == step.type.example[-1:]
        same = step.layer.name == "scale" and step.attrs["factor"] == 1
        step = before if (moved and rows) or same else None
    return step is not None


def _is_linear(step: Step) -> bool:
    act = _act(step)
    return act is None or act.name == "identity"
