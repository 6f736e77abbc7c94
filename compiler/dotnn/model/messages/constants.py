"""Constants, parameters and `--set` (NN232 to NN235)."""

from __future__ import annotations

from collections.abc import Sequence

from dotnn.core.diagnostics import Diagnostic, Span, closest, join_names
from dotnn.model.way import Way


def bad_constant(span: Span, message: str, help: str, note: str = "") -> Diagnostic:
    return Diagnostic("NN232", message, span, note, help)


def out_of_range(span: Span, name: str, value: str, limits: str, place: str) -> Diagnostic:
    return Diagnostic(
        "NN233",
        f"{name} = {value} is outside its limits {limits}",
        span,
        f"the limits are in {place}",
        "choose a value within the limits, or widen them",
    )


def unknown_set(span: Span, name: str, known: Sequence[str], way: Way) -> Diagnostic:
    used = "use it, as in adam(lr)" if name == "lr" else "use it where its value stands"
    near = closest(name, way.own) or closest(name, known)
    help = f'did you mean "{near}"?' if near else f"write params {{ {name} = … }} and {used}"
    help += f"; known here: {join_names(known)}" if known and not near else ""
    help += f"; own keywords: {', '.join(sorted(way.own))}" if way.own and not near else ""
    return Diagnostic("NN234", f'the spec has no parameter "{name}" in `params`', span, help=help)


def set_syntax(span: Span, text: str, way: Way) -> Diagnostic:
    return Diagnostic("NN235", f'a setting is name=value, not "{text}"', span, help=f"for instance {way.before}lr=0.1")


def set_twice(span: Span, name: str) -> Diagnostic:
    return Diagnostic("NN235", f"{name} is set twice", span, help="only one of the values can hold: delete one")
