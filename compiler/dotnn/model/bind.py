"""Binding the arguments of a call to the schema of what is called: the same rules for every call of the language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from dotnn.core.arguments import REQUIRED, Arg, Bound, Member, Symbol, show
from dotnn.core.diagnostics import Span, did_you_mean
from dotnn.core.registry import chosen
from dotnn.library.averages import AVERAGES, Average
from dotnn.library.clips import CLIPS, Clip
from dotnn.library.constraints import CONSTRAINTS, Constraint
from dotnn.library.draws import DRAWS, Draw
from dotnn.library.inits import INITS, Init
from dotnn.library.layers import LAYERS, Layer
from dotnn.library.losses import LOSSES, Loss
from dotnn.library.noises import NOISES, Noise
from dotnn.library.optimizers import OPTIMIZERS, Optimizer
from dotnn.library.penalties import PENALTIES, Penalty
from dotnn.library.schedules import SCHEDULES, Schedule
from dotnn.model import messages
from dotnn.model.constants import Constant, Constants, ConstCall, Defined, Poison, Poisoned, describe, evaluate
from dotnn.model.messages.base import Fail
from dotnn.model.synonyms import suggest
from dotnn.syntax import nodes

M = TypeVar("M", bound=Member)


def _is_activation(layer: Layer) -> bool:
    return layer.family == "activation"


def _is_added_to_the_loss(penalty: Penalty) -> bool:
    return bool(penalty.op)


FAMILIES: Mapping[str, dict[str, Any]] = {
    "activation": chosen(LAYERS, Layer, _is_activation),
    "init": chosen(INITS, Init, bool),
    "penalty": chosen(PENALTIES, Penalty, _is_added_to_the_loss),
    "decay": chosen(PENALTIES, Penalty, bool),
    "loss": chosen(LOSSES, Loss, bool),
    "optimizer": chosen(OPTIMIZERS, Optimizer, bool),
    "schedule": chosen(SCHEDULES, Schedule, bool),
    "clip": chosen(CLIPS, Clip, bool),
    "constraint": chosen(CONSTRAINTS, Constraint, bool),
    "draw": chosen(DRAWS, Draw, bool),
    "average": chosen(AVERAGES, Average, bool),
    "noise": chosen(NOISES, Noise, bool),
}
FAMILY_NAMES = {
    "init": "initialiser",
    "clip": "way to clip",
    "average": "average of weights",
    "draw": "distribution",
}
CAN_BE_NONE = ("penalty", "decay", "clip", "constraint", "average", "noise")


def bind(
    owner: str, schema: Sequence[Arg], args: Iterable[nodes.Arg], span: Span, constants: Constants
) -> dict[str, Any]:
    """Return every argument's value, defaults included, in the order of the schema.

    Raises `Fail` for an unknown, repeated, missing, superfluous or ill-typed argument.
    """
    given = match(owner, [a.name for a in schema], args)
    values: dict[str, Any] = {}
    for arg in schema:
        if arg.name in given:
            values[arg.name] = convert(owner, arg, given[arg.name], constants, schema)
        elif arg.default is REQUIRED:
            raise Fail(messages.calls.missing_argument(span, owner, arg.name, arg.doc))
        else:
            values[arg.name] = default_of(arg)
    return values


def match(owner: str, names: Sequence[str], args: Iterable[nodes.Arg]) -> dict[str, nodes.Expr]:
    """Return the expression of every argument that is given, by its name; or raise `Fail`."""
    given: dict[str, nodes.Expr] = {}
    position = 0
    for arg in args:
        if arg.name is None:
            if position >= len(names):
                raise Fail(messages.calls.too_many_arguments(arg.span, owner, names))
            name, position = names[position], position + 1
        else:
            name = arg.name.id
            if name not in names:
                raise Fail(messages.calls.unknown_argument(arg.name.span, owner, name, names))
        if name in given:
            raise Fail(messages.calls.repeated_argument(arg.span, owner, name))
        given[name] = arg.value
    return given


def convert(owner: str, arg: Arg, expr: nodes.Expr, constants: Constants, schema: Sequence[Arg] = ()) -> Any:
    """Return the value of `expr` converted to the argument's kind, or raise `Fail`; `schema` holds its neighbours."""
    value = evaluate(expr, constants)
    if arg.kind.registry:
        if isinstance(value, Symbol) and arg.default is not REQUIRED and value == arg.default:
            return default_of(arg)
        if arg.kind.registry in CAN_BE_NONE and value == Symbol("none"):
            return value
        if _is_entry(arg, value):
            return bind_entry(arg.kind.registry, value, expr.span, constants)
    converted = arg.kind.accept(value)
    if converted is None:
        found, help = _refusal(arg, value, expr, constants, schema)
        raise Fail(messages.calls.wrong_kind(expr.span, owner, arg.name, arg.kind.expected, found, help))
    return converted


def _is_entry(arg: Arg, value: Constant) -> bool:
    """Whether a constant is to be looked up in the argument's registry: where a number would do, only a name of it."""
    return not arg.kind.numeric or isinstance(value, ConstCall | Defined) or _is_member(value, arg.kind.registry)


def _is_member(value: Constant, family: str) -> bool:
    return isinstance(value, Symbol) and value.id in FAMILIES[family]


def _refusal(
    arg: Arg, value: Constant, expr: nodes.Expr, constants: Constants, schema: Sequence[Arg]
) -> tuple[str, str]:
    """Return what an argument was found to be, and the likely fix."""
    meaning = f"{arg.name}: {arg.doc}" if arg.doc else ""
    if isinstance(expr, nodes.Name) and expr.id in constants and not isinstance(value, Defined):
        return f"but the parameter {expr.id} is {describe(value)}", meaning
    if isinstance(value, str) and arg.kind.accept(Symbol(value)) is not None:
        return f"not {describe(value)}", f"write it without quotes: {value}"
    if isinstance(value, Symbol):
        return _refused_word(arg, value, constants, schema, meaning)
    return f"not {describe(value)}", meaning


def _refused_word(arg: Arg, word: Symbol, constants: Constants, schema: Sequence[Arg], meaning: str) -> tuple[str, str]:
    """Return the same for a word: it may belong to a neighbour, or be misspelt."""
    other = next((a for a in schema if a is not arg and accepts(a, word)), None)
    if other is not None:
        return f"not {describe(word)}", f"{word.id} belongs to another argument: {other.name} = {word.id}"
    if arg.kind.choices:
        return f"not {describe(word)}", suggest(word.id, arg.kind.choices)
    return f'but "{word.id}" is not defined', did_you_mean(word.id, constants) or meaning


def accepts(arg: Arg, value: Symbol) -> bool:
    """Whether a word would do for an argument."""
    if arg.kind.registry:
        return value.id in FAMILIES[arg.kind.registry]
    return arg.kind.accept(value) is not None


def bind_entry(family: str, value: Constant, span: Span, constants: Constants) -> Bound[Member]:
    """Resolve `relu`, `leaky_relu(0.2)`, `he(normal)` in its family and bind its arguments."""
    own = defined_members(family, constants)
    members = {**FAMILIES[family], **own}
    called = FAMILY_NAMES.get(family, family)
    if isinstance(value, ConstCall):
        name, args, at = value.call.func.id, value.call.args, value.call.func.span
    elif isinstance(value, Symbol):
        name, args, at = value.id, (), span
    elif isinstance(value, Defined):
        name, args, at = value.member.name, (), span
    else:
        help = f"write it without quotes: {value}" if isinstance(value, str) and value in members else ""
        raise Fail(messages.calls.needs_entry(span, called, describe(value), help, members))
    if isinstance(constants.get(name), Poison):
        raise Poisoned
    if name not in members:
        raise Fail(messages.calls.unknown_entry(at, called, name, members))
    entry = members[name]
    attrs = bind(name, entry.args, args, span, constants)
    if name not in own and "low" in attrs and attrs["low"] > attrs["high"]:
        raise Fail(messages.calls.ends_swapped(span, name, show(attrs["low"]), show(attrs["high"])))
    return Bound(entry, attrs)


def defined_members(family: str, constants: Constants) -> dict[str, Member]:
    """Return what the spec itself defines for a family, by name."""
    return {n: c.member for n, c in constants.items() if isinstance(c, Defined) and family in c.families}


def default_of(arg: Arg) -> Any:
    """Return the default, with the default of a registered kind bound (`identity`, but not `none` or `inherit`)."""
    if arg.kind.registry and isinstance(arg.default, Symbol) and arg.default.id in FAMILIES[arg.kind.registry]:
        return entry_default(FAMILIES[arg.kind.registry][arg.default.id])
    return arg.default


def entry_default(entry: M) -> Bound[M]:
    """Return a registered thing with all its defaults."""
    return Bound(entry, {a.name: default_of(a) for a in entry.args})
