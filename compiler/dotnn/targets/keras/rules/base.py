"""What a rule is: how one member of the library is written for TensorFlow.

What the manual says of Keras is read off the rules.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dotnn.ir.node import Node
from dotnn.library.layers.base import Attrs, Types
from dotnn.targets.keras.call import KERNEL_AND_BIAS, Keras

PREFIXES = ("keras.layers.", "keras.activations.", "keras.")
OWN = "none: own layer"


@dataclass(frozen=True)
class LayerRule:
    """How a layer is written.

    name    of the layer
    keras   what it becomes: the class, or the function of `keras.ops`; one for sequences and one for images where
            these differ. A name without `keras.` is a class or function of `dotnn_runtime.keras`
    write   (what it becomes, operand types, attributes) -> the call that means exactly the same; raises `ShapeError`
            with the reason where there is none
    remark  what a reader who knows Keras should know
    """

    name: str
    keras: tuple[str, ...]
    write: Callable[[str, Types, Attrs], Keras]
    remark: str = ""

    def call(self, types: Types, attrs: Attrs) -> Keras:
        """Return the call for these operands and attributes."""
        several = len(self.keras) > 1
        return self.write(self.keras[len(types[0].example) - 2 if several else 0], types, attrs)

    @property
    def says(self) -> str:
        """What Keras calls it."""
        return remarked(", ".join(_short(name) for name in self.keras), self.remark)


@dataclass(frozen=True)
class ValueRule:
    """How a value is written that is no layer of the language: `call`, (operand types, attributes) -> the call."""

    name: str
    call: Callable[[Types, Attrs], Keras]


def _short(name: str) -> str:
    prefix = next((p for p in PREFIXES if name.startswith(p)), "")
    return name.removeprefix(prefix) if prefix else OWN


def remarked(name: str, remark: str) -> str:
    """Return a name with what is to be known of it."""
    return f"{name}, {remark}" if name and remark else name or remark


def plain(name: str, keras: str, *arguments: object, remark: str = "", **options: object) -> LayerRule:
    """Return the rule of a layer whose attributes change nothing."""
    return LayerRule(name, (keras,), lambda kind, types, attrs: Keras(kind, arguments, options), remark)


def with_arguments(
    name: str, keras: str, *attributes: str, replicas: str = "", variables: Mapping[str, str] = KERNEL_AND_BIAS
) -> LayerRule:
    """Return the rule of a layer whose attributes are Keras's arguments, in their order; the rest is as for `Keras`."""

    def write(kind: str, types: Types, attrs: Attrs) -> Keras:
        return Keras(kind, tuple(attrs[a] for a in attributes), replicas=replicas, variables=variables)

    return LayerRule(name, (keras,), write)


@dataclass(frozen=True)
class LossRule:
    """How the op of a loss is written: `formula`, (node) -> formula, in TensorFlow's own words."""

    name: str
    formula: Callable[[Node], str]


@dataclass(frozen=True)
class OptimizerRule:
    """Which Keras optimizer an optimizer is.

    `options`, (attributes) -> its options, says that it takes exactly this step; without, it is only related, as
    `remark` says, and the script makes a Keras optimizer of the equations.
    """

    name: str
    keras: str
    options: Callable[[Attrs], Attrs] | None = None
    remark: str = ""

    @property
    def says(self) -> str:
        """What Keras calls it."""
        return remarked(self.keras, self.remark)


@dataclass(frozen=True)
class PenaltyRule:
    """Which regularizer of Keras a penalty is; "" for one that acts in the update, which `remark` then explains."""

    name: str
    keras: str
    remark: str = ""

    @property
    def says(self) -> str:
        """What Keras calls it."""
        return remarked(self.keras, self.remark)


@dataclass(frozen=True)
class ClipRule:
    """Which option of a Keras optimizer a way to clip is.

    One that `squares` the gradients, which may overflow, is instead a function of `dotnn_runtime.keras.clipping`.
    """

    name: str
    keras: str
    squares: bool = False

    @property
    def says(self) -> str:
        """What Keras calls it."""
        return self.keras


@dataclass(frozen=True)
class ConstraintRule:
    """Which class of `dotnn_runtime.keras.constraints` a constraint is."""

    name: str
    keras: str
    remark: str = ""

    @property
    def says(self) -> str:
        """What Keras calls it."""
        return remarked("none: own constraint", self.remark)


@dataclass(frozen=True)
class Note:
    """What Keras calls a member that the script computes as the NumPy script does; `name` is "family member"."""

    name: str
    says: str
