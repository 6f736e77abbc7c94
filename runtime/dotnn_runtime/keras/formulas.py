"""Parts of losses that TensorFlow has under no name of its own."""

import tensorflow as tf


def huber(error, delta):
    """Half the square of a small error, linear in a large one (Huber 1964)."""
    size = tf.abs(error)
    return tf.where(size <= delta, 0.5 * tf.square(error), delta * (size - 0.5 * delta))


def safe_log(p):
    """The logarithm of a probability, of 1e-7 where it is smaller (as Keras)."""
    return tf.math.log(tf.maximum(p, 1e-7))


def binary_cross_entropy(p, t):
    """-t log p - (1 - t) log(1 - p)."""
    return -(t * safe_log(p) + (1 - t) * safe_log(1 - p))


def smooth(rows, amount):
    """Move `amount` of the target probability from the true class to all classes evenly (Szegedy et al. 2016)."""
    return (1 - amount) * rows + amount / rows.shape[-1]
