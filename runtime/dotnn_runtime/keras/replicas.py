"""Layers that treat the global batch as one where `tf.distribute` gives every replica a part of it.

Replica r of n holds rows r, r + n, r + 2n, … of the global
batch. They can be saved and loaded like Keras's own.
"""

import keras
import tensorflow as tf

from dotnn_runtime.keras.layers import StrongNoise


def rows_of_replica(draw, shape):
    """Return this replica's rows of `draw(shape of the global batch)`, given the shape of its own part.

    Numbers are drawn row by row, so that drawing a few rows too many changes none of the others.
    """
    replica = tf.distribute.get_replica_context()
    count = replica.num_replicas_in_sync
    return draw(tf.concat([shape[:1] * count, shape[1:]], axis=0))[replica.replica_id_in_sync_group :: count]


@keras.saving.register_keras_serializable("dotnn")
class GlobalDropout(keras.layers.Dropout):
    """Keras's dropout, with one mask for the global batch, of which each replica takes its rows."""

    def mask_shape(self, x):
        return tf.shape(x)

    def call(self, x, training=False):
        if not training or self.rate == 0:
            return x

        def mask(shape):
            return keras.random.dropout(tf.ones(shape, x.dtype), self.rate, seed=self.seed_generator)

        return x * rows_of_replica(mask, self.mask_shape(x))


@keras.saving.register_keras_serializable("dotnn")
class GlobalSequenceDropout(GlobalDropout):
    """The same with one mask for all steps of a sequence."""

    def mask_shape(self, x):
        batch, _, features = tf.unstack(tf.shape(x))
        return tf.stack([batch, 1, features])


@keras.saving.register_keras_serializable("dotnn")
class GlobalGaussianNoise(StrongNoise):
    """Keras's noise, without its limit, drawn for the global batch."""

    def call(self, x, training=False):
        if not training or self.stddev == 0:
            return x

        def noise(shape):
            return keras.random.normal(shape, stddev=self.stddev, dtype=x.dtype, seed=self.seed_generator)

        return x + rows_of_replica(noise, tf.shape(x))


@keras.saving.register_keras_serializable("dotnn")
class GlobalBatchNormalization(keras.layers.BatchNormalization):
    """Batch normalisation by the mean and variance of the global batch.

    Keras's `synchronized=True` has the mean square minus the
    squared mean, which loses digits where the mean is large.
    """

    def build(self, input_shape):
        super().build(input_shape)
        self.input_spec = None  # one layer serves vectors, sequences and images

    def call(self, x, training=False):
        if not training:
            return super().call(x, training=False)

        def total(values):
            return tf.distribute.get_replica_context().all_reduce("SUM", values)

        z = tf.cast(x, self.variable_dtype)
        axes = list(range(len(x.shape) - 1))
        count = total(tf.cast(tf.reduce_prod(tf.shape(z)[:-1]), z.dtype))
        mean = total(tf.reduce_sum(z, axes)) / count
        variance = total(tf.reduce_sum(tf.square(z - mean), axes)) / count
        for moving, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(self.momentum * moving + (1 - self.momentum) * value)
        z = keras.ops.batch_normalization(z, mean, variance, -1, self.beta, self.gamma, self.epsilon)
        return tf.cast(z, self.compute_dtype)
