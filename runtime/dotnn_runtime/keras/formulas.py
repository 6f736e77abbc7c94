"""Parts of losses that TensorFlow has under no name of its own."""

import math

import tensorflow as tf


def huber(error, delta):
    """Half the square of a small error, linear in a large one (Huber 1964)."""
    size = tf.abs(error)
    small = tf.minimum(size, delta)
    return small * (size - 0.5 * small)


def safe_log(p):
    """The logarithm of a probability, of 1e-7 where it is smaller (as Keras)."""
    return tf.math.log(tf.maximum(p, 1e-7))


def safe_log_rest(p):
    """`safe_log` of 1 - p; log1p keeps the digits of a small p, which 1 - p would lose."""
    return tf.where(1 - p > 1e-7, tf.math.log1p(-tf.minimum(p, 1 - 1e-7)), math.log(1e-7))


def binary_cross_entropy(p, t):
    """-t log p - (1 - t) log(1 - p)."""
    return -(t * safe_log(p) + (1 - t) * safe_log_rest(p))


def smooth(rows, amount):
    """Move `amount` of the target probability from the true
    class to all classes evenly (Szegedy et al. 2016).
    """
    return (1 - amount) * rows + amount / rows.shape[-1]
