"""Recurrent layers with a meaning that Keras's do not have. They can be saved and loaded like Keras's own."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("dotnn")
class HeldRNN(keras.layers.RNN):
    """A recurrent layer that hands its first state out after
    every step, masked ones too; Keras's own begins with zeros.
    """

    def stops(self, length):
        """Where the gradient stops."""
        return tf.zeros(length, "bool")

    def inner_loop(self, sequences, initial_state, mask, training=False):
        """Return the last output, all outputs in the order
        of reading, and the last states, as Keras's own does.
        """
        length, backwards = sequences.shape[1], self.go_backwards
        seen = tf.ones(tf.shape(sequences)[:2], "bool") if mask is None else tf.cast(mask, "bool")
        if training and hasattr(self.cell, "begin"):
            self.cell.begin(sequences[:, 0], initial_state[0])

        def step(states, now):
            x, seen, cut = now
            before = [tf.where(cut, tf.stop_gradient(state), state) for state in states]
            _, after = self.cell(x, before, training=training)
            return [tf.where(seen[:, None], new, old) for new, old in zip(after, before, strict=True)]

        by_time = tf.transpose(sequences, (1, 0, 2)), tf.transpose(seen), self.stops(length)
        states = tf.scan(step, by_time, list(initial_state), reverse=backwards)
        states = [state[::-1] if backwards else state for state in states]
        return states[0][-1], tf.transpose(states[0], (1, 0, 2)), [state[-1] for state in states]


@keras.saving.register_keras_serializable("dotnn")
class TruncatedRNN(HeldRNN):
    """A recurrent layer whose gradient stops every `truncate`
    steps; the state is carried on (Williams and Peng 1990).

    The steps are counted in the order of time, also where the sequence is read backwards.
    """

    def __init__(self, cell, truncate, **options):
        super().__init__(cell, **options)
        self.truncate = truncate

    def stops(self, length):
        """Where the gradient stops."""
        return (tf.range(length) + int(self.go_backwards)) % self.truncate == 0

    def get_config(self):
        return {**super().get_config(), "truncate": self.truncate}


@keras.saving.register_keras_serializable("dotnn")
class CarriedRNN(TruncatedRNN):
    """A recurrent layer whose state goes on from batch to batch while it
    is trained: row k goes on where row k of the batch before has ended.

    As Keras's own with `stateful`, for batches of any length up to
    `rows`; outside of training it begins as it did at first.
    """

    def __init__(self, cell, rows, truncate=0, **options):
        super().__init__(cell, truncate, **options)
        self.rows = rows

    def stops(self, length):
        """Where the gradient stops."""
        return super().stops(length) if self.truncate else tf.zeros(length, "bool")

    def build(self, sequences_shape, initial_state_shape=None):
        super().build(sequences_shape, initial_state_shape)
        self.carried = []
        for i, size in enumerate(tf.nest.flatten(self.cell.state_size)):
            shape, name = (self.rows, size), f"carried_{i}"
            state = self.add_weight(shape=shape, initializer="zeros", trainable=False, name=name)
            self.carried.append(state)
            setattr(self, name, state)

    def inner_loop(self, sequences, initial_state, mask, training=False):
        """Return what the loop does, and keep where it has ended."""
        if not training:
            return super().inner_loop(sequences, initial_state, mask, training)
        count = tf.shape(sequences)[0]
        missing = tf.maximum(0, count - self.rows)  # a longer batch begins with zeros in its last rows
        states = [tf.convert_to_tensor(state) for state in self.carried]
        starts = [tf.pad(state[:count], [[0, missing], [0, 0]]) for state in states]
        last, outputs, ends = super().inner_loop(sequences, starts, mask, training)
        for variable, state, end in zip(self.carried, states, ends, strict=True):
            variable.assign(tf.concat([tf.stop_gradient(end[: self.rows]), state[count:]], axis=0))
        return last, outputs, ends

    def get_config(self):
        return {**super().get_config(), "rows": self.rows}


def tied(masks):
    """The first of a cell's masks in place of each."""
    return masks and masks[:1] * len(masks)


class TiedMasks(keras.layers.Layer):
    """One dropout mask for all gates of a cell (Gal and Ghahramani 2016); Keras draws one for each."""

    def get_dropout_mask(self, x):
        return tied(super().get_dropout_mask(x))

    def get_recurrent_dropout_mask(self, h):
        return tied(super().get_recurrent_dropout_mask(h))


@keras.saving.register_keras_serializable("dotnn")
class TiedLSTMCell(TiedMasks, keras.layers.LSTMCell):
    """An LSTM cell with tied masks."""


@keras.saving.register_keras_serializable("dotnn")
class TiedGRUCell(TiedMasks, keras.layers.GRUCell):
    """A GRU cell with tied masks."""
