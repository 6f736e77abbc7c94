"""Optimizers, schedules and initialisers that a spec defines (NN207, NN229, NN230, NN314)."""

from __future__ import annotations

from dotnn.core.diagnostics import Diagnostic, Span
from dotnn.model.messages.base import a
from dotnn.model.messages.shapes import bad_declaration


def taken(span: Span, name: str, kind: str) -> Diagnostic:
    message = f'"{name}" has a meaning of its own in {a(kind)}, or in the script that is made of it'
    return Diagnostic("NN229", message, span, help=f"choose another name, such as {name.rstrip('_')}1")


def kind_of_number(span: Span, kind: str) -> Diagnostic:
    help = "limits are written behind the default: b1 = 0.9 in 0..1"
    return bad_declaration(span, f"what {a(kind)} takes are numbers: they have no kind", help)


def no_rate(span: Span, kind: str, name: str) -> Diagnostic:
    if kind == "schedule":
        return bad_declaration(
            span, f"schedule {name} takes no lr", f"it changes that: schedule {name}(lr, …) = lr * …"
        )
    help = f"a schedule may stand in its place: optimizer {name}(lr = 0.01) {{ … }}"
    return bad_declaration(span, f"optimizer {name} takes no learning rate lr", help)


def never_changes(span: Span, name: str) -> Diagnostic:
    help = "w is the parameter and g its gradient: w = w - lr * g"
    return bad_declaration(span, f"optimizer {name} never changes w", help)


def no_gradient(span: Span, name: str) -> Diagnostic:
    help = "w is the parameter and g its gradient: w = w - lr * g"
    return bad_declaration(span, f"optimizer {name} never reads the gradient g", help)


def fixed_slot(span: Span, name: str) -> Diagnostic:
    help = f"give it its new value: {name} = …; a number that stays is an argument of the optimizer"
    return bad_declaration(span, f"the slot {name} never changes", help)


def unused(span: Span, what: str, name: str) -> Diagnostic:
    return Diagnostic("NN207", f'the {what} "{name}" is never used', span, help="read it in a line, or delete it")


def set_by_the_call(span: Span, name: str) -> Diagnostic:
    help = f"call the new value otherwise: {name}1 = …"
    return bad_declaration(span, f"{name} is given: an optimizer cannot change it", help)


def no_number(span: Span, call: str, formula: str, reason: str, where: str) -> Diagnostic:
    help = "write what has a value there, such as max(step, 1); limits keep numbers out: period = 10 in 1..100"
    return Diagnostic("NN314", f"{call}: {formula} cannot be computed{where}", span, reason, help)


def no_start(span: Span, init: str, parameter: str, reason: str) -> Diagnostic:
    help = "limits keep such numbers out: init name(sd = 1 in 0..10) = …"
    return Diagnostic("NN314", f"{init} cannot draw {parameter}", span, reason, help)


def nested_draw(span: Span) -> Diagnostic:
    return bad_declaration(span, "what a draw takes are numbers", "write 2 * normal(1), not normal(uniform(0, 1))")


def not_a_draw(span: Span, name: str) -> Diagnostic:
    help = "draws are normal(sd), uniform(low, high), truncated_normal(sd), orthogonal, xavier, he …"
    return bad_declaration(span, f"{name} is more than a draw: it cannot be part of a formula", help)
