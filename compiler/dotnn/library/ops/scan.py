"""The loop over time, and what it starts from.

A `scan` runs its body once for every step; see `ops.base.Loop`. Its gradient is another scan, in the other direction,
whose body is the gradient of the body: backpropagation through time. `passes.reverse` writes it.
"""

from __future__ import annotations

from collections.abc import Sequence

from dotnn.ir.algebra import ABOVE_ZERO, LINEAR, SIGN_KEPT, SUM, ZEROS, Algebra
from dotnn.ir.node import Node
from dotnn.ir.op import Op, as_bool, no_gradient, same_as_first, sends
from dotnn.ir.tensor import BATCH, Attrs, TensorType


def _no_line(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    raise AssertionError("a scan has as many types as outputs: see Loop.types")


SCAN = Op("scan", ("*",), _no_line, "")


def goes_on(node: Node) -> str:
    """Return the condition under which the gradient goes on to the step before; `before` this loop were so many."""
    ahead = node.attrs.get("before", 0) + (1 if node.attrs["reverse"] else 0)
    number = f"(step + {ahead})" if ahead else "step"
    return f"{number} % {node.attrs['every']}"


TRUNCATE = Op(
    "truncate",
    ("h",),
    same_as_first,
    lambda node: f"h if {goes_on(node)} else stop_gradient(h)",
    lambda b, node, d: [b.emit("cut", d, **node.attrs)],
    ("stop_gradient",),
    equation="the same, but every {every} steps the gradient stops here",
    alias=True,
    algebra=SUM,
)
"""Truncated backpropagation through time: the state is carried on, its gradient is not (Williams and Peng 1990)."""


CUT = Op(
    "cut",
    ("d",),
    same_as_first,
    lambda node: f"d if {goes_on(node)} else np.zeros_like(d)",
    algebra=LINEAR,
)

ZERO_STATE = Op(
    "zero_state",
    ("x",),
    lambda types, attrs: TensorType((BATCH, attrs["units"])),
    "np.zeros((len(x), units), x.dtype)",
    detached=True,
    algebra=ZEROS,
)
"""The state before the first step."""


CARRIED_ROWS = Op(
    "carried_rows",
    ("x", "state"),
    lambda types, attrs: TensorType((BATCH, attrs["units"])),
    "rows_of_state(state, len(x))",
    no_gradient,
    ("rows_of_state",),
    equation="where the batch before has ended",
    inference="np.full((len(x), units), start, x.dtype)",
)
"""The state before the first step of a stateful layer; no gradient goes into the batch before."""

RENEW_ROWS = Op(
    "renew_rows",
    ("state", "h"),
    same_as_first,
    "with_rows(state, h)",
    helpers=("with_rows",),
    equation="where this batch has ended",
)


STEP_AFFINE = Op(
    "step_affine",
    ("xz", "h", "U"),
    same_as_first,
    "xz + h @ U",
    sends(xz="d", h="affine_d_input(d, U)", U="affine_d_weight(h, d)"),
    equation="z_t = x_t W + b + h_{{t-1}} U",
)
"""One step of a recurrent layer; x W + b was computed for all steps at once."""


WHERE_MASK = Op(
    "where_mask",
    ("m", "new", "old"),
    lambda types, attrs: types[1],
    "np.where(m[:, None], new, old)",
    sends(new="where_kept(m, d, new=True)", old="where_kept(m, d, new=False)"),
    algebra=SIGN_KEPT,
)
"""Where a step is padding, the state stays as it was."""

WHERE_KEPT = Op(
    "where_kept",
    ("m", "d"),
    lambda types, attrs: types[1],
    lambda node: "np.where(m[:, None], d, 0)" if node.attrs["new"] else "np.where(m[:, None], 0, d)",
    algebra=Algebra(linear=(1,)),
)


GATED_SUM = Op(
    "gated_sum",
    ("f", "c", "i", "g"),
    same_as_first,
    "f * c + i * g",
    sends(f="multiply(d, c)", c="multiply(d, f)", i="multiply(d, g)", g="multiply(d, i)"),
    elementwise=True,
    equation="c_t = f c_{{t-1}} + i g",
    algebra=Algebra(keeps=ABOVE_ZERO.has),
)


BLEND = Op(
    "blend",
    ("z", "h", "g"),
    same_as_first,
    "z * h + (1 - z) * g",
    sends(z="blend_d_share(d, h, g)", h="multiply(d, z)", g="blend_d_second(d, z)"),
    elementwise=True,
    equation="h_t = z h_{{t-1}} + (1 - z) g",
)

BLEND_D_SHARE = Op(
    "blend_d_share",
    ("d", "h", "g"),
    same_as_first,
    "d * (h - g)",
    elementwise=True,
    algebra=LINEAR,
)

BLEND_D_SECOND = Op(
    "blend_d_second",
    ("d", "z"),
    same_as_first,
    "d * (1 - z)",
    elementwise=True,
    algebra=LINEAR,
)

DIFFERS = Op("differs", ("x",), as_bool, "x != value")

SEQUENCE_DROPOUT_MASK = Op(
    "sequence_dropout_mask",
    ("x",),
    lambda types, attrs: TensorType((BATCH, 1, *types[0].shape[2:])),
    "dropout_mask(rng, x[:, :1].shape, keep).astype(x.real.dtype)",
    None,
    ("dropout_mask",),
    equation="mask = 1/rho with probability rho = {keep}, else 0: the same in all steps",
    random=True,
    inference="1.0",
    detached=True,
    algebra=ABOVE_ZERO,
)
