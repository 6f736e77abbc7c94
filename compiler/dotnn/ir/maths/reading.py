"""How each construct of a formula is read by element."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial, reduce

from dotnn.ir.expr import (
    FUNCTIONS,
    Attribute,
    Binary,
    Bracketed,
    Call,
    Choice,
    Expr,
    Index,
    Literal,
    Method,
    Name,
    Number,
    Slice,
    Unary,
)
from dotnn.ir.expr import Sequence as Items
from dotnn.ir.maths.elements import (
    BATCH_SIZE,
    ZERO,
    Array,
    Elements,
    NoElements,
    joined,
    keywords,
    over,
    plain_value,
    positional,
    scaled,
    shifted,
)
from dotnn.ir.tensor import Dim

REDUCTIONS = ("sum", "mean", "max", "min")


def read(e: Elements, expr: Expr) -> Array:
    """Return a formula as an array. Raises `NoElements`."""
    match expr:
        case Name(name) if name in e.types:
            return e.array(name)
        case Name() | Number() | Literal() | Call("pi"):
            return Array((), lambda at: expr)
        case Bracketed(inner) | Attribute(inner, "real") | Method(inner, "astype"):
            return read(e, inner)
        case Unary(op, x):
            return e.elementwise(lambda a: Unary(op, a), read(e, x))
        case Binary("@", Attribute(Method(x, "reshape", (_, _)), "T"), Method(d, "reshape", (_, _))):
            return _product_of_rows(e, read(e, x), read(e, d))
        case Binary("@", left, right):
            return _product(e, read(e, left), read(e, right))
        case Binary(op, left, right):
            return e.elementwise(lambda a, b: Binary(op, a, b), read(e, left), read(e, right))
        case Choice(test, yes, no):
            return e.elementwise(lambda c, a, b: Choice(c, a, b), *(read(e, part) for part in (test, yes, no)))
    return _part_or_call(e, expr)


def _part_or_call(e: Elements, expr: Expr) -> Array:
    match expr:
        case Attribute(x, "T"):
            return _swapped(read(e, x), -1, -2)
        case Index(x, items):
            return _indexed(e, read(e, x), items)
        case Method(x, name, args):
            return _method(e, read(e, x), name, args)
        case Call(name) if name in e.helpers:
            return e.helpers[name](e, expr)
        case Call(name) if name in CALLS:
            return CALLS[name](e, expr)
        case Call(name, args) if name in FUNCTIONS and FUNCTIONS[name].elementwise:
            return e.elementwise(lambda *parts: Call(name, parts), *(read(e, arg) for arg in args))
        case Call(name):
            raise NoElements(f"{name} is not read by element")
    raise NoElements(f"{type(expr).__name__} is not read by element")


def _product(e: Elements, a: Array, b: Array) -> Array:
    """Return a @ b: the last axis of a meets the last but one of b."""
    shape = (*joined(a.shape[:-2], b.shape[:-2]), *a.shape[-2:-1], b.shape[-1])

    def at(items: Sequence[Expr]) -> Expr:
        k = e.index(a.shape[-1])
        *lead, i, j = items
        left = a.at([*_lead(lead, a.shape[:-2]), i, k])
        return over("sum", Binary("*", left, b.at([*_lead(lead, b.shape[:-2]), k, j])), [k])

    return Array(shape, at)


def _product_of_rows(e: Elements, x: Array, d: Array) -> Array:
    """Return the product of two arrays whose rows, those of all leading axes, meet: it is summed over those axes."""

    def at(items: Sequence[Expr]) -> Expr:
        rows = [e.index(size, wish) for size, wish in zip(x.shape[:-1], "npqr", strict=False)]
        return over("sum", Binary("*", x.at([*rows, items[0]]), d.at([*rows, items[1]])), rows)

    return Array((x.shape[-1], d.shape[-1]), at)


def _lead(items: Sequence[Expr], shape: Sequence[Dim]) -> list[Expr]:
    last = items[len(items) - len(shape) :] if shape else []
    return [ZERO if size == 1 else item for item, size in zip(last, shape, strict=True)]


def _swapped(x: Array, first: int, second: int) -> Array:
    def swap(items: Sequence[Expr]) -> list[Expr]:
        turned = list(items)
        turned[first], turned[second] = turned[second], turned[first]
        return turned

    shape = list(x.shape)
    shape[first], shape[second] = shape[second], shape[first]
    return Array(tuple(shape), lambda at: x.at(swap(at)))


def _method(e: Elements, x: Array, name: str, args: tuple[Expr, ...]) -> Array:
    given = keywords(args)
    if name in REDUCTIONS:
        axis = plain_value(given["axis"]) if "axis" in given else tuple(range(len(x.shape)))
        axes = {a % len(x.shape) for a in (axis if isinstance(axis, tuple) else (axis,)) if isinstance(a, int)}
        return e.reduced(name, x, axes, "keepdims" in given)
    numbers = [plain_value(arg) for arg in args]
    if name == "swapaxes":
        first, second = (n for n in numbers if isinstance(n, int))
        return _swapped(x, first, second)
    if name == "reshape":
        return _blocks(x, [n for n in numbers if isinstance(n, int)])
    raise NoElements(f"the method {name} is not read by element")


def _blocks(x: Array, sizes: Sequence[int]) -> Array:
    """Return an array with some axes cut into blocks, each into how many there are and how long they are."""
    wanted: list[Dim] = [x.shape[0] if size == -1 else size for size in sizes]
    cut: list[tuple[int, int]] = []  # by axis of x: the axis of the result, and how long its blocks are; 0 for whole
    at = 0
    for size in x.shape:
        whole = wanted[at : at + 1] == [size]
        block = 0 if whole else _block(size, wanted[at : at + 2])
        cut.append((at, block))
        at += 1 if whole else 2
    if at != len(wanted):
        raise NoElements("a reshape that mixes axes is not read by element")

    def items(given: Sequence[Expr]) -> list[Expr]:
        return [_within(given, place, block) for place, block in cut]

    return Array(tuple(wanted), lambda given: x.at(items(given)))


def _block(size: Dim, pair: Sequence[Dim]) -> int:
    match pair:
        case [int(count), int(length)] if count * length == size:
            return length
    raise NoElements("a reshape that mixes axes is not read by element")


def _within(given: Sequence[Expr], place: int, block: int) -> Expr:
    if not block:
        return given[place]
    start, inside = scaled(given[place], block), given[place + 1]
    return shifted(start, int(inside.value)) if isinstance(inside, Number) else Binary("+", start, inside)


# --------------------------------------------------------------------------------------------------------- indices


def _indexed(e: Elements, x: Array, items: tuple[Expr, ...]) -> Array:
    """Return a part: slices, numbers, new axes; or the rows that an array of numbers names."""
    if len(items) == 1 and isinstance(items[0], Name):
        ids = read(e, items[0])
        rank = len(ids.shape)
        return Array((*ids.shape, *x.shape[1:]), lambda at: x.at([ids.at(at[:rank]), *at[rank:]]))
    places, shape = _places(x.shape, items)

    def at(given: Sequence[Expr]) -> Expr:
        full: list[Expr] = [ZERO] * len(x.shape)
        for axis, source, start in places:
            full[axis] = Number(start) if source is None else shifted(given[source], start)
        return x.at(full)

    return Array(shape, at)


Place = tuple[int, int | None, int]
"""An axis of the whole, the axis of the part (None: a single element of it), and where on it the part begins."""


def _places(shape: tuple[Dim, ...], items: Sequence[Expr]) -> tuple[list[Place], tuple[Dim, ...]]:
    given = [item for item in items if item not in (Literal(None), Literal(...))]
    filled: list[Expr] = []
    for item in items:
        filled += [Slice()] * (len(shape) - len(given)) if item == Literal(...) else [item]
    filled += [Slice()] * (len(shape) - sum(item != Literal(None) for item in filled))
    places: list[Place] = []
    sizes: list[Dim] = []
    axis = 0
    for item in filled:
        if item == Literal(None):
            sizes.append(1)
            continue
        start, size = _span(shape[axis], item)
        places.append((axis, None if size is None else len(sizes), start))
        sizes += [] if size is None else [size]
        axis += 1
    return places, tuple(sizes)


def _span(size: Dim, item: Expr) -> tuple[int, Dim | None]:
    """Return where a part of an axis begins and how long it is; None for a single element."""
    match item:
        case Slice(None, None):
            return 0, size
        case Slice(start, stop) if isinstance(size, int):
            first, last = (_whole(end) if end is not None else None for end in (start, stop))
            inside = range(size)[first:last]
            return inside.start, len(inside)
    place = _whole(item)
    return (place if place >= 0 or not isinstance(size, int) else place + size), None


def _whole(expr: Expr) -> int:
    value = plain_value(expr)
    assert isinstance(value, int)
    return value


# ----------------------------------------------------------------------------------------------------------- calls


def _einsum(e: Elements, call: Call) -> Array:
    """Return a product, or one operand, in Einstein's notation: its own letters are the indices."""
    equation, *operands = positional(call.args)
    text = plain_value(equation)
    assert isinstance(text, str)
    inputs, _, result = text.partition("->")
    letters = inputs.split(",")
    parts = [read(e, operand) for operand in operands]
    sizes = {c: size for some, x in zip(letters, parts, strict=True) for c, size in zip(some, x.shape, strict=True)}

    def at(items: Sequence[Expr]) -> Expr:
        known = dict(zip(result, items, strict=True))
        summed = {c: e.index(size, c) for c, size in sizes.items() if c not in known}
        known |= summed
        body = [x.at([known[c] for c in some]) for some, x in zip(letters, parts, strict=True)]
        return over("sum", reduce(partial(Binary, "*"), body), summed.values())

    return Array(tuple(sizes[c] for c in result), at)


def _concatenated(e: Elements, call: Call) -> Array:
    """Return arrays side by side: outside of each it counts 0, so that a sum of them serves."""
    parts = positional(call.args)[0]
    assert isinstance(parts, Items)
    arrays = [read(e, part) for part in parts.items]
    axis = _whole(keywords(call.args)["axis"]) % len(arrays[0].shape)
    widths = [size for x in arrays if isinstance(size := x.shape[axis], int)]

    def at(items: Sequence[Expr]) -> Expr:
        result: Expr | None = None
        for i, x in enumerate(arrays):
            part = x.at([*items[:axis], shifted(items[axis], -sum(widths[:i])), *items[axis + 1 :]])
            if widths[i] == 1:
                part = Binary("*", Binary("==", items[axis], Number(sum(widths[:i]))), part)
            result = part if result is None else Binary("+", result, part)
        assert result is not None
        return result

    return Array((*arrays[0].shape[:axis], sum(widths), *arrays[0].shape[axis + 1 :]), at)


def _repeated(e: Elements, call: Call) -> Array:
    x, times = (read(e, call.args[0]), plain_value(call.args[1]))
    axis = plain_value(keywords(call.args)["axis"])
    assert isinstance(axis, int)
    assert isinstance(times, int)
    axis %= len(x.shape)

    def at(items: Sequence[Expr]) -> Expr:
        item = items[axis]
        before = ZERO if x.shape[axis] == 1 else item if times == 1 else Binary("//", item, Number(times))
        return x.at([*items[:axis], before, *items[axis + 1 :]])

    size = x.shape[axis]
    longer = size * times if isinstance(size, int) else size
    return Array((*x.shape[:axis], longer, *x.shape[axis + 1 :]), at)


def _tiled(e: Elements, call: Call) -> Array:
    x, times = read(e, call.args[0]), plain_value(call.args[1])
    assert isinstance(times, tuple)
    if any(t != 1 and size != 1 for t, size in zip(times, x.shape, strict=True)):
        raise NoElements("tiles of more than one number are not read by element")
    shape = tuple(size if t == 1 else t for size, t in zip(x.shape, times, strict=True))
    return Array(shape, lambda at: x.at([ZERO if size == 1 else i for i, size in zip(at, x.shape, strict=True)]))


def _broadcast(e: Elements, call: Call) -> Array:
    match call.args:
        case (x, Attribute(Name(like), "shape")):
            return _like(read(e, x), e.types[like].shape)
    raise NoElements("a broadcast to a shape that is no value's is not read by element")


def _like(x: Array, shape: tuple[Dim, ...]) -> Array:
    return Array(shape, lambda at: x.at(_lead(at, x.shape)))


def _padded(e: Elements, call: Call) -> Array:
    x, widths = read(e, call.args[0]), plain_value(call.args[1])
    assert isinstance(widths, tuple)
    shape = tuple(d + sum(w) if isinstance(d, int) else d for d, w in zip(x.shape, widths, strict=True))

    def at(items: Sequence[Expr]) -> Expr:
        inner = [shifted(item, -w[0]) for item, w in zip(items, widths, strict=True)]
        outside = [
            Binary("==", item, Number(w[0]))
            for item, w, size in zip(items, widths, x.shape, strict=True)
            if size == 1 and any(w)
        ]
        body = x.at([ZERO if size == 1 else i for i, size in zip(inner, x.shape, strict=True)])
        for condition in outside:
            body = Binary("*", condition, body)
        return body

    return Array(shape, at)


def _swap_call(e: Elements, call: Call) -> Array:
    x, first, second = call.args
    a, b = plain_value(first), plain_value(second)
    assert isinstance(a, int)
    assert isinstance(b, int)
    return _swapped(read(e, x), a, b)


def _taken(e: Elements, call: Call) -> Array:
    """Read what numbers name along an axis, `take_along_axis(x, ids, axis=axis)`."""
    x, ids = (read(e, arg) for arg in call.args[:2])
    axis = _whole(keywords(call.args)["axis"]) % len(x.shape)

    def at(items: Sequence[Expr]) -> Expr:
        return x.at([*items[:axis], ids.at(_lead(items, ids.shape)), *items[axis + 1 :]])

    return Array((*x.shape[:axis], ids.shape[axis], *x.shape[axis + 1 :]), at)


def _triangle(e: Elements, call: Call) -> Array:
    rows, columns = (plain_value(arg) for arg in positional(call.args))
    assert isinstance(rows, int)
    assert isinstance(columns, int)
    return Array((rows, columns), lambda at: Binary("<=", at[1], at[0]))


def _zeros(e: Elements, call: Call) -> Array:
    return Array((), lambda at: ZERO)


CALLS: dict[str, Callable[[Elements, Call], Array]] = {
    "einsum": _einsum,
    "concatenate": _concatenated,
    "repeat": _repeated,
    "tile": _tiled,
    "broadcast_to": _broadcast,
    "pad": _padded,
    "swapaxes": _swap_call,
    "take_along_axis": _taken,
    "tri": _triangle,
    "zeros": _zeros,
    "zeros_like": _zeros,
    "len": lambda e, call: Array((), lambda at: BATCH_SIZE),
}
"""Functions of whole arrays."""


def part_of(x: Array, whole: tuple[Dim, ...], items: tuple[Expr, ...]) -> Array:
    """Return an array of the shape `whole` of which x is the part that an index takes; the rest of it counts 0."""
    places, _ = _places(whole, items)

    def at(given: Sequence[Expr]) -> Expr:
        inner: list[Expr] = [ZERO] * len(x.shape)
        body: list[Expr] = []
        for axis, source, start in places:
            if source is not None and x.shape[source] != 1:
                inner[source] = shifted(given[axis], -start)
            elif whole[axis] != 1:
                body.append(Binary("==", given[axis], Number(start)))
        result = x.at(inner)
        for condition in body:
            result = Binary("*", condition, result)
        return result

    return Array(whole, at)
