"""Metrics of batch-first arrays; definitions and corner cases as in scikit-learn's `metrics`."""

import numpy as np


def accuracy_class(output: np.ndarray, target: np.ndarray) -> float:
    """Return the share of rows of `output`, `(n, …, classes)`,
    whose maximum stands at the index `target`, `(n, …)`.
    """
    return agreement(output.argmax(axis=-1), target)


def accuracy_onehot(output: np.ndarray, target: np.ndarray) -> float:
    """Return the share of rows whose maximum stands at the same place in both arrays, `(n, …, classes)`."""
    return agreement(output.argmax(axis=-1), target.argmax(axis=-1))


def accuracy_binary(output: np.ndarray, target: np.ndarray) -> float:
    """Return the share of probabilities on the right side of 0.5 (0.5 itself counts as 0).

    `target` holds 0 and 1.
    """
    return agreement(output > 0.5, target > 0.5)


def accuracy_sign(output: np.ndarray, target: np.ndarray) -> float:
    """Return the share of scores with the sign of `target`,
    which holds -1 and +1 (a score of 0 counts as -1).
    """
    return agreement(output > 0, target > 0)


def agreement(predicted: np.ndarray, actual: np.ndarray) -> float:
    """Return the share of equal elements of two arrays of the same shape."""
    same_shape(predicted, actual)
    return float(np.mean(predicted == actual))


def f1_class(output: np.ndarray, target: np.ndarray, average: str = "macro") -> float:
    """Return F1 = 2 tp / (2 tp + fp + fn), averaged over
    the classes that are predicted or true at least once.

    `output` is `(n, …, classes)`, `target` holds indices `(n, …)`. `average`
    is `macro` (plain mean), `weighted` (by how often a class is true) or
    `micro` (tp, fp and fn summed over the classes first: the accuracy).
    """
    if average not in ("macro", "weighted", "micro"):
        raise ValueError(f"the average of F1 must be macro, weighted or micro, not {average!r}")
    predicted = output.argmax(axis=-1)
    same_shape(predicted, target)
    classes = range(output.shape[-1])
    hits = np.array([np.sum((predicted == c) & (target == c)) for c in classes])
    true = np.array([np.sum(target == c) for c in classes])
    # 2 tp + fp + fn is how often the class is predicted plus how often it is true.
    seen = true + np.array([np.sum(predicted == c) for c in classes])
    if average == "micro":
        return float(2 * hits.sum() / seen.sum())
    scores = 2 * hits[seen > 0] / seen[seen > 0]
    return float(np.average(scores, weights=true[seen > 0] if average == "weighted" else None))


def f1_onehot(output: np.ndarray, target: np.ndarray, average: str = "macro") -> float:
    """Return `f1_class` for a target of one-hot rows or probabilities, `(n, …, classes)`."""
    same_shape(output, target)
    return f1_class(output, target.argmax(axis=-1), average)


def f1_binary(output: np.ndarray, target: np.ndarray) -> float:
    """Return F1 = 2 tp / (2 tp + fp + fn) of probabilities above 0.5 against 0 and 1.

    0 where nothing is positive.
    """
    predicted, actual = output > 0.5, target > 0.5
    same_shape(predicted, actual)
    positive = predicted.sum() + actual.sum()
    return float(2 * (predicted & actual).sum() / positive) if positive else 0.0


def mae(output: np.ndarray, target: np.ndarray) -> float:
    """Return the mean of |output - target| over everything."""
    same_shape(output, target)
    return float(np.mean(np.abs(output - target)))


def rmse(output: np.ndarray, target: np.ndarray) -> float:
    """Return the root of the mean of (output - target)² over
    everything: of several outputs, the root of their mean.
    """
    same_shape(output, target)
    errors = output - target
    largest = power_of_two(errors).max()
    return float(largest * np.sqrt(np.mean(np.square(errors / largest))))


def r2(output: np.ndarray, target: np.ndarray) -> float:
    """Return the coefficient of determination 1 - SSE / SST of every output, averaged over the outputs.

    Where a target is constant, it is 1 for a perfect output
    and else 0. It is not a number for fewer than 2 examples.
    """
    same_shape(output, target)
    if len(target) < 2:
        return float("nan")
    errors, deviations = target - output, target - target.mean(axis=0)
    size = power_of_two(errors, deviations)
    sse = np.sum(np.square(errors / size), axis=0)
    sst = np.sum(np.square(deviations / size), axis=0)
    return float(np.mean(np.where(sst > 0, 1 - sse / np.where(sst > 0, sst, 1), sse == 0)))


def power_of_two(*arrays: np.ndarray) -> np.ndarray:
    """Return, for every output, a power of two of the size
    of its largest number in any of the arrays, `(n, …)`.

    Division by it is exact, and the squares of what is left neither overflow nor vanish.
    """
    largest = np.max([np.max(np.abs(a), axis=0) for a in arrays], axis=0)
    size: np.ndarray = np.ldexp(np.ones_like(largest), np.frexp(largest)[1] - 1)
    return size


def same_shape(output: np.ndarray, target: np.ndarray) -> None:
    """Raise ValueError where the shapes differ: NumPy would broadcast them into a wrong number."""
    if output.shape != target.shape:
        raise ValueError(f"the shapes of output and target differ: {output.shape} and {target.shape}")
