"""Convolution and pooling by element: sums and maxima over the offsets of a kernel or a window.

An element of the border lies outside of the image: it is left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from dotnn.ir.expr import Binary, Call, Expr, Number
from dotnn.ir.expr import Sequence as Items
from dotnn.ir.maths.elements import (
    ZERO,
    Array,
    Elements,
    Helper,
    added,
    conjunction,
    keywords,
    over,
    plain_value,
    positional,
    scaled,
    shifted,
)
from dotnn.ir.tensor import Dim
from dotnn.library.ops.convolution import AT_EVERY_PLACE


@dataclass(frozen=True)
class Axis:
    """How a window moves along one axis: by `stride`, from `pad` before the first element to `end` behind the last.

    Its elements are `dilation` apart.
    """

    stride: int = 1
    pad: int = 0
    dilation: int = 1
    end: int = 0

    def seen(self, place: Expr, offset: Expr) -> Expr:
        """Return which element the window sees at a place, at one of its offsets."""
        return shifted(added(scaled(place, self.stride), scaled(offset, self.dilation)), -self.pad)

    def place(self, element: Expr, offset: Expr) -> Expr:
        """Return the place at which a window sees an element at one of its offsets; often there is none."""
        moved = shifted(_minus(element, scaled(offset, self.dilation)), self.pad)
        return moved if self.stride == 1 else Binary("/", moved, Number(self.stride))


def _minus(index: Expr, offset: Expr) -> Expr:
    if isinstance(offset, Number):
        return shifted(index, -int(offset.value))
    return Binary("-", index, offset)


def _entries(value: Expr | None, rank: int, default: object) -> list[object]:
    """Return one entry for each axis; that of a sequence stands alone."""
    if value is None:
        return [default] * rank
    found = plain_value(value)
    return list(found) if rank > 1 and isinstance(found, tuple) else [found]


def _axes(rank: int, given: dict[str, Expr]) -> list[Axis]:
    strides = _entries(given.get("stride"), rank, 1)
    pads = _entries(given.get("pad"), rank, (0, 0))
    dilations = _entries(given.get("dilation"), rank, 1)
    return [
        Axis(_whole(s), _whole(p[0]), _whole(d), _whole(p[1]))
        for s, p, d in zip(strides, pads, dilations, strict=True)
        if isinstance(p, tuple)
    ]


def _whole(value: object) -> int:
    assert isinstance(value, int)
    return value


def _offsets(e: Elements, sizes: Sequence[Dim]) -> list[Expr]:
    return [e.index(size, wish) for size, wish in zip(sizes, "ijk", strict=False)]


# ----------------------------------------------------------------------------------------------------- convolution


@dataclass(frozen=True)
class Convolution:
    """A call of one of the three products of a convolution."""

    rank: int
    groups: int
    operands: list[Expr]
    given: dict[str, Expr]

    @property
    def axes(self) -> list[Axis]:
        """How the kernel moves."""
        return _axes(self.rank, self.given)

    def channel(self, filter_: Expr, filters: Dim, inside: Expr, channels: Dim) -> Expr:
        """Return the channel of the image that a filter meets; a filter of a group meets those of its group."""
        if self.groups == 1:
            return inside
        group = Binary("//", filter_, Number(_whole(filters) // self.groups))
        return added(scaled(group, _whole(channels)), inside)


def _forward(e: Elements, c: Convolution) -> Array:
    x, w = (e.read(operand) for operand in c.operands)
    kernel, channels, filters = w.shape[: c.rank], w.shape[-2], w.shape[-1]
    shape = (x.shape[0], *("?" for _ in kernel), filters)

    def at(items: Sequence[Expr]) -> Expr:
        n, *places, o = items
        offsets, inside = _offsets(e, kernel), e.index(channels, "c")
        seen = [axis.seen(p, i) for axis, p, i in zip(c.axes, places, offsets, strict=True)]
        image = x.at([n, *seen, c.channel(o, filters, inside, channels)])
        return over("sum", Binary("*", image, w.at([*offsets, inside, o])), [*offsets, inside])

    return Array(shape, at)


def _transposed(e: Elements, c: Convolution) -> Array:
    d, w = (e.read(operand) for operand in c.operands)
    kernel, channels, filters = w.shape[: c.rank], w.shape[-2], w.shape[-1]
    of_group = _whole(filters) // c.groups
    sizes = [_whole(size) for size in _entries(c.given["size"], c.rank, 0)]

    def at(items: Sequence[Expr]) -> Expr:
        n, *elements, channel = items
        offsets, o = _offsets(e, kernel), e.index(of_group, "o")
        places = [axis.place(r, i) for axis, r, i in zip(c.axes, elements, offsets, strict=True)]
        filter_, inside = o, channel
        if c.groups > 1:
            group = Binary("//", channel, Number(_whole(channels)))
            filter_ = added(scaled(group, of_group), o)
            inside = ZERO if channels == 1 else Binary("%", channel, Number(_whole(channels)))
        return over("sum", Binary("*", d.at([n, *places, filter_]), w.at([*offsets, inside, filter_])), [*offsets, o])

    return Array((d.shape[0], *sizes, _whole(channels) * c.groups), at)


def _d_weight(e: Elements, c: Convolution) -> Array:
    x, d = (e.read(operand) for operand in c.operands)
    kernel = [_whole(size) for size in _entries(c.given["kernel"], c.rank, 0)]
    channels, filters = _whole(x.shape[-1]) // c.groups, d.shape[-1]

    def at(items: Sequence[Expr]) -> Expr:
        *offsets, inside, o = items
        n, *places = (e.index(size, wish) for size, wish in zip(d.shape[:-1], "npqr", strict=False))
        seen = [axis.seen(p, i) for axis, p, i in zip(c.axes, places, offsets, strict=True)]
        image = x.at([n, *seen, c.channel(o, filters, inside, channels)])
        return over("sum", Binary("*", image, d.at([n, *places, o])), [n, *places])

    return Array((*kernel, channels, filters), at)


PRODUCTS = {"": _forward, "_transpose": _transposed, "_d_weight": _d_weight}
CONVOLUTIONS = {f"conv{rank}d{kind}": (rank, product) for rank in (1, 2, 3) for kind, product in PRODUCTS.items()}
CONVOLUTIONS |= {usual: CONVOLUTIONS[general] for general, usual in AT_EVERY_PLACE.items()}
"""Over how many axes a helper goes, and which of the products it is."""


def _convolution(name: str) -> Helper:
    rank, product = CONVOLUTIONS[name]
    return lambda e, call: product(e, Convolution(rank, 1, positional(call.args), keywords(call.args)))


def _per_group(e: Elements, call: Call) -> Array:
    """Read `per_group(convolve, groups, a, b, …)`."""
    function, groups, *operands = positional(call.args)
    rank, product = CONVOLUTIONS[str(function)]
    return product(e, Convolution(rank, _whole(plain_value(groups)), operands, keywords(call.args)))


# --------------------------------------------------------------------------------------------------------- pooling


@dataclass(frozen=True)
class Pooling:
    """A call of a pooling, or of its gradient: the operands, the window, and how that moves."""

    operands: list[Array]
    window: list[int]
    axes: list[Axis]
    size: list[int]


def _pooled(e: Elements, pool: Pooling, kind: str) -> Array:
    (x,) = pool.operands

    def at(items: Sequence[Expr]) -> Expr:
        n, *places, channel = items
        offsets = _offsets(e, pool.window)
        seen = [axis.seen(p, i) for axis, p, i in zip(pool.axes, places, offsets, strict=True)]
        return over(kind, x.at([n, *seen, channel]), offsets)

    return Array((x.shape[0], *("?" for _ in pool.window), x.shape[-1]), at)


def _max_pool_d_input(e: Elements, pool: Pooling) -> Array:
    d, x, _ = pool.operands

    def at(items: Sequence[Expr]) -> Expr:
        n, *elements, channel = items
        offsets, others = _offsets(e, pool.window), [e.index(size) for size in pool.window]
        places = [axis.place(r, i) for axis, r, i in zip(pool.axes, elements, offsets, strict=True)]
        beside = [added(_minus(r, i), k) for r, i, k in zip(elements, offsets, others, strict=True)]
        largest = _is_first(offsets, others, x.at([n, *beside, channel]))
        sent = d.at([n, *places, channel])
        return over("sum", sent if largest is None else Binary("*", sent, largest), offsets)

    return Array(x.shape, at)


def _is_first(offsets: Sequence[Expr], others: Sequence[Expr], body: Expr) -> Expr | None:
    """Return the condition that some offsets are where the first maximum is; None where there is only one place."""
    pairs = [(i, k) for i, k in zip(offsets, others, strict=True) if not isinstance(k, Number)]
    if not pairs:
        return None
    ours = pairs[0][0] if len(pairs) == 1 else Items(tuple(i for i, _ in pairs))
    return Binary("==", ours, over("argmax", body, [k for _, k in pairs]))


def _avg_pool_d_input(e: Elements, pool: Pooling) -> Array:
    (d,) = pool.operands

    def at(items: Sequence[Expr]) -> Expr:
        n, *elements, channel = items
        offsets = _offsets(e, pool.window)
        places = [axis.place(r, i) for axis, r, i in zip(pool.axes, elements, offsets, strict=True)]
        count = _inside(e, pool, [_minus(r, i) for r, i in zip(elements, offsets, strict=True)])
        return over("sum", Binary("/", d.at([n, *places, channel]), count), offsets)

    return Array((d.shape[0], *pool.size, d.shape[-1]), at)


def _inside(e: Elements, pool: Pooling, starts: Sequence[Expr]) -> Expr:
    """Return how many elements a window sees that begins there: all of it, or those that the image has."""
    if not any(axis.pad or axis.end for axis in pool.axes):
        return Number(math.prod(pool.window))
    letters = [e.index(length) for length in pool.window]
    seen = [added(start, k) for start, k in zip(starts, letters, strict=True)]
    bounds = [
        condition
        for item, size in zip(seen, pool.size, strict=True)
        for condition in (Binary("<=", ZERO, item), Binary("<", item, Number(size)))
    ]
    condition = conjunction(bounds)
    assert condition is not None
    return over("sum", condition, letters)


POOLS: dict[str, tuple[int, Callable[[Elements, Pooling], Array]]] = {
    "max_pool": (1, partial(_pooled, kind="max")),
    "max_pool_d_input": (3, _max_pool_d_input),
    "avg_pool": (1, partial(_pooled, kind="mean")),
    "avg_pool_d_input": (1, _avg_pool_d_input),
}
"""How many operands a pooling has before its window, and how it is read."""


def _pooling(name: str, rank: int) -> Helper:
    count, pooled = POOLS[name]

    def read(e: Elements, call: Call) -> Array:
        args = positional(call.args)
        operands, rest = args[:count], args[count:]
        size = [_whole(n) for n in _entries(rest.pop(0), rank, 0)] if name == "avg_pool_d_input" else []
        window, stride = rest
        axes = _axes(rank, {"stride": stride, **keywords(call.args)})
        lengths = [_whole(n) for n in _entries(window, rank, 0)]
        return pooled(e, Pooling([e.read(x) for x in operands], lengths, axes, size))

    return read


def _side_by_side(name: str) -> Helper:
    """Read `block_max(x, rows, columns)`: windows that lie side by side."""
    _, pooled = POOLS[name]

    def read(e: Elements, call: Call) -> Array:
        *operands, rows, columns = call.args
        window = [_whole(plain_value(rows)), _whole(plain_value(columns))]
        axes = [Axis(stride=length) for length in window]
        return pooled(e, Pooling([e.read(x) for x in operands], window, axes, []))

    return read


def _global_d_input(e: Elements, call: Call) -> Array:
    """Read `max_global_d_input(d, x)`: all places are one window."""
    d, x = (e.read(arg) for arg in call.args)

    def at(items: Sequence[Expr]) -> Expr:
        n, *elements, channel = items
        others = [e.index(size) for size in x.shape[1:-1]]
        first = _is_first(elements, others, x.at([n, *others, channel]))
        sent = d.at([n, channel])
        return sent if first is None else Binary("*", sent, first)

    return Array(x.shape, at)


WINDOWS: dict[str, Helper] = {
    **{name: _convolution(name) for name in CONVOLUTIONS},
    "per_group": _per_group,
    **{name.replace("pool", f"pool{rank}d"): _pooling(name, rank) for rank in (1, 2, 3) for name in POOLS},
    "block_max": _side_by_side("max_pool"),
    "block_max_d_input": _side_by_side("max_pool_d_input"),
    "max_global_d_input": _global_d_input,
}
