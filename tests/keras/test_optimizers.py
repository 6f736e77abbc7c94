"""Keras's optimizers beside our equations, step by step in double precision: which of them the script may have."""

import math

import numpy as np
import pytest
from support import SPECS, as_module, double_precision, model_of

pytest.importorskip("tensorflow")

import keras

from dotnn.library.optimizers import OPTIMIZERS
from dotnn.session import Options, compile_model
from dotnn.targets.keras import rules

# float32, in which Keras keeps a learning rate, holds them exactly
NUMBERS = {"lr": 0.125, "momentum": 0.875, "rho": 0.875, "epsilon": 2.0**-20, "start": 0.125}
NUMBERS |= {"beta1": 0.875, "beta2": 0.96875, "decay": 0.0625, "nesterov": False}
GRADIENTS = np.random.default_rng(3).standard_normal((8, 2, 3)) * np.array([1.0, 1e-3, 1e-6])
START = np.linspace(-1, 1, 6).reshape(2, 3)


def ours(name, attrs):
    """The weights after each step, by the equations as they stand."""
    entry = OPTIMIZERS[name]
    now = {"w": START, **{slot: np.full_like(START, start) for slot, start in entry.slots(attrs).items()}}
    for t, g in enumerate(GRADIENTS, 1):
        for line in entry.equations(attrs):
            formula = str(line.value).replace("^", "**")
            now[line.target] = eval(formula, {"sqrt": np.sqrt, **attrs, **now, "g": g, "t": t})
        yield now["w"]


def theirs(optimizer):
    """The weights after each step, by Keras."""
    variable = keras.Variable(START, dtype="float64")
    optimizer.build([variable])
    for g in GRADIENTS:
        optimizer.apply([g], [variable])
        yield variable.numpy()


def script_of(train, network="dense(1)", sizes=(1, 1)):
    """The module of a script for TensorFlow; `sizes` are those of input and target."""
    text = f"model M {{ input x: [{sizes[0]}]  target t: [{sizes[1]}]  output y = x -> {network} }}"
    model = model_of(f"{text} train {{ loss = mse(y, t)  {train} }}")
    return as_module(compile_model(model, Options(target="tensorflow")).script, SPECS)


def difference(name, attrs, optimizer):
    """The largest difference of the weights over all steps."""
    pairs = zip(ours(name, attrs), theirs(optimizer), strict=True)
    return max(np.abs(one - other).max() for one, other in pairs)


@pytest.fixture(autouse=True)
def double():
    with double_precision():
        yield


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("sgd", {"momentum": 0}),
        ("sgd", {}),
        ("sgd", {"nesterov": True}),
        ("rmsprop", {}),
        ("adagrad", {}),
    ],
)
def test_what_is_called_by_its_own_name_takes_the_same_steps(name, more):
    rule, attrs = rules.OPTIMIZERS[name], {**NUMBERS, **more}
    optimizer = getattr(keras.optimizers, rule.keras)(attrs["lr"], **rule.options(attrs))
    assert difference(name, attrs, optimizer) < 1e-14


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_what_is_made_of_our_equations_does_so_because_keras_takes_others(name):
    """The same numbers: only where epsilon is added differs. The script's own class takes our steps."""
    decay = ", decay = 0.0625" if name == "adamw" else ""
    call = f"{name}(0.125, beta1 = 0.875, beta2 = 0.96875, epsilon = {2.0**-20}{decay})"
    script = script_of(f"optim = {call}")
    made = script.make_optimizer(script.build_model())
    assert difference(name, NUMBERS, made.from_config(made.get_config())) < 1e-14
    betas = {"beta_1": NUMBERS["beta1"], "beta_2": NUMBERS["beta2"], "epsilon": NUMBERS["epsilon"]}
    betas |= {"weight_decay": NUMBERS["decay"]} if name == "adamw" else {}
    keras_own = getattr(keras.optimizers, rules.OPTIMIZERS[name].keras)(NUMBERS["lr"], **betas)
    assert difference(name, NUMBERS, keras_own) > 1e-3
    assert rules.OPTIMIZERS[name].options is None


@pytest.mark.parametrize("optim", ["sgd(0.125)", "sgd(0.125, momentum = 0.5)", "rmsprop(0.125)", "adagrad(0.125)"])
def test_the_script_has_keras_s_own(optim):
    script = script_of(f"optim = {optim}")
    made = type(script.make_optimizer(script.build_model()))
    assert made is getattr(keras.optimizers, rules.OPTIMIZERS[optim.partition("(")[0]].keras)


def test_keras_trains_the_model_as_the_script_does():
    """`compile` and `fit`: Keras's loss of an epoch is the one before its step, ours the one after it."""
    train = "optim = sgd(0.125, momentum = 0.5)  epochs = 6  batch = all"
    script = script_of(train, "dense(4, tanh) -> dense(2)", (3, 2))
    rng = np.random.default_rng(0)
    data = {"x": rng.standard_normal((16, 3)), "t": rng.standard_normal((16, 2))}
    _, history = script.train(data, dtype="float64")
    model = script.build_model(script.init_params(script.SEED, np.float64))
    model.compile(optimizer=script.make_optimizer(model), loss="mean_squared_error")
    fitted = model.fit({"x": data["x"]}, {"y": data["t"]}, batch_size=16, epochs=6, shuffle=False, verbose=0)
    losses = [record["loss"] for record in history]
    assert all(map(math.isfinite, losses))
    np.testing.assert_allclose(fitted.history["loss"][1:], losses[:-1], rtol=1e-7)
    script.set_precision("float32")
