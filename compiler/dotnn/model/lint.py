"""Warnings: specs that compile and train, but hardly as meant."""

from __future__ import annotations

import math
from collections.abc import Iterator

from dotnn.diagnostics import Diagnostic
from dotnn.model import cautions
from dotnn.model.model import Model, Step


def lint(model: Model) -> list[Diagnostic]:
    """Return the warnings of a model."""
    found: list[Diagnostic] = []
    steps = {s.path: s for s in model.steps}
    for step in model.steps:
        act = step.attrs.get("act")
        is_softmax = step.layer.name == "softmax" or (act is not None and act.name == "softmax")
        if is_softmax and step.type.example[-1:] == (1,):
            found.append(cautions.softmax_one(step.span))
        weight = model.params.get(step.params.get("W", ""))
        if act is not None and act.name == "relu" and weight is not None and weight.init.name == "zeros":
            found.append(cautions.relu_zero_init(step.span, weight.name))
    found += _lost_biases(model)
    if model.train.batch == 1:
        found += batches_of_one(model, "every batch")
    for path in model.outputs.values():
        if path in steps and steps[path].layer.name == "dropout":
            found.append(cautions.dropout_before_output(steps[path].span))
    for term in model.train.losses:
        last = steps.get(term.output)
        if last is None or term.loss.op not in ("cross_entropy", "bce"):
            continue
        act = last.attrs.get("act")
        name = act.name if act is not None else last.layer.name
        if name not in ("softmax", "sigmoid"):
            found.append(cautions.not_probability(last.span, term.loss.name, term.output))
        elif name == "sigmoid" and term.loss.op == "cross_entropy":
            found.append(cautions.not_distribution(last.span, term.output))
    return found


def _lost_biases(model: Model) -> Iterator[Diagnostic]:
    """Yield a warning for every bias that nothing but batch norm reads, whichever use of its layer it is added in."""
    compared = [*(term.output for term in model.train.losses), *(metric.output for metric in model.train.metrics)]
    readers: dict[str, list[str]] = {path: ["the user"] for path in (*model.outputs.values(), *compared)}
    for step in model.steps:
        for path in step.ins:
            readers.setdefault(path, []).append(step.layer.name)
    uses: dict[str, list[Step]] = {}
    for step in model.steps:
        if "b" in step.params and "U" not in step.params:  # what a gate or a state adds up is no plain sum
            uses.setdefault(step.params["b"], []).append(step)
    for name, (first, *more) in uses.items():
        if all(_is_linear(s) and set(readers.get(s.path, ())) == {"batchnorm"} for s in (first, *more)):
            owner = name.removesuffix(".b") if more else first.path
            yield cautions.bias_before_batchnorm(first.span, owner, first.layer.name)


def batches_of_one(model: Model, which: str) -> list[Diagnostic]:
    """Return a warning for every layer that takes its statistics over the batch, which then holds a single example.

    Such a layer is known by the state it keeps of them; one with several positions has those to take a mean over.
    """
    return [
        cautions.batch_of_one(step.span, step.path, step.layer.name, which)
        for step in model.steps
        if any(not model.params[name].trained for name in step.params.values())
        and math.prod(step.type.example[:-1]) == 1
    ]


def _is_linear(step: Step) -> bool:
    act = step.attrs.get("act")
    return act is None or act.name == "identity"
