"""Helpers that look at a whole row, or make one of a class."""

from __future__ import annotations

from collections.abc import Sequence

from dotnn.ir.expr import Binary, Call, Expr, Index, Number
from dotnn.ir.expr import Sequence as Items
from dotnn.ir.maths.elements import Array, Elements, Helper, over, plain_value, positional
from dotnn.ir.maths.reading import part_of
from dotnn.ir.tensor import BATCH, Dim


def _exp(x: Expr) -> Expr:
    return Call("exp", (x,))


def _replaced(items: Sequence[Expr], axis: int, item: Expr) -> list[Expr]:
    changed = list(items)
    changed[axis] = item
    return changed


def _sum_of_exp(e: Elements, x: Array, items: Sequence[Expr], axis: int) -> Expr:
    k = e.index(x.shape[axis])
    return over("sum", _exp(x.at(_replaced(items, axis, k))), [k])


def _softmax(e: Elements, call: Call) -> Array:
    z = e.read(call.args[0])
    return Array(z.shape, lambda at: Binary("/", _exp(z.at(at)), _sum_of_exp(e, z, at, -1)))


def _log_softmax(e: Elements, call: Call) -> Array:
    z = e.read(call.args[0])
    return Array(z.shape, lambda at: Binary("-", z.at(at), Call("log", (_sum_of_exp(e, z, at, -1),))))


def _axis(call: Call) -> int:
    axis = plain_value(call.args[1])
    assert isinstance(axis, int)
    return axis


def _logsumexp(e: Elements, call: Call) -> Array:
    x, axis = e.read(call.args[0]), _axis(call)
    shape = tuple(1 if i == axis % len(x.shape) else d for i, d in enumerate(x.shape))
    return Array(shape, lambda at: Call("log", (_sum_of_exp(e, x, at, axis),)))


def _first(kind: str) -> Helper:
    def read(e: Elements, call: Call) -> Array:
        x, axis = e.read(call.args[0]), _axis(call)

        def at(items: Sequence[Expr]) -> Expr:
            if x.shape[axis] == 1:
                return Number(1)
            k = e.index(x.shape[axis])
            return Binary("==", items[axis], over(kind, x.at(_replaced(items, axis, k)), [k]))

        return Array(x.shape, at)

    return read


def _one_hot(e: Elements, call: Call) -> Array:
    labels, classes = e.read(call.args[0]), plain_value(call.args[1])
    assert isinstance(classes, int)
    return Array((*labels.shape, classes), lambda at: Binary("==", labels.at(at[:-1]), at[-1]))


def _smooth(e: Elements, call: Call) -> Array:
    rows, amount = e.read(call.args[0]), call.args[1]
    share = Binary("/", amount, Number(int(rows.shape[-1])))
    return e.elementwise(lambda row: Binary("+", Binary("*", Binary("-", Number(1), amount), row), share), rows)


def _class_weight(e: Elements, call: Call) -> Array:
    """Return the weight of each example's class: the sum over the classes of what is 1 for it, times its weight."""
    target, weights = e.read(call.args[0]), call.args[1]
    assert isinstance(weights, Items)
    is_class = all(d != len(weights.items) for d in target.shape[-1:]) or len(target.shape) == 1
    shape: tuple[Dim, ...] = (*target.shape, 1) if is_class else (*target.shape[:-1], 1)

    def at(items: Sequence[Expr]) -> Expr:
        total: Expr | None = None
        for number, weight in enumerate(weights.items):
            k = Number(number)
            share = Binary("==", target.at(items[:-1]), k) if is_class else target.at([*items[:-1], k])
            term = Binary("*", weight, share)
            total = term if total is None else Binary("+", total, term)
        assert total is not None
        return total

    return Array(shape, at)


def _sum_of_weights(e: Elements, call: Call) -> Array:
    """Read the sum of weights; that of none, which is 1, is left out."""
    weights = e.read(call.args[0])

    def at(items: Sequence[Expr]) -> Expr:
        places = [e.index(size) for size in weights.shape]
        return over("sum", weights.at(places), places)

    return Array((), at)


def _rows_of_state(e: Elements, call: Call) -> Array:
    """Read the rows of a state that the batch before has left, one for each example."""
    state = e.read(call.args[0])
    return Array((BATCH, *state.shape[1:]), state.at)


def _with_rows(e: Elements, call: Call) -> Array:
    """Read the state that a batch leaves: a row for each of its examples; further rows stay as they are."""
    rows = e.read(call.args[1])
    return Array((BATCH, *rows.shape[1:]), rows.at)


def _sum_by_row(e: Elements, call: Call) -> Array:
    ids, d = (e.read(arg) for arg in call.args[:2])
    rows = plain_value(call.args[2])
    assert isinstance(rows, int)

    def at(items: Sequence[Expr]) -> Expr:
        places = [e.index(size) for size in ids.shape]
        return over("sum", Binary("*", Binary("==", ids.at(places), items[0]), d.at([*places, items[1]])), places)

    return Array((rows, d.shape[-1]), at)


def _sinusoids(e: Elements, call: Call) -> Array:
    """Read the waves of a position encoding: a sine in columns of an even number, a cosine in the others."""
    length, width = (plain_value(arg) for arg in call.args)
    assert isinstance(length, int)
    assert isinstance(width, int)

    def at(items: Sequence[Expr]) -> Expr:
        p, j = items
        pair = Binary("//", j, Number(2))
        period = Binary("**", Number(10000), Binary("/", Binary("*", Number(2), pair), Number(width)))
        angle = Binary("/", p, period)
        is_even = Binary("==", Binary("%", j, Number(2)), Number(0))
        return Call("where", (is_even, Call("sin", (angle,)), Call("cos", (angle,))))

    return Array((length, width), at)


def _put_back(e: Elements, call: Call) -> Array:
    """Read `put_back(d, np.s_[:, index], shape)`: what lies outside of the part is 0."""
    d, index, shape = positional(call.args)
    assert isinstance(index, Index)
    sizes = plain_value(shape)
    assert isinstance(sizes, tuple)
    x = e.read(d)
    whole = (x.shape[0], *(size for size in sizes if isinstance(size, int)))
    return part_of(x, whole, index.items)


ROWS: dict[str, Helper] = {
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "logsumexp": _logsumexp,
    "first_largest": _first("argmax"),
    "first_smallest": _first("argmin"),
    "one_hot_rows": _one_hot,
    "smooth": _smooth,
    "weight_of_class": _class_weight,
    "sum_of_weights": _sum_of_weights,
    "rows_of_state": _rows_of_state,
    "with_rows": _with_rows,
    "sum_by_row": _sum_by_row,
    "sinusoids": _sinusoids,
    "put_back": _put_back,
}
