"""The small gradient check behind `python model.py check`:
complex-step derivatives, one direction per parameter.
"""

import typing

import numpy as np


def check_gradients(
    loss: typing.Callable[..., complex],
    loss_and_grads: typing.Callable[..., tuple[float, dict[str, np.ndarray]]],
    params: dict[str, np.ndarray],
    batch: dict[str, np.ndarray],
    seed: int = 0,
    tolerance: float = 1e-10,
    zeros: tuple[str, ...] = (),
) -> list[tuple[str, float, str]]:
    """Compare the gradients with derivatives of the loss;
    return `(name, relative error, verdict)` per parameter.

    `loss(params, batch)` returns the loss and must run on complex128 parameters; `loss_and_grads(params,
    batch)` returns the loss and the gradients, by parameter. With a random direction v and h = 1e-20, the
    derivative of the loss along v is Im loss(w + i h v) / h to machine precision (Squire and Trapp 1998); it
    must equal sum(grad * v). Verdicts: `ok`, `WRONG`, `zero` for a parameter of `zeros` whose gradient is
    zero as it must be, and `no signal` where both are zero, or noise beside the gradient of the whole
    network.
    """
    rng = np.random.default_rng(seed)
    params = {name: np.asarray(value, dtype=np.float64) for name, value in params.items()}
    point = {name: value.astype(np.complex128) for name, value in params.items()}
    grads = loss_and_grads(params, batch)[1]
    noise = 1e-14 * float(np.sqrt(sum(np.sum(np.square(grad)) for grad in grads.values())))
    rows = []
    for name, value in params.items():
        direction = rng.standard_normal(value.shape)
        slope = np.imag(loss({**point, name: value + 1e-20j * direction}, batch)) / 1e-20
        error, size = compare_slope(grads.get(name), direction, float(slope))
        quiet = "zero" if name in zeros else "no signal"
        rows.append((name, error, quiet if size <= noise else "ok" if error <= tolerance else "WRONG"))
    return rows


def check_by_differences(
    loss_and_grads: typing.Callable[..., tuple[float, dict[str, np.ndarray]]],
    params: dict[str, np.ndarray],
    seed: int = 0,
    tolerance: float = 1e-6,
    zeros: tuple[str, ...] = (),
) -> list[tuple[str, float, str]]:
    """Compare the gradients with central differences of the loss, for a loss that takes no complex numbers.

    `loss_and_grads(params)` returns the loss and the gradients, by parameter.
    Of three step lengths the best counts: a long one may cross a kink, a
    short one drowns in rounding. Returns rows as `check_gradients` does.
    """
    rng = np.random.default_rng(seed)
    loss, grads = loss_and_grads(params)
    noise = 1e-9 * max(abs(loss), float(np.sqrt(sum(np.sum(np.square(grad)) for grad in grads.values()))))
    rows = []
    for name, value in params.items():
        direction = rng.standard_normal(value.shape)
        found = []
        for step in (1e-4, 1e-5, 1e-6):
            ends = [loss_and_grads({**params, name: value + h * direction})[0] for h in (step, -step)]
            found.append(compare_slope(grads.get(name), direction, (ends[0] - ends[1]) / (2 * step)))
        error, size = min(found)
        quiet = "zero" if name in zeros else "no signal"
        rows.append((name, error, quiet if size <= noise else "ok" if error <= tolerance else "WRONG"))
    return rows


def compare_slope(grad: np.ndarray | None, direction: np.ndarray, slope: float) -> tuple[float, float]:
    """Return the error of `grad` against the `slope` along
    `direction`, relative to the size of both, and that size.
    """
    if grad is None or grad.shape != direction.shape:
        return float("inf"), float("inf")
    size = max(abs(slope), float(np.sqrt(np.sum(np.square(grad)))))
    return (abs(float(np.sum(grad * direction)) - slope) / size if size else 0.0), size


def report_check(rows: list[tuple[str, float, str]]) -> bool:
    """Print the rows of `check_gradients`; return whether none is wrong, and one ok or all must be zero."""
    width = max([len("parameter"), *(len(name) for name, _, _ in rows)])
    print(f"{'parameter':<{width}}  relative error  verdict")
    for name, error, verdict in rows:
        print(f"{name:<{width}}  {error:14.1e}  {verdict}")
    verdicts = [verdict for _, _, verdict in rows]
    passed = "WRONG" not in verdicts and ("ok" in verdicts or set(verdicts) == {"zero"})
    print(
        "PASS" if passed else "FAIL" if "WRONG" in verdicts else "INCONCLUSIVE: no gradient carries a signal"
    )
    return passed


def generic_batch(
    declarations: dict[str, tuple[str, tuple[int, ...]]], rng: np.random.Generator, size: int
) -> dict[str, np.ndarray]:
    """Return `size` random examples of each declared kind and shape (`check_arrays`): no ties, no zeros."""
    return {name: generic_array(kind, (size, *shape), rng) for name, (kind, shape) in declarations.items()}


def generic_array(kind: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Return a random array of a kind: float64, or int64
    for `int` (below 2 where it has no bound) and `class`.
    """
    base, _, count = kind.partition(":")
    if base in ("int", "class"):
        return rng.integers(0, int(count) if count else 2, shape)
    if base == "unit":
        return rng.uniform(0.05, 0.95, shape)
    if base == "weight":
        return rng.uniform(0.1, 2.0, shape)
    if base == "sign":
        return rng.choice([-1.0, 1.0], shape)
    if base == "distribution":
        weights: np.ndarray = rng.uniform(0.1, 1.0, shape)
        weights /= weights.sum(axis=-1, keepdims=True)
        return weights
    if base != "real":
        raise ValueError(f"unknown kind {kind!r}")
    return rng.standard_normal(shape)
