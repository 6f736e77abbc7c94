"""Every warning, NN6xx: one function each, span first."""

from __future__ import annotations

from dotnn.core.diagnostics import Diagnostic, Span, join_names


def relu_zero_init(span: Span, name: str) -> Diagnostic:
    return Diagnostic(
        "NN601",
        f"{name} starts at zero before a relu: no gradient will ever reach it",
        span,
        help="use init = he",
        severity="warning",
    )


def dropout_before_output(span: Span) -> Diagnostic:
    return Diagnostic(
        "NN602",
        "dropout is the last thing before an output",
        span,
        help="put it before the last dense layer",
        severity="warning",
    )


def softmax_one(span: Span) -> Diagnostic:
    return Diagnostic(
        "NN603", "softmax of a single value is always 1", span, help="use sigmoid and bce", severity="warning"
    )


def not_probability(span: Span, loss: str, output: str, units: int | None) -> Diagnostic:
    """`units` are those of a dense layer that the output ends with, None for another layer."""
    activation = "softmax" if loss == "cross_entropy" else "sigmoid"
    added = f"add {activation}: dense({units}, {activation})" if units is not None else f"end it with {activation}"
    return Diagnostic(
        "NN604",
        f"{loss} needs probabilities, but {output} may lie outside [0, 1]",
        span,
        help=f"{added}; without, the loss may fall below 0 and training means nothing; with it, the loss is computed"
        f" stably, from the input of the {activation}",
        severity="warning",
    )


def not_distribution(span: Span, output: str) -> Diagnostic:
    return Diagnostic(
        "NN604",
        f"cross_entropy needs probabilities that add up to 1, and those of {output} need not",
        span,
        help="end it with softmax, or use bce where classes do not exclude each other",
        severity="warning",
    )


def unused_definition(span: Span, kind: str, name: str, example: str) -> Diagnostic:
    return Diagnostic(
        "NN607",
        f"the {kind} {name} is never used",
        span,
        help=f"use it, as in {example}, or delete the definition",
        severity="warning",
    )


def bias_before_batchnorm(span: Span, path: str, layer: str) -> Diagnostic:
    return Diagnostic(
        "NN606",
        f"the bias of {path} has no effect: batchnorm subtracts it again with the mean",
        span,
        help=f"write {layer}(…, bias = false): beta takes its place",
        severity="warning",
    )


def no_data_file(span: Span, name: str) -> Diagnostic:
    return Diagnostic(
        "NN605",
        f'there is no file "{name}" beside the spec',
        span,
        help="it is needed to train, unless --data names another one",
        severity="warning",
    )


def not_converted(span: Span, name: str, command: str) -> Diagnostic:
    return Diagnostic(
        "NN605",
        f'the script reads "{name}", which is not there yet',
        span,
        help=f"make it, in the folder of the spec: {command}",
        severity="warning",
    )


def batch_of_one(span: Span, path: str, layer: str, which: str) -> Diagnostic:
    return Diagnostic(
        "NN611",
        f"{which} holds a single example: the mean that {layer} {path} subtracts is the example itself, so"
        " its output does not depend on it",
        span,
        help="choose another batch size, or use layernorm",
        severity="warning",
    )


def shuffled_windows(span: Span) -> Diagnostic:
    return Diagnostic(
        "NN613",
        "the windows are shuffled before they are split: those of one part share steps with those of another",
        span,
        help="split the series in its order: order = file",
        severity="warning",
    )


def few_classes(span: Span | None, column: str, texts: list[str], count: int) -> Diagnostic:
    return Diagnostic(
        "NN610",
        f"{column} has {len(texts)} different texts, but there are {count} classes",
        span,
        note=join_names(texts),
        help="declare as many classes as there are: the others are never seen",
        severity="warning",
    )


def from_one(span: Span, column: str, count: int) -> Diagnostic:
    return Diagnostic(
        "NN614",
        f"{column} holds the numbers 1 to {count}: its {count} classes are counted from 1",
        span,
        help="nothing is to be done; predictions are headed by these numbers",
        severity="warning",
    )


def constant_column(span: Span, column: str, rows: int) -> Diagnostic:
    return Diagnostic(
        "NN612",
        f"the column {column} has the same value in all {rows} rows",
        span,
        help="leave it out: nothing can be learned from it",
        severity="warning",
    )
