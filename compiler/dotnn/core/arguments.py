"""Typed arguments: what a layer, loss, optimizer or key accepts, with its default and its line of the manual.

A `Kind` checks one constant of the spec. It says what it expected in words, so that every wrong argument in the
language is reported by the same few sentences.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

Attrs = Mapping[str, Any]
"""Arguments by name: each value is of the type that its kind accepts."""


class Missing:
    """The default of an argument that must be given."""

    def __repr__(self) -> str:
        return "required"


REQUIRED = Missing()


@dataclass(frozen=True)
class Symbol:
    """A bare word of the spec that is not a parameter: `relu`, `mean`, `same`."""

    id: str

    def __str__(self) -> str:
        return self.id


@dataclass(frozen=True)
class Duration:
    """A stretch of training: `200` (steps, that is updates), `10%` (of all steps of the run) or `epochs(3)`.

    `unit` is "steps", "share" or "epochs".
    """

    count: float
    unit: str = "steps"

    def __str__(self) -> str:
        return {"steps": f"{self.count}", "share": f"{100 * self.count:.12g}%"}.get(self.unit, f"epochs({self.count})")


Taken = TypeVar("Taken", covariant=True)


@dataclass(frozen=True)
class Kind(Generic[Taken]):
    """A set of acceptable constants.

    `accept` returns the converted value, or None when the constant does not belong to the kind. `registry` names
    the family ("init", "activation", …) when the argument is itself a call of a registered thing; where it may
    also be a number, as a learning rate may, the kind is `numeric` too.
    """

    expected: str
    accept: Callable[[object], Taken | None] = field(default=lambda value: None)
    registry: str = ""
    choices: tuple[str, ...] = ()
    numeric: bool = False


@dataclass(frozen=True)
class Arg:
    """One argument: name, kind, default, and what it means.

    One of `training` has no effect on predictions, unless the argument that `until` names is set.
    """

    name: str
    kind: Kind[object]
    default: object = REQUIRED
    doc: str = ""
    training: bool = False
    until: str = ""


class Member(Protocol):
    """A thing that a registry holds."""

    @property
    def name(self) -> str:
        """What the spec calls it."""
        ...

    @property
    def args(self) -> tuple[Arg, ...]:
        """Its arguments, in order."""
        ...


Entry = TypeVar("Entry", bound=Member, covariant=True)


@dataclass(frozen=True)
class Bound(Generic[Entry]):
    """A registered thing with all its arguments bound: `he(distribution=normal)`."""

    entry: Entry
    attrs: dict[str, Any]

    @property
    def name(self) -> str:
        """The registered name."""
        return self.entry.name

    def __str__(self) -> str:
        return show_call(self.name, self.entry.args, self.attrs)


def show_call(name: str, args: tuple[Arg, ...], attrs: Attrs) -> str:
    """Write a call as a person would: arguments that differ from their default, the leading ones by position."""
    shown: list[str] = []
    positional = True
    for arg in args:
        value = attrs[arg.name]
        if arg.default is not REQUIRED and same(value, arg.default):
            positional = False
            continue
        shown.append(show(value) if positional else f"{arg.name} = {show(value)}")
    return f"{name}({', '.join(shown)})" if shown else name


def show(value: object) -> str:
    """Write a constant in the language's own spelling."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(show, value))}]"
    if value is None:
        return "none"
    return str(value)


def same(a: object, b: object) -> bool:
    """Compare an attribute with a default that may still be spelled as a symbol (`identity`)."""
    return bool(a == b) or str(a) == str(b)


def _number(value: object) -> float | int | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return value


def number(expected: str, test: Callable[[float], bool] = lambda v: True) -> Kind[float]:
    """Return the kind of finite numbers that pass `test`."""

    def accept(value: object) -> float | int | None:
        v = _number(value)
        return v if v is not None and test(v) else None

    return Kind(expected, accept)


def integer(expected: str, test: Callable[[int], bool] = lambda v: True) -> Kind[int]:
    """Return the kind of whole numbers that pass `test`."""

    def accept(value: object) -> int | None:
        v = _number(value)
        return int(v) if v is not None and v == int(v) and test(int(v)) else None

    return Kind(expected, accept)


def choice(*names: str) -> Kind[str]:
    """Return the kind of a few words."""

    def accept(value: object) -> str | None:
        return value.id if isinstance(value, Symbol) and value.id in names else None

    return Kind(" or ".join(names) if len(names) < 3 else "one of " + ", ".join(names), accept, choices=names)


def registered(family: str, expected: str) -> Kind[object]:
    """Return the kind of a call of a registered thing, such as an initialiser."""
    return Kind(expected, registry=family)


def duration(expected: str, test: Callable[[float], bool] = lambda v: True) -> Kind[Duration]:
    """Return the kind of stretches of training whose count passes `test`.

    A whole number counts steps; a fraction, as which `10%` arrives here, is a share of all steps.
    """

    def accept(value: object) -> Duration | None:
        if isinstance(value, Duration):
            return value if value.count > 0 else None
        if isinstance(value, float):
            return Duration(value, "share") if 0 < value <= 1 else None
        steps = integer("", lambda v: v >= 0 and test(v)).accept(value)
        return None if steps is None else Duration(steps)

    return Kind(expected, accept)


def _word(value: object) -> str | None:
    return value.id if isinstance(value, Symbol) else None


T = TypeVar("T")


def all_of(kind: Kind[T], value: object) -> tuple[T, ...] | None:
    """Return the elements of a list as their kind takes them, None where it is no list or one is not of the kind."""
    if not isinstance(value, list):
        return None
    items = tuple(item for item in map(kind.accept, value) if item is not None)
    return items if len(items) == len(value) else None


def _weights(value: object) -> tuple[float, ...] | None:
    items = all_of(NON_NEGATIVE, value)
    return items if items and any(items) else None


def _string(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _boolean(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _sizes(value: object) -> tuple[int, ...] | None:
    return all_of(POSITIVE_INT, value) or None


NUMBER = number("a number")
POSITIVE = number("a positive number", lambda v: v > 0)
NON_NEGATIVE = number("a number that is not negative", lambda v: v >= 0)
FRACTION = number("a number from 0 up to (but not including) 1", lambda v: 0 <= v < 1)
POSITIVE_INT = integer("a positive whole number", lambda v: v > 0)
INTEGER = integer("a whole number")
COUNT = integer("a whole number, 0 or more", lambda v: v >= 0)
SEED = integer("a whole number from 0 to 4294967295", lambda v: 0 <= v < 2**32)
BOOL = Kind("true or false", _boolean, choices=("true", "false"))
STRING = Kind('a "text" in double quotes', _string)
WEIGHTS = Kind("a list of numbers that are not negative, such as [1, 2.5]", _weights)
SIZES = Kind("a list of positive whole numbers such as [8, 8, 1]", _sizes)
DURATION = duration("a number of steps, a share of all steps such as 10%, or epochs(3)")
POSITIVE_DURATION = duration(
    "a positive number of steps, a share of all steps such as 10%, or epochs(3)", lambda v: v > 0
)
QUANTITY = Kind("a reported quantity", _word)
LEARNING_RATE = Kind("a positive number, or a schedule such as cosine(0.01)", POSITIVE.accept, "schedule", numeric=True)
