"""The `data` section: sources, columns, scales, splits, inline arrays (NN320 to NN328)."""

from __future__ import annotations

from collections.abc import Sequence

from dotnn.core.diagnostics import Diagnostic, Span, did_you_mean, join_names
from dotnn.model.messages.base import several


def data_name(span: Span, name: str, known: Sequence[str]) -> Diagnostic:
    return Diagnostic("NN320", f'"{name}" is neither an input nor a target', span, help=did_you_mean(name, known))


def data_missing(span: Span, names: Sequence[str]) -> Diagnostic:
    return Diagnostic(
        "NN321",
        f"the data section has nothing for {join_names(names)}",
        span,
        help=f"every input and target needs an array, {names[0]} = [[…], …], or columns of the source",
    )


def source_form(span: Span, message: str, known: str = "") -> Diagnostic:
    example = 'for instance: source = csv("iris.csv", x = [sepal_length, sepal_width], y = species)'
    return Diagnostic("NN322", message, span, help=known or example)


def columns_shape(span: Span, name: str, shape: str, wanted: int, found: int) -> Diagnostic:
    given = f"{found} is given" if found == 1 else f"{found} are given"
    return Diagnostic(
        "NN323",
        f"{name} has shape {shape}: it takes {several(wanted, 'column')}, but {given}",
        span,
        help="name one column for each number, or change the declared shape",
    )


def columns_rank(span: Span, name: str, shape: str) -> Diagnostic:
    return Diagnostic(
        "NN323",
        f"{name} has shape {shape}, which the columns of a table cannot hold",
        span,
        help=f'store it as an array: npz("file.npz", {name} = key); or declare one axis and reshape it in the model',
    )


def scale_form(span: Span, help: str) -> Diagnostic:
    return Diagnostic(
        "NN324", "a scale is range(names), standard(names) or divide(number, names), or a list of them", span, help=help
    )


def scale_target(span: Span, name: str, kind: str) -> Diagnostic:
    return Diagnostic(
        "NN325",
        f'"{name}" holds {kind}, which cannot be scaled',
        span,
        help="scale inputs and targets of real numbers only",
    )


def split_form(span: Span, message: str, help: str = "") -> Diagnostic:
    return Diagnostic("NN326", message, span, help=help or "for instance: split(train = 80%, val = 10%, test = 10%)")


def inline_data(span: Span, message: str, note: str = "", help: str = "") -> Diagnostic:
    return Diagnostic("NN327", message, span, note, help or "one row per example: x = [[0, 0], [0, 1]]")


def inline_and_source(span: Span, names: Sequence[str]) -> Diagnostic:
    return Diagnostic(
        "NN328",
        "give either arrays or a source, not both",
        span,
        f"there are arrays for {join_names(names)}",
        "delete the source, or the arrays",
    )
