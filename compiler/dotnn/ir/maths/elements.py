"""A formula of whole arrays, read element by element: z[n,j] = Σ[k] x[n,k] W[k,j] + b[j].

An array is a shape and what stands at an index. An axis of length 1 has no index. An element that lies outside of its
array is left out: in a sum it counts 0.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from dotnn.ir.expr import Binary, Call, Expr, Index, Keyword, Literal, Name, Number, Unary
from dotnn.ir.expr import Sequence as Items
from dotnn.ir.tensor import BATCH, Dim, TensorType

ZERO = Number(0)
BATCH_SIZE = Call(BATCH)
"""How many examples there are."""
LETTERS = "klmiuvwrshfgeabcdxyz"
"""What a sum runs over, the first letter that is free; over the examples it is n."""
FREE = {1: "j", 2: "ij", 3: "ikj", 4: "ikcj"}
FREE_BATCHED = {1: "j", 2: "pj", 3: "pqj", 4: "pqrj"}
"""The indices of a value by its number of axes, without that of the examples."""

At = Callable[[Sequence[Expr]], Expr]


@dataclass(frozen=True)
class Array:
    """Something with axes: `at` gives its element at an index, which has an entry for each axis."""

    shape: tuple[Dim, ...]
    at: At


class NoElements(ValueError):
    """A formula has a part that is not read by element; the message says which."""


def shifted(index: Expr, by: int) -> Expr:
    """Return index + by."""
    match index:
        case _ if by == 0:
            return index
        case Number(value):
            return Number(int(value) + by)
        case Binary("+" | "-" as op, left, Number(value)):
            return shifted(left, by + (int(value) if op == "+" else -int(value)))
    return Binary("+" if by > 0 else "-", index, Number(abs(by)))


def scaled(index: Expr, by: int) -> Expr:
    """Return by * index."""
    if isinstance(index, Number):
        return Number(int(index.value) * by)
    return index if by == 1 else Binary("*", Number(by), index)


def added(left: Expr, right: Expr) -> Expr:
    """Return the sum of two indices, without a 0."""
    if isinstance(right, Number):
        return shifted(left, int(right.value))
    if left == ZERO:
        return right
    match left:
        case Binary("-", first, Number() as number):
            return Binary("-", added(first, right), number)
    return Binary("+", left, right)


def over(kind: str, body: Expr, indices: Iterable[Expr]) -> Expr:
    """Return a sum, a maximum or the like over those indices that are letters."""
    letters = tuple(i for i in indices if isinstance(i, Name))
    return Call(f"{kind}_over", (body, *letters)) if letters else body


def conjunction(conditions: Iterable[Expr]) -> Expr | None:
    """Return conditions that must all hold, None for none."""
    result: Expr | None = None
    for condition in conditions:
        result = condition if result is None else Binary("and", result, condition)
    return result


Helper = Callable[["Elements", Call], Array]
"""How a function that is not one of NumPy's is read by element."""


@dataclass
class Elements:
    """Reads formulas of values of given types. `extents` collects how many values each index has that it has used.

    `taken` are letters that stand for something else; `helpers` read the functions that a formula calls beside those
    of the table in `ir.expr`.
    """

    types: Mapping[str, TensorType]
    helpers: Mapping[str, Helper] = field(default_factory=dict)
    taken: Collection[str] = ()
    extents: dict[str, Dim] = field(default_factory=dict)

    def free(self, type: TensorType) -> tuple[Expr, ...]:
        """Return the indices of a result; an axis of length 1 has 0."""
        sizes = type.shape[1:] if type.batched else type.shape
        letters = (FREE_BATCHED if type.batched else FREE).get(len(sizes), LETTERS[: len(sizes)])
        lead = [self.index(BATCH)] if type.batched else []
        return (*lead, *(self.index(size, letter) for size, letter in zip(sizes, letters, strict=True)))

    def index(self, size: Dim, wish: str = "") -> Expr:
        """Return an index that nothing else has; 0 for an axis of length 1."""
        if size == 1:
            return ZERO
        used = {*self.extents, *self.taken}
        more = (f"k{number}" for number in itertools.count(2))
        wishes = itertools.chain(wish, "nm" if size == BATCH else "", LETTERS, more)
        letter = next(letter for letter in wishes if letter not in used)
        self.extents[letter] = size
        return Name(letter)

    def named(self, name: str, items: Sequence[Expr]) -> Expr:
        """Return an element of a value; axes of length 1 need no index, unless one may lie outside."""
        pairs = list(zip(items, self.types[name].shape, strict=True))
        whole = any(size == 1 and item != ZERO for item, size in pairs)
        kept = tuple(item for item, size in pairs if whole or size != 1)
        return Index(Name(name), kept) if kept else Name(name)

    def read(self, expr: Expr) -> Array:
        """Return a formula as an array. Raises `NoElements`."""
        from dotnn.ir.maths.reading import read

        return read(self, expr)

    def array(self, name: str) -> Array:
        """Return a value as an array."""
        return Array(self.types[name].shape, lambda at: self.named(name, at))

    def elementwise(self, make: Callable[..., Expr], *parts: Array) -> Array:
        """Return what is made of the elements at the same place; axes of length 1 meet axes of any length."""
        shape = joined(*(part.shape for part in parts))

        def at(items: Sequence[Expr]) -> Expr:
            return make(*(part.at(_of(items, part.shape)) for part in parts))

        return Array(shape, at)

    def reduced(self, kind: str, x: Array, axes: Collection[int], keeps: bool) -> Array:
        """Return a sum, mean or extreme over some axes, which stay with length 1 or go."""
        shape = tuple(1 if i in axes else d for i, d in enumerate(x.shape) if keeps or i not in axes)

        def at(items: Sequence[Expr]) -> Expr:
            given = iter(items)
            full: list[Expr] = []
            for i, size in enumerate(x.shape):
                kept = next(given) if keeps or i not in axes else ZERO
                full.append(self.index(size) if i in axes else kept)
            return over(kind, x.at(full), [item for i, item in enumerate(full) if i in axes])

        return Array(shape, at)


def _of(items: Sequence[Expr], shape: tuple[Dim, ...]) -> list[Expr]:
    """Return the index of a part at that of the whole."""
    last = items[len(items) - len(shape) :] if shape else []
    return [ZERO if size == 1 else item for item, size in zip(last, shape, strict=True)]


def joined(*shapes: tuple[Dim, ...]) -> tuple[Dim, ...]:
    """Return the shape of an elementwise result."""
    axes = itertools.zip_longest(*(shape[::-1] for shape in shapes), fillvalue=1)
    return tuple(next((d for d in axis if d != 1), 1) for axis in axes)[::-1]


def plain_value(expr: Expr) -> object:
    """Return what stands in a formula as a value of Python: a number, a text, a tuple of them. Raises `NoElements`."""
    match expr:
        case Number(value):
            return value
        case Unary("-", Number(value)):
            return -value
        case Literal(value):
            return value
        case Items(items):
            return tuple(map(plain_value, items))
    raise NoElements(f"{type(expr).__name__} is no constant")


def keywords(args: Iterable[Expr]) -> dict[str, Expr]:
    """Return the arguments that are given by name."""
    return {arg.name: arg.value for arg in args if isinstance(arg, Keyword)}


def positional(args: Iterable[Expr]) -> list[Expr]:
    """Return the arguments that are given by their place."""
    return [arg for arg in args if not isinstance(arg, Keyword)]
