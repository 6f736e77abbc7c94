"""Layers that Keras does not have, or has with another meaning.

They can be saved and loaded like Keras's own.
"""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("dotnn")
def gelu(z):
    """z/2 (1 + tanh(sqrt(2/pi) (z + 0.044715 z^3))) (Hendrycks and Gimpel 2016); Keras's default has erf."""
    u = tf.clip_by_value(z, -30.0, 30.0)  # the result is 0 or z from there on, and z^3 may overflow
    return z * tf.sigmoid(1.5957691216057308 * (u + 0.044715 * u * u * u))  # 1 + tanh loses small values


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
class PReLU(keras.layers.Layer):
    """One learned slope per unit, for z <= 0; Keras's own has slope 0 where z is exactly 0."""

    def build(self, input_shape):
        self.alpha = self.add_weight(shape=input_shape[-1:], initializer="zeros", name="alpha")

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
class StrongNoise(keras.layers.GaussianNoise):
    """Gaussian noise of any standard deviation; Keras's own refuses one above 1."""

    def __init__(self, stddev, **options):
        super().__init__(min(stddev, 1.0), **options)
        self.stddev = stddev


@keras.saving.register_keras_serializable("dotnn")
class LastingDropout(keras.layers.Dropout):
    """Dropout that stays on in prediction; a functional model overrules `training=True` of a call."""

    def call(self, x, training=None):
        return super().call(x, training=True)


@keras.saving.register_keras_serializable("dotnn")
class Noise(keras.layers.Layer):
    """Numbers that are drawn anew for each example, in prediction, too; the operand says for how many."""

    def __init__(self, shape, draw, *, name=None, trainable=True, dtype=None, **numbers):
        super().__init__(name=name, trainable=trainable, dtype=dtype)
        self.shape, self.draw, self.numbers = tuple(shape), draw, numbers
        self.seed_generator = keras.random.SeedGenerator()

    def call(self, x):
        draw = getattr(keras.random, self.draw)
        numbers = {name: float(value) for name, value in self.numbers.items()}
        shape = (keras.ops.shape(x)[0], *self.shape)
        return draw(shape, **numbers, dtype=self.compute_dtype, seed=self.seed_generator)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], *self.shape)

    def get_config(self):
        return {**super().get_config(), "shape": self.shape, "draw": self.draw, **self.numbers}


@keras.saving.register_keras_serializable("dotnn")
class Select(keras.layers.Layer):
    """A switch: the sum of the branches, each times its entry of the first operand."""

    def call(self, operands):
        switch, *branches = operands
        axes = [1] * (len(branches[0].shape) - 1)
        return tf.add_n([tf.reshape(switch[:, k], [-1, *axes]) * branch for k, branch in enumerate(branches)])


@keras.saving.register_keras_serializable("dotnn")
class Formula(keras.layers.Layer):
    """A function of one or more values."""

    def __init__(self, function, **options):
        super().__init__(**options)
        self.function = (
            keras.saving.deserialize_keras_object(function) if isinstance(function, dict) else function
        )

    def call(self, operands):
        return self.function(*operands) if isinstance(operands, list | tuple) else self.function(operands)

    def get_config(self):
        return {**super().get_config(), "function": keras.saving.serialize_keras_object(self.function)}


class OwnParameters(keras.layers.Layer):
    """A layer with parameters by name: `shapes` says which, tables what is done to some of them."""

    def __init__(self, regularizers=None, constraints=None, **options):
        super().__init__(**options)
        self.regularizers = {
            name: keras.regularizers.get(kind) for name, kind in (regularizers or {}).items()
        }
        self.constraints = {name: keras.constraints.get(kind) for name, kind in (constraints or {}).items()}

    def build(self, input_shape):
        self.made = {
            name: self.add_weight(
                name=name.replace(".", "_"),
                shape=tuple(shape),
                regularizer=self.regularizers.get(name),
                constraint=self.constraints.get(name),
            )
            for name, shape in self.shapes.items()
        }

    def own(self, name):
        return self.made[name]

    def tensors(self):
        return [tf.convert_to_tensor(variable) for variable in self.made.values()]

    def get_config(self):
        kinds = {
            "regularizers": {n: keras.regularizers.serialize(kind) for n, kind in self.regularizers.items()},
            "constraints": {n: keras.constraints.serialize(kind) for n, kind in self.constraints.items()},
        }
        return {**super().get_config(), **kinds}


@keras.saving.register_keras_serializable("dotnn")
class Parameters(OwnParameters):
    """Parameters by their names, as tensors: what a block owns. The operand only says where they are used."""

    def __init__(self, shapes, **options):
        super().__init__(**options)
        self.shapes = shapes

    def call(self, operand):
        return tuple(self.tensors())

    def get_config(self):
        return {**super().get_config(), "shapes": self.shapes}


class SpecCell(OwnParameters):
    """The step of a recurrent layer that a spec defines.

    A subclass says how wide its inputs are, which stand side by
    side; its states by name, each with its width and its first
    value; the shapes of its parameters; and `step`.
    """

    def __init__(self, **options):
        super().__init__(**options)
        self.state_size = [width for width, _ in self.states.values()]

    def get_initial_state(self, batch_size=None):
        firsts = [(width, tf.constant(first, self.compute_dtype)) for width, first in self.states.values()]
        return [tf.fill((batch_size, width), first) for width, first in firsts]

    def call(self, x, states, training=None):
        pieces = tf.split(x, self.inputs, axis=-1)
        return self.step(*pieces, *states, *self.tensors())


@keras.saving.register_keras_serializable("dotnn")
class SilencedCell(SpecCell):
    """A step with dropout of its inputs, and of the state that
    is handed out, where products with parameters see it.

    Both masks are drawn before the first step, and are the same in all.
    """

    def __init__(self, dropout=0.0, recurrent_dropout=0.0, **options):
        super().__init__(**options)
        self.dropout, self.recurrent_dropout = dropout, recurrent_dropout
        self.seed_generator = keras.random.SeedGenerator()

    def get_dropout_mask(self, x):
        return keras.random.dropout(tf.ones_like(x), self.dropout, seed=self.seed_generator)

    def get_recurrent_dropout_mask(self, h):
        return keras.random.dropout(tf.ones_like(h), self.recurrent_dropout, seed=self.seed_generator)

    def begin(self, x, h):
        """Draw the masks, for an example of inputs and the first state."""
        self.seen = self.get_dropout_mask(x) if self.dropout else tf.ones_like(x)
        self.kept = self.get_recurrent_dropout_mask(h) if self.recurrent_dropout else tf.ones_like(h)

    def call(self, x, states, training=None):
        first = states[0]
        if training:
            x, first = x * self.seen, first * self.kept
        pieces = tf.split(x, self.inputs, axis=-1)
        return self.step(*pieces, *states, *self.tensors(), *([first] if self.recurrent_dropout else []))

    def get_config(self):
        rates = {"dropout": self.dropout, "recurrent_dropout": self.recurrent_dropout}
        return {**super().get_config(), **rates}


@keras.saving.register_keras_serializable("dotnn")
class Borrowed(keras.layers.Layer):
    """A parameter of another layer as a tensor. The operand only says where it is used."""

    def __init__(self, owner, attribute, row=None, **options):
        super().__init__(**options)
        self.owner = keras.saving.deserialize_keras_object(owner) if isinstance(owner, dict) else owner
        self.attribute, self.row = attribute, row

    def call(self, operand):
        found = self.owner
        for name in self.attribute.split("."):
            found = getattr(found, name)
        return tf.convert_to_tensor(found if self.row is None else found[self.row])

    def get_config(self):
        owner = keras.saving.serialize_keras_object(self.owner)
        return {**super().get_config(), "owner": owner, "attribute": self.attribute, "row": self.row}


@keras.saving.register_keras_serializable("dotnn")
class AnyRankBatchNormalization(keras.layers.BatchNormalization):
    """Batch normalisation of vectors and of sequences or images by one layer; Keras's own is for one kind."""

    def build(self, input_shape):
        super().build((None, input_shape[-1]))
        self.input_spec = None

    def call(self, x, training=None):
        rows = super().call(keras.ops.reshape(x, (-1, x.shape[-1])), training=training)
        return keras.ops.reshape(rows, (-1, *x.shape[1:]))


@keras.saving.register_keras_serializable("dotnn")
class After(keras.layers.Layer):
    """The first operand, not before the second is there: Keras runs layers in an order of its own.

    A layer with state that is used several times is renewed
    by one use after the other, in the order of the spec.
    """

    def call(self, operands):
        return operands[0]
