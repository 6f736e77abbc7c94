"""Layers that Keras does not have, or has with another meaning. They can be saved and loaded like Keras's own."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("dotnn")
def gelu(z):
    """Gelu in its tanh form; Keras's default is the form with erf."""
    return tf.nn.gelu(z, approximate=True)


@keras.saving.register_keras_serializable("dotnn")
class Threshold(keras.layers.Layer):
    """The McCulloch-Pitts unit: 1 from the threshold on, else 0. Nothing before it learns."""

    def __init__(self, at=0.0, **options):
        super().__init__(**options)
        self.at = at

    def call(self, z):
        return tf.cast(z >= self.at, z.dtype)

    def get_config(self):
        return {**super().get_config(), "at": self.at}


@keras.saving.register_keras_serializable("dotnn")
class PReLU(keras.layers.PReLU):
    """Keras's own has slope 0 where z is exactly 0; here the slope below zero holds there, too."""

    def call(self, z):
        return tf.where(z > 0, z, self.alpha * z)


@keras.saving.register_keras_serializable("dotnn")
class SteepReLU(keras.layers.Layer):
    """A leaky relu whose slope below zero may be negative, which Keras's own refuses."""

    def __init__(self, slope, **options):
        super().__init__(**options)
        self.slope = slope

    def call(self, z):
        return tf.where(z > 0, z, self.slope * z)

    def get_config(self):
        return {**super().get_config(), "slope": self.slope}


@keras.saving.register_keras_serializable("dotnn")
class Select(keras.layers.Layer):
    """A switch: the sum of the branches, each times its entry of the first operand."""

    def call(self, operands):
        switch, *branches = operands
        return tf.add_n([switch[..., k : k + 1] * branch for k, branch in enumerate(branches)])
