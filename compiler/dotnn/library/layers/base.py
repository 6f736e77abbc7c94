"""What a layer is: typed arguments, parameters, a shape rule, and a few ops. It needs no gradient of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dotnn.core.arguments import Arg, Bound, Symbol, registered
from dotnn.core.diagnostics import Span
from dotnn.ir.definition import Definition
from dotnn.ir.node import Value
from dotnn.ir.op import Builder, Infer
from dotnn.ir.tensor import Attrs as Attrs
from dotnn.ir.tensor import TensorType
from dotnn.ir.tensor import Types as Types
from dotnn.library.constraints import Constraint
from dotnn.library.inits.base import Init
from dotnn.library.ops import OPS
from dotnn.library.penalties import Penalty

ACTIVATION = registered("activation", "an activation such as relu")
INIT = registered("init", "an initialiser such as xavier or uniform(-0.5, 0.5)")
PENALTY = registered("penalty", "a penalty such as l2(1e-4)")
DECAY = registered("decay", "a penalty such as l2(1e-4), or weight_decay(1e-4)")
CONSTRAINT = registered("constraint", "a constraint such as max_norm(3)")
NONE = Symbol("none")
INHERIT = Symbol("inherit")
"""The default of an initialiser, penalty or constraint that the train section may set for the whole model."""


class ShapeError(Exception):
    """The operands do not fit the layer. `help` is the likely fix."""

    def __init__(self, message: str, help: str = "") -> None:
        self.message = message
        self.help = help
        super().__init__(message)


@dataclass(frozen=True)
class ParamSpec:
    """One parameter of a layer: its short name, shape, initialiser, penalty (None for none) and constraint.

    What is `INHERIT`ed is what the train section sets for all weights. One that is not `trained` is state: it has no
    gradient, and the layer says how a training step updates it (`Builder.update_state`). One of `rows` has an axis
    more, in front, for the examples of a batch. A `frozen` one would be trained if the spec did not keep it from that.
    """

    name: str
    shape: tuple[int, ...]
    init: Bound[Init] | Symbol
    penalty: Bound[Penalty] | Symbol | None = None
    is_weight: bool = True
    constraint: Bound[Constraint] | Symbol | None = INHERIT
    trained: bool = True
    rows: bool = False
    frozen: bool = False


@dataclass(frozen=True)
class Lowering:
    """What `lower` gets: operand values, parameters by short name, attributes, and whether the layer is not trained."""

    ins: tuple[Value, ...]
    params: Mapping[str, Value]
    attrs: Attrs
    frozen: bool = False

    @property
    def x(self) -> Value:
        """The only (or first) operand."""
        return self.ins[0]


Lower = Callable[[Builder, Lowering], Value]
"""How a layer is written as ops."""


def same_shape(types: Types, attrs: Attrs) -> TensorType:
    """Infer the shape of the operand, which must hold real numbers."""
    require_real(types[0], "this layer")
    return types[0]


def no_params(types: Types, attrs: Attrs) -> tuple[ParamSpec, ...]:
    """Return no parameters."""
    return ()


@dataclass(frozen=True)
class Layer:
    """One layer, activation or join.

    name     what the spec calls it
    doc      one sentence for the manual
    args     its arguments in order, each with a default and a line of the manual
    infer    (operand types, attributes) -> result type; raises `ShapeError`
    params   (operand types, attributes) -> its parameters
    lower    (builder, Lowering) -> the result, written as ops
    family   "layer", "activation" or "join"
    arity    how many operands it takes, at least and at most (None: any number)
    bounds   for a layer of whole numbers: the argument that says how many there are, so that data are checked
    definition  of an activation that the spec defines
    inputs, optional  of a recurrent layer: what its operands are called, and those that it may be given besides
    expand   (operand types, attributes, place) -> attributes that it has besides, of a layer that the spec defines
    keeps_unit  whether numbers from 0 to 1 stay such: of probabilities it makes probabilities
    """

    name: str
    doc: str
    lower: Lower
    args: tuple[Arg, ...] = ()
    infer: Infer = same_shape
    params: Callable[[Types, Attrs], tuple[ParamSpec, ...]] = no_params
    family: str = "layer"
    arity: tuple[int, int | None] = (1, 1)
    equation: str = ""
    bounds: str = ""
    keeps_unit: bool = False
    inputs: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    expand: Callable[[Types, Attrs, Span], Attrs] | None = None
    definition: Definition | None = None


def activation(name: str, doc: str, *args: Arg, op: str = "", equation: str = "") -> Layer:
    """Return the layer of an elementwise activation that is a single op with the same attributes."""

    def lower(b: Builder, low: Lowering) -> Value:
        return b.emit(op or name, low.x, **low.attrs)

    def infer(types: Types, attrs: Attrs) -> TensorType:
        if not types[0].example and not OPS[op or name].elementwise:
            raise ShapeError(f"{name} works along an axis, but its operand is a single number", "flatten it first")
        return same_shape(types, attrs)

    return Layer(name, doc, lower, args, infer, family="activation", equation=equation)


def activate(b: Builder, bound: Bound[Layer], z: Value, params: Mapping[str, Value], name: str = "") -> Value:
    """Apply the activation that a layer was given as an argument; `name` is a hint for the result."""
    with b.within(name):
        return bound.entry.lower(b, Lowering((z,), params, bound.attrs))


def is_identity(bound: Bound[Layer]) -> bool:
    """Whether applying the activation would change nothing."""
    return bound.name == "identity"


def require_real(type: TensorType, what: str) -> None:
    """Raise `ShapeError` unless the operand holds real numbers."""
    if type.dtype != "real":
        raise ShapeError(f"{what} needs real numbers, but its operand holds integers", "use embedding or one_hot first")


def shape_text(type: TensorType) -> str:
    """Write the shape of one example as the spec would."""
    return f"[{', '.join(map(str, type.example))}]"
