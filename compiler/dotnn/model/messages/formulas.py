"""Formulas: shapes that do not meet, masks, parts, axes (NN140, NN204, NN214)."""

from __future__ import annotations

from dotnn.core.diagnostics import Diagnostic, Span


def shapes_differ(span: Span, verb: str, places: str, reason: str) -> Diagnostic:
    note = f"{places};  {reason}" if reason else places
    help = "shapes must be equal: repeat a single feature with -> spread(n), or change the width with -> dense(n)"
    return Diagnostic("NN204", f"cannot {verb}", span, note, help)


def mask_as_value(span: Span) -> Diagnostic:
    help = "a mask chooses between two values: where(x > 0, a, b); for numbers write where(x > 0, 1, 0)"
    return Diagnostic("NN214", "a value of the network is needed here, not a mask", span, help=help)


def no_mask(span: Span) -> Diagnostic:
    help = "compare first: where(x > 0, a, b)"
    return Diagnostic("NN214", "a mask is needed here, such as x > 0", span, help=help)


def no_axis(span: Span, function: str, axis: int | None, shape: str, origin: str) -> Diagnostic:
    if axis is None:
        message, help = (
            f"{function} works along an axis, but its operand is a single number",
            "declare it with shape [1]",
        )
    else:
        message, help = (
            f"{function}: {shape} has no axis {axis}",
            "axes count those of an example, from 0; -1 is the last",
        )
    return Diagnostic("NN204", message, span, origin, help)


def bad_index(span: Span, message: str, origin: str, help: str) -> Diagnostic:
    return Diagnostic("NN204", message, span, origin, help)


def no_attribute(span: Span, name: str) -> Diagnostic:
    help = 'a.T swaps the last two axes of a value; a file or column goes in quotes: "house.csv"'
    return Diagnostic("NN140", f'a value has no part called "{name}"', span, help=help)


def no_product(span: Span, left: str, right: str, origins: str) -> Diagnostic:
    help = "a product of matrices takes [n, k] @ [k, m]; one with weights is a layer: x -> dense(3, bias = false)"
    return Diagnostic("NN204", f"cannot multiply {left} @ {right}", span, origins, help)
