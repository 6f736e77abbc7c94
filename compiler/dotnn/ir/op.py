"""What an op is: a declaration of shapes, one line of NumPy, and one rule for its vector-Jacobian product.

The NumPy line is a formula such as `x @ W + b` (see `ir.expr`). It is at once what the emitted script shows and, with
the operands' names filled in, what the reference interpreter evaluates: there is no second version to drift.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple, Protocol

from dotnn.core.diagnostics import Span
from dotnn.ir.algebra import UNKNOWN, Algebra
from dotnn.ir.definition import Definition
from dotnn.ir.expr import (
    DIALECTS,
    Call,
    Dialect,
    Expr,
    Keyword,
    Literal,
    Name,
    calls,
    constant,
    parse,
    reads,
    spell,
    substitute,
)
from dotnn.ir.node import Node, Value
from dotnn.ir.tensor import Attrs, TensorType, Types


class Builder(Protocol):
    """What layers, losses and VJP rules use to write nodes."""

    def emit(self, op: str, *ins: Value, name: str = "", **attrs: object) -> Value:
        """Append a node with one output and return that output; `name` is a hint for the emitted script."""
        ...

    def within(self, name: str, span: Span | None = None) -> AbstractContextManager[None]:
        """Let the names of what is written inside begin with `name`, and its place in the spec be `span`."""
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
        **attrs: object,
    ) -> tuple[Value, ...]:
        """Append a loop over time, and return its outputs: the states to `collect` from every step [B, T, …], then
        the `final` ones [B, …]; both map a state to the name hint of its output.

        `body` writes one step: it gets the sequences' values at this step and the states by their names, and returns
        what the states are when the step ends.
        """
        ...

    def update_state(self, state: Value, op: str, *ins: Value, **attrs: object) -> None:
        """Append the node whose output replaces `state` after a training step.

        An operand that is `state` itself is what the use before this one left, where a layer is used several times.
        """
        ...


Infer = Callable[[Types, Attrs], TensorType]
"""The type of the result, from those of the operands and the attributes."""
Vjp = Callable[[Builder, Node, Value], Sequence[Value | None]]
Line = str | Expr | Callable[[Node], str | Expr]
Readers = Mapping[int, Sequence[Node]]
NameOf = Callable[[Value], str]


class Term(NamedTuple):
    """What a loss sums, a formula over its operands and attributes, and what stands in front of the sum: `0.5 * `."""

    formula: str
    factor: str = ""


@dataclass(frozen=True)
class Op:
    """One op.

    name      unique, in the field's standard terms
    operands  the names of the operands in `numpy` and `equation`; `*` as the last one takes any number
    infer     output type from operand types and attributes
    numpy     one formula over the operands and attributes (or a function from the node to one)
    vjp       (builder, node, cotangent of the output) -> one cotangent per operand; None where the gradient is
              zero everywhere. An op without a rule must not lie on a path from a parameter to the loss.
    helpers   functions of `dotnn_runtime.script.formulas` that the NumPy line calls
    equation  the textbook's line, shown as a comment where it says more than the NumPy line
    random    draws from the generator `rng`: in training mode, and in prediction where `inference` says nothing else
    inference its formula in prediction mode, where that is another one; the NumPy line then holds in training only
    additive  the operands (or a function from the node to them) to which a number per feature may be added with no
              other effect than that a number per feature is added to the output; see `passes.invariance`
    shift_invariant  (operand, node, readers of each value) -> whether a number per feature that is added to the
              operand has no effect through this node
    algebra   what is known of the result without computing it; see `passes.zeros`
    elementwise  output element i depends only on elements i of the operands: it may overwrite a dead operand
    alias     its result is its operand by another name, once nobody differentiates it any more
    cuts      its result is the columns `start` to `stop` of its operand
    cuts_rows its result is the rows `start` to `stop` of its operand
    reshapes  its result has its operand's numbers, in their order, in another shape
    repeats   its result has every number of its operand several times
    joins     its result holds its operands side by side, in columns from the first on
    stacks    its result holds its operands, of which none belongs to the batch, under each other; a vector is a row
    sums_rows it adds up what every row of its operands gives, those of all steps where they are sequences
    as_tanh   it is factor tanh(before z) + shift: these three numbers
    positions operands and result hold positions, not the planes of images: arrays are laid out as their shape says
    vanishes  its result is zero where its operand has overflowed: no loss shows that
    detached  no gradient goes through it: it reads the size of its operand and not its numbers, or cuts it into classes
    term      for a loss: what its line sums over features and examples
    """

    name: str
    operands: tuple[str, ...]
    infer: Infer
    numpy: Line
    vjp: Vjp | None = None
    helpers: tuple[str, ...] = ()
    equation: str = ""
    random: bool = False
    inference: str = ""
    additive: Sequence[int] | Callable[[Node], Sequence[int]] = ()
    shift_invariant: Callable[[Value, Node, Readers], bool] | None = None
    algebra: Algebra = UNKNOWN
    elementwise: bool = False
    alias: bool = False
    cuts: bool = False
    cuts_rows: bool = False
    reshapes: bool = False
    repeats: bool = False
    joins: bool = False
    stacks: bool = False
    sums_rows: bool = False
    as_tanh: tuple[float, float, float] | None = None
    positions: bool = False
    vanishes: bool = False
    detached: bool = False
    term: Term | None = None

    def formula(self, node: Node, *, training: bool = True) -> Expr:
        """Return the node's line, in training or in prediction mode, over the names of the operands.

        Attributes are constants in it. Operand i of those that `*` stands for is called `x{i}`.
        """
        return self._read(self.inference if self.inference and not training else self.numpy, node)

    def written(self, node: Node, name_of: NameOf, dialect: Dialect, line: Line, helpers: Collection[str]) -> str:
        """Return the node's line, or another over its operands and attributes, in a dialect that has these helpers.

        Raises `Unspellable`.
        """
        names = dict(zip(self.names(len(node.ins)), map(name_of, node.ins), strict=True))
        return spell(substitute(self._read(line or self.numpy, node), names), dialect, helpers)

    def read_by(self, node: Node, line: Line) -> tuple[Value, ...]:
        """Return the operands that the node's line reads, or another over its operands and attributes."""
        named = reads(self._read(line or self.numpy, node))
        return tuple(v for name, v in zip(self.names(len(node.ins)), node.ins, strict=True) if name in named)

    def _read(self, line: Line, node: Node) -> Expr:
        """Return a line as a formula, the attributes that it reads as constants; operands hide those of their name."""
        given = line if isinstance(line, str | Expr) else line(node)
        formula, named = _formula(given) if isinstance(given, str) else (given, reads(given))
        read = [name for name in named if name in node.attrs and name not in self.operands]
        return substitute(formula, {name: constant(node.attrs[name]) for name in read}) if read else formula

    def names(self, count: int) -> list[str]:
        """Return what the operands are called in the formula of a node that has so many."""
        fixed = [name for name in self.operands if name != "*"]
        return [*fixed[:count], *(f"x{i}" for i in range(len(fixed), count))]

    def uses_step(self, node: Node) -> bool:
        """Whether the node's line reads `step`, the number of its time step."""
        return bool(self.numpy) and "step" in reads(self.formula(node))

    def functions(self, node: Node) -> tuple[str, ...]:
        """Return the functions that the node's line may call: helpers, and what the spec defines."""
        definition: Definition | None = node.attrs.get("definition")
        return self.helpers if definition is None else (*self.helpers, *definition.sources())

    def called(self, node: Node) -> set[str]:
        """Return the helpers that this node's line names, itself or through a definition; a loop has no line."""
        if not self.numpy:
            return set()
        if "definition" in node.attrs:
            return {*node.attrs["definition"].helpers()}
        formula = self.formula(node)
        return {*self.helpers} & {*calls(formula), *reads(formula)}

    def line(self, node: Node, name_of: NameOf, others: Mapping[str, str] = {}) -> str:
        """Return the NumPy expression of `node` with the operands' names filled in.

        `others` are what further names are called, such as that of the time step.
        """
        return self._spelt(self.formula(node), node, name_of, others)

    def prediction_line(self, node: Node, name_of: NameOf, others: Mapping[str, str] = {}) -> str:
        """Return the NumPy expression of `node` in prediction mode."""
        return self._spelt(self.formula(node, training=False), node, name_of, others)

    def line_of_both(self, node: Node, name_of: NameOf, others: Mapping[str, str] = {}) -> str:
        """Return the expression that serves both modes: `training` says which."""
        line = self.line(node, name_of, others)
        return f"{line} if training else {self.prediction_line(node, name_of, others)}" if self.inference else line

    def _spelt(self, formula: Expr, node: Node, name_of: NameOf, others: Mapping[str, str]) -> str:
        names = dict(zip(self.names(len(node.ins)), map(name_of, node.ins), strict=True))
        return spell(substitute(formula, {**others, **names}), _numpy(node), self.functions(node))


@cache
def _formula(line: str) -> tuple[Expr, tuple[str, ...]]:
    """Return a line as a formula, and the names that it reads."""
    formula = parse(line)
    return formula, reads(formula)


def _numpy(node: Node) -> Dialect:
    """Return how a node is written: the validator runs the forward pass on complex numbers, the backward pass never."""
    return DIALECTS["numpy" if node.phase == "backward" else "analytic"]


def sends(**shares: str) -> Vjp:
    """Return the rule that sends an op's result to each operand: `sends(W="affine_d_weight(x, d)", …)`.

    The ops read `d`, the cotangent of the output `out`, and the other operands by their names; keywords are attributes,
    a name there one of the node's. They are written in the order given here; "d" is the cotangent as it is, and an
    operand without a share gets none.
    """

    def vjp(b: Builder, node: Node, d: Value) -> list[Value | None]:
        names = node.rule.names(len(node.ins))
        known = {**dict(zip(names, node.ins, strict=True)), "d": d, "out": node.out}
        sent = {name: _written(b, parse(share), known, node.attrs) for name, share in shares.items() if name in names}
        return [sent.get(name) for name in names]

    return vjp


def _written(b: Builder, share: Expr, values: Mapping[str, Value], attrs: Attrs) -> Value:
    """Write the op that a share calls, and return its result."""
    match share:
        case Name(name):
            return values[name]
        case Call(op, args):
            ins = [values[a.id] for a in args if isinstance(a, Name)]
            given: Attrs = {a.name: _attribute(a.value, attrs) for a in args if isinstance(a, Keyword)}
            return b.emit(op, *ins, **given)
    raise AssertionError(share)


def _attribute(value: Expr, attrs: Attrs) -> object:
    assert isinstance(value, Name | Literal)
    return attrs[value.id] if isinstance(value, Name) else value.value


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
