"""Statements shared by several kernels. The last argument of every call is the array that is written."""

from __future__ import annotations

from dotnn.ir.node import Value
from dotnn.targets.numpy.fast.kernels.base import Step

FUNCTIONS = (
    "add", "copysign", "copyto", "divide", "dot", "equal", "exp", "greater", "log", "logaddexp", "matmul",
    "maximum", "multiply", "negative", "sqrt", "subtract", "take", "tanh",
)  # fmt: skip
"""NumPy's functions that a step calls, by names of its own: looking them up would cost as much as a small call."""

LOOP_NAMES = ("copy", "element", "is_larger", "place", "share")
"""What the loops of a step call their variables."""


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
