"""Pooling of volumes, which TensorFlow has in single precision only."""

import keras


@keras.saving.register_keras_serializable("dotnn")
class VolumePooling(keras.layers.Layer):
    """The maximum or the mean under a window: over rows and columns of each plane, then over the planes."""

    def __init__(self, kind, window, stride, padding="valid", **options):
        super().__init__(**options)
        self.kind, self.window, self.stride, self.padding = kind, tuple(window), tuple(stride), padding

    def pooled(self, x, axes):
        """Pool along one axis or two."""
        pool = keras.ops.max_pool if self.kind == "max" else keras.ops.average_pool
        return pool(x, self.window[axes], self.stride[axes], self.padding)

    def call(self, x):
        _, planes, rows, columns, channels = x.shape
        images = self.pooled(keras.ops.reshape(x, (-1, rows, columns, channels)), slice(1, None))
        _, rows, columns, _ = images.shape
        lines = self.pooled(keras.ops.reshape(images, (-1, planes, rows * columns * channels)), slice(0, 1))
        return keras.ops.reshape(lines, (-1, lines.shape[1], rows, columns, channels))

    def get_config(self):
        own = {"kind": self.kind, "window": self.window, "stride": self.stride, "padding": self.padding}
        return {**super().get_config(), **own}
