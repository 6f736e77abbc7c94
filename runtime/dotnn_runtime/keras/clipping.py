"""Clipping by a norm of gradients whose squares may be too
large for a number, where Keras's own makes them zero.
"""

import tensorflow as tf


def clip_by_norm(grads, limit, axes=None):
    """The gradients, each scaled down to the norm `limit` where its own is larger.

    `axes`: along one axis of each.
    """
    return [
        clip_together([g], limit, axis)[0] for g, axis in zip(grads, axes or [None] * len(grads), strict=True)
    ]


def clip_by_global_norm(grads, limit):
    """The gradients, all scaled down by one factor where their common norm is larger than `limit`."""
    return clip_together(grads, limit)


def clip_together(grads, limit, axis=None):
    """Divide by the largest number before squaring, and then clip by what is left of the norm."""
    largest = [tf.reduce_max(tf.abs(g), axis, keepdims=axis is not None) for g in grads]
    largest = tf.maximum(tf.reduce_max(tf.stack(largest), axis=0), limit)
    grads = [g / largest for g in grads]
    norm = tf.sqrt(tf.add_n([tf.reduce_sum(tf.square(g), axis, keepdims=axis is not None) for g in grads]))
    return [g * (limit / tf.maximum(norm, limit / largest)) for g in grads]
