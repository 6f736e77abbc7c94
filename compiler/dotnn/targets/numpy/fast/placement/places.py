"""What a placement says: in which array every value of a step lives, in which part of it, and who lived there before.

Arrays of a batch are held features first, batch last ("features"), or batch first and seen turned round ("rows"), where
a wide input is read so; those of images as planes, one per channel, seen
through a view with the channels behind ("planes"): rows and columns move under a kernel, so they must lie together.
Of a sequence every step lies so, one behind the other: [time, features, batch].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dotnn.ir.node import Value
from dotnn.ir.tensor import Dim

Order = Literal["features", "planes", "rows"]
Layout = tuple[Order, tuple[Dim, ...]]
"""How an array lies, and the shape of a value in it. A value may take over any array of its layout."""

How = Literal[
    "new",  # an array of its own
    "over",  # the array of a value that nobody reads any more, `of`
    "same",  # it is `of` by another name
    "columns",  # `start` to `stop` of `of`, which is cut
    "part",  # `start` to `stop` of `of`, which is put together; row `start` where there is no stop
    "reshaped",  # the numbers of `of` in another shape
    "repeated",  # the numbers of `of`, each several times: nothing is written there
    "zeros",  # an array that is zero from the start
    "gradient",  # what the step hands out: the gradients of the parameters `paths`
    "parameters",  # the block of the parameters `paths`
    "carrier",  # an array with a row of ones under it, which carries the bias of the next layer
    "rows",  # all steps of a value of a loop
    "within",  # the gradient of the parameter `paths`, which is a part of what another node writes
    "kernel",  # as its kernel says: a number, a view that it makes
]


@dataclass(eq=False)
class Buffer:
    """One array.

    `first` is the value that it was made for. `uses` counts the reads to come of all values that live in it; nobody
    takes over what is `pinned`, and what is cut into `pieces` is never free as a whole.
    """

    first: Value
    layout: Layout
    uses: int = 0
    pinned: bool = False
    pieces: bool = False


@dataclass(eq=False)
class Rows:
    """An array of all steps of a loop, [time, features, batch].

    It is the array of a sequence outside, one that the loop takes over, or one that it makes, of so many `steps` and
    features; `ones`: its last feature is 1.
    """

    name: str
    steps: int = 0
    width: int = 0
    sequence: Value | None = None
    over: Rows | None = None
    ones: bool = False


@dataclass(frozen=True)
class Piece:
    """Some rows, and some columns of every row, of an array of all steps. No stop is the end; `single`: one row."""

    rows: Rows
    start: int = 0
    stop: int | None = None
    columns: tuple[int, int] | None = None
    single: bool = False

    def between(self, start: int, stop: int | None = None) -> Piece:
        """Return these columns of some rows of the array."""
        return Piece(self.rows, start, stop, self.columns)

    def row(self, number: int) -> Piece:
        """Return these columns of one row of the array."""
        return Piece(self.rows, number, None, self.columns, single=True)

    def cut(self, start: int, stop: int) -> Piece:
        """Return some columns of this."""
        first = self.columns[0] if self.columns else 0
        return Piece(self.rows, self.start, self.stop, (first + start, first + stop))


@dataclass(frozen=True)
class Place:
    """Where one value lives: in a buffer, in which way; see `How`."""

    how: How
    buffer: Buffer | None = None
    of: Value | None = None
    start: int = 0
    stop: int = 0
    paths: tuple[str, ...] = ()
    piece: Piece | None = None


@dataclass(eq=False)
class StepPlace:
    """Where a value of one step of a loop lives: in a piece of an array of all steps, in columns of
    another value, or in an array that every step uses again, that of `first`."""

    first: Value
    piece: Piece | None = None
    base: Value | None = None
    columns: tuple[int, int] = (0, 0)
    pinned: bool = False
    last: Piece | None = None
    uses: int = 0

    @property
    def reused(self) -> bool:
        """Whether it is an array of its own that every step uses again."""
        return self.piece is None and self.base is None and self.first.type.dtype == "real"
