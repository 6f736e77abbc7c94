"""What an op is: a declaration of shapes, one line of NumPy, and one rule for its vector-Jacobian product.

The NumPy line is a template such as `{x} @ {W} + {b}`. It is at once what the emitted script shows and, with
the operands' names filled in, what the reference interpreter evaluates: there is no second version to drift.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from dotnn.ir.algebra import UNKNOWN, Algebra
from dotnn.ir.node import Node, Value
from dotnn.ir.tensor import Attrs, TensorType


class Builder(Protocol):
    """What layers, losses and VJP rules use to write nodes."""

    def emit(self, op: str, *ins: Value, name: str = "", **attrs: Any) -> Value:
        """Append a node with one output and return that output; `name` is a hint for the emitted script."""
        ...

    def within(self, name: str) -> AbstractContextManager[None]:
        """Let the names of what is written inside begin with `name`."""
        ...

    def scan(
        self,
        sequences: Mapping[str, Value],
        states: Mapping[str, Value],
        body: Callable[[Mapping[str, Value]], Mapping[str, Value]],
        *,
        collect: Mapping[str, str] = ...,
        final: Mapping[str, str] = ...,
        reverse: bool = False,
        **attrs: Any,
    ) -> tuple[Value, ...]:
        """Append a loop over time, and return its outputs: the states to `collect` from every step [B, T, …], then
        the `final` ones [B, …]; both map a state to the name hint of its output.

        `body` writes one step: it gets the sequences' values at this step and the states by their names, and returns
        what the states are when the step ends.
        """
        ...

    def update_state(self, state: Value, op: str, *ins: Value, **attrs: Any) -> None:
        """Append the node whose output replaces `state` after a training step.

        An operand that is `state` itself is what the use before this one left, where a layer is used several times.
        """
        ...


Infer = Callable[[Sequence[TensorType], Attrs], TensorType]
"""The type of the result, from those of the operands and the attributes."""
Vjp = Callable[[Builder, Node, Value], Sequence[Value | None]]
Template = str | Callable[[Node], str]
Readers = Mapping[int, Sequence[Node]]


@dataclass(frozen=True)
class Op:
    """One op.

    name      unique, in the field's standard terms
    operands  the names of the operands in `numpy` and `equation`; `*` as the last one takes any number
    infer     output type from operand types and attributes
    numpy     template of one NumPy expression (or a function from the node to one); it may contain attributes
    vjp       (builder, node, cotangent of the output) -> one cotangent per operand; None where the gradient is
              zero everywhere. An op without a rule must not lie on a path from a parameter to the loss.
    helpers   functions of `dotnn_runtime.script.formulas` that the NumPy line calls
    equation  the textbook's line, shown as a comment where it says more than the NumPy line
    random    draws from the generator `rng`, in training mode only
    inference its template in prediction mode, where that is another one; the NumPy line then holds in training only
    additive  the operands (or a function from the node to them) to which a number per feature may be added with no
              other effect than that a number per feature is added to the output; see `passes.invariance`
    shift_invariant  (operand, node, readers of each value) -> whether a number per feature that is added to the
              operand has no effect through this node
    algebra   what is known of the result without computing it; see `passes.zeros`
    elementwise  output element i depends only on elements i of the operands: it may overwrite a dead operand
    uses_step its line reads `step`, the number of its time step
    positions operands and result hold positions, not the planes of images: arrays are laid out as their shape says
    vanishes  its result is zero where its operand has overflowed: no loss shows that
    detached  no gradient goes through it: it reads the size of its operand and not its numbers, or cuts it into classes
    tensorflow  for a loss: template of one TensorFlow expression
    """

    name: str
    operands: tuple[str, ...]
    infer: Infer
    numpy: Template
    vjp: Vjp | None = None
    helpers: tuple[str, ...] = ()
    equation: str = ""
    random: bool = False
    inference: str = ""
    additive: Sequence[int] | Callable[[Node], Sequence[int]] = ()
    shift_invariant: Callable[[Value, Node, Readers], bool] | None = None
    algebra: Algebra = UNKNOWN
    elementwise: bool = False
    uses_step: bool = False
    positions: bool = False
    vanishes: bool = False
    detached: bool = False
    tensorflow: Template = ""

    def template(self, node: Node) -> str:
        """Return the NumPy template for this node."""
        return self.numpy if isinstance(self.numpy, str) else self.numpy(node)

    def called(self, node: Node) -> set[str]:
        """Return the helpers that this node's line names."""
        return {h for h in self.helpers if re.search(rf"\b{h}\b", self.template(node))}

    def line(self, node: Node, name_of: Callable[[Value], str]) -> str:
        """Return the NumPy expression of `node` with the operands' names filled in."""
        return self._filled(self.template(node), node, name_of)

    def prediction_line(self, node: Node, name_of: Callable[[Value], str]) -> str:
        """Return the NumPy expression of `node` in prediction mode."""
        return self._filled(self.inference or self.template(node), node, name_of)

    def line_of_both(self, node: Node, name_of: Callable[[Value], str]) -> str:
        """Return the expression that serves both modes: `training` says which."""
        line = self.line(node, name_of)
        return f"{line} if training else {self.prediction_line(node, name_of)}" if self.inference else line

    def _filled(self, template: str, node: Node, name_of: Callable[[Value], str]) -> str:
        names = [name_of(v) for v in node.ins]
        return template.format(*names, **dict(zip(self.operands, names, strict=False)), **node.attrs)


def no_gradient(b: Builder, node: Node, d: Value) -> list[Value | None]:
    """The rule of an op whose gradient is zero everywhere."""
    return [None] * len(node.ins)


def same_as_first(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    """Infer the type of the first operand."""
    return types[0]


def as_bool(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    """Infer a mask of the first operand's shape."""
    return TensorType(types[0].shape, "bool")


def scalar(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    """Infer one number."""
    return TensorType(())
