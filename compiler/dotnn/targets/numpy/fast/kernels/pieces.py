"""Statements shared by several kernels. The last argument of every call is the array that is written."""

from __future__ import annotations

from collections.abc import Sequence

from dotnn.ir.node import Node, Value
from dotnn.targets.numpy.fast.kernels.base import Step, Write

FUNCTIONS = (
    "add", "copysign", "copyto", "divide", "dot", "equal", "exp", "greater", "log", "logaddexp", "matmul",
    "maximum", "multiply", "negative", "sqrt", "subtract", "take", "tanh",
)  # fmt: skip
"""NumPy's functions that a step calls, by names of its own: looking them up would cost as much as a small call."""

LOOP_NAMES = ("copy", "element", "is_larger", "place", "share")
"""What the loops of a step call their variables."""


def ufunc(name: str, keyword: str = "") -> Write:
    """Return the kernel of an op that is one NumPy function of its operands; `keyword` is `out=` where it must be."""

    def kernel(e: Step, node: Node) -> bool:
        operands = ", ".join(v.name for v in node.ins)
        e.run(f"{name}({operands}, {keyword}{e.out(node.out)})")
        return True

    return kernel


def chain(name: str) -> Write:
    """Return the kernel of a sum (or product) of any number of operands."""

    def kernel(e: Step, node: Node) -> bool:
        first, second, *rest = node.ins
        out = e.out(node.out)
        e.run(f"{name}({first.name}, {second.name}, {out})")
        for value in rest:
            e.run(f"{name}({out}, {value.name}, {out})")
        return True

    return kernel


def only_of_two(node: Node) -> Sequence[int]:
    """With a third operand nothing may be overwritten: it may live in the same array as one of the first two."""
    return (0, 1) if len(node.ins) == 2 else ()


def per_feature(e: Step, name: str) -> str:
    """Return a name for an array of one number per feature that fits arrays with the batch behind the features."""
    return e.bind(f"{name}_column", f"{name}[:, None]")


def reduce_examples(e: Step, like_value: Value, source: str, out: str, share: str = "", indent: str = "") -> None:
    """Sum an array, shaped like a value, over everything but its features, times `share` where one is given."""
    if len(like_value.type.example) == 1:
        e.run(f"{indent}dot({source}, {e.bind('ones', 'np.ones(size, dtype)')}, {out})")
    else:
        last = len(like_value.type.example)
        e.run(f"{indent}add.reduce({source}, {(*range(last - 1), last)}, None, {out})")
    if share:
        e.run(f"{indent}multiply({out}, {share}, {out})")


def sum_features(e: Step, value: Value, source: str, out: str, share: str = "") -> None:
    """Sum an array, shaped like a value, over its features, times `share` where one is given."""
    e.run(f"add.reduce({source}, {len(value.type.example) - 1}, None, {out}, True)")
    if share:
        e.run(f"multiply({out}, {share}, {out})")
