"""TensorFlow without Keras: a whole epoch inside one `tf.function`; the variant xla compiles it."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

from peers.workloads import CannotDo

MANY = 1000  # epochs in one call where an epoch is a single step


def loss_of(w, p, x, y):
    def dense(key, x):
        return tf.nn.bias_add(x @ p["W" + key], p["b" + key])

    relu = tf.nn.relu
    if w.kind == "dag":
        h = relu(dense("i", x))
        h = relu(h + dense("b", relu(dense("a", h))))
        h = relu(h + dense("d", relu(dense("c", h))))
        z = dense("o", tf.concat([h, dense("w", x)], 1))
    elif w.kind == "cnn":
        for key, pad in (("1", "SAME"), ("2", "VALID")):
            z = tf.nn.bias_add(tf.nn.conv2d(x, p["K" + key], 1, pad), p["c" + key])
            x = tf.nn.max_pool2d(relu(z), 2, 2, "VALID")
        z = dense("5", relu(dense("4", relu(dense("3", tf.reshape(x, (w.batch, -1)))))))
    else:
        last = len(p) // 2
        for i in range(1, last):
            x = (tf.tanh if w.kind == "xor" else relu)(dense(str(i), x))
        z = dense(str(last), x)
    if w.kind == "xor":
        return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=z))
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=z))


class Runner:
    def __init__(self, workload, variant, threads):
        if workload.length:
            raise CannotDo("no recurrent network is written here")
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
        self.w = w = workload
        self.unit = MANY if w.count == w.batch else 1
        self.x, self.y = (tf.constant(a) for a in w.data())
        self.rng = np.random.default_rng(3)
        p = {k: tf.Variable(v, name=k) for k, v in w.init().items()}
        m, v = ({k: tf.Variable(tf.zeros_like(a)) for k, a in p.items()} for _ in range(2))
        t = tf.Variable(0.0)

        def update(grads):
            if w.optimizer == "adam":
                t.assign_add(1.0)
                c1, c2 = -tf.math.expm1(t * np.log(w.beta1)), -tf.math.expm1(t * np.log(w.beta2))
                alpha, eps = w.lr * tf.sqrt(c2) / c1, w.eps * tf.sqrt(c2)
            for k, g in grads.items():
                if w.optimizer == "adam":
                    m[k].assign_add((g - m[k]) * (1 - w.beta1))
                    v[k].assign_add((tf.square(g) - v[k]) * (1 - w.beta2))
                    p[k].assign_sub(alpha * m[k] / (tf.sqrt(v[k]) + eps))
                elif w.optimizer == "momentum":
                    m[k].assign(w.mu * m[k] + g)
                    p[k].assign_sub(w.lr * m[k])
                else:
                    p[k].assign_sub(w.lr * g)

        def step(x, y, rows):
            if w.count != w.batch:
                x, y = tf.gather(x, rows), tf.gather(y, rows)
            with tf.GradientTape() as tape:
                loss = loss_of(w, p, x, y)
            update(tape.gradient(loss, p))
            return loss

        @tf.function(jit_compile=variant == "xla")
        def epoch(x, y, order):
            loss = tf.constant(0.0)
            for i in tf.range(order.shape[0]):
                loss = step(x, y, order[i])
            return loss

        self.epoch = epoch

    def run(self, epochs):
        w = self.w
        for _ in range(epochs // self.unit):
            if self.unit > 1:
                order = np.zeros((self.unit, 1), np.int32)
            else:
                order = self.rng.permutation(w.count).astype(np.int32).reshape(w.steps, w.batch)
            loss = self.epoch(self.x, self.y, tf.constant(order))
        return float(loss)


def build(workload, variant, threads):
    return Runner(workload, variant, threads)
