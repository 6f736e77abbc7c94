"""Fast NumPy statements shared by several ops: features first, batch last, results written into given arrays.

The last argument of every call is the array that is written.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from dotnn.ir.node import Node, Value

FUNCTIONS = (
    "add", "copysign", "copyto", "divide", "dot", "equal", "exp", "greater", "log", "logaddexp", "matmul",
    "maximum", "multiply", "negative", "sqrt", "subtract", "take", "tanh",
)  # fmt: skip
"""NumPy's functions that a step calls, by names of its own: looking them up would cost as much as a small call."""

LOOP_NAMES = ("copy", "element", "is_larger", "place", "share")
"""What the loops of a step call their variables."""


class Step(Protocol):
    """What a kernel may ask of the emitter; see `emit.fast.emitter`."""

    folded: dict[int, Node]
    owners: dict[int, str]
    readers: dict[int, list[Node]]

    def run(self, line: str) -> None: ...
    def same(self, value: Value, source: Value) -> None: ...
    def view(self, value: Value, source: Value, expression: str) -> None: ...
    def repeat(self, value: Value, source: Value) -> None: ...
    def repeat_array(self, value: Value, array: str) -> None: ...
    def prepare(self, line: str) -> None: ...
    def concatenation(self, value: Value) -> None: ...
    def is_part(self, value: Value, whole: Value, start: int) -> bool: ...
    def parameter_of(self, value: Value) -> Value | None: ...
    def contiguous(self, value: Value) -> bool: ...
    def example(self, source: Value) -> str: ...
    def out(self, value: Value, *, over: tuple[Value, ...] = ()) -> str: ...
    def bind(self, hint: str, expression: str) -> str: ...
    def transposed(self, value: Value) -> str: ...
    def flat(self, value: Value) -> str: ...
    def planar(self, value: Value) -> bool: ...
    def own(self, value: Value, expression: str) -> None: ...
    def workspace(self, hint: str, expression: str, key: object) -> tuple[str, bool]: ...
    def rows(self, value: Value) -> str: ...
    def integers(self, value: Value) -> str: ...
    def number(self, hint: str, expression: str) -> str: ...
    def scratch(self, hint: str, *dims: int | str, dtype: str = "dtype") -> str: ...
    def example_array(self, hint: str, expression: str) -> str: ...
    def all_examples(self, hint: str, expression: str) -> str: ...
    def slope(self, value: Value, *lines: str, dtype: str = "dtype") -> str: ...
    def zeros(self, value: Value) -> None: ...
    def steps(self, value: Value) -> str: ...
    def long_rows(self, value: Value) -> str: ...
    def by_steps(self, value: Value) -> bool: ...
    def taken_into_loop(self, node: Node) -> bool: ...
    def seed(self, value: Value) -> str | None: ...
    def with_gradient(self, node: Node) -> Node | None: ...
    def carrier(self, x: Value) -> str: ...
    def packed(self, table: str, weight: Value) -> str: ...


Kernel = Callable[..., bool]


def ufunc(name: str, keyword: str = "") -> Kernel:
    """Return the kernel of an op that is one NumPy function of its operands; `keyword` is `out=` where it must be."""

    def kernel(e: Step, node: Node) -> bool:
        operands = ", ".join(v.name for v in node.ins)
        e.run(f"{name}({operands}, {keyword}{e.out(node.out, over=node.ins)})")
        return True

    return kernel


def chain(name: str) -> Kernel:
    """Return the kernel of a sum (or product) of any number of operands."""

    def kernel(e: Step, node: Node) -> bool:
        first, second, *rest = node.ins
        # With a third operand nothing may be overwritten: it may live in the same array as one of the first two.
        out = e.out(node.out, over=() if rest else (first, second))
        e.run(f"{name}({first.name}, {second.name}, {out})")
        for value in rest:
            e.run(f"{name}({out}, {value.name}, {out})")
        return True

    return kernel


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


def repeated(source: str, value: Value) -> str:
    """Return the expression of a read-only view that repeats the numbers of `source` to the shape of `value`."""
    return f"np.broadcast_to({source}, ({', '.join(map(str, like(value)))}))"


def same_array(e: Step, node: Node) -> bool:
    """The kernel of an op whose result is its operand."""
    e.same(node.out, node.ins[0])
    return True


def like(value: Value) -> tuple[int | str, ...]:
    """Return the dimensions of a value's array."""
    return (*value.type.example, "size") if value.type.batched else value.type.example
