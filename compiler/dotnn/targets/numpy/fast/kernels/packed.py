"""Fast NumPy for several products as one, and several activations as one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from dotnn.ir.node import Node, Value
from dotnn.ir.tensor import Attrs
from dotnn.targets.numpy.fast.kernels.base import Kernel, Step
from dotnn.targets.numpy.fast.kernels.pieces import per_feature


def _row(e: Step, hint: str, numbers: Sequence[float], widths: Sequence[int]) -> str:
    """Return a name for a row of numbers, each as often as its columns are many."""
    times = str(widths[0]) if len(set(widths)) == 1 else str([*widths])
    return e.bind(hint, f"np.repeat(np.array([{', '.join(map(str, numbers))}], dtype), {times})")


def _scaled_tanh(e: Step, node: Node) -> bool:
    (z,), attrs = node.ins, node.attrs
    out, source = e.out(node.out), z.name
    if attrs["before"] is not None:
        before = per_feature(e, _row(e, "before_tanh", attrs["before"], attrs["widths"]))
        e.run(f"multiply({z.name}, {before}, {out})")
        source = out
    e.run(f"tanh({source}, {out})", "all gates at once: sigmoid(z) = tanh(z/2)/2 + 1/2")
    _scale_blocks(e, node.out, attrs)
    return True


def _scale_blocks(e: Step, out: Value, attrs: Attrs) -> None:
    """Multiply and shift the gates that are sigmoids: such as lie side by side are a block."""
    start, gates = 0, zip(attrs["factor"], attrs["shift"], attrs["widths"], strict=True)
    for (factor, shift), alike in groupby(gates, lambda gate: gate[:2]):
        stop = start + sum(width for _, _, width in alike)
        if (factor, shift) != (1, 0):
            block = e.features(out, start, stop, "sigmoids")
            e.run(f"multiply({block}, {e.number('half', repr(factor))}, {block})")
            e.run(f"add({block}, {e.number('half', repr(shift))}, {block})")
        start = stop


def _stack_rows(e: Step, node: Node) -> bool:
    """Copy what does not lie there from the start."""
    out, start = e.out(node.out), 0
    for value in node.ins:
        matrix = len(value.type.shape) == 2
        stop = start + (value.type.example[0] if matrix else 1)
        if not e.is_part(value, node.out, start):
            part = e.bind(f"{out}_part", f"{out}[{start}:{stop}]" if matrix else f"{out}[{start}]")
            e.run(f"copyto({part}, {value.name})")
        start = stop
    return True


def _rows(e: Step, node: Node) -> bool:
    (x,), start, stop = node.ins, node.attrs["start"], node.attrs["stop"]
    part = e.bind(f"{x.name}_part", f"{x.name}[{start}]" if stop is None else f"{x.name}[{start}:{stop}]")
    e.run(f"copyto({e.out(node.out)}, {part})")
    return True


def _scale_columns(e: Step, node: Node) -> bool:
    """Scale all columns by a row of factors, or some of them at a time, each time by one factor, side by side."""
    (weight,), out, attrs = node.ins, e.out(node.out), node.attrs
    if "columns" not in attrs:
        e.run(f"multiply({weight.name}, {_row(e, 'before_tanh', attrs['factors'], attrs['widths'])}, {out})")
        return True
    start, before = 0, ":, " * (len(weight.type.example) - 1)
    factors = [factor for factor, width in zip(attrs["factors"], attrs["widths"], strict=True) for _ in range(width)]
    for first, last in attrs["columns"]:
        source, target = f"{weight.name}[{before}{first}:{last}]", f"{out}[{before}{start}:{start + last - first}]"
        assert len(set(factors[first:last])) == 1, "gates with one activation have one factor"
        half = e.number("half", repr(factors[first]))
        e.run(f"copyto({target}, {source})" if factors[first] == 1 else f"multiply({source}, {half}, {target})")
        start += last - first
    return True


SCALED_TANH = Kernel("scaled_tanh", _scaled_tanh)
STACK_ROWS = Kernel("stack_rows", _stack_rows, result="block")
ROWS = Kernel("rows", _rows)
SCALE_COLUMNS = Kernel("scale_columns", _scale_columns)
