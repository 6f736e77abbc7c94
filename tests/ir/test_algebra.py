"""What ops say of themselves (`Op.algebra`) holds for the numbers that their lines compute, whatever the operands."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from samples import (
    CHOSEN_SPECS,
    DEFINED_SPEC,
    EXPRESSION_SPECS,
    LAYER_SPECS,
    WRITTEN_OUT_SPEC,
    loss_settings,
    loss_spec,
)
from support import model_of

from dotnn.ir.algebra import UNKNOWN, Property
from dotnn.ir.interpret import evaluate
from dotnn.library.ops import OPS
from dotnn.library.penalties import PENALTIES
from dotnn.passes.build import build
from dotnn.passes.differentiate import differentiate
from dotnn.passes.fuse_formulas import fuse_formulas
from dotnn.passes.fuse_losses import fuse_losses
from dotnn.passes.stable_forms import stable_forms

BATCH = 5
EVERYTHING = """model M { input x: [4]  target t: [4]
  d = (x -> scale(0.7)) - (-x)
  h = d -> dense(4) -> layernorm -> batchnorm -> prelu -> threshold
  y = max(d, x -> leaky_relu) * (d -> mean_features -> spread(4)) + (x -> dropout(0.4) -> dense(4))
  output z = h + y  output z1 = y }
train { loss = 0.3 * mse(z, t) + l1(z1, t)  PENALTY }"""


def _specs():
    yield from (text for _, text in (*LAYER_SPECS, *EXPRESSION_SPECS, *CHOSEN_SPECS))
    yield DEFINED_SPEC
    yield WRITTEN_OUT_SPEC
    yield from (loss_spec(f"{name}(y, t)", target, stage) for name, target, stage in loss_settings())
    for name, penalty in PENALTIES.items():
        if penalty.op:
            yield EVERYTHING.replace("PENALTY", f"decay = {name}" + ("(0.1)" if penalty.args else ""))


def forward(model):
    return fuse_formulas(stable_forms(fuse_losses(build(model))))


@cache
def nodes():
    """Every op with an algebra, in each combination of attributes and types that the samples have."""
    found = {}
    for text in _specs():
        for node in differentiate(forward(model_of(text)), input_gradients=True).all_nodes():
            if node.loop is None and node.rule.algebra is not UNKNOWN:
                types = " ".join(str(v.type) for v in (*node.ins, node.out))
                found.setdefault((node.op, types, repr(sorted(node.attrs.items()))), node)
    by_op = {}
    for (op, *_), node in found.items():
        by_op.setdefault(op, []).append(node)
    return by_op


TOLD = sorted(name for name, op in OPS.items() if op.algebra is not UNKNOWN)


def test_every_op_that_says_something_is_tried():
    assert set(TOLD) == set(nodes())


def _operand(node, i, rng, wanted=None):
    """Random numbers of the operand's type, with a property; what is a softmax in every graph is one here, too."""
    value = node.ins[i]
    shape = tuple(BATCH if d == "B" else d for d in value.type.shape)
    if value.type.dtype != "real":
        return rng.integers(0, 2, shape).astype(value.type.dtype)
    array = rng.standard_normal(shape)
    if (node.op, i) == ("softmax_derivative", 1):
        return np.exp(array) / np.exp(array).sum(axis=-1, keepdims=True)
    made = {
        Property.ZERO: lambda: np.zeros(shape),
        Property.NON_NEGATIVE: lambda: np.abs(array),
        Property.NON_POSITIVE: lambda: -np.abs(array),
        Property.LEVEL: lambda: np.broadcast_to(array[..., :1], shape) if shape else array,
    }
    return made[wanted]() if wanted else array


def _run(node, operands):
    """The node's value; every operand is an array of its own, though one value be read in two places."""
    ins = tuple(replace(v, id=-1 - i) for i, v in enumerate(node.ins))
    with np.errstate(all="ignore"):  # a negative variance has no root
        return np.asarray(evaluate(replace(node, ins=ins), operands, np.random.default_rng(1), True), np.float64)


def _operands(node, rng, wanted=None):
    return [_operand(node, i, rng, wanted) for i in range(len(node.ins))]


def _holds(wanted, array):
    array = array[np.isfinite(array)] if wanted is not Property.LEVEL else array
    if wanted is Property.ZERO:
        return not array.any()
    if wanted is Property.LEVEL:
        return array.ndim == 0 or np.allclose(array, array[..., :1], rtol=1e-12, equal_nan=True)
    return (array >= 0).all() if wanted is Property.NON_NEGATIVE else (array <= 0).all()


@pytest.mark.parametrize("name", TOLD)
def test_what_an_op_says_of_its_result(name):
    rng = np.random.default_rng(0)
    for node in nodes()[name]:
        _check_properties(node, rng)
        _check_sums(node, rng)


def _check_properties(node, rng):
    op, real = node.rule, any(v.type.dtype == "real" for v in node.ins)
    for wanted in op.algebra.has:
        assert _holds(wanted, _run(node, _operands(node, rng))), wanted
    for wanted in (op.algebra.keeps | ({Property.LEVEL} if op.elementwise else frozenset())) if real else ():
        keepers = op.algebra.keeps_from
        arrays = [_operand(node, i, rng, wanted if i in keepers else None) for i in range(len(node.ins))]
        assert _holds(wanted, _run(node, arrays)), wanted
    for i, wanted in op.algebra.zero_where.items():
        arrays = [_operand(node, k, rng, wanted if k == i else None) for k in range(len(node.ins))]
        assert np.abs(_run(node, arrays)).max() < 1e-14, wanted
    if (first := op.algebra.alike_from) is not None:
        arrays = _operands(node, rng)
        assert _holds(Property.LEVEL, _run(node, [*arrays[:first], *[arrays[first]] * len(arrays[first:])]))


def _check_sums(node, rng):
    algebra, operands = node.rule.algebra, _operands(node, rng)
    weights = algebra.weights(node)
    if weights is not None:
        expected = sum(float(w) * a for w, a in zip(weights, operands, strict=True))
        np.testing.assert_allclose(_run(node, operands), expected, rtol=1e-12, atol=1e-14)
    for i in algebra.linear_in(node):
        other = _operand(node, i, rng)
        values = [_run(node, [*operands[:i], a, *operands[i + 1 :]]) for a in (operands[i], other)]
        both = _run(node, [*operands[:i], 2 * operands[i] - 3 * other, *operands[i + 1 :]])
        np.testing.assert_allclose(both, 2 * values[0] - 3 * values[1], rtol=1e-10, atol=1e-10)
