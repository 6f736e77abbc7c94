"""Cells: states, `next`, `output`, and the operands of a recurrent layer (NN204, NN225, NN226, NN236 to NN239)."""

from __future__ import annotations

from collections.abc import Sequence

from dotnn.core.diagnostics import Diagnostic, Span
from dotnn.model.synonyms import suggest


def stateful(span: Span, message: str, help: str) -> Diagnostic:
    return Diagnostic("NN240", message, span, help=help)


def no_state(span: Span, name: str) -> Diagnostic:
    help = "declare one: state h: [units] = 0, and next h = …; what remembers nothing is a block"
    return Diagnostic("NN236", f"cell {name} has no state", span, help=help)


def no_input(span: Span, name: str) -> Diagnostic:
    return Diagnostic("NN223", f"cell {name} has no input", span, help="declare one step of a sequence: input x: [n]")


def no_next(span: Span, name: str) -> Diagnostic:
    help = f"say what it is after the step: next {name} = …"
    return Diagnostic("NN237", f"the state {name} has no `next`", span, help=help)


def next_of_no_state(span: Span, name: str, known: Sequence[str]) -> Diagnostic:
    help = suggest(name, known) or f"declare it: state {name}: [units] = 0"
    return Diagnostic("NN237", f"there is no state {name}", span, help=help)


def one_output(span: Span, name: str, found: int) -> Diagnostic:
    help = "hand out one name: output h" if not found else "keep one; join the others into it with concat"
    return Diagnostic("NN225", f"a cell has exactly one output, but {name} has {found or 'none'}", span, help=help)


def output_is_a_name(span: Span) -> Diagnostic:
    help = "give the value a name of its own, y = …, and write output y; a state there is its value after the step"
    return Diagnostic("NN238", "the output of a cell is a name", span, help=help)


def output_shape(span: Span, name: str, origins: str) -> Diagnostic:
    return Diagnostic(
        "NN204", f"a cell hands out one row of numbers, but {name} is another", span, origins, "flatten it"
    )


def not_in_a_step(span: Span, layer: str, why: str) -> Diagnostic:
    help = "put it in front of the cell, or behind it; dropout and recurrent_dropout are arguments of the call"
    return Diagnostic("NN239", f"{layer} cannot stand in the step of a cell: {why}", span, help=help)


def no_sequence(span: Span, cell: str, name: str, declared: str, found: str) -> Diagnostic:
    return Diagnostic(
        "NN226",
        f"cell {cell}: its input {name} is declared {declared}: it reads a sequence [time, {declared[1:]}, not {found}",
        span,
        help="write returns = sequence in a recurrent layer before it, or -> reshape([time, features]);"
        " all sequences have as many steps",
    )


def bad_mask(span: Span, cell: str, length: int, found: str) -> Diagnostic:
    message = f"the mask of {cell} must hold one whole number for each of the {length} steps, not {found}"
    return Diagnostic("NN204", message, span, help="padding_mask makes one from tokens")


def bad_initial(span: Span, cell: str, state: str, wanted: str, found: str) -> Diagnostic:
    message = f"the state {state} of {cell} is {wanted}, but its initial value is {found}"
    return Diagnostic("NN204", message, span, help="bring it to the size of the state: initial = h -> dense(units)")


def next_shape(span: Span, state: str, wanted: str, place: str, found: str, places: str) -> Diagnostic:
    note = f"{state}: {wanted} is declared in {place};  {places}"
    help = "a state has the same shape after every step"
    return Diagnostic("NN204", f"the state {state} is {wanted}, but its next value is {found}", span, note, help)


def operand_by_name(span: Span, layer: str, role: str) -> Diagnostic:
    help = f"{role.partition(' ')[0]} is given a value of the model, such as {role.partition(' ')[0]} = h"
    return Diagnostic("NN214", f"{layer}: a value of the network is needed here", span, help=help)


def too_many_states(span: Span, layer: str, states: int, found: int) -> Diagnostic:
    help = f"{layer} has {states} state{'s' * (states != 1)}, in the order of their declaration"
    return Diagnostic("NN213", f"{found} initial values are given", span, help=help)


def no_last_state(span: Span, found: str) -> Diagnostic:
    help = "final(h) is the last state of a recurrent layer: h = x -> gru(8, returns = sequence)"
    return Diagnostic("NN213", f"{found} comes from no recurrent layer", span, help=help)
