"""Fast NumPy for the steps of batch and layer normalisation."""

from __future__ import annotations

import math

from dotnn.ir.node import Node
from dotnn.targets.numpy.fast.kernels.base import Kernel, Step
from dotnn.targets.numpy.fast.kernels.pieces import per_feature, reduce_examples, sum_features


def _share(e: Step, node: Node) -> bool:
    positions = math.prod(node.ins[0].type.example[:-1])
    count = "size" if positions == 1 else f"({positions} * size)"
    e.prepare(f"{node.out.name} = np.array(1 / {count} if training else 0, dtype)")
    return True


def _mean(e: Step, node: Node) -> bool:
    x, running, share = node.ins
    out = e.out(node.out)
    e.run("if training:")
    reduce_examples(e, x, x.name, out, share.name, indent="    ")
    e.run("else:")
    e.run(f"    copyto({out}, {running.name})")
    return True


def _variance(e: Step, node: Node) -> bool:
    centred, running, share = node.ins
    square, out = e.scratch_like(f"{centred.name}_square", centred), e.out(node.out)
    e.run("if training:")
    e.run(f"    multiply({centred.name}, {centred.name}, {square})")
    reduce_examples(e, centred, square, out, share.name, indent="    ")
    e.run("else:")
    e.run(f"    copyto({out}, {running.name})")
    return True


def _variance_d(e: Step, node: Node) -> bool:
    d, share, centred = node.ins
    slope = e.scratch_like(f"slope_of_{centred.name}", d)
    e.run(f"multiply({d.name}, {e.bind(f'{share.name}_2', f'2 * {share.name}')}, {slope})")
    e.run(f"multiply({centred.name}, {per_feature(e, slope)}, {e.out(node.out)})")
    return True


def _mean_d_x(e: Step, node: Node) -> bool:
    d, share, _ = node.ins
    column = e.scratch_like(f"each_of_{node.out.name}", d)
    e.run(f"multiply({d.name}, {share.name}, {column})")
    e.repeat_array(node.out, f"{column}[:, None]")
    return True


def _moving_average(e: Step, node: Node) -> bool:
    """Renew the state in place."""
    running, new = node.ins
    momentum, rest = node.attrs["momentum"], node.attrs["rest"]
    part = e.scratch_like(f"{new.name}_part", new)
    e.run("if training:")
    e.run(f"    multiply({running.name}, {e.number('momentum', repr(momentum))}, {running.name})")
    e.run(f"    multiply({new.name}, {e.number('rest', repr(rest))}, {part})")
    e.run(f"    add({running.name}, {part}, {running.name})")
    e.out(node.out)
    return True


def _feature_variance(e: Step, node: Node) -> bool:
    (centred,) = node.ins
    square = e.scratch_like(f"{centred.name}_square", centred)
    e.run(f"multiply({centred.name}, {centred.name}, {square})")
    sum_features(e, centred, square, e.out(node.out), e.number("share", f"1 / {centred.type.example[-1]}"))
    return True


def _feature_variance_d(e: Step, node: Node) -> bool:
    d, centred = node.ins
    slope = e.scratch_like(f"slope_of_{centred.name}", d)
    e.run(f"multiply({d.name}, {e.number('share_2', f'2 / {centred.type.example[-1]}')}, {slope})")
    e.run(f"multiply({centred.name}, {slope}, {e.out(node.out)})")
    return True


def _centre_d_mean(e: Step, node: Node) -> bool:
    (d,) = node.ins
    out = e.out(node.out)
    if node.attrs["per_feature"]:
        reduce_examples(e, d, d.name, out)
    else:
        sum_features(e, d, d.name, out)
    e.run(f"negative({out}, {out})")
    return True


def _rescale_d_factor(e: Step, node: Node) -> bool:
    d, x = node.ins
    product, out = e.scratch_like(f"{x.name}_product", x), e.out(node.out)
    e.run(f"multiply({d.name}, {x.name}, {product})")
    if node.attrs["per_feature"]:
        reduce_examples(e, x, product, out)
    else:
        sum_features(e, d, product, out)
    return True


BATCH_SHARE = Kernel("batch_share", _share, result="kernel")
BATCH_MEAN = Kernel("batch_mean", _mean)
BATCH_MEAN_D_X = Kernel("batch_mean_d_x", _mean_d_x, result="kernel")
BATCH_VARIANCE = Kernel("batch_variance", _variance)
BATCH_VARIANCE_D_C = Kernel("batch_variance_d_c", _variance_d, over=(2,))
MOVING_AVERAGE = Kernel("moving_average", _moving_average, result="first")
FEATURE_VARIANCE = Kernel("feature_variance", _feature_variance)
FEATURE_VARIANCE_D_C = Kernel("feature_variance_d_c", _feature_variance_d, over=(1,))
CENTRE_D_MEAN = Kernel("centre_d_mean", _centre_d_mean)
RESCALE_D_FACTOR = Kernel("rescale_d_factor", _rescale_d_factor)
