"""Metrics in which examples, or their steps, count as often as their weights say.

As in scikit-learn's `metrics` with `sample_weight`. `weights` are numbers from 0 up,
or marks, `(n,)` or `(n, steps, …)`. Where all are 0, a metric is not a number.
"""

import numpy as np

from dotnn_runtime.script.metrics import power_of_two, same_shape


def weighted_accuracy_class(output: np.ndarray, target: np.ndarray, weights: np.ndarray) -> float:
    """Return the share of rows of `output`, `(n, …, classes)`,
    whose maximum stands at the index `target`, `(n, …)`.
    """
    return weighted_agreement(output.argmax(axis=-1), target, weights)


def weighted_accuracy_onehot(output: np.ndarray, target: np.ndarray, weights: np.ndarray) -> float:
    """Return the share of rows whose maximum stands at the same place in both arrays, `(n, …, classes)`."""
    return weighted_agreement(output.argmax(axis=-1), target.argmax(axis=-1), weights)


def weighted_accuracy_binary(output: np.ndarray, target: np.ndarray, weights: np.ndarray) -> float:
    """Return the share of probabilities on the right side of 0.5 (0.5 itself counts as 0).

    `target` holds 0 and 1.
    """
    return weighted_agreement(output > 0.5, target > 0.5, weights)


def weighted_accuracy_sign(output: np.ndarray, target: np.ndarray, weights: np.ndarray) -> float:
    """Return the share of scores with the sign of `target`,
    which holds -1 and +1 (a score of 0 counts as -1).
    """
    return weighted_agreement(output > 0, target > 0, weights)


def weighted_agreement(predicted: np.ndarray, actual: np.ndarray, weights: np.ndarray) -> float:
    """Return the share of equal elements of two arrays of the same shape."""
    same_shape(predicted, actual)
    return weighted_mean(predicted == actual, weights)


def weighted_f1_class(
    output: np.ndarray, target: np.ndarray, weights: np.ndarray, average: str = "macro"
) -> float:
    """Return F1 = 2 tp / (2 tp + fp + fn), averaged over
    the classes of which anything counts, see `f1_class`.
    """
    if average not in ("macro", "weighted", "micro"):
        raise ValueError(f"the average of F1 must be macro, weighted or micro, not {average!r}")
    predicted = output.argmax(axis=-1)
    same_shape(predicted, target)
    count, classes = weights_along(weights, target), range(output.shape[-1])
    hits = np.array([np.sum(count * ((predicted == c) & (target == c))) for c in classes])
    true = np.array([np.sum(count * (target == c)) for c in classes])
    # 2 tp + fp + fn is how often the class is predicted plus how often it is true.
    seen = true + np.array([np.sum(count * (predicted == c)) for c in classes])
    if not seen.any():
        return float("nan")
    if average == "micro":
        return float(2 * hits.sum() / seen.sum())
    scores = 2 * hits[seen > 0] / seen[seen > 0]
    return float(np.average(scores, weights=true[seen > 0] if average == "weighted" else None))


def weighted_f1_onehot(
    output: np.ndarray, target: np.ndarray, weights: np.ndarray, average: str = "macro"
) -> float:
    """Return `weighted_f1_class` for a target of one-hot rows or probabilities, `(n, …, classes)`."""
    same_shape(output, target)
    return weighted_f1_class(output, target.argmax(axis=-1), weights, average)


def weighted_f1_binary(output: np.ndarray, target: np.ndarray, weights: np.ndarray) -> float:
    """Return F1 = 2 tp / (2 tp + fp + fn) of probabilities above 0.5 against 0 and 1.

    0 where nothing is positive.
    """
    predicted, actual = output > 0.5, target > 0.5
    same_shape(predicted, actual)
    count = weights_along(weights, actual)
    positive = (count * predicted).sum() + (count * actual).sum()
    return float(2 * (count * (predicted & actual)).sum() / positive) if positive else 0.0


def weighted_mae(output: np.ndarray, target: np.ndarray, weights: np.ndarray) -> float:
    """Return the mean of |output - target| over everything."""
    same_shape(output, target)
    return weighted_mean(np.abs(output - target), weights)


def weighted_rmse(output: np.ndarray, target: np.ndarray, weights: np.ndarray) -> float:
    """Return the root of the mean of (output - target)² over
    everything: of several outputs, the root of their mean.
    """
    same_shape(output, target)
    errors = output - target
    largest = power_of_two(errors).max()
    return float(largest * np.sqrt(weighted_mean(np.square(errors / largest), weights)))


def weighted_r2(output: np.ndarray, target: np.ndarray, weights: np.ndarray) -> float:
    """Return the coefficient of determination 1 - SSE / SST of every output, averaged over the outputs.

    Outputs of which less than two examples count are left out. Where a
    target is constant, it is 1 for a perfect output and else 0.
    """
    same_shape(output, target)
    count = weights_along(weights, target)
    there = (count > 0).sum(axis=0) > 1
    share = count / np.where(there, count.sum(axis=0), 1)
    least = np.where(count > 0, target, np.inf).min(axis=0)
    same = least == np.where(count > 0, target, -np.inf).max(axis=0)  # their mean may be off by rounding
    mean = np.where(same, least, (share * target).sum(axis=0))
    errors, deviations = target - output, target - mean
    size = power_of_two(errors, deviations)
    sse = np.sum(share * np.square(errors / size), axis=0)
    sst = np.sum(share * np.square(deviations / size), axis=0)
    scores = np.where(sst > 0, 1 - sse / np.where(sst > 0, sst, 1), sse == 0)
    return float(np.mean(scores[there])) if there.any() else float("nan")


def weighted_mean(values: np.ndarray, weights: np.ndarray) -> float:
    """Return the mean of values `(n, …)`, each counted as often as its weight says."""
    count = weights_along(weights, values)
    total = count.sum()
    return float((count * values).sum() / total) if total else float("nan")


def weights_along(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return how much each of the values `(n, …)` counts, given that of their rows or steps."""
    count = np.asarray(weights, float)
    if count.ndim > values.ndim:  # one number for each example, in brackets
        count = count[..., 0]
    whole: np.ndarray = np.broadcast_to(count[(...,) + (None,) * (values.ndim - count.ndim)], values.shape)
    return whole
