"""Fast NumPy for what moves or repeats values: views where there are any."""

from __future__ import annotations

from dotnn.ir.node import Node
from dotnn.targets.numpy.fast.kernels.base import Kernel, Step
from dotnn.targets.numpy.fast.kernels.pieces import sum_features


def _reshape(e: Step, node: Node) -> bool:
    """Copy planes into rows: those of an image have another order."""
    (x,) = node.ins
    if not e.planar(x) or len(node.out.type.shape) == 4:
        return False
    grid = f"{e.out(node.out)}.reshape({', '.join(map(str, x.type.example))}, size)"
    e.run(f"copyto({e.bind(f'{node.out.name}_grid', grid)}, {x.name})", "planes of an image have another order")
    return True


def _concat(e: Step, node: Node) -> bool:
    if len(node.out.type.shape) != 2 or not node.out.type.batched:
        return False
    e.out(node.out)
    start = 0
    for value in node.ins:
        stop = start + value.type.example[-1]
        if not e.is_part(value, node.out, start):
            e.run(f"copyto({e.bind(f'{node.out.name}_part', f'{node.out.name}[{start}:{stop}]')}, {value.name})")
        start = stop
    return True


def _sum_features(e: Step, node: Node) -> bool:
    (x,) = node.ins
    mean = e.number("share", f"1 / {x.type.example[-1]}") if node.op == "mean_features" else ""
    sum_features(e, x, x.name, e.out(node.out), mean)
    return True


def _spread_mean(e: Step, node: Node) -> bool:
    (d,) = node.ins
    share = e.number("share", f"1 / {node.attrs['units']}")
    each = e.scratch_like(f"each_of_{node.out.name}", d)
    e.run(f"multiply({d.name}, {share}, {each})")
    e.repeat_array(node.out, each)
    return True


RESHAPE = Kernel("reshape", _reshape)
CONCAT = Kernel("concat", _concat)
SUM_FEATURES = Kernel("sum_features", _sum_features)
MEAN_FEATURES = Kernel("mean_features", _sum_features)
SPREAD_MEAN = Kernel("spread_mean", _spread_mean, result="kernel")
