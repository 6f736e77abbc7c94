"""Fast NumPy for pooling: as many strided slices as the window has elements, one after the other."""

from __future__ import annotations

import math

from dotnn.ir.node import Node, Value
from dotnn.ir.tensor import Attrs
from dotnn.library.ops.windows import sizes
from dotnn.targets.numpy.fast.kernels.base import Kernel, Step
from dotnn.targets.numpy.fast.kernels.planes import Sizes, bordered, dims, planes, received, receiver


def _elements(e: Step, name: str, source: str, attrs: Attrs) -> str:
    """Return the list of what every element of the window sees, group axis aside."""
    window, stride = attrs["window"], attrs["stride"]
    seen = f"windows({source}, {window}, {stride}, {(1,) * len(window)}, 1)"
    axis = len(window)
    return e.bind(f"{name}_elements", f"elements(np.squeeze({seen}, {axis}), {window})")


def _tiled(x: Value, attrs: Attrs) -> bool:
    """Whether every element lies in exactly one window."""
    exact = all(n % k == 0 for n, k in zip(sizes(x.type), attrs["window"], strict=True))
    return exact and attrs["window"] == attrs["stride"] and not any(map(any, attrs["pad"]))


def _max_pool(e: Step, node: Node) -> bool:
    """Take the maximum of as many strided slices as the window has elements."""
    (x,) = node.ins
    elements = _elements(e, x.name, bordered(e, x, node.attrs["pad"], "-np.inf"), node.attrs)
    e.out(node.out)
    best = planes(e, node.out)
    e.run(f"copyto({best}, {elements}[0])")
    e.run(f"for element in {elements}[1:]:")
    e.run(f"    maximum({best}, element, out={best})")
    return True


def _max_pool_d_input(e: Step, node: Node) -> bool:
    """The first element of a window that is its maximum receives the gradient."""
    d, x, best = node.ins
    pad, out = node.attrs["pad"], node.out
    elements = _elements(e, x.name, bordered(e, x, pad, "-np.inf"), node.attrs)
    shape = dims(best)
    found, passed = (
        e.workspace(hint, (*shape, "size"), (hint, shape), dtype="bool")[0] for hint in ("found", "passed")
    )
    whole = receiver(e, out, pad)
    places = _elements(e, out.name, whole, node.attrs)
    tiled = _tiled(x, node.attrs)
    share = "place" if tiled else e.workspace("share", (*shape, "size"), ("share", shape))[0]
    if not tiled:
        e.run(f"copyto({whole}, 0)")
    e.run(f"copyto({passed}, False)")
    e.run(f"for element, place in {e.bind(f'{out.name}_pairs', f'list(zip({elements}, {places}, strict=True))')}:")
    e.run(f"    equal(element, {planes(e, best)}, {found})")
    e.run(f"    greater({found}, {passed}, {found})", "of equal ones the first alone")
    e.run(f"    maximum({found}, {passed}, out={passed})")
    e.run(f"    multiply({planes(e, d)}, {found}, {share})")
    if not tiled:
        e.run(f"    add(place, {share}, place)")
    received(e, out, pad, whole)
    return True


def _share(e: Step, lengths: Sizes, attrs: Attrs) -> str:
    """Return 1 / the number of elements under the window: one number, or one per place where there is a border."""
    window, pad = attrs["window"], attrs["pad"]
    if not any(map(any, pad)):
        return e.number("share_of_one", f"1 / {math.prod(window)}")
    ones = f"np.pad(np.ones({(1, *lengths, 1)}, dtype), {((0, 0), *pad, (0, 0))})"
    seen = f"windows({ones}, {window}, {attrs['stride']}, {(1,) * len(window)}, 1)"
    axes = tuple(range(len(window) + 1))
    return e.bind("share_of_one", f"1 / {seen}.sum(axis={axes}, dtype=dtype)")


def _avg_pool(e: Step, node: Node) -> bool:
    """Add as many strided slices as the window has elements, then divide."""
    (x,) = node.ins
    elements = _elements(e, x.name, bordered(e, x, node.attrs["pad"]), node.attrs)
    e.out(node.out)
    mean = planes(e, node.out)
    e.run(f"copyto({mean}, {elements}[0])")
    e.run(f"for element in {elements}[1:]:")
    e.run(f"    add({mean}, element, {mean})")
    e.run(f"multiply({mean}, {_share(e, sizes(x.type), node.attrs)}, {mean})")
    return True


def _avg_pool_d_input(e: Step, node: Node) -> bool:
    """Give every element of a window its share."""
    (d,), out, attrs = node.ins, node.out, node.attrs
    share, _ = e.workspace("share", (*dims(d), "size"), ("share", dims(d)))
    e.run(f"multiply({planes(e, d)}, {_share(e, attrs['size'], attrs)}, {share})")
    whole = receiver(e, out, attrs["pad"])
    places = _elements(e, out.name, whole, attrs)
    tiled = _tiled(out, attrs)
    if not tiled:
        e.run(f"copyto({whole}, 0)")
    e.run(f"for place in {places}:")
    e.run(f"    copyto(place, {share})" if tiled else f"    add(place, {share}, place)")
    received(e, out, attrs["pad"], whole)
    return True


MAX_POOL1D, MAX_POOL2D = Kernel("max_pool1d", _max_pool), Kernel("max_pool2d", _max_pool)
AVG_POOL1D, AVG_POOL2D = Kernel("avg_pool1d", _avg_pool), Kernel("avg_pool2d", _avg_pool)
MAX_POOL1D_D_INPUT = Kernel("max_pool1d_d_input", _max_pool_d_input)
MAX_POOL2D_D_INPUT = Kernel("max_pool2d_d_input", _max_pool_d_input)
AVG_POOL1D_D_INPUT = Kernel("avg_pool1d_d_input", _avg_pool_d_input)
AVG_POOL2D_D_INPUT = Kernel("avg_pool2d_d_input", _avg_pool_d_input)
