"""Parameters: what is computed with them, and what is not trained (NN140, NN203, NN204, NN214, NN216, NN303, NN316)."""

from __future__ import annotations

from collections.abc import Sequence

from dotnn.core.diagnostics import Diagnostic, Span, join_names
from dotnn.model.synonyms import suggest


def no_such_weight(span: Span, wanted: str, owner: str, known: Sequence[str]) -> Diagnostic:
    help = suggest(wanted, known) or f"the parameters of {owner} are {join_names(known)}"
    return Diagnostic("NN140", f'there is no parameter "{wanted}"', span, help=help)


def no_product(span: Span, left: str, right: str, places: str) -> Diagnostic:
    help = "x @ W takes [n] @ [n, m], and gives [m]: the last axis of x has the length of the first of W"
    return Diagnostic("NN204", f"cannot multiply {left} @ {right}", span, places, help)


def weight_on_the_left(span: Span, name: str, other: str) -> Diagnostic:
    help = f"write {other} @ {name}.T: an example is a row"
    return Diagnostic("NN214", f"a parameter stands on the right of @, but {name} is on the left", span, help=help)


def weight_as_value(span: Span, name: str) -> Diagnostic:
    help = f"compute something of a value with it: x @ {name} or {name} * x"
    return Diagnostic("NN214", f"a value of the network is needed here, not the parameter {name}", span, help=help)


def turned_in_formula(span: Span, name: str) -> Diagnostic:
    help = f"declare it in the shape that is needed, or write x @ {name}"
    return Diagnostic("NN214", f"{name} stands behind @ only", span, help=help)


def block_in_a_loop(span: Span, layer: str) -> Diagnostic:
    help = "write the step as a cell, in which blocks and layers may stand"
    return Diagnostic("NN216", f"{layer} has its activation inside of the loop: a block cannot be it", span, help=help)


def act_of_another_shape(span: Span, name: str, before: str, after: str) -> Diagnostic:
    help = "an activation leaves the shape as it is; put the block behind the layer: -> " + name
    return Diagnostic("NN216", f"{name} makes {after} of {before}: it cannot be an activation", span, help=help)


def freeze_form(span: Span, found: str) -> Diagnostic:
    help = "name layers, blocks or parameters: freeze = [encode, h1.W]"
    return Diagnostic("NN303", f"{found} does not name what is to be frozen", span, help=help)


def nothing_to_freeze(span: Span, name: str, known: Sequence[str]) -> Diagnostic:
    message = f'"{name}" is neither a parameter nor what has parameters'
    return Diagnostic("NN303", message, span, help=suggest(name, known))


def not_trained(span: Span, name: str, owner: str) -> Diagnostic:
    help = f"statistics stay as they are where the whole layer is frozen: freeze = {owner}"
    return Diagnostic("NN303", f"{name} is not trained: there is nothing to freeze", span, help=help)


def no_parameters(span: Span, name: str) -> Diagnostic:
    help = "only what has parameters can be kept from training"
    return Diagnostic("NN203", f"{name} has no parameters: trainable = false has no effect", span, help=help)


def nothing_to_train(span: Span) -> Diagnostic:
    help = "leave at least one parameter to be trained"
    return Diagnostic("NN316", "all parameters are frozen: there is nothing to train", span, help=help)
