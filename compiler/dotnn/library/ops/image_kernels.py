"""Fast NumPy for convolution and pooling: images as planes [channel, row, column, example].

A convolution is one matrix product per group of channels: the windows are copied under each other (im2col; Chellapilla
et al. 2006), and what they send back is added up slice by slice. All of it holds for sequences, with one axis less.
"""

from __future__ import annotations

import math

from dotnn.ir.node import Node, Value
from dotnn.ir.tensor import Attrs
from dotnn.library.ops.kernels import Step
from dotnn.library.ops.windows import places, sizes

Sizes = tuple[int, ...]
Pads = tuple[tuple[int, int], ...]


def planes(e: Step, value: Value) -> str:
    """Return the name of a view of a value with the channels in front."""
    return e.bind(f"{value.name}_planes", f"np.moveaxis({value.name}, {len(sizes(value.type))}, 0)")


def _dims(value: Value) -> Sizes:
    return (value.type.example[-1], *sizes(value.type))


def _new(dims: Sizes, start: str = "") -> str:
    """Return the expression of an array of a batch."""
    shape = f"({', '.join(map(str, dims))}, size)"
    return f"np.full({shape}, {start}, dtype)" if start else f"np.empty({shape}, dtype)"


def _solid(e: Step, value: Value) -> str:
    """Return contiguous planes of a value: its own, or a copy that is made once a step."""
    if e.planar(value):
        return planes(e, value)
    copy, made = e.workspace(f"{value.name}_copy", _new(_dims(value)), ("copy", value.id))
    if not made:
        e.run(f"copyto({copy}, {planes(e, value)})")
    return copy


def matrices(e: Step, value: Value, groups: int = 1) -> str:
    """Return a value as one matrix per group, [channel, place and example]."""
    source = f"np.moveaxis({value.name}, 2, 0)" if e.planar(value) else _solid(e, value)
    return e.bind(f"{value.name}_matrix", f"{source}.reshape({groups}, {value.type.example[-1] // groups}, -1)")


def _bordered(e: Step, x: Value, pad: Pads, border: str = "0") -> str:
    """Return contiguous planes of x with a border around them."""
    if not any(map(any, pad)):
        return _solid(e, x)
    whole, made = e.workspace(f"{x.name}_bordered", _new(_widened(x, pad), border), ("border", x.id, pad, border))
    if not made:
        e.run(f"copyto({e.bind(f'{x.name}_middle', f'inside({whole}, {pad})')}, {planes(e, x)})")
    return whole


def _widened(x: Value, pad: Pads) -> Sizes:
    return (x.type.example[-1], *(n + sum(border) for n, border in zip(sizes(x.type), pad, strict=True)))


def _receiver(e: Step, value: Value, pad: Pads) -> str:
    """Return planes that contributions are added to; with a border, which `_received` cuts off."""
    e.out(value)
    if not any(map(any, pad)):
        return planes(e, value)
    return e.workspace(f"{value.name}_bordered", _new(_widened(value, pad)), ("receiver", _widened(value, pad)))[0]


def _received(e: Step, value: Value, pad: Pads, whole: str) -> None:
    if any(map(any, pad)):
        e.run(f"copyto({planes(e, value)}, {e.bind(f'{value.name}_middle', f'inside({whole}, {pad})')})")


# --------------------------------------------------------------------------------------------------- convolution


def _columns(e: Step, x: Value, kernel: Sizes, attrs: Attrs) -> str:
    """Return the windows of x as one matrix per group, [element of the kernel and channel, place and example]."""
    groups, channels = attrs["groups"], x.type.example[-1]
    where = tuple(attrs[name] for name in ("stride", "pad", "dilation", "groups"))
    rows = (groups, *kernel, channels // groups)
    copy, made = e.workspace(
        f"{x.name}_windows", _new((*rows, *places(sizes(x.type), kernel, attrs))), ("columns", x.id, kernel, where)
    )
    if not made:
        source = _bordered(e, x, attrs["pad"])
        seen = f"windows({source}, {kernel}, {attrs['stride']}, {attrs['dilation']}, {groups})"
        target = e.bind(f"{copy}_by_element", f"np.moveaxis({copy}, 0, {len(kernel)})")
        e.run(f"copyto({target}, {e.bind(f'{x.name}_seen', seen)})  # all windows under each other")
    return e.bind(f"{copy}_matrix", f"{copy}.reshape({groups}, {math.prod(rows) // groups}, -1)")


def _kernel(e: Step, weight: Value, groups: int) -> str:
    """Return W as one matrix per group, [element and channel, filter]."""
    filters = weight.type.example[-1] // groups
    return e.bind(f"{weight.name}_matrix", f"np.moveaxis({weight.name}.reshape(-1, {groups}, {filters}), 1, 0)")


def _turned(e: Step, name: str) -> str:
    return e.bind(f"{name}_T", f"np.swapaxes({name}, 1, 2)")


def _kernel_size(weight: Value) -> Sizes:
    return tuple(n for n in weight.type.shape[:-2] if isinstance(n, int))


def fast_conv(e: Step, node: Node) -> bool:
    """Multiply all windows by all filters."""
    (x, weight), out, groups = node.ins[:2], node.out, node.attrs["groups"]
    columns = _columns(e, x, _kernel_size(weight), node.attrs)
    filters = _turned(e, _kernel(e, weight, groups))
    e.out(out)
    if e.planar(out):
        e.run(f"matmul({filters}, {columns}, out={matrices(e, out, groups)})")
    else:
        product, _ = e.workspace(f"{out.name}_product", _new(_dims(out)), ("product", _dims(out)))
        rows = e.bind(f"{product}_matrix", f"{product}.reshape({groups}, {_dims(out)[0] // groups}, -1)")
        e.run(f"matmul({filters}, {columns}, out={rows})")
        e.run(f"copyto({planes(e, out)}, {product})")
    _add_bias(e, node)
    return True


def _add_bias(e: Step, node: Node) -> None:
    if len(node.ins) == 3:
        e.run(f"add({node.out.name}, {_column(e, node.ins[2])}, {node.out.name})")


def _column(e: Step, bias: Value) -> str:
    return e.bind(f"{bias.name}_column", f"{bias.name}[:, None]")


def fast_add_bias(e: Step, node: Node) -> bool:
    """Add one number per channel."""
    x, bias = node.ins
    e.run(f"add({x.name}, {_column(e, bias)}, {e.out(node.out, over=(x,))})")
    return True


def fast_conv_d_weight(e: Step, node: Node) -> bool:
    """Multiply all windows by what came back at their places."""
    (x, d), groups = node.ins, node.attrs["groups"]
    columns = _columns(e, x, node.attrs["kernel"], node.attrs)
    sent = _turned(e, matrices(e, d, groups))
    e.out(node.out)
    e.run(f"matmul({columns}, {sent}, out={_kernel(e, node.out, groups)})")
    return True


def fast_conv_d_input(e: Step, node: Node) -> bool:
    """Every place sends to each element of its window; what arrives at an element is added up."""
    (d, weight), out, attrs = node.ins[:2], node.out, node.attrs
    groups, kernel = attrs["groups"], _kernel_size(weight)
    dims = (groups, *kernel, out.type.example[-1] // groups, *sizes(d.type))
    shares, _ = e.workspace(f"{out.name}_shares", _new(dims), ("shares", dims))
    rows = e.bind(f"{shares}_matrix", f"{shares}.reshape({groups}, {math.prod(dims[: len(kernel) + 2]) // groups}, -1)")
    e.run(f"matmul({_kernel(e, weight, groups)}, {matrices(e, d, groups)}, out={rows})")
    whole = _receiver(e, out, attrs["pad"])
    seen = f"elements(windows({whole}, {kernel}, {attrs['stride']}, {attrs['dilation']}, {groups}), {kernel})"
    sent = f"elements(np.moveaxis({shares}, 0, {len(kernel)}), {kernel})"
    e.run(f"copyto({whole}, 0)")
    e.run(f"for place, share in {e.bind(f'{out.name}_sent', f'list(zip({seen}, {sent}))')}:")
    e.run("    add(place, share, place)")
    _received(e, out, attrs["pad"], whole)
    _add_bias(e, node)
    return True


# ------------------------------------------------------------------------------------------------------- pooling


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


def fast_max_pool(e: Step, node: Node) -> bool:
    """Take the maximum of as many strided slices as the window has elements."""
    (x,) = node.ins
    elements = _elements(e, x.name, _bordered(e, x, node.attrs["pad"], "-np.inf"), node.attrs)
    e.out(node.out)
    best = planes(e, node.out)
    e.run(f"copyto({best}, {elements}[0])")
    e.run(f"for element in {elements}[1:]:")
    e.run(f"    maximum({best}, element, out={best})")
    return True


def fast_max_pool_d_input(e: Step, node: Node) -> bool:
    """The first element of a window that is its maximum receives the gradient."""
    d, x, best = node.ins
    pad, out = node.attrs["pad"], node.out
    elements = _elements(e, x.name, _bordered(e, x, pad, "-np.inf"), node.attrs)
    dims = _dims(best)
    found, passed = (
        e.workspace(hint, _new(dims).replace("dtype", "bool"), (hint, dims))[0] for hint in ("found", "passed")
    )
    whole = _receiver(e, out, pad)
    places = _elements(e, out.name, whole, node.attrs)
    tiled = _tiled(x, node.attrs)
    share = "place" if tiled else e.workspace("share", _new(dims), ("share", dims))[0]
    if not tiled:
        e.run(f"copyto({whole}, 0)")
    e.run(f"copyto({passed}, False)")
    e.run(f"for element, place in {e.bind(f'{out.name}_pairs', f'list(zip({elements}, {places}))')}:")
    e.run(f"    equal(element, {planes(e, best)}, {found})")
    e.run(f"    greater({found}, {passed}, {found})  # of equal ones the first alone")
    e.run(f"    maximum({found}, {passed}, out={passed})")
    e.run(f"    multiply({planes(e, d)}, {found}, {share})")
    if not tiled:
        e.run(f"    add(place, {share}, place)")
    _received(e, out, pad, whole)
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


def fast_avg_pool(e: Step, node: Node) -> bool:
    """Add as many strided slices as the window has elements, then divide."""
    (x,) = node.ins
    elements = _elements(e, x.name, _bordered(e, x, node.attrs["pad"]), node.attrs)
    e.out(node.out)
    mean = planes(e, node.out)
    e.run(f"copyto({mean}, {elements}[0])")
    e.run(f"for element in {elements}[1:]:")
    e.run(f"    add({mean}, element, {mean})")
    e.run(f"multiply({mean}, {_share(e, sizes(x.type), node.attrs)}, {mean})")
    return True


def fast_avg_pool_d_input(e: Step, node: Node) -> bool:
    """Give every element of a window its share."""
    (d,), out, attrs = node.ins, node.out, node.attrs
    share, _ = e.workspace("share", _new(_dims(d)), ("share", _dims(d)))
    e.run(f"multiply({planes(e, d)}, {_share(e, attrs['size'], attrs)}, {share})")
    whole = _receiver(e, out, attrs["pad"])
    places = _elements(e, out.name, whole, attrs)
    tiled = _tiled(out, attrs)
    if not tiled:
        e.run(f"copyto({whole}, 0)")
    e.run(f"for place in {places}:")
    e.run(f"    copyto(place, {share})" if tiled else f"    add(place, {share}, place)")
    _received(e, out, attrs["pad"], whole)
    return True


# ------------------------------------------------------------------------- convolution and max pooling in one


def fast_filter_bank(e: Step, node: Node) -> bool:
    """Copy the filters to where they lie in the larger kernel; what is around them stays zero."""
    (weight,), out, window = node.ins, node.out, node.attrs["window"]
    dims = ", ".join(map(str, out.type.shape))
    e.own(out, f"np.zeros(({dims}), dtype)")
    copies = e.bind(f"{out.name}_copies", f"filter_copies({out.name}, {_kernel_size(weight)}, {window})")
    e.run(f"for copy in {copies}:")
    e.run(f"    copyto(copy, {weight.name})")
    return True


def fast_filter_bank_d_weight(e: Step, node: Node) -> bool:
    """Add up the gradients of the copies."""
    (d,), out = node.ins, node.out
    e.out(out)
    copies = e.bind(f"{d.name}_copies", f"filter_copies({d.name}, {_kernel_size(out)}, {node.attrs['window']})")
    e.run(f"copyto({out.name}, {copies}[0])")
    e.run(f"for copy in {copies}[1:]:")
    e.run(f"    add({out.name}, copy, {out.name})")
    return True


def fast_max_of_filters(e: Step, node: Node) -> bool:
    """Compare the copies in turn, and keep where each one was larger than all before it."""
    (c,), out, copies = node.ins, node.out, node.attrs["copies"]
    masks = f"np.empty(({copies - 1}, {', '.join(map(str, _dims(out)))}, size), bool)"
    larger, _ = e.workspace(f"{c.name}_larger", masks, ("larger", c.id))
    e.out(out)
    candidates = _candidates(e, c, copies)
    best = planes(e, out)
    e.run(f"copyto({best}, {candidates}[0])  # pooling before bias and activation: they keep the order")
    e.run(f"for copy, is_larger in zip({candidates}[1:], {larger}):")
    e.run(f"    greater(copy, {best}, is_larger)")
    e.run(f"    maximum(copy, {best}, out={best})")
    return True


def _candidates(e: Step, c: Value, copies: int) -> str:
    """Return the planes of all copies: [copy, filter, place, example]."""
    filters, lengths = _dims(c)[0] // copies, sizes(c.type)
    if e.planar(c):
        rows = ", ".join(map(str, (copies, filters, *lengths)))
        return e.bind(f"{c.name}_by_copy", f"np.moveaxis({c.name}, 2, 0).reshape({rows}, size)")
    split = f"{c.name}.reshape({lengths[0]}, {copies}, {filters}, size)"
    return e.bind(f"{c.name}_by_copy", f"np.moveaxis({split}, 0, 2)")


def fast_max_of_filters_d_input(e: Step, node: Node) -> bool:
    """From the last copy to the first: the last one that was larger than all before it receives the gradient."""
    (d, c), out, copies = node.ins, node.out, node.attrs["copies"]
    larger, _ = e.workspace(f"{c.name}_larger", "", ("larger", c.id))
    e.out(out, over=(c,))
    parts = _candidates(e, out, copies)
    source = planes(e, d)
    for k in range(copies - 1, 0, -1):
        e.run(f"multiply({source}, {larger}[{k - 1}], {parts}[{k}])")
        e.run(f"subtract({source}, {parts}[{k}], {parts}[0])")
        source = f"{parts}[0]"
    return True
