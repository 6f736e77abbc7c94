"""Constraints that Keras does not have, or has in another form.

They can be saved and loaded like Keras's own.
"""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("dotnn")
class MaxNorm(keras.constraints.Constraint):
    """Every unit's vector no longer than `limit`; units are
    along the last axis. Keras's divides by |w| + 1e-7.
    """

    def __init__(self, limit):
        self.limit = limit

    def __call__(self, w):
        axes = tuple(range(len(w.shape) - 1))
        w = tf.convert_to_tensor(w)
        largest = tf.maximum(tf.reduce_max(tf.abs(w), axis=axes, keepdims=True), self.limit)
        w = w / largest  # its square is too large for a number where w is
        norms = tf.sqrt(tf.reduce_sum(w * w, axis=axes, keepdims=True))
        return w * (self.limit / tf.maximum(norms, self.limit / largest))

    def get_config(self):
        return {"limit": self.limit}


@keras.saving.register_keras_serializable("dotnn")
class Bounds(keras.constraints.Constraint):
    """No single weight leaves the interval."""

    def __init__(self, low, high):
        self.low, self.high = low, high

    def __call__(self, w):
        return tf.clip_by_value(tf.convert_to_tensor(w), self.low, self.high)

    def get_config(self):
        return {"low": self.low, "high": self.high}
