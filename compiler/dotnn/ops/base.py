"""What an op is: a declaration of shapes, one line of NumPy, and one rule for its vector-Jacobian product.

The NumPy line is a template such as `{x} @ {W} + {b}`. It is at once what the emitted script shows and, with
the operands' names filled in, what the reference interpreter evaluates: there is no second version to drift.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from dotnn.diagnostics import Span

BATCH = "B"
"""The batch axis, whose length is known only when the script runs."""

Dim = int | str
Attrs = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TensorType:
    """Shape (with `BATCH` first where the value belongs to a batch) and kind: "real", "int" or "bool"."""

    shape: tuple[Dim, ...]
    dtype: str = "real"

    @property
    def batched(self) -> bool:
        """Whether the first axis is the batch."""
        return bool(self.shape) and self.shape[0] == BATCH

    @property
    def example(self) -> tuple[int, ...]:
        """The shape without the batch axis."""
        return tuple(d for d in self.shape if isinstance(d, int))

    def __str__(self) -> str:
        return f"[{', '.join(map(str, self.shape))}]" + ("" if self.dtype == "real" else f" {self.dtype}")


@dataclass(frozen=True, slots=True)
class Value:
    """One value of the graph: assigned once. Compared by identity number only.

    `role` is one of input, target, param, act, loss, seed, cotangent, grad.
    """

    id: int
    name: str = field(compare=False)
    type: TensorType = field(compare=False)
    role: str = field(compare=False, default="act")


@dataclass(frozen=True)
class Node:
    """One application of an op. `layer` is the path of the statement it belongs to; `phase` orders the graph."""

    op: str
    ins: tuple[Value, ...]
    outs: tuple[Value, ...]
    attrs: Attrs
    phase: str
    layer: str = ""
    span: Span | None = None

    @property
    def out(self) -> Value:
        """The only output."""
        (value,) = self.outs
        return value


class Builder(Protocol):
    """What layers, losses and VJP rules use to write nodes."""

    def emit(self, op: str, *ins: Value, name: str = "", **attrs: Any) -> Value:
        """Append a node with one output and return that output; `name` is a hint for the emitted script."""
        ...


Infer = Callable[[Sequence[TensorType], Attrs], TensorType]
Vjp = Callable[[Builder, Node, Value], Sequence[Value | None]]
Template = str | Callable[[Node], str]


@dataclass(frozen=True)
class Op:
    """One op.

    name      unique, in the field's standard terms
    operands  the names of the operands in `numpy` and `equation`; `*` as the last one takes any number
    infer     output type from operand types and attributes
    numpy     template of one NumPy expression (or a function from the node to one); attributes may stand in it
    vjp       (builder, node, cotangent of the output) -> one cotangent per operand; None where the gradient is
              zero everywhere. An op without a rule must not lie on a path from a parameter to the loss.
    helpers   functions of `dotnn_runtime.script.math` that the NumPy line calls
    equation  the textbook's line, shown as a comment where it says more than the NumPy line
    random    draws from the generator `rng`, in training mode only; in prediction its value is `otherwise`
    fast      fast NumPy statements that write into preallocated arrays (see `emit.fast`), or None
    elementwise  output element i depends only on elements i of the operands: it may overwrite a dead operand
    """

    name: str
    operands: tuple[str, ...]
    infer: Infer
    numpy: Template
    vjp: Vjp | None = None
    helpers: tuple[str, ...] = ()
    equation: str = ""
    random: bool = False
    otherwise: str = ""
    fast: Callable[..., Any] | None = None
    elementwise: bool = False

    def template(self, node: Node) -> str:
        """Return the NumPy template for this node."""
        return self.numpy if isinstance(self.numpy, str) else self.numpy(node)

    def line(self, node: Node, name_of: Callable[[Value], str]) -> str:
        """Return the NumPy expression of `node` with the operands' names filled in."""
        names = [name_of(v) for v in node.ins]
        return self.template(node).format(*names, **dict(zip(self.operands, names, strict=False)), **node.attrs)


def same_as_first(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    """Infer the type of the first operand."""
    return types[0]


def as_bool(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    """Infer a mask of the first operand's shape."""
    return TensorType(types[0].shape, "bool")


def scalar(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    """Infer one number."""
    return TensorType(())
