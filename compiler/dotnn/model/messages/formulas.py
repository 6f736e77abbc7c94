"""Formulas: shapes that do not meet, masks, parts, axes (NN140, NN204, NN214, NN216)."""

from __future__ import annotations

from collections.abc import Iterable

from dotnn.core.diagnostics import Diagnostic, Span
from dotnn.model.messages.shapes import bad_declaration, limit
from dotnn.model.synonyms import suggest


def shapes_differ(span: Span, verb: str, places: str, reason: str) -> Diagnostic:
    note = f"{places};  {reason}" if reason else places
    help = "shapes must be equal: repeat a single feature with -> spread(n), or change the width with -> dense(n)"
    return Diagnostic("NN204", f"cannot {verb}", span, note, help)


def nothing_beside(span: Span, name: str) -> Diagnostic:
    help = "there are as many draws as examples of an input of real numbers: declare one, or draw in the model"
    return Diagnostic("NN214", f"{name} needs a value of real numbers beside it", span, help=help)


def too_large(span: Span, size: int, most: int) -> Diagnostic:
    message = f"the formula is too large: {size:,} names, numbers and operations with its definitions written out"
    help = "in the model, apply one piece after the other: part = f(x), and then g(part)"
    return limit(span, message, help, f"the limit is {most:,}")


def mask_as_value(span: Span) -> Diagnostic:
    help = "a mask chooses between two values: where(x > 0, a, b); for numbers write where(x > 0, 1, 0)"
    return Diagnostic("NN214", "a value is needed here, not a mask", span, help=help)


def no_mask(span: Span) -> Diagnostic:
    help = "compare first: where(x > 0, a, b)"
    return Diagnostic("NN214", "a mask is needed here, such as x > 0", span, help=help)


def no_quotient(span: Span) -> Diagnostic:
    help = "it is 0 where both sides are: safe(a / b)"
    return Diagnostic("NN214", "a quotient is needed here, such as a / b", span, help=help)


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


def no_operand(span: Span, name: str) -> Diagnostic:
    help = f"name its operand: activation {name}(z) = …"
    return bad_declaration(span, f"activation {name} has no operand", help)


def called_without_operand(span: Span, name: str, operand: str) -> Diagnostic:
    return Diagnostic("NN212", f"{name} is called without its operand", span, help=f"write {name}({operand})")


def operand_with_default(span: Span, name: str) -> Diagnostic:
    help = f"the first name is the value that the activation is applied to: write {name} alone, arguments after it"
    return bad_declaration(span, f"{name} is the operand: it has no default", help)


def kind_in_activation(span: Span) -> Diagnostic:
    return bad_declaration(span, "an activation takes numbers only", "write the name alone, without a kind")


NOT_ELEMENTWISE = {
    "activation": (
        "an activation acts on each element by itself",
        "what mixes elements or has weights, such as softmax or prelu, belongs in a block or in the model",
    ),
    "optimizer": (
        "an optimizer changes each element by itself",
        "write it with + - * / ^ where, min, max, sqrt, …",
    ),
    "schedule": ("a schedule computes with plain numbers", "write it with + - * / ^ where, min, max, cos, …"),
    "init": ("an initialiser draws each element by itself", "write it with + - * / ^ and draws such as normal(1)"),
}


def not_elementwise(span: Span, keyword: str) -> Diagnostic:
    message, help = NOT_ELEMENTWISE[keyword]
    return Diagnostic("NN216", message, span, help=help)


def unknown_function(span: Span, name: str, known: Iterable[str]) -> Diagnostic:
    return Diagnostic("NN202", f'there is no function called "{name}"', span, help=suggest(name, known))


def no_product(span: Span, left: str, right: str, origins: str) -> Diagnostic:
    help = "a product of matrices takes [n, k] @ [k, m]; one with weights is a layer: x -> dense(3, bias = false)"
    return Diagnostic("NN204", f"cannot multiply {left} @ {right}", span, origins, help)
