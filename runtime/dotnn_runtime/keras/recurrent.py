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
