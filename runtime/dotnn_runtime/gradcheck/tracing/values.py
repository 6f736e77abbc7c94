"""Arrays that remember how they were made: every operation of a run becomes a node.

`Followed` is an `ndarray` that NumPy asks before it computes anything with it (`__array_ufunc__`,
`__array_function__`; NEP 13 and 18). It computes the same bits, and notes from which nodes the result comes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..reading.types import Array, is_float
from .adjoint import EXTREMES, Pull, pull_for_function, pull_for_ufunc, summed

METHODS = (
    "sum", "mean", "max", "min", "prod", "cumsum", "clip", "ravel", "swapaxes", "squeeze", "repeat", "take", "dot",
    "argmax", "argmin", "var", "std", "diagonal", "trace",
)  # fmt: skip
"""Methods of arrays that are functions of NumPy, too."""


ALIAS = object()
"""The key of an array under another name."""


class Node:
    """One value of a run: the nodes it was computed from, and how a cotangent is pulled back to them.

    `event` is the assignment that gave it a name, if it is one. After `differentiate`, `total` is the derivative of the
    loss with respect to it, and `uses` are the nodes computed from it, each with its share of that derivative; `lost`
    where that is not known. `frame` is the call in which it was computed; a node is `seeded` if it comes from the seed
    of the backward pass.
    """

    seeded: bool
    __slots__ = ("event", "frame", "lost", "order", "parents", "pull", "seeded", "total", "uses")

    def __init__(self, parents: Sequence[Node | None], pull: Pull | None, order: int) -> None:
        self.parents = tuple(parents)
        self.pull, self.order, self.frame = pull, order, RECORDER.frame
        self.seeded = any(p is not None and p.seeded for p in self.parents)
        self.event: int | None = None
        self.total: Array | None = None
        self.lost = False
        self.uses: list[tuple[Node, Array]] = []

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the derivative."""
        return () if self.total is None else self.total.shape


class Followed(np.ndarray):
    """An array with the node of its value; a view knows what it is a view of."""

    node: Node | None
    source: tuple[Followed, Any] | None

    def __array_finalize__(self, other: Any) -> None:
        self.node, self.source = None, None

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, out: Any = None, **options: Any) -> Any:
        inputs = (*inputs[:1], *_joined(inputs[1:])) if method == "at" else tuple(_joined(inputs))
        plain, parents = list(map(stripped, inputs)), list(map(node_of, inputs))
        options = {key: stripped(value) for key, value in options.items()}
        if out is not None:
            options["out"] = tuple(map(stripped, out))
        saved = _kept(plain)
        result = getattr(ufunc, method)(*plain, **options)
        node = None
        if any(parents):
            node = new_node(parents, lambda: pull_for_ufunc(ufunc, method, saved, parents, options))
        targets = inputs[:1] if method == "at" else out or ()
        if not targets:
            return followed(result, node)
        if isinstance(targets[0], Followed):
            mutate(targets[0], node)
        return None if method == "at" else targets[0]

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        plain_args, plain_kwargs = stripped(args), stripped(kwargs)
        leaves = list(_leaves((args, kwargs)))
        saved_args, saved_kwargs = _kept(plain_args), _kept(plain_kwargs)
        result = function(*plain_args, **plain_kwargs)
        parents = [node_of(leaf) for leaf in leaves]
        if not any(parents):
            return _each(result, lambda r, _: followed(r, None))

        def made(part: Any, which: int | None) -> Any:
            if not is_float(part):
                return part
            make = lambda: pull_for_function(function, saved_args, saved_kwargs, parents, which)  # noqa: E731
            return followed(part, new_node(parents, make))

        return _each(result, made)

    def __getitem__(self, key: Any) -> Any:
        key = stripped(key)
        plain = self.view(np.ndarray)[key]
        if not is_float(plain):
            return plain
        shape, keep = self.shape, _kept(key)
        node = new_node([self.node], lambda: lambda g: [_put(shape, keep, g)]) if self.node is not None else None
        found = followed(plain, node)
        if isinstance(plain, np.ndarray) and np.may_share_memory(plain, self):
            found.source = (self, keep)
        return found

    def __setitem__(self, key: Any, value: Any) -> None:
        key, before = stripped(key), self.node
        self.view(np.ndarray)[key] = stripped(value)
        parents, shape = [before, node_of(value)], np.shape(value)
        keep = _kept(key)

        def pull(g: Array) -> list[Array | None]:
            rest = g.copy()
            rest[keep] = 0.0
            return [rest, summed(g[keep], shape)]

        mutate(self, new_node(parents, lambda: pull) if any(parents) else None)

    @property
    def T(self) -> Any:
        """The transpose."""
        return np.transpose(self)

    @property  # type: ignore[misc]
    def real(self) -> Any:
        """The array itself: what is followed is real."""
        return self

    def reshape(self, *shape: Any, **options: Any) -> Any:
        """As for every array."""
        return np.reshape(self, shape[0] if len(shape) == 1 else shape, **options)

    def transpose(self, *axes: Any) -> Any:
        """As for every array."""
        return np.transpose(self, axes[0] if len(axes) == 1 else axes or None)

    def astype(self, dtype: Any, **options: Any) -> Any:  # type: ignore[override]
        """As for every array."""
        return _same(self, self.view(np.ndarray).astype(dtype, **options))

    def copy(self, order: Any = "C") -> Any:
        """As for every array."""
        return _same(self, self.view(np.ndarray).copy(order))

    def flatten(self, order: Any = "C") -> Any:
        """As for every array."""
        return np.ravel(self.copy(), order)


def _method(name: str) -> Any:
    function = getattr(np, name)

    def method(self: Followed, *args: Any, **options: Any) -> Any:
        return function(self, *args, **options)

    method.__doc__ = f"As `np.{name}`."
    return method


for _name in METHODS:
    setattr(Followed, _name, _method(_name))


class Recorder:
    """What is going on while arrays are followed: how many nodes, for a derivative or not, in which call."""

    def __init__(self) -> None:
        self.count = 0
        self.forward = True
        self.frame = 0


RECORDER = Recorder()
"""The one that is recording: a run is followed at a time."""


def new_node(parents: Sequence[Node | None], make: Callable[[], Pull] | None) -> Node:
    """Return a node; its way back is only made where a derivative will be asked for."""
    RECORDER.count += 1
    pull: Pull | None = None
    if RECORDER.forward and make is not None:
        cached: list[Pull] = []

        def pull(g: Array) -> Sequence[Array | None]:
            if not cached:
                cached.append(make())
            return cached[0](g)

    return Node(parents, pull, RECORDER.count)


def identity(node: Node | None) -> Node:
    """Return a node of the same value."""
    return new_node([node], lambda: lambda g: [g])


def node_of(value: Any) -> Node | None:
    """Return the node of a value, None for what is not followed."""
    return value.node if isinstance(value, Followed) else None


def followed(value: Any, node: Node | None) -> Any:
    """Return a value as an array that is followed; what is no floating-point number stays as it is."""
    if not is_float(value):
        return value
    found = np.asarray(value).view(Followed)
    found.node = node
    return found


def mutate(array: Followed, node: Node | None) -> None:
    """Note that an array was written into: it has another node, and so has what it is a view of."""
    array.node = node
    if array.source is None:
        return
    owner, key = array.source
    if key is ALIAS:
        mutate(owner, node)
        return
    parents, shape = [owner.node, node], np.shape(array)

    def pull(g: Array) -> list[Array | None]:
        rest = g.copy()
        rest[key] = 0.0
        return [rest, summed(g[key], shape)]

    mutate(owner, new_node(parents, lambda: pull) if any(parents) else None)


def stripped(value: Any) -> Any:
    """Return a value without what follows it; lists, tuples and dicts with their elements."""
    if isinstance(value, Followed):
        return value.view(np.ndarray)
    if type(value) in (list, tuple):
        return type(value)(stripped(v) for v in value)
    if type(value) is dict:
        return {key: stripped(v) for key, v in value.items()}
    return value


def _kept(value: Any) -> Any:
    """Return a copy of what an operation was given, as the way back needs it after changes in place."""
    if not RECORDER.forward:
        return value
    if isinstance(value, np.ndarray):
        return value.copy()
    if type(value) in (list, tuple):
        return type(value)(_kept(v) for v in value)
    if type(value) is dict:
        return {key: _kept(v) for key, v in value.items()}
    return value


def _leaves(value: Any) -> Iterator[Any]:
    if type(value) in (list, tuple):
        for v in value:
            yield from _leaves(v)
    elif type(value) is dict:
        for v in value.values():
            yield from _leaves(v)
    else:
        yield value


def _each(result: Any, make: Callable[[Any, int | None], Any]) -> Any:
    if isinstance(result, list | tuple) and not hasattr(result, "_fields"):
        return type(result)(make(part, i) for i, part in enumerate(result))
    return make(result, None)


def _same(array: Followed, changed: Array) -> Any:
    return followed(changed, identity(array.node) if array.node is not None else None)


def _put(shape: tuple[int, ...], key: Any, g: Array) -> Array:
    found = np.zeros(shape)
    np.add.at(found, key, g)
    return found


CREATE = ("zeros", "ones", "empty", "full", "eye", "identity", "zeros_like", "ones_like", "empty_like", "full_like")
KEEP = ("asarray", "array", "asanyarray", "ascontiguousarray")


class FollowedNumpy:
    """NumPy as a followed script sees it: arrays that it makes are followed from the start."""

    def __getattr__(self, name: str) -> Any:
        found = getattr(np, name)
        if name in CREATE:
            return lambda *a, **k: followed(found(*stripped(a), **stripped(k)), None)
        if name in KEEP:
            return lambda value, *a, **k: _converted(found, value, a, k)
        if name in (*METHODS, *EXTREMES):
            return lambda *a, **k: found(*_joined(a[:1]), *a[1:], **k)
        return found


def _joined(values: Sequence[Any]) -> list[Any]:
    """Return values with an array for each list of arrays: NumPy does not ask the elements of a list."""
    return [
        _converted(np.asarray, v, (), {}) if type(v) in (list, tuple) and any(map(node_of, _leaves(v))) else v
        for v in values
    ]


def _converted(function: Any, value: Any, args: Any, options: Any) -> Any:
    if isinstance(value, Followed):
        return _same(value, function(value.view(np.ndarray), *args, **options))
    if isinstance(value, list | tuple) and any(isinstance(leaf, Followed) for leaf in _leaves(value)):
        return np.stack([_converted(function, v, (), {}) for v in value])
    return followed(function(value, *args, **options), None)


def differentiate(loss: Node) -> list[Node]:
    """Give every node that the loss comes from its `total` and its `uses`: the chain rule, from the last to the first.

    Returns these nodes, the first one first. Where an operation has no known way back, the nodes that it was computed
    from have no derivative.
    """
    found = _reached(loss)
    loss.total = np.ones(())
    for order in sorted(found, reverse=True):
        _send_back(found[order])
    return [found[order] for order in sorted(found) if found[order].total is not None]


def _reached(loss: Node) -> dict[int, Node]:
    """Return all nodes that a node comes from, and itself, by their order."""
    found: dict[int, Node] = {}
    unread = [loss]
    while unread:
        node = unread.pop()
        if node.order not in found:
            found[node.order] = node
            unread += [p for p in node.parents if p is not None]
    return found


def _send_back(node: Node) -> None:
    """Add what a node contributes to the derivatives of its parents."""
    shares = _shares(node)
    for parent, share in zip(node.parents, shares if shares is not None else node.parents, strict=False):
        if parent is None:
            continue
        if shares is None:
            parent.lost, parent.total = True, None
        elif share is not None and not parent.lost:
            share = np.asarray(share)
            parent.total = share if parent.total is None else parent.total + share
            parent.uses.append((node, share))


def _shares(node: Node) -> Sequence[Array | None] | None:
    """Return what a node sends back to its parents, None where that is not known."""
    if node.lost or (node.pull is None and node.parents):
        return None
    if node.pull is None or node.total is None:
        return ()
    try:
        return node.pull(node.total)
    except NotImplementedError:
        return None
