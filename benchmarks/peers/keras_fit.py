"""Keras 3 on TensorFlow: `model.fit`; the variant spe50 runs 50 steps per call (`steps_per_execution`)."""

from __future__ import annotations

import os
from functools import partial

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
import tensorflow as tf
from keras import layers as L


def network(w):
    p, made = w.init(), []

    def dense(key, x, activation=None):
        layer = L.Dense(p["W" + key].shape[1], activation=activation)
        made.append((layer, [p["W" + key], p["b" + key]]))
        return layer(x)

    def conv(key, x, padding):
        layer = L.Conv2D(p["K" + key].shape[-1], 5, padding=padding, activation="relu")
        made.append((layer, [p["K" + key], p["c" + key]]))
        return L.MaxPooling2D()(layer(x))

    steps = (w.length,) if w.length else ()
    x = y = keras.Input((28, 28, 1) if w.kind == "cnn" else (*steps, w.dims[0]))
    if w.length:
        cell = (L.LSTM if w.kind == "lstm" else L.SimpleRNN)(w.dims[1])
        made.append((cell, [p["W"], p["U"], p["b"]]))
        y = dense("o", cell(x))
    elif w.kind == "dag":
        h = dense("i", x, "relu")
        h = L.Activation("relu")(L.Add()([h, dense("b", dense("a", h, "relu"))]))
        h = L.Activation("relu")(L.Add()([h, dense("d", dense("c", h, "relu"))]))
        y = dense("o", L.Concatenate()([h, dense("w", x)]))
    elif w.kind == "cnn":
        y = L.Flatten()(conv("2", conv("1", x, "same"), "valid"))
        y = dense("5", dense("4", dense("3", y, "relu"), "relu"))
    else:
        last = len(p) // 2
        for i in range(1, last):
            y = dense(str(i), y, "tanh" if w.kind == "xor" else "relu")
        y = dense(str(last), y)
    model = keras.Model(x, y)
    for layer, weights in made:
        layer.set_weights(weights)
    return model


class Runner:
    def __init__(self, workload, variant, threads):
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
        self.w = w = workload
        self.x, self.y = w.data()
        self.model = network(w)
        if w.optimizer == "adam":
            optimizer = keras.optimizers.Adam(w.lr, w.beta1, w.beta2, epsilon=w.eps, global_clipnorm=w.clip or None)
        else:
            optimizer = keras.optimizers.SGD(w.lr, momentum=w.mu if w.optimizer == "momentum" else 0.0)
        losses = keras.losses
        loss = {
            "xor": partial(losses.BinaryCrossentropy, from_logits=True),
            "rnn": losses.MeanSquaredError,
        }.get(w.kind, partial(losses.SparseCategoricalCrossentropy, from_logits=True))
        options = {"steps_per_execution": min(50, w.steps)} if variant == "spe50" else {}
        self.model.compile(optimizer, loss(), **options)

    def run(self, epochs):
        w = self.w
        history = self.model.fit(self.x, self.y, w.batch, epochs, verbose=0, shuffle=w.count > w.batch)
        return history.history["loss"][-1]


def build(workload, variant, threads):
    return Runner(workload, variant, threads)
