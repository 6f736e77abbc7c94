"""Layers against Keras: outputs and gradients on the same weights in float64, in training and in prediction mode."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from support import STYLES, generic_point, module_of

tf = pytest.importorskip("tensorflow")
keras = tf.keras
layers = keras.layers


@dataclass(frozen=True)
class Case:
    """A layer in a spec, its twin in Keras, and how that is called; weights go over in Keras's order of names."""

    inputs: str
    call: str
    twin: object
    weights: tuple[str, ...] = ()
    arguments: object = field(default=lambda x: (x["x"],))
    options: object = field(default=lambda x: {})


ATTENTION = tuple(f"{part}{role}" for role in "qkvo" for part in "Wb")


def twin_attention(heads, key_dim, **options):
    """Keras divides by the root of key_dim in float32: it must be a square, for the root to be exact."""
    return lambda: layers.MultiHeadAttention(heads, key_dim, dtype="float64", **options)


CASES = {
    "batchnorm of features": Case(
        "x: [4]", "batchnorm(x)", lambda: layers.BatchNormalization(dtype="float64"), ("gamma", "beta", "mean", "var")
    ),
    "batchnorm of images": Case(
        "x: [3, 2, 4]", "batchnorm(x, momentum = 0.7, epsilon = 0.1)",
        lambda: layers.BatchNormalization(momentum=0.7, epsilon=0.1, dtype="float64"), ("gamma", "beta", "mean", "var"),
    ),
    "batchnorm of a sequence, neither scaled nor shifted": Case(
        "x: [3, 4]", "batchnorm(x, gamma = false, beta = false)",
        lambda: layers.BatchNormalization(scale=False, center=False, dtype="float64"), ("mean", "var"),
    ),
    "layernorm of features": Case(
        "x: [5]", "layernorm(x)", lambda: layers.LayerNormalization(dtype="float64"), ("gamma", "beta")
    ),
    "layernorm of images, not shifted": Case(
        "x: [3, 2, 4]", "layernorm(x, beta = false, epsilon = 0.01)",
        lambda: layers.LayerNormalization(center=False, epsilon=0.01, dtype="float64"), ("gamma",),
    ),
    "embedding": Case(
        "x: int[6]", "embedding(x, 7, 3)", lambda: layers.Embedding(7, 3, dtype="float64"), ("W",)
    ),
    "one_hot": Case(
        "x: int[6]", "one_hot(x, 7)", lambda: lambda ids: tf.one_hot(ids, 7, dtype="float64")
    ),
    "attention": Case(
        "q: [5, 4] input k: [3, 4] input v: [3, 2]", "attention(q, k, v)",
        lambda: layers.Attention(dtype="float64"), (), lambda x: ([x["q"] / 2.0, x["v"], x["k"]],),
    ),
    "causal attention": Case(
        "x: [5, 4]", "attention(x, x, x, causal = true)", lambda: layers.Attention(dtype="float64"), (),
        lambda x: ([x["x"] / 2.0, x["x"], x["x"]],), lambda x: {"use_causal_mask": True},
    ),
    "masked attention": Case(
        "x: [5, 4] input m: [5]", "attention(x, x, x, m)", lambda: layers.Attention(dtype="float64"), (),
        lambda x: ([x["x"] / 2.0, x["x"], x["x"]],), lambda x: {"mask": [None, x["m"] > 0.5]},
    ),
    "self-attention": Case(
        "x: [5, 6]", "multi_head_attention(x, 2, 4)", twin_attention(2, 4), ATTENTION, lambda x: (x["x"], x["x"])
    ),
    "causal self-attention without bias": Case(
        "x: [5, 6]", "multi_head_attention(x, 3, 4, value_dim = 2, bias = false, causal = true)",
        twin_attention(3, 4, value_dim=2, use_bias=False), ATTENTION[::2], lambda x: (x["x"], x["x"]),
        lambda x: {"use_causal_mask": True},
    ),
    "cross-attention": Case(
        "x: [5, 6] input v: [3, 4]", "multi_head_attention(x, v, 2, 4)", twin_attention(2, 4), ATTENTION,
        lambda x: (x["x"], x["v"]),
    ),
    "masked cross-attention with keys of their own": Case(
        "x: [5, 6] input v: [3, 4] input k: [3, 2] input m: [3]", "multi_head_attention(x, v, k, m, 2, 4)",
        twin_attention(2, 4), ATTENTION, lambda x: (x["x"], x["v"], x["k"]),
        lambda x: {"attention_mask": (x["m"] > 0.5)[:, None, :]},
    ),
}  # fmt: skip


@pytest.fixture(params=CASES)
def case(request):
    return CASES[request.param]


def our_module(case, style):
    """The layer alone between inputs and a sum of squares."""
    shape = output_shape(case)
    text = f"model M {{ input {case.inputs}  target t: {list(shape)}  output y = {case.call} }}"
    return module_of(f"{text} train {{ loss = sse(y, t) }}", style, input_gradients=True)


def output_shape(case):
    """What the twin makes of one example."""
    batch = {}
    for declared in case.inputs.split(" input "):
        name, _, shape = declared.partition(": ")
        kind = "int64" if shape.startswith("int") else "float64"
        batch[name] = tf.ones((1, *map(int, shape.removeprefix("int").strip("[]").split(","))), kind)
    return tuple(apply(case, case.twin(), batch, False).shape[1:])


def apply(case, twin, batch, training):
    options = case.options(batch)
    if isinstance(twin, layers.Layer):
        options["training"] = training
    return twin(*case.arguments(batch), **options)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("training", [True, False])
def test_outputs_and_gradients(case, training, style):
    module = our_module(case, style)
    params, batch = generic_point(module, 3, examples=4)
    outputs, _ = module.forward(params, batch, training=training)
    loss, grads = module.loss_and_grads(params, batch, training=training)

    twin = case.twin()
    tensors = {name: tf.constant(value) for name, value in batch.items()}
    apply(case, twin, tensors, False)  # builds it
    names = [f"y.{name}" for name in case.weights]
    if names:
        twin.set_weights([params[name] for name in names])
    with tf.GradientTape() as tape:
        tape.watch(list(tensors.values()))
        y = apply(case, twin, tensors, training)
        expected = tf.reduce_sum((tensors["t"] - y) ** 2)
    np.testing.assert_allclose(outputs["y"], y, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(loss, expected, rtol=1e-9)
    trained = {n: v for n, v in zip(names, getattr(twin, "weights", ()), strict=True) if n in module.PARAMS}
    sources = {n: v.value for n, v in trained.items()} | {n: tensors[n] for n in module.INPUTS if n in grads}
    assert grads.keys() == sources.keys()
    for name, found in tape.gradient(expected, sources, unconnected_gradients="zero").items():
        found = tf.convert_to_tensor(found).numpy()  # that of an embedding comes in slices
        atol = 1e-9 * max(np.abs(found).max(), 1e-3)
        np.testing.assert_allclose(grads[name], found, rtol=0, atol=atol, err_msg=name)


TRAINED = """
model M {
  input  x: [3]
  target t: [2]
  h = x -> dense(5, bias = false) -> batchnorm(momentum = 0.8) -> tanh
  output y = h -> dense(2)
}
train { loss = mse(y, t)  optim = sgd(0.1)  batch = 4  epochs = 3  shuffle = false }
"""


@pytest.mark.parametrize("style", STYLES)
def test_running_statistics_over_a_training(style):
    """The same weights and statistics after nine steps, and the same predictions from them."""
    module = module_of(TRAINED, style)
    start, data = generic_point(module, 1, examples=12)
    params, _ = module.train(data, params=start, dtype=np.float64)

    hidden = layers.Dense(5, use_bias=False, dtype="float64")
    norm = layers.BatchNormalization(momentum=0.8, dtype="float64")
    act, last = layers.Activation("tanh", dtype="float64"), layers.Dense(2, dtype="float64")
    twin = keras.Sequential([keras.Input((3,), dtype="float64"), hidden, norm, act, last])
    names = ["h.dense1.W", *(f"h.batchnorm1.{n}" for n in ("gamma", "beta", "mean", "var")), "y.W", "y.b"]
    twin.set_weights([start[name] for name in names])
    for step in range(9):
        rows = slice(4 * (step % 3), 4 * (step % 3) + 4)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((twin(data["x"][rows], training=True) - data["t"][rows]) ** 2)
        for weight, gradient in zip(twin.trainable_weights, tape.gradient(loss, twin.trainable_weights), strict=True):
            weight.assign_sub(0.1 * gradient)
    for name, expected in zip(names, twin.get_weights(), strict=True):
        np.testing.assert_allclose(params[name], expected, rtol=1e-9, atol=1e-12, err_msg=name)
    np.testing.assert_allclose(module.predict(params, {"x": data["x"]})["y"], twin(data["x"]), rtol=1e-9)
