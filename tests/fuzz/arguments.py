"""Random arguments of anything registered, drawn from what its schema declares: kinds, limits, defaults.

A kind says itself what it accepts: a new member, and a new kind of number, word or list, is drawn without a change
here. What needs a kind of constant that is in none of the pools raises `NoValue`.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dotnn.core.arguments import REQUIRED, Arg, Bound, Duration, Kind, Symbol
from dotnn.model.bind import CAN_BE_NONE, FAMILIES, default_of

if TYPE_CHECKING:
    from fuzz.definitions import Own

WEIGHTS_FILE = "weights.npz"
"""Where initialisers that read a file find the arrays of their parameters."""
NUMBERS = ("0", "1", "2", "3", "0.05", "0.3", "0.7", "1.5", "-0.6")
SMALL = ("0.01", "0.02")
DURATIONS: tuple[tuple[str, Any], ...] = (("30%", 0.3), ("epochs(1)", Duration(1, "epochs")))
OTHERS: tuple[tuple[str, Any], ...] = ((f'"{WEIGHTS_FILE}"', WEIGHTS_FILE), ("loss", Symbol("loss")))
NEUTRAL = {"activation": "identity", "init": "zeros", "penalty": "l2", "decay": "l2", "constraint": "max_norm"}
"""Families in which a spec's own definitions are drawn, and what layers take in their place when asked for shapes."""
TRUTH = {"true": True, "false": False}
TOLERANCE = 0.02
"""A default below this is a small number for a reason: others are drawn near it."""


class NoValue(Exception):
    """The generator knows no constant of a required argument's kind: teach it one."""


@dataclass(frozen=True)
class Given:
    """An argument as the spec writes it, and as the compiler then sees it."""

    text: str
    value: Any


OF_THE_WHOLE = ("stateful",)
"""Arguments that say what the order of the examples and the batches must be: tests/members/test_stateful.py."""


@dataclass(frozen=True)
class Drawing:
    """How arguments are drawn: `length` is that of every list of numbers, `small` holds numbers back.

    `own` is what the spec defines itself: some of it stands where the language's own members do.
    """

    rng: random.Random
    length: int = 0
    small: bool = False
    own: "Own | None" = None

    def call(self, name: str, schema: Sequence[Arg]) -> tuple[str, dict[str, Any]]:
        """Return a call such as `dense(3, act = tanh)`, without parentheses where nothing is given, and its values."""
        texts, values = self.arguments(schema)
        return f"{name}{arguments(texts)}", values

    def named(self, schema: Sequence[Arg]) -> list[str]:
        """Return random arguments, all of them by name."""
        given = {arg.name: found for arg in schema if (found := self._argument(arg)) is not None}
        return [f"{name} = {found.text}" for name, found in given.items()]

    def arguments(self, schema: Sequence[Arg], *, named: bool = False) -> tuple[list[str], dict[str, Any]]:
        """Return random arguments as the spec writes them, and the values of all, defaults included.

        Behind any number of operands they must be `named`.
        """
        given = {arg.name: found for arg in schema if (found := self._argument(arg)) is not None}
        self._sort_ends(schema, given)
        texts, by_place = [], not named
        for arg in schema:
            if arg.name in given:
                by_place = by_place and self.rng.random() < 0.7
                texts.append(given[arg.name].text if by_place else f"{arg.name} = {given[arg.name].text}")
            else:
                by_place = False
        return texts, {a.name: given[a.name].value if a.name in given else default_of(a) for a in schema}

    def _argument(self, arg: Arg) -> Given | None:
        """Return a value for an argument, None where it is left at its default."""
        required = arg.default is REQUIRED
        if not required and (arg.name in OF_THE_WHOLE or self.rng.random() < 0.65):
            return None
        found = self.value(arg)
        if found is None and required:
            raise NoValue(f"no value for {arg.name}, which is {arg.kind.expected}")
        return found

    def value(self, arg: Arg) -> Given | None:
        """Return a random value for an argument, None where the pools have none."""
        if arg.kind.registry and (not arg.kind.numeric or self.rng.random() < 0.5):
            return self.member(arg.kind)
        near = isinstance(arg.default, float) and 0 < abs(arg.default) < TOLERANCE
        pool = self._near(arg.default) if near else self._pool(arg.kind)
        accepted = [Given(text, value) for text, raw in pool if (value := arg.kind.accept(raw)) is not None]
        return self.rng.choice(accepted) if accepted else None

    def member(self, kind: Kind, name: str = "") -> Given:
        """Return a call of a member of the kind's family, of `name` where given."""
        members = FAMILIES[kind.registry]
        if not name and kind.registry in CAN_BE_NONE and self.rng.random() < 0.1:
            return Given("none", Symbol("none"))
        entry = members[name or self.rng.choice(sorted(members))]
        if self.own and not name and kind.registry in NEUTRAL and self.rng.random() < 0.3:
            entry = members[NEUTRAL[kind.registry]]
            return Given(self.own.call(kind.registry), Bound(entry, {arg.name: default_of(arg) for arg in entry.args}))
        inner = Drawing(self.rng, self.length, self.small or kind.numeric)
        text, values = inner.call(entry.name, entry.args)
        return Given(text, Bound(entry, values))

    def _near(self, default: float) -> Iterator[tuple[str, Any]]:
        yield from ((f"{factor * default:.6g}", float(f"{factor * default:.6g}")) for factor in (0.5, 1, 2))

    def _pool(self, kind: Kind) -> Iterator[tuple[str, Any]]:
        """Yield constants of every sort; the kind takes its own."""
        for word in kind.choices:
            yield word, TRUTH.get(word, Symbol(word))
        for text in SMALL if self.small else NUMBERS:
            yield text, float(text) if "." in text else int(text)
        if not self.small or kind.accept(DURATIONS[-1][1]) is not None:
            yield from (("3", 3), *DURATIONS)
        yield from OTHERS
        for pairs in (True, False) * 3:
            yield self._list(pairs=pairs)
        if not self.length:
            order = self.rng.sample(range(axes := self.rng.randint(1, 3)), axes)
            yield str(order), order

    def _list(self, *, pairs: bool) -> tuple[str, Any]:
        """Return a list of one to three numbers, or of pairs."""
        length = self.length or self.rng.choice([1, 1, 2, 2, 3])
        if pairs:
            found = [[self.rng.randrange(3), self.rng.randrange(3)] for _ in range(length)]
            return str(found), found
        numbers = [self.rng.randrange(1, 5) for _ in range(length)]
        return str(numbers), numbers

    def _sort_ends(self, schema: Sequence[Arg], given: dict[str, Given]) -> None:
        """Give both ends of an interval, the lower one first."""
        if {"low", "high"} <= {arg.name for arg in schema}:
            ends = self.rng.sample([Given(text, float(text)) for text in ("-0.5", "-0.1", "0.2", "0.4")], 2)
            given["low"], given["high"] = sorted(ends, key=lambda end: end.value)


def arguments(texts: Sequence[str]) -> str:
    """The arguments of a call in parentheses, or nothing."""
    return f"({', '.join(texts)})" if texts else ""
