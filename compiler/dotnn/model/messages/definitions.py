"""Losses, metrics, penalties and constraints that a spec defines (NN204, NN212, NN216, NN230, NN304, NN305)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dotnn.core.diagnostics import Diagnostic, Span, did_you_mean
from dotnn.model.messages.base import a
from dotnn.model.messages.shapes import bad_declaration


def no_operand(span: Span, keyword: str, name: str, form: str) -> Diagnostic:
    return bad_declaration(span, f"{keyword} {name} takes no value", f"name what it is computed from: {form}")


def default_before_operand(span: Span, name: str) -> Diagnostic:
    help = "values come first, numbers with a default after them"
    return bad_declaration(span, f"{name} has no default, but comes after an argument that has one", help)


def unknown_kind(span: Span, name: str, kind: str, keyword: str) -> Diagnostic:
    help = did_you_mean(kind, ["class"]) or f"write {name}: class for a target of classes, {name} alone for numbers"
    return bad_declaration(span, f"{a(keyword)} takes numbers and classes, not {kind}", help)


def no_kind_here(span: Span, keyword: str) -> Diagnostic:
    return bad_declaration(span, f"{a(keyword)} takes an array of numbers and plain numbers", "write the name alone")


def taken_argument(span: Span, keyword: str, name: str) -> Diagnostic:
    help = f"every {keyword} has {name} already; choose another name, such as {name}1"
    return bad_declaration(span, f"{name} is an argument of its own", help)


def no_layers(span: Span, keyword: str) -> Diagnostic:
    help = "compute it in the model, give it a name, and pass that; here are + - * / ^, functions, sum and mean, x[3]"
    message = f"{a(keyword)} is a formula of what it is given: no layers, pipes or products of matrices"
    return Diagnostic("NN216", message, span, help=help)


def flat(span: Span, keyword: str, name: str) -> Diagnostic:
    help = "sign, floor, comparisons and the choice by them have no gradient: nothing could be trained by them alone"
    return Diagnostic("NN216", f"{keyword} {name} has no gradient wherever it is smooth", span, help=help)


def no_derivative(span: Span, keyword: str, name: str, reason: str) -> Diagnostic:
    help = "write it with + - * / ^, where, min, max and the elementwise functions"
    return Diagnostic("NN216", f"{keyword} {name} cannot be differentiated: {reason}", span, help=help)


def flat_in_values(span: Span, name: str, values: Iterable[str]) -> Diagnostic:
    found = " and ".join(values)
    message = f"{name} has no gradient with respect to {found}" if found else f"{name} is given no value of the model"
    help = "a loss must change with what the model computes; else nothing is trained"
    return Diagnostic("NN216", message, span, help=help)


def label_as_value(span: Span, name: str) -> Diagnostic:
    help = f"it picks the element of the class: p[{name}]"
    return Diagnostic("NN214", f"{name} is a class, not a value", span, help=help)


def no_parts(span: Span, keyword: str) -> Diagnostic:
    help = "its rank differs from use to use; reduce along an axis instead: sum(w^2, axis = 0)"
    return Diagnostic("NN216", f"{a(keyword)} takes an array as a whole", span, help=help)


def number_reduced(span: Span, name: str) -> Diagnostic:
    message = f"{name} takes all numbers of an example, but this is one number, of which there may be any count"
    help = "multiply it inside with a value that has them: sum(q * y); for a target give one of the model's, no number"
    return Diagnostic("NN216", message, span, help=help)


def no_pick(span: Span, shape: str, sizes: Sequence[int], origin: str) -> Diagnostic:
    message = f"one element of {shape} cannot be picked for {sizes[-1]} classes{' at each step' * (len(sizes) > 1)}"
    return Diagnostic("NN204", message, span, origin, f"one number for each class is needed: {list(sizes)}")


def several_numbers(span: Span, keyword: str, name: str, shape: str, origin: str) -> Diagnostic:
    thing = "array" if keyword == "penalty" else "example"
    message = f"{name} gives {shape} for an {thing}, but {a(keyword)} is one number"
    return Diagnostic("NN204", message, span, origin, "take the mean or the sum of all: mean(…), sum(…)")


def other_shape(span: Span, name: str, shape: str, wanted: str) -> Diagnostic:
    help = "a constraint says what becomes of every weight; a reduced axis meets the axis that it came from"
    return Diagnostic("NN204", f"{name} makes {shape} of a weight of shape {wanted}", span, help=help)


def reads_nothing(span: Span, keyword: str, name: str) -> Diagnostic:
    return Diagnostic("NN216", f"{keyword} {name} is the same number whatever it is given", span)


def operand_missing(span: Span, name: str, operand: str, form: str = "") -> Diagnostic:
    return Diagnostic("NN212", f"{name} is called without {operand}", span, help=f"write {form}" if form else "")


def unknown_operand(span: Span, name: str, known: Iterable[str]) -> Diagnostic:
    help = did_you_mean(name, list(known))
    return Diagnostic("NN306", f'"{name}" is neither a value of the model nor a target', span, help=help)


def no_label(span: Span, name: str, operand: str) -> Diagnostic:
    message = f"{name} takes classes as {operand}: a target is needed here, declared as a class"
    return Diagnostic("NN305", message, span, help="declare it in the model, for instance target y: class[3]")


def label_given(span: Span, name: str, operand: str, target: str, shown: str) -> Diagnostic:
    message = f"{name} takes numbers as {operand}, but the target {target} is {shown}"
    help = f"declare {operand}: class in the definition, and pick with p[{operand}]; or declare the target with a shape"
    return Diagnostic("NN305", message, span, help=help)


def metric_operands(span: Span, name: str) -> Diagnostic:
    help = f"write metric {name}(y, t) = …, or {name}(p, y: class) = … for classes; more numbers have a default"
    return bad_declaration(span, "a metric compares an output with a target: it takes two values", help)


def metric_without_values(span: Span, name: str, form: str) -> Diagnostic:
    help = f"say of which: {form}"
    return Diagnostic("NN307", f"{name} does not fit the operands of any loss", span, help=help)
