"""What training leaves as it is: `trainable = false` of a layer or a block, `freeze = [encode, h1.W]` in `train`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from dotnn.core.arguments import BOOL, Arg
from dotnn.core.diagnostics import Span
from dotnn.model import messages
from dotnn.model.bind import convert
from dotnn.model.constants import Constants
from dotnn.model.messages.base import Fail
from dotnn.model.model import Model, Parameter, Step
from dotnn.model.section import SectionReader
from dotnn.syntax import nodes
from dotnn.syntax.walk import labels

TRAINABLE = Arg("trainable", BOOL, True, "whether training changes its parameters")
"""What every call takes whose layer or block has parameters."""


def without_trainable(
    owner: str, known: Iterable[str], args: Sequence[nodes.Arg], constants: Constants
) -> tuple[tuple[nodes.Arg, ...], Span | None]:
    """Return the arguments of a call without `trainable`, and where the call says that it is false.

    What has an argument of this name itself is given it. Raises `Fail` where it is no truth value, or given twice.
    """
    is_it = [arg.name is not None and arg.name.id == TRAINABLE.name for arg in args]
    if TRAINABLE.name in known or not any(is_it):
        return tuple(args), None
    given = [arg for arg, found in zip(args, is_it, strict=True) if found]
    if len(given) > 1:
        raise Fail(messages.calls.repeated_argument(given[1].span, owner, TRAINABLE.name))
    rest = tuple(arg for arg, found in zip(args, is_it, strict=True) if not found)
    return rest, None if convert(owner, TRAINABLE, given[0].value, constants) else given[0].span


def frozen(model: Model, section: SectionReader) -> Model:
    """Return the model with what the train section's `freeze` names frozen, too; report what is wrong with it."""
    names = section.each("freeze", lambda expr: _named(expr, model.params, section))
    whole = {name for name in names if name not in model.params}
    params = {n: frozen_parameter(p) if n in names or belongs(n, whole) else p for n, p in model.params.items()}
    steps = tuple(_without_training(step, whole) for step in model.steps)
    kept = [p for p in params.values() if p.frozen]
    if kept and not section.failed and not any(p.trained for p in params.values()):
        span = section.spans["freeze"].span if "freeze" in section.spans else kept[0].span
        section.reporter.add(messages.weights.nothing_to_train(span))
    return replace(model, params=params, steps=steps)


def _named(expr: nodes.Expr, params: Mapping[str, Parameter], section: SectionReader) -> str:
    """Return the parameter, or what owns parameters, that an element of `freeze` names. Raises `Fail`."""
    name = ".".join(labels(expr))
    if name.startswith(".") or not name:
        raise Fail(messages.weights.freeze_form(expr.span, section.reporter.source.words_at(expr.span)))
    if name in params and params[name].renewed:
        raise Fail(messages.weights.not_trained(expr.span, name, name.rpartition(".")[0]))
    if name not in params and not any(belongs(known, {name}) for known in params):
        raise Fail(messages.weights.nothing_to_freeze(expr.span, name, owners(params)))
    return name


def belongs(name: str, owners: Iterable[str]) -> bool:
    """Whether a parameter belongs to one of these layers or blocks."""
    return any(name.startswith(f"{owner}.") for owner in owners)


def owners(params: Mapping[str, Parameter]) -> list[str]:
    """Return all that can be named: parameters, their layers, and the blocks around these."""
    found: dict[str, None] = {}
    for name in (name for name, p in params.items() if not p.renewed):
        parts = name.split(".")
        found |= dict.fromkeys(".".join(parts[:count]) for count in range(1, len(parts) + 1))
    return list(found)


def frozen_parameter(p: Parameter) -> Parameter:
    """Return a parameter that training leaves as it is: no penalty draws it to zero, no constraint moves it.

    What a stateful layer carries from batch to batch goes on.
    """
    if p.carried:
        return p
    return replace(p, trained=False, frozen=True, penalty=None, decayed=False, constraint=None)


def _without_training(step: Step, owners: set[str]) -> Step:
    frozen = step.frozen or (bool(step.params) and all(belongs(full, owners) for full in step.params.values()))
    return replace(step, frozen=True) if frozen else step
