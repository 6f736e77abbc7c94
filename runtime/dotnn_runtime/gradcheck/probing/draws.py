"""Generic points: data and parameters at which no two numbers coincide by accident.

A gradient that is wrong only in general position must be looked at in general position: zero biases, unit scales,
one-hot targets and equal sizes hide errors.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np

from ..reading.script import Script
from ..reading.types import Array, Point

HUGE = float(np.finfo(float).max) ** 0.25
"""Beyond this, products of numbers overflow in one order of the factors and not in another."""
HALVINGS = 12
KNOWN = "real, int, class, unit, sign, weight, distribution"
Kinds = Mapping[str, tuple[str, tuple[int, ...]]]


def generic_point(
    initial: Mapping[str, Array],
    inputs: Kinds,
    targets: Kinds,
    *,
    batch_size: int,
    rng: np.random.Generator,
    training: bool = True,
    trained: Collection[str] = (),
) -> Point:
    """Draw a point: parameters near `initial`, inputs and targets of the declared kinds.

    The parameters named in `trained` are drawn anew, whatever they are at first; a state (a variance) is not.
    """
    params = {
        name: far_parameter(np.shape(value), rng) if name in trained else generic_parameter(value, rng)
        for name, value in initial.items()
    }
    batch = {name: generic_data(kind, (batch_size, *shape), rng) for name, (kind, shape) in inputs.items()}
    batch |= {name: generic_data(kind, (batch_size, *shape), rng) for name, (kind, shape) in targets.items()}
    return Point(params, batch, int(rng.integers(2**31)), training)


def calmed(script: Script, point: Point) -> tuple[Point, int]:
    """Return a point whose loss is not beyond `HUGE`, and how often its parameters were halved for that.

    Powers of powers leave the range of floats where weights are not small. It is the same point where that does not
    help: then the script is at fault.
    """
    for count in range(HALVINGS):
        params = {name: w / 2**count if name in script.params else w for name, w in point.params.items()}
        moved = replace(point, params=params)
        try:
            if _loss(script, moved) < HUGE:
                return moved, count
        except (Exception, SystemExit):
            break
    return point, 0


def _loss(script: Script, point: Point) -> float:
    rng = np.random.default_rng(point.rng_seed)
    params, batch = ({name: a.copy() for name, a in arrays.items()} for arrays in (point.params, point.batch))
    _, cache = script.plain.forward(params, batch, training=point.training, rng=rng)
    return abs(float(script.plain.total_loss(params, batch, cache)))


def generic_parameter(value: Array, rng: np.random.Generator) -> Array:
    """Move a parameter off every special value, without changing its size or the sign of a constant.

    Zeros (biases) become Gaussian; a constant (a scale of one, a slope of 0.25) is multiplied by 0.5…1.5, so that
    variances and slopes stay positive; anything else gets a tenth of its own spread.
    """
    value = np.asarray(value, dtype=np.float64)
    if value.size == 0:
        return value
    low, high = float(value.min()), float(value.max())
    if low == high == 0.0:
        return 0.3 * rng.standard_normal(value.shape)
    if low == high:
        return np.asarray(value * (1.0 + 0.5 * rng.uniform(-1.0, 1.0, value.shape)))
    return np.asarray(value + 0.1 * value.std() * rng.standard_normal(value.shape))


def far_parameter(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Draw a parameter that owes nothing to where training starts; it keeps the size of what passes through it."""
    return rng.standard_normal(shape) / math.sqrt(max(4, math.prod(shape[:-1])))


def generic_data(kind: str, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Draw an array of one of the kinds that scripts declare in `INPUTS` and `TARGETS`."""
    name, _, bound = kind.partition(":")
    if name == "real":
        return rng.standard_normal(shape)
    if name in ("int", "class"):
        return np.asarray(rng.integers(int(bound) if bound else 2, size=shape))
    if name == "unit":
        return rng.uniform(0.05, 0.95, shape)
    if name == "weight":  # some of them none, as in a mask
        return np.maximum(rng.uniform(-0.5, 2.0, shape), 0.0)
    if name == "sign":
        return np.asarray(rng.choice(np.array([-1.0, 1.0]), shape))
    if name == "distribution":
        weights = np.exp(rng.standard_normal(shape))
        return np.asarray(weights / weights.sum(axis=-1, keepdims=True))
    raise ValueError(f"the script declares data of kind {kind!r}; known are {KNOWN}")


def as_classes(batch: Mapping[str, Array], declared: Kinds) -> dict[str, Array]:
    """Return the data with those in [0, 1] rounded to 0 or 1: a script may compute by other lines then."""
    return {name: np.rint(data) if declared[name][0] == "unit" else data for name, data in batch.items()}


def generic_batch_size(shapes: list[tuple[int, ...]], least: int = 5) -> int:
    """Return a batch size that equals no other size in the network, so that a swapped axis cannot go unnoticed."""
    taken = {size for shape in shapes for size in shape}
    return next(size for size in range(least, least + len(taken) + 1) if size not in taken)
