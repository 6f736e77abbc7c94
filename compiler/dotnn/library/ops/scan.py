"""The loop over time, and what it starts from.

A `scan` runs its body once for every step; see `ops.base.Loop`. Its gradient is another scan, in the other direction,
whose body is the gradient of the body: backpropagation through time. `passes.reverse` writes it.
"""

from __future__ import annotations

from collections.abc import Sequence

from dotnn.ir.algebra import ABOVE_ZERO, LINEAR, SIGN_KEPT, SUM, ZEROS, Algebra
from dotnn.ir.node import Node, Value
from dotnn.ir.op import Builder, Op, as_bool, same_as_first
from dotnn.ir.tensor import BATCH, Attrs, TensorType
from dotnn.library.ops.kernels import Step, like


def _no_line(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    raise AssertionError("a scan has as many types as outputs: see Loop.types")


SCAN = Op("scan", ("*",), _no_line, "")


def _fast_zero_state(e: Step, node: Node) -> bool:
    e.zeros(node.out)
    return True


def _goes_on(node: Node) -> str:
    """Return the condition under which the gradient goes on to the step before."""
    number = "(step + 1)" if node.attrs["reverse"] else "step"
    return f"{number} % {node.attrs['every']}"


TRUNCATE = Op(
    "truncate",
    ("h",),
    same_as_first,
    lambda node: f"{{h}} if {_goes_on(node)} else stop_gradient({{h}})",
    lambda b, node, d: [b.emit("cut", d, **node.attrs)],
    ("stop_gradient",),
    equation="the same, but every {every} steps the gradient stops here",
    counts=True,
    algebra=SUM,
)
"""Truncated backpropagation through time: the state is carried on, its gradient is not (Williams and Peng 1990)."""


def _fast_cut(e: Step, node: Node) -> bool:
    (d,) = node.ins
    e.run(f"multiply({d.name}, {_goes_on(node)} != 0, {e.out(node.out, over=node.ins)})")
    return True


CUT = Op(
    "cut",
    ("d",),
    same_as_first,
    lambda node: f"{{d}} if {_goes_on(node)} else np.zeros_like({{d}})",
    counts=True,
    fast_step=_fast_cut,
    algebra=LINEAR,
)

ZERO_STATE = Op(
    "zero_state",
    ("x",),
    lambda types, attrs: TensorType((BATCH, attrs["units"])),
    "np.zeros((len({x}), {units}), {x}.dtype)",
    fast=_fast_zero_state,
    detached=True,
    algebra=ZEROS,
)
"""The state before the first step."""


def _step_affine_vjp(b: Builder, node: Node, d: Value) -> list[Value]:
    _, h, weight = node.ins
    return [d, b.emit("affine_d_input", d, weight), b.emit("affine_d_weight", h, d)]


def _fast_step_affine(e: Step, node: Node) -> bool:
    xz, h, weight = node.ins
    z = e.out(node.out)
    e.run(f"dot({h.name}, {weight.name}, {z})")
    e.run(f"add({z}, {xz.name}, {z})")
    return True


STEP_AFFINE = Op(
    "step_affine", ("xz", "h", "U"), same_as_first, "{xz} + {h} @ {U}", _step_affine_vjp,
    equation="z_t = x_t W + b + h_{{t-1}} U", fast_step=_fast_step_affine,
)  # fmt: skip
"""One step of a recurrent layer; x W + b was computed for all steps at once."""


def _where_mask_vjp(b: Builder, node: Node, d: Value) -> list[Value | None]:
    mask = node.ins[0]
    return [None, b.emit("where_kept", mask, d, new=True), b.emit("where_kept", mask, d, new=False)]


WHERE_MASK = Op(
    "where_mask", ("m", "new", "old"), lambda types, attrs: types[1], "np.where({m}[:, None], {new}, {old})",
    _where_mask_vjp, algebra=SIGN_KEPT
)  # fmt: skip
"""Where a step is padding, the state stays as it was."""

WHERE_KEPT = Op(
    "where_kept",
    ("m", "d"),
    lambda types, attrs: types[1],
    lambda node: "np.where({m}[:, None], {d}, 0)" if node.attrs["new"] else "np.where({m}[:, None], 0, {d})",
    algebra=Algebra(linear=(1,)),
)


def _gated_sum_vjp(b: Builder, node: Node, d: Value) -> list[Value]:
    f, c, i, g = node.ins
    return [b.emit("multiply", d, other) for other in (c, f, g, i)]


def _fast_gated_sum(e: Step, node: Node) -> bool:
    f, c, i, g = (v.name for v in node.ins)
    product, out = e.scratch("product", *like(node.out)), e.out(node.out)
    e.run(f"multiply({i}, {g}, {product})")
    e.run(f"multiply({f}, {c}, {out})")
    e.run(f"add({out}, {product}, {out})")
    return True


GATED_SUM = Op(
    "gated_sum", ("f", "c", "i", "g"), same_as_first, "{f} * {c} + {i} * {g}", _gated_sum_vjp, elementwise=True,
    equation="c_t = f c_{{t-1}} + i g", fast=_fast_gated_sum, algebra=Algebra(keeps=ABOVE_ZERO.has)
)  # fmt: skip


def _blend_vjp(b: Builder, node: Node, d: Value) -> list[Value]:
    z, h, g = node.ins
    return [
        b.emit("blend_d_share", d, h, g),
        b.emit("multiply", d, z),
        b.emit("blend_d_second", d, z),
    ]


def _fast_blend(e: Step, node: Node) -> bool:
    """Write z (h - g) + g."""
    z, h, g = (v.name for v in node.ins)
    out = e.out(node.out)
    e.run(f"subtract({h}, {g}, {out})")
    e.run(f"multiply({out}, {z}, {out})")
    e.run(f"add({out}, {g}, {out})")
    return True


def _fast_d_share(e: Step, node: Node) -> bool:
    d, h, g = (v.name for v in node.ins)
    difference = e.scratch("difference", *like(node.out))
    e.run(f"subtract({h}, {g}, {difference})")
    e.run(f"multiply({d}, {difference}, {e.out(node.out, over=node.ins[:1])})")
    return True


def _fast_d_second(e: Step, node: Node) -> bool:
    d, z = (v.name for v in node.ins)
    rest = e.scratch("rest", *like(node.out))
    e.run(f"subtract({e.number('one', '1')}, {z}, {rest})")
    e.run(f"multiply({d}, {rest}, {e.out(node.out, over=node.ins[:1])})")
    return True


BLEND = Op(
    "blend", ("z", "h", "g"), same_as_first, "{z} * {h} + (1 - {z}) * {g}", _blend_vjp, elementwise=True,
    equation="h_t = z h_{{t-1}} + (1 - z) g", fast=_fast_blend,
)  # fmt: skip

BLEND_D_SHARE = Op(
    "blend_d_share",
    ("d", "h", "g"),
    same_as_first,
    "{d} * ({h} - {g})",
    elementwise=True,
    fast=_fast_d_share,
    algebra=LINEAR,
)

BLEND_D_SECOND = Op(
    "blend_d_second",
    ("d", "z"),
    same_as_first,
    "{d} * (1 - {z})",
    elementwise=True,
    fast=_fast_d_second,
    algebra=LINEAR,
)

DIFFERS = Op("differs", ("x",), as_bool, "{x} != {value}")

SEQUENCE_DROPOUT_MASK = Op(
    "sequence_dropout_mask",
    ("x",),
    lambda types, attrs: TensorType((BATCH, 1, *types[0].shape[2:])),
    "dropout_mask(rng, {x}[:, :1].shape, {keep}).astype({x}.real.dtype)",
    None,
    ("dropout_mask",),
    equation="mask = 1/rho with probability rho = {keep}, else 0: the same in all steps",
    random=True,
    otherwise="1.0",
    detached=True,
    algebra=ABOVE_ZERO,
)
