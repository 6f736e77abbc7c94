"""The `train` section: losses, metrics, stop rules, checkpoints (NN304 to NN309, NN311, NN313, NN317, NN318, NN507)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dotnn.core.diagnostics import Diagnostic, Span, did_you_mean, join_names
from dotnn.model.messages.base import several


def loss_form(span: Span, message: str, help: str) -> Diagnostic:
    return Diagnostic("NN304", message, span, help=help)


def loss_target(span: Span, message: str, note: str, help: str) -> Diagnostic:
    return Diagnostic("NN305", message, span, note, help)


def loss_output(span: Span, name: str, known: Sequence[str]) -> Diagnostic:
    return Diagnostic("NN306", f'"{name}" is not an output or value of the model', span, help=did_you_mean(name, known))


def loss_swapped(span: Span, target: str, output: str) -> Diagnostic:
    return Diagnostic(
        "NN306", f'"{target}" is a target, but the output comes first', span, help=f"swap them: ({output}, {target})"
    )


def loss_target_name(span: Span, name: str, known: Sequence[str]) -> Diagnostic:
    none = "the model has no target; declare one: target t: [1]"
    return Diagnostic("NN306", f'"{name}" is not a target of the model', span, help=did_you_mean(name, known) or none)


def mask_form(span: Span, message: str, help: str) -> Diagnostic:
    return Diagnostic("NN315", message, span, help=help)


HOLDS = {
    "real": "any numbers",
    "unit": "numbers from 0 to 1",
    "sign": "-1 and +1",
    "class": "classes",
    "distribution": "probabilities",
    "binary": "0 and 1",
    "weight": "weights",
}


def metric_target(
    span: Span, metric: str, target: str, kind: str, fits: Sequence[str], others: Sequence[str]
) -> Diagnostic:
    return Diagnostic(
        "NN307",
        f'{metric} cannot be computed for the target "{target}", which holds {HOLDS[kind]}',
        span,
        help=f"for such a target there are {join_names(others)}; {metric} is for {', '.join(HOLDS[k] for k in fits)}",
    )


def metric_argument(span: Span, metric: str, argument: str, target: str, kind: str) -> Diagnostic:
    return Diagnostic(
        "NN307",
        f'{metric} takes no {argument} for the target "{target}", which holds {HOLDS[kind]}',
        span,
        help=f"delete it; {argument} is for classes",
    )


def class_weights(span: Span, found: int, classes: int) -> Diagnostic:
    return Diagnostic(
        "NN313",
        f"there are {several(found, 'weight')} for {classes} classes",
        span,
        help="give one weight for each class, in the order of their numbers",
    )


def checkpoint_form(span: Span) -> Diagnostic:
    return Diagnostic(
        "NN311",
        "a checkpoint is every(epochs, keep = last or best)",
        span,
        help="for instance: checkpoint = every(1), or every(5, keep = best)",
    )


def setting_form(span: Span, name: str, form: str, help: str) -> Diagnostic:
    return Diagnostic("NN317", f"`{name}` takes {form}", span, help=help)


def setting_clash(span: Span, name: str, reason: str, help: str) -> Diagnostic:
    return Diagnostic("NN318", f"`{name}` cannot be used here: {reason}", span, help=help)


def setting_unwritten(span: Span | None, name: str, target: str, reason: str, help: str) -> Diagnostic:
    return Diagnostic("NN507", f"`{name}` cannot be written for {target}: {reason}", span, help=help)


def stop_form(span: Span, help: str) -> Diagnostic:
    return Diagnostic(
        "NN308",
        "a stop rule is when(quantity < number), early(quantity, patience = n) or minutes(n)",
        span,
        help=help,
    )


def several_early(span: Span, help: str) -> Diagnostic:
    return Diagnostic("NN308", "there is more than one early(…)", span, help=help)


def stop_quantity(span: Span, name: str, known: Sequence[str], metrics: Iterable[str]) -> Diagnostic:
    plain = name.removeprefix("val_")
    if plain in metrics and plain not in known:
        help = f"report it: metrics = [{plain}]"
    elif name.startswith("val_") and plain in known:
        help = "it needs validation data: data { split = split(train = 80%, val = 20%) }"
    else:
        help = did_you_mean(name, known)
    return Diagnostic("NN309", f'"{name}" is not reported in this training', span, help=help)
