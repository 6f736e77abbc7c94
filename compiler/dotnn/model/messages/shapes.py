"""Shapes and sizes: of operands, blocks, shared layers and declarations (NN204, NN226, NN228, NN230, NN231)."""

from __future__ import annotations

from dotnn.core.diagnostics import Diagnostic, Span


def shape_mismatch(span: Span, message: str, note: str, help: str) -> Diagnostic:
    return Diagnostic("NN204", message, span, note, help or "change the shape of what comes in, or this call")


def block_shape(
    span: Span, block: str, name: str, expected: str, found: str, note: str, *, what: str = "block"
) -> Diagnostic:
    return Diagnostic(
        "NN226",
        f"{what} {block}: its input {name} is declared {expected}, but receives {found}",
        span,
        note,
        f"pass a value of the declared shape, or change the declaration in the {what}",
    )


def shared_shape(span: Span, name: str, first: str, found: str, line: int) -> Diagnostic:
    return Diagnostic(
        "NN228",
        f"the shared layer {name} was first used on {first} (line {line}), here on {found}",
        span,
        help="one set of weights fits one input width; make the widths equal or use two layers",
    )


def bad_declaration(span: Span, message: str, help: str) -> Diagnostic:
    return Diagnostic("NN230", message, span, help=help)


def limit(span: Span, message: str, help: str = "make it smaller", note: str = "") -> Diagnostic:
    return Diagnostic("NN231", message, span, note, help)
