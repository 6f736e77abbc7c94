"""What rounding makes of a script is measured inside its functions, too, and excuses nothing else."""

import numpy as np
import pytest
from support import SPECS, STYLES, script_of
from validator.test_reduced import LARGE_SCORES

from dotnn.session import Options, compile_spec
from dotnn_runtime.gradcheck import check_script
from dotnn_runtime.gradcheck.probing.evaluation import loss_and_grads, moves_by_rounding
from dotnn_runtime.gradcheck.probing.rounding import EPSILON, Arithmetic
from dotnn_runtime.gradcheck.reading.types import Cost, Point
from dotnn_runtime.script.selfcheck import generic_batch


def tanh_of_sum(x):
    return np.tanh(x.sum(axis=-1))


def in_place(x):
    buffer = np.empty(x.shape)
    np.multiply(x, 3.0, out=buffer)
    buffer += 1.0
    return np.dot(buffer, buffer.T, np.empty((len(x), len(x))))


COMPUTATIONS = {
    "a product": lambda x: x @ x.T,
    "an einsum": lambda x: np.einsum("ij,kj->ik", x, x),
    "a tensordot": lambda x: np.tensordot(x, x, axes=2),
    "a mean": lambda x: x.mean(axis=0),
    "a sum of sums": lambda x: np.cumsum(x),
    "a variance": lambda x: np.var(x, axis=0),
    "an outer product": lambda x: np.outer(x[0], x[1]),
    "a norm": lambda x: np.linalg.norm(x),
    "a softmax": lambda x: np.exp(x - x.max(-1, keepdims=True)) / np.exp(x - x.max(-1, keepdims=True)).sum(-1)[:, None],
    "a scattered sum": lambda x: np.add.at(total := np.zeros(2), [0, 1, 0], x[:, 0]) or total,
    "what is in a function": tanh_of_sum,
    "what is written into arrays": in_place,
}
CHOICES = {
    "a maximum": lambda x: x.max(axis=0),
    "a branch": lambda x: np.where(x > 0, x, 0.0),
    "a relu": lambda x: np.maximum(x, 0.0),
    "another shape": lambda x: np.concatenate([x.T.reshape(-1), np.pad(x[0], 2)]),
    "rows": lambda x: np.take_along_axis(x, np.array([[0], [1], [2]]), axis=1),
    "counts": lambda x: np.ones(3) * (x > 0).sum() + 1.0,
}


@pytest.mark.parametrize("name", COMPUTATIONS)
def test_a_computation_is_off_by_roundings(name):
    """As far as the unit in the last place of its terms, times few; and no more than twice alike."""
    x = np.random.default_rng(1).standard_normal((3, 4))
    found = [COMPUTATIONS[name](Arithmetic.number(n).of(x.copy())) for n in range(6)]
    right = COMPUTATIONS[name](x)
    off = [float(np.abs(np.asarray(one) - right).max()) / float(np.abs(right).max()) for one in found]
    assert 0 < max(off) < 100 * EPSILON
    assert len({np.asarray(one).tobytes() for one in found}) > 1


@pytest.mark.parametrize("name", CHOICES)
def test_a_choice_rounds_nothing(name):
    """A rule may rely on it: where is the maximum?"""
    x = np.random.default_rng(1).standard_normal((3, 4))
    assert np.array_equal(CHOICES[name](Arithmetic.number(0).of(x.copy())), CHOICES[name](x))


def scattered(x):
    total = np.zeros(1)
    np.add.at(total, [0, 0, 0], x)
    return total


SUMS = {
    "sum": lambda x: x.sum(),
    "mean": lambda x: x.mean(),
    "running sum": lambda x: np.cumsum(x)[-1],
    "scattered sum": scattered,
    "product": lambda x: np.ones((1, 3)) @ x,
    "dot": lambda x: np.dot(x, np.ones(3)),
    "method dot": lambda x: x.dot(np.ones(3)),
    "dot into an array": lambda x: np.dot(np.ones((1, 3)), x[:, None], np.empty((1, 1))),
    "inner": lambda x: np.inner(np.ones(3), x),
    "vdot": lambda x: np.vdot(x, np.ones(3)),
    "einsum": lambda x: np.einsum("i,i->", x, np.ones(3)),
    "tensordot": lambda x: np.tensordot(np.ones((1, 3)), x, axes=1),
    "convolution": lambda x: np.convolve(x, np.ones(3), "valid"),
}


@pytest.mark.parametrize("name", SUMS)
def test_a_sum_that_cancels_is_as_far_off_as_its_terms(name):
    x = np.array([1e8, 1.0, -1e8]) * np.pi
    right = float(np.ravel(SUMS[name](x))[0])
    off = [abs(float(np.ravel(SUMS[name](Arithmetic.number(n).of(x.copy())))[0]) - right) for n in range(6)]
    assert 1e8 * EPSILON < max(off) < 1e9 * EPSILON * 4


def point_of(module, seed=0):
    rng = np.random.default_rng(seed)
    params = {name: w + 0.1 * rng.standard_normal(w.shape) for name, w in module.init_params(seed, np.float64).items()}
    return Point(params, generic_batch({**module.INPUTS, **module.TARGETS}, rng, 5), seed)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("path", sorted(SPECS.glob("*.nn")), ids=lambda path: path.stem)
def test_a_script_computes_the_same_in_another_arithmetic(path, style):
    """Without rounding the very same; with it every gradient is a little off, unless it is made of whole numbers."""
    module = script_of(path, style)
    point = point_of(module)
    loss, grads = loss_and_grads(module, point)
    same, moved = (moves_by_rounding(module, point, Cost(), epsilon) for epsilon in (0.0, EPSILON))
    size = max(map(np.linalg.norm, grads.values()))
    assert same[0] <= 1e-13 * abs(loss)
    assert max(same[1].values()) <= 1e-13 * size
    assert max(moved[1].values()) <= 1e-10 * size
    rounded = [name for name, g in grads.items() if np.linalg.norm(g - np.rint(g)) > 1e-6 * size]
    assert all(moved[1][name] > 0 for name in rounded)


WRONG = """

_right_backward = backward


def backward(params, batch, cache, d_loss=1.0):
    grads = _right_backward(params, batch, cache, d_loss)
    grads["a.multi_head_attention1.Wq"] = grads["a.multi_head_attention1.Wq"] * (1 + {error})
    return grads
"""


@pytest.mark.parametrize(("error", "verdict"), [(1e-4, "FAIL"), (0.0, "PASS")])
@pytest.mark.parametrize("seed", [6, 10])
def test_a_fault_beyond_rounding_is_seen(error, verdict, seed, tmp_path):
    """Where scores in the thousands leave few digits to this gradient, its error of one in ten thousand still shows."""
    (tmp_path / "m.nn").write_text(LARGE_SCORES, encoding="utf-8")
    script = compile_spec(str(tmp_path / "m.nn"), Options("explain")).script
    assert check_script(script + WRONG.format(error=error), "m.py", seed=seed).verdict.value == verdict
