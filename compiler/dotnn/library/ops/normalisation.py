"""The steps of batch and layer normalisation, each with its derivative (Ioffe and Szegedy 2015, Ba et al. 2016).

    mu = mean x,  sigma2 = mean (x - mu)^2,  unit = (x - mu) / sqrt(sigma2 + epsilon),  y = gamma unit + beta

Batch norm takes the means over the examples (and positions) of each feature, layer norm over the features of each
example. In prediction mode batch norm uses running means instead, which are constants: there an example's share in the
mean is 0 where it is 1/N in training, and with it go the terms of the gradient that lead through mu and sigma2.
"""

from __future__ import annotations

import math

from dotnn.ir.algebra import ABOVE_ZERO, BILINEAR, LINEAR, PRODUCT, Algebra
from dotnn.ir.node import Node, Value
from dotnn.ir.op import Builder, Op, Readers, no_gradient, same_as_first, scalar
from dotnn.ir.tensor import TensorType
from dotnn.library.ops.kernels import Step, like, per_feature, reduce_examples, sum_features


def _feature(types: object, attrs: object) -> TensorType:
    return TensorType(types[0].shape[-1:])  # type: ignore[index]


def _last(types: object, attrs: object) -> TensorType:
    return types[-1]  # type: ignore[index, no-any-return]


def _axes(value: Value) -> str:
    """Return all axes but the last, as NumPy's `axis`."""
    axes = tuple(range(len(value.type.shape) - 1))
    return str(axes[0] if len(axes) == 1 else axes)


def _is_per_feature(value: Value) -> bool:
    """Whether a factor has one number per feature; else it has one per example (and position)."""
    return not value.type.batched


# --------------------------------------------------------------------------------------- statistics over the batch


def _mean_takes_it_out(x: Value, node: Node, readers: Readers) -> bool:
    """Whether what is added to x is subtracted with the batch mean: x is read by its mean and its centring alone."""
    means = {n.out.id for n in readers[x.id] if n.op == "batch_mean"}
    return all(
        n.op in ("batch_share", "batch_mean") or (n.op == "centre" and n.ins[1].id in means) for n in readers[x.id]
    )


def _share_line(node: Node) -> str:
    positions = math.prod(node.ins[0].type.example[:-1])
    return "1 / len({x})" if positions == 1 else f"1 / ({positions} * len({{x}}))"


def _fast_share(e: Step, node: Node) -> bool:
    positions = math.prod(node.ins[0].type.example[:-1])
    count = "size" if positions == 1 else f"({positions} * size)"
    e.prepare(f"{node.out.name} = np.array(1 / {count} if training else 0, dtype)")
    return True


def _fast_mean(e: Step, node: Node) -> bool:
    x, running, share = node.ins
    out = e.out(node.out)
    e.run("if training:")
    reduce_examples(e, x, x.name, out, share.name, indent="    ")
    e.run("else:")
    e.run(f"    copyto({out}, {running.name})")
    return True


def _fast_variance(e: Step, node: Node) -> bool:
    centred, running, share = node.ins
    square, out = e.scratch(f"{centred.name}_square", *like(centred)), e.out(node.out)
    e.run("if training:")
    e.run(f"    multiply({centred.name}, {centred.name}, {square})")
    reduce_examples(e, centred, square, out, share.name, indent="    ")
    e.run("else:")
    e.run(f"    copyto({out}, {running.name})")
    return True


def _fast_variance_d(e: Step, node: Node) -> bool:
    d, share, centred = node.ins
    slope = e.scratch(f"slope_of_{centred.name}", *like(d))
    e.run(f"multiply({d.name}, {e.bind(f'{share.name}_2', f'2 * {share.name}')}, {slope})")
    e.run(f"multiply({centred.name}, {per_feature(e, slope)}, {e.out(node.out, over=(centred,))})")
    return True


def _fast_mean_d_x(e: Step, node: Node) -> bool:
    d, share, _ = node.ins
    column = e.scratch(f"each_of_{node.out.name}", *like(d))
    e.run(f"multiply({d.name}, {share.name}, {column})")
    e.repeat_array(node.out, f"{column}[:, None]")
    return True


def _fast_moving_average(e: Step, node: Node) -> bool:
    """Renew the state in place."""
    running, new = node.ins
    momentum, rest = node.attrs["momentum"], node.attrs["rest"]
    part = e.scratch(f"{new.name}_part", *like(new))
    e.run("if training:")
    e.run(f"    multiply({running.name}, {e.number('momentum', repr(momentum))}, {running.name})")
    e.run(f"    multiply({new.name}, {e.number('rest', repr(rest))}, {part})")
    e.run(f"    add({running.name}, {part}, {running.name})")
    e.same(node.out, running)
    return True


BATCH_SHARE = Op(
    "batch_share", ("x",), scalar, _share_line, no_gradient, otherwise="0.0",
    fast=_fast_share, removes=_mean_takes_it_out, detached=True,
    equation="share of an example in the means; in prediction they are constants", algebra=ABOVE_ZERO
)  # fmt: skip

BATCH_MEAN = Op(
    "batch_mean", ("x", "running", "share"), _feature, lambda node: f"{{x}}.mean(axis={_axes(node.ins[0])})",
    lambda b, node, d: [b.emit("batch_mean_d_x", d, node.ins[2], node.ins[0]), None, None],
    otherwise="{running}", equation="mu = mean of x", fast=_fast_mean, removes=_mean_takes_it_out,
)  # fmt: skip

BATCH_MEAN_D_X = Op(
    "batch_mean_d_x",
    ("d", "share", "x"),
    _last,
    "np.broadcast_to({share} * {d}, {x}.shape)",
    fast=_fast_mean_d_x,
    algebra=BILINEAR,
)

BATCH_VARIANCE = Op(
    "batch_variance", ("c", "running", "share"), _feature,
    lambda node: f"({{c}} * {{c}}).mean(axis={_axes(node.ins[0])})",
    lambda b, node, d: [b.emit("batch_variance_d_c", d, node.ins[2], node.ins[0]), None, None],
    otherwise="{running}", equation="sigma2 = mean of (x - mu)^2", fast=_fast_variance, algebra=ABOVE_ZERO
)  # fmt: skip

BATCH_VARIANCE_D_C = Op(
    "batch_variance_d_c",
    ("d", "share", "c"),
    _last,
    "{d} * 2 * {share} * {c}",
    fast=_fast_variance_d,
    algebra=Algebra(linear=(0, 2)),
)

MOVING_AVERAGE = Op(
    "moving_average", ("running", "new"), same_as_first, "{momentum} * {running} + {rest} * {new}",
    fast=_fast_moving_average,
)  # fmt: skip


# ---------------------------------------------------------------------------------------- statistics over features


def _fast_feature_variance(e: Step, node: Node) -> bool:
    (centred,) = node.ins
    square = e.scratch(f"{centred.name}_square", *like(centred))
    e.run(f"multiply({centred.name}, {centred.name}, {square})")
    sum_features(e, centred, square, e.out(node.out), e.number("share", f"1 / {centred.type.example[-1]}"))
    return True


def _fast_feature_variance_d(e: Step, node: Node) -> bool:
    d, centred = node.ins
    slope = e.scratch(f"slope_of_{centred.name}", *like(d))
    e.run(f"multiply({d.name}, {e.number('share_2', f'2 / {centred.type.example[-1]}')}, {slope})")
    e.run(f"multiply({centred.name}, {slope}, {e.out(node.out, over=(centred,))})")
    return True


FEATURE_VARIANCE = Op(
    "feature_variance", ("c",), lambda types, attrs: TensorType((*types[0].shape[:-1], 1)),
    "({c} * {c}).mean(axis=-1, keepdims=True)", lambda b, node, d: [b.emit("feature_variance_d_c", d, node.ins[0])],
    equation="sigma2 = mean of (x - mu)^2", fast=_fast_feature_variance, algebra=ABOVE_ZERO
)  # fmt: skip

FEATURE_VARIANCE_D_C = Op(
    "feature_variance_d_c", ("d", "c"), _last, lambda node: f"{{d}} * 2 / {node.ins[1].type.example[-1]} * {{c}}",
    fast=_fast_feature_variance_d, algebra=BILINEAR
)  # fmt: skip


# ----------------------------------------------------------------------------------------- centring and rescaling


def _centre_vjp(b: Builder, node: Node, d: Value) -> list[Value]:
    return [d, b.emit("centre_d_mean", d, per_feature=_is_per_feature(node.ins[1]))]


def _sum_line(term: str) -> object:
    def line(node: Node) -> str:
        if node.attrs["per_feature"]:
            return f"{term}.sum(axis={_axes(node.ins[0])})"
        return f"{term}.sum(axis=-1, keepdims=True)"

    return line


def _sum_type(types: object, attrs: object) -> TensorType:
    shape = types[0].shape  # type: ignore[index]
    return TensorType(shape[-1:] if attrs["per_feature"] else (*shape[:-1], 1))  # type: ignore[index]


def _factor(e: Step, value: Value) -> str:
    return per_feature(e, value.name) if _is_per_feature(value) else value.name


def _fast_centre(e: Step, node: Node) -> bool:
    x, mean = node.ins
    e.run(f"subtract({x.name}, {_factor(e, mean)}, {e.out(node.out, over=(x,))})")
    return True


def _fast_centre_d_mean(e: Step, node: Node) -> bool:
    (d,) = node.ins
    out = e.out(node.out)
    if node.attrs["per_feature"]:
        reduce_examples(e, d, d.name, out)
    else:
        sum_features(e, d, d.name, out)
    e.run(f"negative({out}, {out})")
    return True


CENTRE = Op(
    "centre", ("x", "mean"), same_as_first, "{x} - {mean}", _centre_vjp, fast=_fast_centre, removes=_mean_takes_it_out
)

CENTRE_D_MEAN = Op("centre_d_mean", ("d",), _sum_type, _sum_line("-{d}"), fast=_fast_centre_d_mean, algebra=LINEAR)  # type: ignore[arg-type]


def _fast_inverse_root(e: Step, node: Node) -> bool:
    (variance,) = node.ins
    out = e.out(node.out)
    e.run(f"add({variance.name}, {e.number('epsilon', repr(node.attrs['epsilon']))}, {out})")
    e.run(f"sqrt({out}, {out})")
    e.run(f"divide({e.number('one', '1')}, {out}, {out})")
    return True


INVERSE_ROOT = Op(
    "inverse_root", ("v",), same_as_first, "1 / np.sqrt({v} + {epsilon})",
    lambda b, node, d: [b.emit("inverse_root_derivative", d, node.out)], fast=_fast_inverse_root,
    equation="1 / sigma, kept away from a division by zero", algebra=ABOVE_ZERO, vanishes=True,
)  # fmt: skip

INVERSE_ROOT_DERIVATIVE = Op(
    "inverse_root_derivative", ("d", "r"), same_as_first, "-0.5 * {d} * {r} ** 3", algebra=LINEAR
)


def _rescale_vjp(b: Builder, node: Node, d: Value) -> list[Value]:
    x, factor = node.ins[:2]
    d_shift = [b.emit("sum_examples", d)] if len(node.ins) == 3 else []
    d_factor = b.emit("rescale_d_factor", d, x, per_feature=_is_per_feature(factor))
    return [b.emit("rescale", d, factor), d_factor, *d_shift]


def _fast_rescale(e: Step, node: Node) -> bool:
    x, factor = node.ins[:2]
    out = e.out(node.out, over=(x,))
    e.run(f"multiply({x.name}, {_factor(e, factor)}, {out})")
    if len(node.ins) == 3:
        e.run(f"add({out}, {_factor(e, node.ins[2])}, {out})")
    return True


def _fast_rescale_d_factor(e: Step, node: Node) -> bool:
    d, x = node.ins
    product, out = e.scratch(f"{x.name}_product", *like(x)), e.out(node.out)
    e.run(f"multiply({d.name}, {x.name}, {product})")
    if node.attrs["per_feature"]:
        reduce_examples(e, x, product, out)
    else:
        sum_features(e, d, product, out)
    return True


RESCALE = Op(
    "rescale", ("x", "factor", "shift"), same_as_first,
    lambda node: "{factor} * {x} + {shift}" if len(node.ins) == 3 else "{factor} * {x}", _rescale_vjp,
    additive=(2,), fast=_fast_rescale, algebra=PRODUCT
)  # fmt: skip

RESCALE_D_FACTOR = Op(
    "rescale_d_factor", ("d", "x"), _sum_type, _sum_line("({d} * {x})"), fast=_fast_rescale_d_factor, algebra=BILINEAR  # type: ignore[arg-type]
)  # fmt: skip


def _shift_vjp(b: Builder, node: Node, d: Value) -> list[Value]:
    shape = node.ins[1].type.shape
    return [d, b.emit("sum_examples", d) if len(shape) == 1 else b.emit("sum_examples_to", d, shape=shape)]


def _fast_shift(e: Step, node: Node) -> bool:
    x, shift = node.ins
    column = e.bind(f"{shift.name}_column", f"{shift.name}[..., None]")
    e.run(f"add({x.name}, {column}, {e.out(node.out, over=(x,))})")
    return True


SHIFT = Op("shift", ("x", "b"), same_as_first, "{x} + {b}", _shift_vjp, additive=(0, 1), fast=_fast_shift)
"""The same numbers added to every example: per feature, or per position and feature."""
