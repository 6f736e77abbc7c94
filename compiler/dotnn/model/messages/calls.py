"""Calls: what is called, and the arguments it is given (NN202, NN203, NN208 to NN215, NN303, NN312)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dotnn.core.diagnostics import Diagnostic, Span, join_names
from dotnn.model.messages.base import a
from dotnn.model.synonyms import suggest


def unknown_layer(span: Span, name: str, known: Iterable[str]) -> Diagnostic:
    return Diagnostic("NN202", f'there is no layer called "{name}"', span, help=suggest(name, known))


def unknown_argument(span: Span, owner: str, name: str, known: Sequence[str]) -> Diagnostic:
    help = suggest(name, known) if known else f"{owner} takes no arguments"
    return Diagnostic("NN203", f'{owner} has no argument "{name}"', span, help=help)


def wrong_kind(span: Span, owner: str, name: str, expected: str, found: str, help: str = "") -> Diagnostic:
    return Diagnostic("NN208", f'{owner}: "{name}" must be {expected}, {found}', span, help=help)


def missing_argument(span: Span, owner: str, name: str, doc: str) -> Diagnostic:
    return Diagnostic("NN209", f'{owner} needs the argument "{name}" ({doc})', span, help=f"write {owner}({name} = …)")


def missing_block_argument(span: Span, block: str, name: str) -> Diagnostic:
    return Diagnostic(
        "NN209",
        f'block {block} needs the argument "{name}"',
        span,
        help=f"write {block}({name} = …), or give it a default in the block: block {block}({name} = 1)",
    )


def too_many_arguments(span: Span, owner: str, names: Sequence[str]) -> Diagnostic:
    takes = f"takes {join_names(names)}" if names else "takes no arguments"
    return Diagnostic("NN210", f"{owner} has too many arguments", span, help=f"{owner} {takes}")


def shared_arguments(span: Span, name: str, line: int) -> Diagnostic:
    return Diagnostic(
        "NN210",
        f"the shared layer {name} takes no arguments here",
        span,
        f"it got them in line {line}",
        f"write just {name}; for another width define another layer",
    )


def repeated_argument(span: Span, owner: str, name: str) -> Diagnostic:
    return Diagnostic("NN210", f'{owner} is given "{name}" twice', span, help="delete one of them")


def repeat_form(span: Span) -> Diagnostic:
    return Diagnostic(
        "NN210",
        "repeat takes a count and the layer or block to repeat",
        span,
        help="for instance: x -> repeat(3, dense(8, relu))",
    )


def not_a_layer(span: Span, name: str, what: str, help: str = "") -> Diagnostic:
    return Diagnostic(
        "NN211",
        f'"{name}" is {what}, not a layer',
        span,
        help=help or "a pipe `->` leads into layers; to join values write a + b, a * b or concat(a, b)",
    )


def layer_without_input(span: Span, name: str, call: str) -> Diagnostic:
    return Diagnostic("NN212", f"{name} is a layer without an input", span, help=f"pipe a value into it: x -> {call}")


def wrong_arity(span: Span, name: str, expected: str, found: int, help: str) -> Diagnostic:
    return Diagnostic("NN213", f"{name} takes {expected}, but gets {found}", span, help=help)


def not_a_value(span: Span, found: str, help: str = "") -> Diagnostic:
    return Diagnostic(
        "NN214",
        f"a value of the network is needed here, not {found}",
        span,
        help=help or "values are the inputs and what layers make of them, such as x -> dense(3)",
    )


def shared_is_one_layer(span: Span, found: str) -> Diagnostic:
    return Diagnostic(
        "NN215",
        f"a shared layer is one layer, not {found}",
        span,
        help="for instance: layer s = dense(64, relu); for more than one write a `layer` line each",
    )


def unknown_entry(span: Span, family: str, name: str, known: Iterable[str]) -> Diagnostic:
    return Diagnostic("NN303", f'"{name}" is not {a(family)}', span, help=suggest(name, known))


def needs_entry(span: Span, family: str, found: str, help: str, known: Iterable[str]) -> Diagnostic:
    return Diagnostic(
        "NN303",
        f"{a(family)} is needed here, not {found}",
        span,
        help=help or f"known here: {join_names(sorted(known))}",
    )


def ends_swapped(span: Span, owner: str, low: str, high: str) -> Diagnostic:
    return Diagnostic(
        "NN312",
        f"{owner}: no number lies between {low} and {high}, its ends are swapped",
        span,
        help=f"write {owner}({high}, {low})",
    )
