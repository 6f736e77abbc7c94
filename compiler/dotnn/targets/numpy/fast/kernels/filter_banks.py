"""Fast NumPy for a convolution under max pooling as one convolution."""

from __future__ import annotations

from dotnn.ir.node import Node, Value
from dotnn.library.ops.windows import sizes
from dotnn.targets.numpy.fast.kernels.base import Kernel, Step
from dotnn.targets.numpy.fast.kernels.planes import dims, kernel_size, planes


def _filter_bank(e: Step, node: Node) -> bool:
    """Copy the filters to where they lie in the larger kernel; what is around them stays zero."""
    (weight,), out, window = node.ins, node.out, node.attrs["window"]
    e.out(out)
    copies = e.bind(f"{out.name}_copies", f"filter_copies({out.name}, {kernel_size(weight)}, {window})")
    e.run(f"for copy in {copies}:")
    e.run(f"    copyto(copy, {weight.name})")
    return True


def _filter_bank_d_weight(e: Step, node: Node) -> bool:
    """Add up the gradients of the copies."""
    (d,), out = node.ins, node.out
    e.out(out)
    copies = e.bind(f"{d.name}_copies", f"filter_copies({d.name}, {kernel_size(out)}, {node.attrs['window']})")
    e.run(f"copyto({out.name}, {copies}[0])")
    e.run(f"for copy in {copies}[1:]:")
    e.run(f"    add({out.name}, copy, {out.name})")
    return True


def _max_of_filters(e: Step, node: Node) -> bool:
    """Compare the copies in turn; for the way back keep where each one was larger than all before it."""
    (c,), out, copies = node.ins, node.out, node.attrs["copies"]
    goes_back = e.goes_back(c)
    larger = _larger(e, c, out, copies) if goes_back else ""
    e.out(out)
    candidates = _candidates(e, c, copies)
    best = planes(e, out)
    e.run(f"copyto({best}, {candidates}[0])", "pooling before bias and activation: they keep the order")
    if goes_back:
        pairs = e.bind(f"{out.name}_pairs", f"list(zip({candidates}[1:], {larger}, strict=True))")
        e.run(f"for copy, is_larger in {pairs}:")
        e.run(f"    greater(copy, {best}, is_larger)")
    else:
        e.run(f"for copy in {candidates}[1:]:")
    e.run(f"    maximum(copy, {best}, out={best})")
    return True


def _larger(e: Step, c: Value, best: Value, copies: int) -> str:
    """Return the name of the masks: where a copy of c was larger than all before it."""
    shape: tuple[int | str, ...] = (copies - 1, *dims(best), "size")
    return e.workspace(f"{c.name}_larger", shape, ("larger", c.id), dtype="bool")[0]


def _candidates(e: Step, c: Value, copies: int) -> str:
    """Return the planes of all copies: [copy, filter, place, example]."""
    filters, lengths = dims(c)[0] // copies, sizes(c.type)
    if e.planar(c):
        rows = ", ".join(map(str, (copies, filters, *lengths)))
        return e.bind(f"{c.name}_by_copy", f"np.moveaxis({c.name}, 2, 0).reshape({rows}, size)")
    split = f"{c.name}.reshape({lengths[0]}, {copies}, {filters}, size)"
    return e.bind(f"{c.name}_by_copy", f"np.moveaxis({split}, 0, 2)")


def _max_of_filters_d_input(e: Step, node: Node) -> bool:
    """From the last copy to the first: the last one that was larger than all before it receives the gradient."""
    (d, c), out, copies = node.ins, node.out, node.attrs["copies"]
    larger = _larger(e, c, d, copies)
    e.out(out)
    parts = _candidates(e, out, copies)
    source = planes(e, d)
    for k in range(copies - 1, 0, -1):
        e.run(f"multiply({source}, {larger}[{k - 1}], {parts}[{k}])")
        e.run(f"subtract({source}, {parts}[{k}], {parts}[0])")
        source = f"{parts}[0]"
    return True


FILTER_BANK = Kernel("filter_bank", _filter_bank, result="zeros")
FILTER_BANK_D_WEIGHT = Kernel("filter_bank_d_weight", _filter_bank_d_weight)
MAX_OF_FILTERS = Kernel("max_of_filters", _max_of_filters)
MAX_OF_FILTERS_D_INPUT = Kernel("max_of_filters_d_input", _max_of_filters_d_input, over=(1,))
