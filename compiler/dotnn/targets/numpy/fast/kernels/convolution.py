"""Fast NumPy for convolution: one matrix product per group of channels.

The windows are copied under each other (im2col; Chellapilla et al. 2006), and what they send back is added up slice by
slice.
"""

from __future__ import annotations

import math

from dotnn.ir.node import Node, Value
from dotnn.ir.tensor import Attrs
from dotnn.library.ops.windows import places, sizes
from dotnn.targets.numpy.fast.kernels.base import Kernel, Step
from dotnn.targets.numpy.fast.kernels.pieces import per_feature
from dotnn.targets.numpy.fast.kernels.planes import (
    Sizes,
    bordered,
    dims,
    kernel_size,
    matrices,
    planes,
    received,
    receiver,
)


def _columns(e: Step, x: Value, kernel: Sizes, attrs: Attrs) -> str:
    """Return the windows of x as one matrix per group, [element of the kernel and channel, place and example]."""
    groups, channels = attrs["groups"], x.type.example[-1]
    where = tuple(attrs[name] for name in ("stride", "pad", "dilation", "groups"))
    rows = (groups, *kernel, channels // groups)
    shape = (*rows, *places(sizes(x.type), kernel, attrs), "size")
    copy, made = e.workspace(f"{x.name}_windows", shape, ("columns", x.id, kernel, where))
    if not made:
        source = bordered(e, x, attrs["pad"])
        seen = f"windows({source}, {kernel}, {attrs['stride']}, {attrs['dilation']}, {groups})"
        target = e.bind(f"{copy}_by_element", f"np.moveaxis({copy}, 0, {len(kernel)})")
        e.run(f"copyto({target}, {e.bind(f'{x.name}_seen', seen)})", "all windows under each other")
    return e.bind(f"{copy}_matrix", f"{copy}.reshape({groups}, {math.prod(rows) // groups}, -1)")


def _kernel(e: Step, weight: Value, groups: int) -> str:
    """Return W as one matrix per group, [element and channel, filter]."""
    filters = weight.type.example[-1] // groups
    return e.bind(f"{weight.name}_matrix", f"np.moveaxis({weight.name}.reshape(-1, {groups}, {filters}), 1, 0)")


def _turned(e: Step, name: str) -> str:
    return e.bind(f"{name}_T", f"np.swapaxes({name}, 1, 2)")


def _conv(e: Step, node: Node) -> bool:
    """Multiply all windows by all filters."""
    (x, weight), out, groups = node.ins[:2], node.out, node.attrs["groups"]
    columns = _columns(e, x, kernel_size(weight), node.attrs)
    filters = _turned(e, _kernel(e, weight, groups))
    e.out(out)
    if e.planar(out):
        e.run(f"matmul({filters}, {columns}, out={matrices(e, out, groups)})")
    else:
        product, _ = e.workspace(f"{out.name}_product", (*dims(out), "size"), ("product", dims(out)))
        rows = e.bind(f"{product}_matrix", f"{product}.reshape({groups}, {dims(out)[0] // groups}, -1)")
        e.run(f"matmul({filters}, {columns}, out={rows})")
        e.run(f"copyto({planes(e, out)}, {product})")
    _add_bias(e, node)
    return True


def _add_bias(e: Step, node: Node) -> None:
    if len(node.ins) == 3:
        e.run(f"add({node.out.name}, {per_feature(e, node.ins[2].name)}, {node.out.name})")


def _conv_d_weight(e: Step, node: Node) -> bool:
    """Multiply all windows by what came back at their places."""
    (x, d), groups = node.ins, node.attrs["groups"]
    columns = _columns(e, x, node.attrs["kernel"], node.attrs)
    sent = _turned(e, matrices(e, d, groups))
    e.out(node.out)
    e.run(f"matmul({columns}, {sent}, out={_kernel(e, node.out, groups)})")
    return True


def _conv_d_input(e: Step, node: Node) -> bool:
    """Every place sends to each element of its window; what arrives at an element is added up."""
    (d, weight), out, attrs = node.ins[:2], node.out, node.attrs
    groups, kernel = attrs["groups"], kernel_size(weight)
    shape = (groups, *kernel, out.type.example[-1] // groups, *sizes(d.type))
    shares, _ = e.workspace(f"{out.name}_shares", (*shape, "size"), ("shares", shape))
    rows = e.bind(
        f"{shares}_matrix", f"{shares}.reshape({groups}, {math.prod(shape[: len(kernel) + 2]) // groups}, -1)"
    )
    e.run(f"matmul({_kernel(e, weight, groups)}, {matrices(e, d, groups)}, out={rows})")
    whole = receiver(e, out, attrs["pad"])
    seen = f"elements(windows({whole}, {kernel}, {attrs['stride']}, {attrs['dilation']}, {groups}), {kernel})"
    sent = f"elements(np.moveaxis({shares}, 0, {len(kernel)}), {kernel})"
    e.run(f"copyto({whole}, 0)")
    e.run(f"for place, share in {e.bind(f'{out.name}_sent', f'list(zip({seen}, {sent}, strict=True))')}:")
    e.run("    add(place, share, place)")
    received(e, out, attrs["pad"], whole)
    _add_bias(e, node)
    return True


CONV1D, CONV2D, CONV3D = (Kernel(f"conv{rank}d", _conv) for rank in (1, 2, 3))
CONV1D_TRANSPOSE, CONV2D_TRANSPOSE = (
    Kernel("conv1d_transpose", _conv_d_input),
    Kernel("conv2d_transpose", _conv_d_input),
)
CONV3D_TRANSPOSE, CONV3D_D_WEIGHT = Kernel("conv3d_transpose", _conv_d_input), Kernel("conv3d_d_weight", _conv_d_weight)
CONV1D_D_WEIGHT, CONV2D_D_WEIGHT = Kernel("conv1d_d_weight", _conv_d_weight), Kernel("conv2d_d_weight", _conv_d_weight)
