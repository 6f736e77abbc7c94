"""Binding the arguments of a call to the schema of what is called: the same rules for every call of the language."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from dotnn.diagnostics import Span, did_you_mean
from dotnn.inits import INITS
from dotnn.layers import ACTIVATIONS
from dotnn.losses import LOSSES
from dotnn.model import messages
from dotnn.model.constants import ConstCall, Constants, describe, evaluate
from dotnn.model.messages import Fail
from dotnn.optimizers import OPTIMIZERS
from dotnn.penalties import PENALTIES
from dotnn.schema import REQUIRED, Arg, Bound, Symbol
from dotnn.syntax import nodes

FAMILIES: dict[str, dict[str, Any]] = {
    "activation": dict(ACTIVATIONS),
    "init": dict(INITS),
    "penalty": dict(PENALTIES),
    "loss": dict(LOSSES),
    "optimizer": dict(OPTIMIZERS),
}


def bind(
    owner: str, schema: Sequence[Arg], args: Iterable[nodes.Arg], span: Span, constants: Constants
) -> dict[str, Any]:
    """Return every argument's value, defaults included, in the order of the schema.

    Raises `Fail` for an unknown, repeated, missing, superfluous or ill-typed argument.
    """
    given = _match(owner, schema, args)
    values: dict[str, Any] = {}
    for arg in schema:
        if arg.name in given:
            expr = given[arg.name]
            values[arg.name] = convert(owner, arg, evaluate(expr, constants), expr.span, constants)
        elif arg.default is REQUIRED:
            raise Fail(messages.missing_argument(span, owner, arg.name, arg.doc))
        else:
            values[arg.name] = default_of(arg)
    return values


def _match(owner: str, schema: Sequence[Arg], args: Iterable[nodes.Arg]) -> dict[str, nodes.Expr]:
    names = [a.name for a in schema]
    given: dict[str, nodes.Expr] = {}
    position = 0
    for arg in args:
        if arg.name is None:
            if position >= len(names):
                raise Fail(messages.too_many_arguments(arg.span, owner, names))
            name, position = names[position], position + 1
        else:
            name = arg.name.id
            if name not in names:
                raise Fail(messages.unknown_argument(arg.name.span, owner, name, names))
        if name in given:
            raise Fail(messages.repeated_argument(arg.span, owner, name))
        given[name] = arg.value
    return given


def convert(owner: str, arg: Arg, value: Any, span: Span, constants: Constants) -> Any:
    """Return `value` converted to the argument's kind, or raise `Fail`."""
    if arg.kind.registry:
        if isinstance(value, Symbol) and arg.default is not REQUIRED and value == arg.default:
            return default_of(arg)
        if arg.kind.registry == "penalty" and value == Symbol("none"):
            return value
        return bind_entry(arg.kind.registry, value, span, constants)
    converted = arg.kind.accept(value)
    if converted is None:
        help = ""
        if isinstance(value, Symbol):
            near = [*arg.kind.choices] if arg.kind.choices else list(constants)
            help = did_you_mean(value.id, near) if near else ""
        raise Fail(messages.wrong_kind(span, owner, arg.name, arg.kind.expected, describe(value), help))
    return converted


def bind_entry(family: str, value: Any, span: Span, constants: Constants) -> Bound:
    """Resolve `relu`, `leaky_relu(0.2)`, `he(normal)` in its family and bind its arguments."""
    members = FAMILIES[family]
    if isinstance(value, ConstCall):
        name, args, at = value.call.func.id, value.call.args, value.call.func.span
    elif isinstance(value, Symbol):
        name, args, at = value.id, (), span
    else:
        raise Fail(messages.unknown_entry(span, family, describe(value).strip('"'), members))
    if name not in members:
        raise Fail(messages.unknown_entry(at, family, name, members))
    entry = members[name]
    return Bound(entry, bind(name, entry.args, args, span, constants))


def default_of(arg: Arg) -> Any:
    """Return the default, with the default of a registered kind bound (`identity`, but not `none` or `inherit`)."""
    if arg.kind.registry and isinstance(arg.default, Symbol) and arg.default.id in FAMILIES[arg.kind.registry]:
        return entry_default(FAMILIES[arg.kind.registry][arg.default.id])
    return arg.default


def entry_default(entry: Any) -> Bound:
    """Return a registered thing with all its defaults."""
    return Bound(entry, {a.name: default_of(a) for a in entry.args})
