"""Formulas that generated scripts call by name. They run on float32, float64 and complex128 arrays alike.

They compare numbers by order and never take an absolute value, so that the validator's complex step passes through.
"""

import numpy as np


def sigmoid(z):
    """The logistic function 1 / (1 + exp(-z)), in a form that cannot overflow."""
    return 0.5 * (1 + np.tanh(0.5 * z))


def softplus(z):
    """log(1 + exp(z)), in a form that cannot overflow: max(z, 0) + log(1 + exp(-|z|))."""
    return np.maximum(z, 0) + np.log1p(np.exp(np.where(z > 0, -z, z)))


def softmax(z):
    """exp(z_i) / sum_j exp(z_j) over the last axis; subtracting the maximum changes nothing but the rounding."""
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def log_softmax(z):
    """z_i - log sum_j exp(z_j) over the last axis."""
    shifted = z - z.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def gelu(z):
    """z/2 (1 + tanh(sqrt(2/pi) (z + 0.044715 z^3))) (Hendrycks and Gimpel 2016)."""
    return 0.5 * z * (1 + np.tanh(0.7978845608028654 * (z + 0.044715 * z * z * z)))


def gelu_slope(z):
    """The derivative of `gelu`."""
    t = np.tanh(0.7978845608028654 * (z + 0.044715 * z * z * z))
    return 0.5 * (1 + t) + 0.5 * z * (1 - t * t) * 0.7978845608028654 * (1 + 3 * 0.044715 * z * z)


def silu_slope(z):
    """The derivative of z sigmoid(z)."""
    s = sigmoid(z)
    return s + z * s * (1 - s)


def huber(error, delta):
    """Half the square of a small error, linear in a large one (Huber 1964)."""
    size = np.where(error > 0, error, -error)
    return np.where(size <= delta, 0.5 * error * error, delta * (size - 0.5 * delta))


def huber_slope(error, delta):
    """The derivative of `huber`: the error, clipped to [-delta, delta]."""
    return np.minimum(np.maximum(error, -delta), delta)


def safe_log(p):
    """The logarithm of a probability, of 1e-7 where it is smaller (as Keras)."""
    return np.log(np.maximum(p, 1e-7))


def safe_log_slope(p):
    """The derivative of `safe_log`: zero where the probability was clipped."""
    return (p > 1e-7) / np.maximum(p, 1e-7)


def binary_cross_entropy(p, t):
    """-t log p - (1 - t) log(1 - p)."""
    return -(t * safe_log(p) + (1 - t) * safe_log(1 - p))


def binary_cross_entropy_slope(p, t):
    """The derivative of `binary_cross_entropy` by p."""
    return (1 - t) * safe_log_slope(1 - p) - t * safe_log_slope(p)


def one_hot_rows(labels, classes, dtype):
    """A row per label: 1 in the label's column, 0 elsewhere."""
    return np.eye(classes, dtype=dtype)[labels]


def weight_of_class(target, weights, dtype):
    """The weight of each example's class, as a column; targets are class numbers, or rows that sum to one."""
    table = np.array(weights, dtype)
    return table[target][..., None] if target.dtype.kind in "iu" else (target * table).sum(axis=-1, keepdims=True)


def dtype_of(params):
    """The precision in which the network computes."""
    return next(iter(params.values())).dtype if params else np.dtype(float)


def sum_by_row(ids, values, rows):
    """Row i of the result is the sum of all values whose id is i: what `table[ids]` sends back to the table."""
    total = np.zeros((rows, values.shape[-1]), values.dtype)
    np.add.at(total, ids, values)
    return total


def sinusoids(length, width):
    """A row per position t: sin and cos of t / 10000^(2i/width) in turn (Vaswani et al. 2017)."""
    angle = np.arange(length)[:, None] / 10000 ** (np.arange(0, width, 2) / width)
    return np.stack([np.sin(angle), np.cos(angle)], axis=-1).reshape(length, -1)[:, :width]


def stop_gradient(v):
    """v, as a constant: an imaginary part, which carries a derivative in a complex step, is dropped."""
    return v.real


def smooth(rows, amount):
    """Move `amount` of the target probability from the true class to all classes evenly (Szegedy et al. 2016)."""
    return (1 - amount) * rows + amount / rows.shape[-1]


def dropout_mask(rng, shape, keep):
    """1/keep with probability `keep`, else 0: the expected value of every unit stays what it was."""
    return (rng.random(shape) < keep) / keep


def truncated_normal(rng, shape):
    """Gaussian numbers, those beyond two drawn again, scaled to a standard deviation of 1 (0.8796 after the cut)."""
    values = rng.standard_normal(shape)
    while (far := np.abs(values) > 2).any():
        values[far] = rng.standard_normal(far.sum())
    return values / 0.8796256610342398


def orthogonal(rng, shape):
    """A matrix with orthonormal rows or columns: the Q of a random Gaussian matrix, signs made unique."""
    rows, columns = int(np.prod(shape[:-1])), shape[-1]
    q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
    q = q * np.sign(np.diag(r))
    return (q if rows >= columns else q.T).reshape(shape)


def forget_one(shape):
    """Zeros, but ones in the second quarter: the bias of an LSTM's forget gate (Jozefowicz et al. 2015)."""
    values, quarter = np.zeros(shape), shape[-1] // 4
    values[..., quarter : 2 * quarter] = 1
    return values
