"""What is said of a network: parts, of statements of the spec, of equations. It is written by the modules beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dotnn.ir.expr import Expr
from dotnn.ir.maths.notation import Notation
from dotnn.ir.maths.symbol import Symbol
from dotnn.ir.maths.writing import write
from dotnn.ir.tensor import Dim


@dataclass(frozen=True)
class Equation:
    """One equation.

    value     the name of the value that it gives, in the graph; "" for what is no value
    left, right its sides, over the keys of values;  sign: `=`, or `←` for what replaces something
    extents   how many values each index has
    shape     that of the value, as `[B, 4]`
    rule      where it comes from, in words: which equation of the lectures, or which rule of differentiation
    line      of the script, 0 for none
    when      when it holds, in a loop over time: `at t = 0`; "" at every step
    steps     of a loop over time, at which steps it holds
    offset    how many steps earlier or later than the left side the right side is taken
    said      what is said in place of a right side, of what is drawn by chance
    law       the equation of the lectures that it is, `FE1` to `BE4`; "" for another rule
    """

    left: Expr
    right: Expr
    extents: Mapping[str, Dim] = field(default_factory=dict)
    value: str = ""
    shape: str = ""
    rule: str = ""
    line: int = 0
    when: str = ""
    steps: Sequence[int] = ()
    offset: int = 0
    sign: str = "="
    said: str = ""
    law: str = ""

    @property
    def occasion(self) -> str:
        """When it holds, in words; "" for an equation of no loop."""
        return self.when or ("at every step" if self.steps else "")

    @property
    def in_loop(self) -> bool:
        """Whether it holds at every time step of a loop."""
        return bool(self.steps) and not self.when


@dataclass(frozen=True)
class Statement:
    """The equations of a statement, or of another thing that the spec says; `place` is `xor.nn:9`."""

    text: str
    place: str
    equations: Sequence[Equation]


@dataclass(frozen=True)
class Table:
    """A table: cells are texts, or numbers to be shown with as many digits as the reader wants."""

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str | float]]
    note: str = ""


@dataclass(frozen=True)
class Part:
    """A part under a title: sentences, statements with their equations, tables."""

    title: str
    sentences: Sequence[str] = ()
    statements: Sequence[Statement] = ()
    tables: Sequence[Table] = ()


@dataclass(frozen=True)
class Derivation:
    """All that is said of a network; `symbols` and `ranks` are those of the values, by their keys.

    `now` is what a step of time is called.
    """

    title: str
    parts: Sequence[Part]
    symbols: Mapping[str, Symbol]
    ranks: Mapping[str, int]
    now: str = "t"

    def sides(self, equation: Equation, notation: Notation) -> tuple[str, str]:
        """Return the left and the right side of an equation."""
        left, right = (write(side, notation, self.symbols, self.ranks) for side in (equation.left, equation.right))
        return left, right

    def written(self, equation: Equation, notation: Notation) -> str:
        """Return a whole equation."""
        left, right = self.sides(equation, notation)
        return notation.equation(left, equation.sign, right)


def index_sets(equation: Equation, notation: Notation) -> list[str]:
    """Return what the indices of an equation run over: `n < B`, `j < 4`; they begin at 0."""
    return [
        notation.operator("<", notation.letter(name), _size(size, notation)) for name, size in equation.extents.items()
    ]


def _size(size: Dim, notation: Notation) -> str:
    return notation.number(str(size)) if isinstance(size, int) else notation.letter(size)
