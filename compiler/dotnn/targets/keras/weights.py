"""Penalties and constraints that a spec defines, as functions of TensorFlow for one parameter."""

from __future__ import annotations

from dotnn.codegen.printer import docstring
from dotnn.ir import expr as tree
from dotnn.ir.expr import DIALECTS
from dotnn.ir.expr.derive import in_arrays
from dotnn.ir.tensor import Attrs
from dotnn.model.definitions.penalty import WEIGHT, DefinedConstraint, DefinedPenalty
from dotnn.model.definitions.whole import said
from dotnn.model.model import Parameter


def function_of(entry: DefinedPenalty | DefinedConstraint, attrs: Attrs, p: Parameter, name: str) -> str:
    """Return the function of a weight that Keras takes as a regularizer or a constraint. Raises `Unspellable`."""
    formula = tree.spell(in_arrays(entry.of(p.shape, attrs, p.span)), DIALECTS["tensorflow"])
    numbers = "".join(f"; {key} = {value}" for key, value in attrs.items())
    return "\n".join(
        [
            '@keras.saving.register_keras_serializable("dotnn")',
            f"def {name}({WEIGHT}):",
            *docstring(f"{said(entry.formula)}{numbers}."),
            f"    {WEIGHT} = tf.convert_to_tensor({WEIGHT})",
            f"    return {f'tf.reduce_sum({formula})' if isinstance(entry, DefinedPenalty) else formula}",
        ]
    )
