"""Activations, initial weights, dropout and early stopping as lecture 002 defines them."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest
from support import SPECS, assert_gradients, forward_values, module_of, script_of

BOOK = json.loads((Path(__file__).parent / "textbook.json").read_text())


def slope_of(activation, z, params=()):
    """The derivative of an activation at the points z, from the script: dE/dz where dE/da is 1."""
    spec = f"model M {{ input z: [1]  target t: [1]  output a = z -> {activation} }} train {{ loss = half_sse(a, t) }}"
    module = module_of(spec, input_gradients=True)
    params = {name: np.array(value) for name, value in params}
    z = np.array(z, dtype=float)[:, None]
    outputs, _ = module.forward(params, {"z": z})
    _, grads = module.loss_and_grads(params, {"z": z, "t": outputs["a"] - 1})
    return outputs["a"][:, 0], grads


def test_leaky_relu():
    a, grads = slope_of("leaky_relu", [-2, 3])
    slope = BOOK["activations"]["leaky_relu_slope"]
    np.testing.assert_allclose(a, [-2 * slope, 3])
    np.testing.assert_allclose(grads["z"][:, 0], [slope, 1])


def test_relu_has_no_slope_at_0():
    _, grads = slope_of("relu", [-1, 0, 1])
    np.testing.assert_array_equal(grads["z"][:, 0], [0, BOOK["activations"]["relu_derivative_at_0"], 1])


def test_logistic_slope_at_0():
    a, grads = slope_of("sigmoid", [0])
    assert a == 0.5
    assert grads["z"] == BOOK["activations"]["logistic_derivative_at_0"]


def test_tanh_is_a_stretched_logistic_function():
    """2 sigma(2 z) - 1, where lecture 001 prints 2 sigma(z) - 1."""
    z = np.linspace(-3, 3, 7)
    tanh, _ = slope_of("tanh", z)
    logistic, _ = slope_of("sigmoid", 2 * z)
    np.testing.assert_allclose(tanh, 2 * logistic - 1, atol=1e-15)


def test_prelu_learns_its_slope():
    """dE/dlambda = dE/da * (0 if z > 0 else z), Eq. 53-57."""
    a, grads = slope_of("prelu", [-2, -0.5, 3], [("a.slope", [0.3])])
    np.testing.assert_allclose(a, [-0.6, -0.15, 3])
    np.testing.assert_allclose(grads["a.slope"], [-2.5])
    np.testing.assert_allclose(grads["z"][:, 0], [0.3, 0.3, 1])


# ------------------------------------------------------------------------------------------------ initial weights


@pytest.mark.parametrize(
    ("init", "rule"), [("xavier", "xavier_var"), ("xavier_in", "xavier_simple_var"), ("he", "he_var")]
)
@pytest.mark.parametrize("distribution", ["uniform", "normal"])
def test_variance_of_initial_weights(init, rule, distribution):
    n_in, n_out = 150, 250
    spec = f"""model M {{ input x: [{n_in}]  target t: [{n_out}]  output y = x -> dense({n_out}) }}
    train {{ loss = mse(y, t)  init = {init}({distribution}) }}"""
    weights = module_of(spec).init_params(0, np.float64)["y.W"]
    expected = eval(BOOK["init"][rule], {"n_in": n_in, "n_out": n_out})
    # The relative error of a variance from n draws is about sqrt(2/n) (0.7% here); the mean's is the root of it.
    np.testing.assert_allclose(weights.var(), expected, rtol=0.03)
    assert abs(weights.mean()) < 5 * np.sqrt(expected / weights.size)


def test_variances_multiply_from_layer_to_layer():
    first, second = BOOK["init"]["var_z_HL1"], BOOK["init"]["var_z_HL2"]
    spec = f"""model M {{
      input x: [{first["n_in"]}]
      target t: [400]
      h = x -> dense({second["n_in"]}, bias = false)
      output y = h -> dense(400, bias = false)
    }}
    train {{ loss = mse(y, t)  init = normal({first["var_w"] ** 0.5}) }}"""
    module = module_of(spec)
    rng = np.random.default_rng(0)
    runs = []
    for seed in range(40):
        x = np.sqrt(first["var_d"]) * rng.standard_normal((50, first["n_in"]))
        runs.append(forward_values(module, module.init_params(seed, np.float64), {"x": x}))
    np.testing.assert_allclose(np.var([run["h"] for run in runs]), first["var_z"], rtol=0.05)
    np.testing.assert_allclose(np.var([run["y"] for run in runs]), second["var_z"], rtol=0.05)


def test_the_bias_for_relu_units():
    params = script_of(SPECS / "digits_dropout.nn").init_params(0, np.float64)
    assert (params["h.b"] == BOOK["init"]["relu_bias_heuristic"]).all()
    assert not params["p.b"].any()


# -------------------------------------------------------------------------------------------------------- dropout


@pytest.fixture(scope="module")
def dropout():
    """The script that drops pixels and hidden units, random parameters and images."""
    module = script_of(SPECS / "digits_dropout.nn", input_gradients=True)
    rng = np.random.default_rng(0)
    images = rng.uniform(0.1, 1, (6, 8, 8, 1))
    return module, module.init_params(1, np.float64), {"image": images, "digit": rng.integers(0, 10, 6)}


def test_dropout_keeps_units_with_the_rates_of_the_lecture(dropout):
    module, params, batch = dropout
    batch = {"image": np.repeat(batch["image"], 500, axis=0)}
    values = forward_values(module, params, batch, training=True, rng=np.random.default_rng(2))
    pixels = batch["image"].reshape(len(batch["image"]), -1)
    kept = values["noisy"] != 0
    np.testing.assert_allclose(kept.mean(), BOOK["dropout"]["rho_input"], atol=0.005)
    np.testing.assert_allclose(values["noisy"][kept], (pixels / BOOK["dropout"]["rho_input"])[kept], rtol=1e-12)
    np.testing.assert_allclose(values["h_mask"].mean(), 1, atol=0.01)
    assert set(np.unique(values["h_mask"])) == {0, 1 / BOOK["dropout"]["rho_hidden"]}


def test_dropout_is_off_in_prediction(dropout):
    module, params, batch = dropout
    values = forward_values(module, params, batch)
    np.testing.assert_array_equal(values["noisy"], batch["image"].reshape(6, 64))


def test_the_backward_pass_divides_by_rho_too(dropout):
    """The lecture's Algorithm 2 leaves 1/rho out of its backward pass; then these derivatives would differ."""
    module, params, batch = dropout
    assert_gradients(module, params, batch, rng_seed=3)


# ------------------------------------------------------------------------------------------------- early stopping


def algorithm_1(losses, patience):
    """Early stopping as printed: the number of epochs, and the epoch whose parameters are returned."""
    best, count, kept = np.inf, 0, 0
    for epoch, loss in enumerate(losses, 1):
        if best >= loss:
            best, count, kept = loss, 0, epoch
        else:
            count += 1
        if count == patience:
            return epoch, kept
    return len(losses), kept


NOISY = """
model M {{ input x: [2]  target t: [1]  output y = x -> dense(20, tanh) -> dense(1) }}
data {{ split = split(train = 50%, val = 50%)  x = {x}  t = {t} }}
train {{ loss = mse(y, t)  optim = adam(0.05)  batch = 4  epochs = 60  stop = early(val_loss, patience = {patience}) }}
"""


@pytest.mark.parametrize("patience", [1, 2, 5, 100])
def test_algorithm_1(patience):
    rng = np.random.default_rng(0)
    x, t = rng.standard_normal((24, 2)).round(3).tolist(), rng.standard_normal((24, 1)).round(3).tolist()
    endless = module_of(NOISY.format(x=x, t=t, patience=1000))
    losses = [record["val_loss"] for record in endless.train(dtype=np.float64)[1]]
    seen = []
    module = module_of(NOISY.format(x=x, t=t, patience=patience))
    keep = lambda record, state: seen.append(copy.deepcopy(state["params"]))  # noqa: E731
    params, history = module.train(dtype=np.float64, on_epoch=keep)
    assert (len(history), history.best_epoch) == algorithm_1(losses, patience)
    for name, w in params.items():
        np.testing.assert_array_equal(w, seen[history.best_epoch - 1][name])


def test_an_equal_loss_is_no_deterioration():
    spec = """model M { input x: [1]  target t: [1]  output y = x -> dense(1, threshold) }
    data { x = [[1]]  t = [[0]] }
    train { loss = mse(y, t)  init = constant(1)  epochs = 9  batch = all  stop = early(loss, patience = 2) }"""
    _, history = module_of(spec).train()
    assert len(history) == history.best_epoch == 9
