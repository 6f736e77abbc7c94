"""Schedules, clipping, constraints and whole trainings against Keras."""

from types import SimpleNamespace

import numpy as np
import pytest
from support import STYLES, double_precision, generic_point, module_of

pytest.importorskip("tensorflow")
import keras

from dotnn_runtime.script.clipping import clip_by_global_norm, clip_by_norm, clip_by_value
from dotnn_runtime.script.constraints import max_norm
from dotnn_runtime.script.plateau import Plateau

STEPS, EPOCH = 50, 10
NETWORK = """model M {{ input x: [4]  target y: class[3]  output p = x -> dense(8, tanh) -> dense(3, softmax) }}
train {{ loss = cross_entropy(p, y)  batch = all  epochs = 20  {train} }}"""


@pytest.fixture(autouse=True)
def in_double_precision():
    with double_precision():
        yield


decay = keras.optimizers.schedules
SCHEDULES = {
    "cosine(0.1)": lambda: decay.CosineDecay(0.1, STEPS),
    "cosine(0.1, end = 0.02)": lambda: decay.CosineDecay(0.1, STEPS, alpha=0.2),
    "cosine(0.1, warmup = 20%)": lambda: decay.CosineDecay(0.0, STEPS - 10, warmup_target=0.1, warmup_steps=10),
    "linear(0.1, end = 0.01)": lambda: decay.PolynomialDecay(0.1, STEPS, 0.01),
    "exponential(0.1, rate = 0.7, every = 8)": lambda: decay.ExponentialDecay(0.1, 8, 0.7),
    "exponential(0.1)": lambda: decay.ExponentialDecay(0.1, EPOCH, 0.96),
    "step(0.1, every = 8, factor = 0.7)": lambda: decay.ExponentialDecay(0.1, 8, 0.7, staircase=True),
}


@pytest.mark.parametrize("call", SCHEDULES)
def test_schedule(call):
    rate = module_of(NETWORK.format(train=f"optim = sgd({call})")).learning_rate
    expected = SCHEDULES[call]()
    found = [rate(step, STEPS, EPOCH) for step in range(STEPS)]
    # Keras computes in single precision.
    np.testing.assert_allclose(found, [float(expected(k)) for k in range(STEPS)], rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(
    ("options", "clip"),
    [
        ({"clipvalue": 0.5}, lambda g: clip_by_value(g, 0.5)),
        ({"clipnorm": 0.5}, lambda g: clip_by_norm(g, 0.5)),
        ({"global_clipnorm": 0.5}, lambda g: clip_by_global_norm(g, 0.5)),
        ({"global_clipnorm": 1e3}, lambda g: clip_by_global_norm(g, 1e3)),
    ],
    ids=["value", "norm", "global_norm", "global_norm_not_reached"],
)
def test_clipping(options, clip):
    rng = np.random.default_rng(0)
    grads = {name: rng.standard_normal(shape) for name, shape in (("a", (4, 3)), ("b", (3,)), ("c", ()))}
    variables = [keras.Variable(np.zeros(g.shape), dtype="float64") for g in grads.values()]
    keras.optimizers.SGD(1.0, **options).apply(list(map(keras.ops.convert_to_tensor, grads.values())), variables)
    for variable, g in zip(variables, clip(grads).values(), strict=True):
        np.testing.assert_allclose(-variable.numpy(), g, rtol=1e-12)


@pytest.mark.parametrize("shape", [(4, 3), (2, 2, 4, 3)])
def test_max_norm(shape):
    w = np.random.default_rng(0).standard_normal(shape)
    expected = keras.constraints.MaxNorm(1.5, axis=list(range(len(shape) - 1)))(w)
    # Keras divides by the norm plus 1e-7, which also shrinks what is short enough.
    np.testing.assert_allclose(max_norm(w, 1.5), expected, rtol=1e-6)


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("cooldown", [0, 1, 2, 3])
def test_plateau(mode, cooldown):
    options = {"factor": 0.5, "patience": 2, "min_delta": 0.05, "cooldown": cooldown}
    model = SimpleNamespace(optimizer=SimpleNamespace(learning_rate=np.float64(1.0)))
    callback = keras.callbacks.ReduceLROnPlateau("loss", mode=mode, min_lr=0.01, **options)
    callback.set_model(model)
    callback.on_train_begin()
    ours = Plateau(1.0, least=0.01, sign=1 if mode == "min" else -1, **options)
    rates = []
    for epoch, loss in enumerate(np.random.default_rng(1).uniform(0, 1, 60).round(2)):
        callback.on_epoch_end(epoch, {"loss": loss})
        ours.observe(loss)
        rates.append(ours.lr)
        assert ours.lr == pytest.approx(float(model.optimizer.learning_rate), rel=1e-6)
    assert len(set(rates)) > 3


def keras_training(module, params, batch, optimizer, constraint=None):
    """Twenty full-batch steps of the same network, from the same parameters."""
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(8, "tanh", kernel_constraint=constraint),
            keras.layers.Dense(3, kernel_constraint=constraint),
        ]
    )
    model.set_weights(list(params.values()))
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    for _ in range(20):
        model.train_on_batch(batch["x"], batch["y"])
    return dict(zip(params, model.get_weights(), strict=True))


TRAININGS = {
    "sgd(cosine(0.5, warmup = 5), momentum = 0.9)  clip = global_norm(0.1)": lambda: (
        keras.optimizers.SGD(
            decay.CosineDecay(0.0, 15, warmup_target=0.5, warmup_steps=5), momentum=0.9, global_clipnorm=0.1
        ),
    ),
    "sgd(0.5, momentum = 0.9, nesterov = true)  clip = norm(0.05)": lambda: (
        keras.optimizers.SGD(0.5, momentum=0.9, nesterov=True, clipnorm=0.05),
    ),
    "rmsprop(step(0.01, every = 4, factor = 0.5))  clip = value(0.02)": lambda: (
        keras.optimizers.RMSprop(decay.ExponentialDecay(0.01, 4, 0.5, staircase=True), clipvalue=0.02),
    ),
    "adagrad(exponential(0.1, 0.5, every = 50%))  constraint = max_norm(1)": lambda: (
        keras.optimizers.Adagrad(decay.ExponentialDecay(0.1, 10, 0.5)),
        keras.constraints.MaxNorm(1.0),
    ),
    "adam(linear(0.01), epsilon = 1e-12)  constraint = bounds(0, 1e30)": lambda: (
        keras.optimizers.Adam(decay.PolynomialDecay(0.01, 20, 0.0), epsilon=1e-12),
        keras.constraints.NonNeg(),
    ),
}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("train", TRAININGS)
def test_training(train, style):
    """Keras's rate has single precision; Adam's epsilon, which Keras places elsewhere, is too small to matter."""
    module = module_of(NETWORK.format(train=f"optim = {train}"), style)
    params, batch = generic_point(module, examples=12)
    expected = keras_training(module, params, batch, *TRAININGS[train]())
    found, _ = module.train(batch, params=params, dtype=np.float64)
    for name, w in expected.items():
        assert np.abs(w - params[name]).max() > 1e-3 or name.endswith(".b")
        np.testing.assert_allclose(found[name], w, rtol=1e-5, atol=2e-6, err_msg=name)
