"""How much each example counts, and each of its steps: weights and masks of losses."""

from __future__ import annotations

from collections.abc import Sequence

from dotnn.ir.node import Node
from dotnn.ir.op import Op, as_bool, no_gradient
from dotnn.ir.tensor import Attrs, TensorType
from dotnn.library.ops.reduction import along

NONZERO = Op("nonzero", ("m",), as_bool, "m != 0", no_gradient, elementwise=True)


def _both(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    return TensorType(types[1].shape)


def _weigh(node: Node) -> str:
    weights, mask = node.ins
    return f"w{along(weights, len(mask.type.shape))} * m"


WEIGH = Op("weigh", ("w", "m"), _both, _weigh, no_gradient, equation="weights of what a mask marks")
