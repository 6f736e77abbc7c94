"""The slope of an activation: what its rule sends back for 1."""

from __future__ import annotations

import numpy as np

from dotnn.ir.builder import GraphBuilder
from dotnn.ir.interpret import evaluate
from dotnn.ir.node import Node
from dotnn.library.ops import OPS

Array = np.ndarray


def slope(node: Node, z: Array, a: Array) -> Array | None:
    """Return da/dz of an elementwise node where it takes z to a, in their shape; None for one without a rule."""
    if node.rule.vjp is None:
        return None
    builder = GraphBuilder(OPS, 10**9)
    d = builder.value("d", node.out.type, "cotangent")
    (result,) = node.rule.vjp(builder, node, d)
    if result is None:
        return np.zeros_like(a)
    env = {node.ins[0].id: z, node.out.id: a, d.id: np.ones_like(a)}
    for made in builder.nodes:
        env[made.out.id] = evaluate(made, [env[v.id] for v in made.ins], None, True)
    return np.asarray(env[result.id])
