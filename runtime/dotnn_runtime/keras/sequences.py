"""Layers of sequences that Keras does not have, or has with another meaning. They can be saved and loaded."""

import keras
import numpy as np
import tensorflow as tf


@keras.saving.register_keras_serializable("dotnn")
class Attention(keras.layers.Layer):
    """softmax(q k^T / sqrt(d)) v of queries, keys and values.

    Where a mask over the keys is 0, the key is not seen.
    """

    def __init__(self, causal=False, **options):
        super().__init__(**options)
        self.causal = causal

    def call(self, operands):
        q, k, v, *mask = operands
        scores = tf.matmul(q, k, transpose_b=True) / q.shape[-1] ** 0.5
        if self.causal:
            scores = tf.where(tf.range(k.shape[1]) <= tf.range(q.shape[1])[:, None], scores, -1e9)
        if mask:
            scores = tf.where((tf.cast(mask[0], scores.dtype) > 0.5)[:, None], scores, -1e9)
        return tf.nn.softmax(scores) @ v

    def get_config(self):
        return {**super().get_config(), "causal": self.causal}


@keras.saving.register_keras_serializable("dotnn")
class PositionEmbedding(keras.layers.Layer):
    """Adds a learned vector for each position of a sequence."""

    def __init__(self, embeddings_regularizer=None, embeddings_constraint=None, **options):
        super().__init__(**options)
        self.embeddings_regularizer = keras.regularizers.get(embeddings_regularizer)
        self.embeddings_constraint = keras.constraints.get(embeddings_constraint)

    def build(self, input_shape):
        self.embeddings = self.add_weight(
            shape=input_shape[1:],
            initializer="uniform",
            name="embeddings",
            regularizer=self.embeddings_regularizer,
            constraint=self.embeddings_constraint,
        )

    def call(self, x):
        return x + self.embeddings

    def get_config(self):
        return {
            **super().get_config(),
            "embeddings_regularizer": keras.regularizers.serialize(self.embeddings_regularizer),
            "embeddings_constraint": keras.constraints.serialize(self.embeddings_constraint),
        }


@keras.saving.register_keras_serializable("dotnn")
class PositionEncoding(keras.layers.Layer):
    """Adds sines and cosines of each position, in geometrically falling frequencies (Vaswani et al. 2017)."""

    def call(self, x):
        time, features = x.shape[1:]
        angles = np.arange(time)[:, None] / 10000.0 ** (np.arange(features) // 2 * 2 / features)
        waves = np.where(np.arange(features) % 2, np.cos(angles), np.sin(angles))
        return x + tf.constant(waves, x.dtype)
