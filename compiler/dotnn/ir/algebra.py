"""What can be known of an op's result without computing it: the rules by which `passes.zeros` proves gradients zero."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dotnn.ir.node import Node


class Property(Enum):
    """What may hold for all elements of a value, whatever the data and the parameters are."""

    ZERO = "every element is 0"
    NON_NEGATIVE = "no element is below 0"
    NON_POSITIVE = "no element is above 0"
    LEVEL = "along the last axis all elements are equal"


ALL = range(1_000)
"""Every operand of an op that takes any number."""
SIGNS = frozenset({Property.NON_NEGATIVE, Property.NON_POSITIVE})


@dataclass(frozen=True, slots=True)
class Algebra:
    """Facts about one op; each holds for all operands, in training and in prediction.

    linear      the operands (or a function from the node to them) in each of which the result is linear
    weights     (node) -> the weights where the result is a weighted sum of all operands; None where it is not
    has         properties of every result
    keeps       properties that the result has if all real operands have them, or those of `keeps_from`; elementwise
                ops keep LEVEL anyway
    zero_where  operand -> a property of it under which the result is zero
    alike_from  the result is level if all operands from this one on are equal
    """

    linear: Sequence[int] | Callable[[Node], Sequence[int]] = ()
    weights: Callable[[Node], Sequence[Fraction | int] | None] = lambda node: None
    has: frozenset[Property] = frozenset()
    keeps: frozenset[Property] = frozenset()
    keeps_from: Sequence[int] = ALL
    zero_where: Mapping[int, Property] = field(default_factory=dict)
    alike_from: int | None = None

    def linear_in(self, node: Node) -> Sequence[int]:
        """Return the operands in each of which the result is linear."""
        return self.linear(node) if callable(self.linear) else self.linear


def exact(number: float) -> Fraction:
    """Return a number of the spec as the fraction that its digits say: 0.1 is 1/10."""
    return Fraction(repr(number))


def _without_bias(node: Node) -> Sequence[int]:
    return (0, 1) if len(node.ins) == 2 else ()


def _ones(node: Node) -> Sequence[int]:
    return (1,) * len(node.ins)


def _identity(node: Node) -> Sequence[int] | None:
    return (1,) if node.ins[0].type.shape == node.out.type.shape else None


UNKNOWN = Algebra()
LINEAR = Algebra(linear=(0,))
"""Linear in the first operand: the rule of every line of a backward pass, which is linear in its cotangent."""
BILINEAR = Algebra(linear=(0, 1))
PRODUCT = Algebra(linear=_without_bias)
"""A product of two operands, to which a third one may be added."""
SUM = Algebra(weights=_ones)
OVER_FEATURES = Algebra(linear=(0,), weights=_identity, keeps=SIGNS)
"""A sum or a mean over the features; over one alone it is the identity."""
TO_FEATURES = replace(OVER_FEATURES, has=frozenset({Property.LEVEL}))
"""One number for all features."""
RESHAPED = Algebra(linear=(0,), keeps=SIGNS)
"""Elements moved, dropped or added up with weights above 0."""
MOVED = replace(RESHAPED, weights=_identity)
"""Elements in another shape, or in the same one."""
ABOVE_ZERO = Algebra(has=frozenset({Property.NON_NEGATIVE}))
FACTORS = replace(BILINEAR, keeps=ABOVE_ZERO.has)
"""A product element by element."""
SIGN_KEPT = Algebra(keeps=SIGNS)
ZEROS = Algebra(has=frozenset({Property.ZERO}))
