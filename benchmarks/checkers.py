"""The gradient checkers that are compared: each is given the same pair of functions, a loss and its gradient.

Every peer gets the pair through its public way of declaring a derivative by hand, and is left at its defaults:

torch         a `torch.autograd.Function`, and `torch.autograd.gradcheck`
torch fast    the same, `fast_mode=True`
jax           a `jax.custom_vjp` over `jax.pure_callback` (64-bit mode), and `jax.test_util.check_grads` of order 1 in
              reverse mode; forward mode does not exist for such a function
tf            a `tf.custom_gradient` over `tf.numpy_function`, `tf.test.compute_gradient`, and what its documentation
              compares the two Jacobians with: `assertAllClose`, so 1e-6
scipy         `scipy.optimize.check_grad` over all parameters end to end. It returns a norm and no verdict; we take
              1e-6 for the limit, 30 times what the example in its documentation prints
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from dotnn_runtime.gradcheck import Verdict, check_functions

Arrays = Mapping[str, np.ndarray]
SCIPY_LIMIT = 1e-6


@dataclass
class Pair:
    """A loss and its gradient as functions of named arrays, which count their calls."""

    loss_of: Callable[[Arrays], float]
    grads_of: Callable[[Arrays], Arrays]
    arrays: Arrays
    losses: int = 0
    gradients: int = 0

    def loss(self, arrays: Arrays):
        self.losses += 1
        return self.loss_of(arrays)

    def grads(self, arrays: Arrays) -> Arrays:
        self.gradients += 1
        return self.grads_of(arrays)

    def loss_at(self, *values: np.ndarray) -> np.ndarray:
        return np.asarray(self.loss(self.named(values)), np.float64)

    def grads_at(self, *values: np.ndarray) -> list[np.ndarray]:
        found = self.grads(self.named(values))
        return [np.ascontiguousarray(found[name]) for name in self.arrays]

    def named(self, values) -> dict[str, np.ndarray]:
        return dict(zip(self.arrays, map(np.asarray, values), strict=True))


def dotnn(pair: Pair) -> bool:
    return check_functions(pair.loss, pair.grads, pair.arrays).verdict is not Verdict.FAIL


def torch(pair: Pair, fast: bool = False) -> bool:
    import torch

    class Loss(torch.autograd.Function):
        @staticmethod
        def forward(ctx, *tensors):
            ctx.save_for_backward(*tensors)
            return torch.from_numpy(pair.loss_at(*(t.detach().numpy() for t in tensors)))

        @staticmethod
        def backward(ctx, cotangent):
            grads = pair.grads_at(*(t.detach().numpy() for t in ctx.saved_tensors))
            return tuple(cotangent * torch.from_numpy(g) for g in grads)

    tensors = tuple(torch.tensor(a, dtype=torch.float64, requires_grad=True) for a in pair.arrays.values())
    return torch.autograd.gradcheck(Loss.apply, tensors, raise_exception=False, fast_mode=fast)


def torch_fast(pair: Pair) -> bool:
    return torch(pair, fast=True)


def jax(pair: Pair) -> bool:
    import jax
    from jax.test_util import check_grads

    jax.config.update("jax_enable_x64", True)
    arrays = [jax.numpy.asarray(a) for a in pair.arrays.values()]
    shapes = [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in arrays]

    @jax.custom_vjp
    def loss(*values):
        return jax.pure_callback(pair.loss_at, jax.ShapeDtypeStruct((), np.float64), *values)

    def forward(*values):
        return loss(*values), values

    def backward(values, cotangent):
        grads = jax.pure_callback(pair.grads_at, shapes, *values)
        return tuple(cotangent * g for g in grads)

    loss.defvjp(forward, backward)
    try:
        check_grads(loss, arrays, order=1, modes=["rev"])
    except AssertionError:
        return False
    return True


def tensorflow(pair: Pair) -> bool:
    import tensorflow as tf

    @tf.custom_gradient
    def loss(*values):
        def backward(cotangent):
            grads = tf.numpy_function(pair.grads_at, values, [tf.float64] * len(values))
            return [cotangent * tf.ensure_shape(g, v.shape) for g, v in zip(grads, values, strict=True)]

        return tf.ensure_shape(tf.numpy_function(pair.loss_at, values, tf.float64), ()), backward

    claimed, measured = tf.test.compute_gradient(loss, [tf.constant(a) for a in pair.arrays.values()])
    return all(np.allclose(c, m, rtol=1e-6, atol=1e-6) for c, m in zip(claimed, measured, strict=True))


def scipy(pair: Pair) -> bool:
    from scipy.optimize import check_grad

    shapes = [a.shape for a in pair.arrays.values()]
    ends = np.cumsum([a.size for a in pair.arrays.values()])

    def parts(x):
        return [part.reshape(shape) for part, shape in zip(np.split(x, ends[:-1]), shapes, strict=True)]

    def grads(x):
        return np.concatenate([g.ravel() for g in pair.grads_at(*parts(x))])

    start = np.concatenate([a.ravel() for a in pair.arrays.values()])
    return check_grad(lambda x: float(pair.loss_at(*parts(x))), grads, start) <= SCIPY_LIMIT


OURS = "dotnn"
CHECKERS: dict[str, tuple[str, Callable[[Pair], bool]]] = {
    OURS: ("", dotnn),
    "torch": ("torch", torch),
    "torch fast": ("torch", torch_fast),
    "jax": ("jax", jax),
    "tf": ("tensorflow", tensorflow),
    "scipy": ("scipy", scipy),
}
"""Checkers by name: the package each needs, and what returns True for a gradient that it accepts."""
