"""The standard library, every piece of it, against what Keras, SciPy or plain NumPy makes of the same paper."""

import math

import numpy as np
import pytest
import scipy.special
from support import assert_gradients, double_precision, generic_point, model_of, module_of
from tensorflow_target.test_parity import agrees

from dotnn.core.diagnostics import CompileError
from dotnn.model.definitions import KINDS
from dotnn.model.definitions.documentation import documentation
from dotnn.model.linking import libraries, library
from dotnn.syntax import nodes
from dotnn.syntax.pretty import format_source

NAMES = {
    name: [s.name.id for s in library(name)[0].sections if isinstance(s, nodes.Definition)] for name in libraries()
}
Z = np.concatenate([np.linspace(-9, 9, 181), [-40, -3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0, 6.0, 40]])

NUMPY = {
    "gelu_erf": lambda z: z * scipy.special.ndtr(z),
    "swish(beta = 1.7)": lambda z: z * scipy.special.expit(1.7 * z),
    "swish": lambda z: z * scipy.special.expit(z),
    "snake(0.5)": lambda z: z + (1 - np.cos(z)) / (2 * 0.5),
    "snake": lambda z: z + 0.5 - 0.5 * np.cos(2 * z),
    "sine(3)": lambda z: np.sin(3 * z),
    "sine": lambda z: np.sin(30 * z),
    "log_sigmoid": scipy.special.log_expit,
    "hard_shrink(2)": lambda z: np.array([v if abs(v) > 2 else 0 for v in z]),
    "soft_shrink(2)": lambda z: np.array([math.copysign(max(abs(v) - 2, 0), v) for v in z]),
    "celu(0.3)": lambda z: np.maximum(z, 0) + np.minimum(0.3 * (np.exp(np.minimum(z, 0) / 0.3) - 1), 0),
    "squareplus(1)": lambda z: z / 2 + np.hypot(z, 1) / 2,
}
"""By what they are in NumPy or SciPy; the others have Keras's names."""
KERAS = ("mish", "selu", "celu", "softsign", "hard_sigmoid", "hard_swish", "hard_tanh", "relu6", "log_sigmoid",
         "squareplus", "tanh_shrink", "hard_shrink", "soft_shrink")  # fmt: skip


def network(act, train=""):
    return f"""use std.activations
    use std.optimizers
    use std.schedules
    use std.inits
    model M {{ input x: [3]  target t: [2]  h = x -> dense(4, tanh)  output y = h -> {act} -> dense(2) }}
    train {{ loss = mse(y, t)  {train} }}"""


def test_everything_is_documented_and_laid_out():
    for name in libraries():
        file, source = library(name)
        assert format_source(source) == source.text
        for section in file.sections:
            text, origin = documentation(source, section)
            assert text.endswith(".") and origin, section.name.id


def test_everything_is_compared_here():
    compared = {*KERAS, *(call.partition("(")[0] for call in NUMPY)}
    assert compared == {*NAMES["std.activations"]}
    assert {*OPTIMIZERS} == {*NAMES["std.optimizers"]}
    assert {call.partition("(")[0] for call in SCHEDULES} == {*NAMES["std.schedules"]}
    assert {call.partition("(")[0] for call in INITS} == {*NAMES["std.inits"]}
    assert {kind for name in libraries() for kind in _kinds(name)} <= {*KINDS, "block", "cell"}


def test_nothing_has_a_name_that_is_taken():
    """Read as one spec: no two of them are called alike, and none like a member of the language itself."""
    every = "\n".join(library(name)[1].text for name in libraries())
    with pytest.raises(CompileError) as raised:
        model_of(every + network("mish").partition("inits\n")[-1])
    assert {found.code for found in raised.value.diagnostics} == {"NN207"}  # all that is wrong: nothing uses a block


def _kinds(name):
    return [section.keyword for section in library(name)[0].sections]


def value_of(act, z):
    """What a script makes of numbers: the first column of what the activation is given."""
    module = module_of(f"use std.activations\nmodel M {{ input x: [1]  target t: [1]  output y = x -> {act} }}"
                       " train { loss = mse(y, t) }")  # fmt: skip
    return module.forward({}, {"x": z[:, None]})[0]["y"][:, 0]


@pytest.mark.parametrize("act", NUMPY)
def test_activations_by_numpy(act):
    np.testing.assert_allclose(value_of(act, Z), NUMPY[act](Z), rtol=1e-10, atol=1e-12)


def test_activations_by_keras():
    keras = pytest.importorskip("keras")
    for act in KERAS:
        expected = np.asarray(getattr(keras.activations, act)(keras.ops.convert_to_tensor(Z, "float64")))
        np.testing.assert_allclose(value_of(act, Z), expected, rtol=1e-10, atol=1e-12, err_msg=act)


@pytest.mark.parametrize("act", NAMES["std.activations"])
def test_slopes_of_activations(act):
    module = module_of(network(act))
    assert_gradients(module, *generic_point(module, 4))


def test_activations_for_tensorflow():
    """All of them in one network, each on a sum of its own."""
    pytest.importorskip("tensorflow")
    every = " + ".join(f"{act}(h)" for act in NAMES["std.activations"])
    agrees(model_of(network("identity").replace("h -> identity", f"({every})")), 4)


# ------------------------------------------------------------------------------------------------ optimizers

GRADIENTS = np.random.default_rng(3).standard_normal((9, 2, 3)) * np.array([1.0, 1e-2, 1e-4])
START = np.linspace(-1, 1, 6).reshape(2, 3)
BETAS = {"beta1": 0.875, "beta2": 0.96875, "epsilon": 2.0**-20}
OPTIMIZERS = {
    "lion": ("Lion", {"beta1": 0.875, "beta2": 0.96875}, {}),
    "nadam": ("", BETAS, {}),
    "adamax": ("Adamax", BETAS, {}),
    "amsgrad": ("Adam", BETAS, {"amsgrad": True}),
    "adadelta": ("Adadelta", {"rho": 0.875, "epsilon": 2.0**-20}, {}),
    "radam": ("", BETAS, {}),
}
"""What Keras calls them, "" where it has none or rounds a number to float32, with arguments that float32 holds."""
IN_KERAS = {"beta1": "beta_1", "beta2": "beta_2"}


def nadam(lr, beta1, beta2, epsilon):
    """Dozat 2016, Algorithm 2, one element at a time, with the momentum that its Section 3 recommends."""
    w, mu = START.copy(), [beta1 * (1 - 0.96**t / 2) for t in range(1, len(GRADIENTS) + 2)]
    for at in np.ndindex(w.shape):
        m = v = 0.0
        for t, g in enumerate(GRADIENTS[(slice(None), *at)], 1):
            m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g**2
            ahead = mu[t] * m / (1 - math.prod(mu[: t + 1])) + (1 - mu[t - 1]) * g / (1 - math.prod(mu[:t]))
            w[at] -= lr * ahead / (math.sqrt(v / (1 - beta2**t)) + epsilon)
    return w


def radam(lr, beta1, beta2, epsilon):
    """Liu et al. 2020, Algorithm 2, one element at a time."""
    w, m, v = START.copy(), np.zeros_like(START), np.zeros_like(START)
    longest = 2 / (1 - beta2) - 1
    for t, g in enumerate(GRADIENTS, 1):
        for at in np.ndindex(w.shape):
            m[at] += (1 - beta1) * (g[at] - m[at])
            v[at] += (1 - beta2) * (g[at] ** 2 - v[at])
            first = m[at] / (1 - beta1**t)
            length = longest - 2 * t * beta2**t / (1 - beta2**t)
            if length > 5:
                r = math.sqrt((length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length))
                first *= r / (math.sqrt(v[at] / (1 - beta2**t)) + epsilon)
            w[at] -= lr * first
    return w


BY_HAND = {"nadam": nadam, "radam": radam}


def test_nadam_is_that_of_keras():
    """To the digits of 0.96 in float32."""
    np.testing.assert_allclose(nadam(0.125, **BETAS), by_keras("Nadam", BETAS, {}), rtol=1e-6)


def by_keras(name, arguments, more):
    keras = pytest.importorskip("keras")
    with double_precision():
        given = {IN_KERAS.get(n, n): value for n, value in arguments.items()}
        optimizer, variable = getattr(keras.optimizers, name)(0.125, **given, **more), keras.Variable(START)
        optimizer.build([variable])
        for g in GRADIENTS:
            optimizer.apply([g], [variable])
        return variable.numpy()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers(name):
    called, arguments, more = OPTIMIZERS[name]
    given = ", ".join(["0.125", *(f"{n} = {value}" for n, value in arguments.items())])
    module = module_of(f"use std.optimizers\nmodel M {{ input x: [2]  target t: [3]  output y = x -> dense(3) }}"
                       f" train {{ loss = mse(y, t)  optim = {name}({given}) }}")  # fmt: skip
    params = {"y.W": START.copy(), "y.b": np.zeros(3)}
    state = module.optimizer_state(params)
    for g in GRADIENTS:
        module.update(params, {"y.W": g, "y.b": np.ones(3)}, state)
    expected = by_keras(called, arguments, more) if called else BY_HAND[name](0.125, **arguments)
    np.testing.assert_allclose(params["y.W"], expected, rtol=1e-10)


@pytest.mark.parametrize("name", ["nadam", "radam"])
def test_optimizers_in_all_targets(name):
    pytest.importorskip("tensorflow")
    agrees(model_of(network("mish", f"optim = {name}(triangular(0.01, half = 2))  batch = 4  epochs = 4")), 9)


# ------------------------------------------------------------------------------------------------- losses


def _pinball(y, t):
    return np.mean([[0.3 * (b - a) if b > a else 0.7 * (a - b) for a, b in zip(*rows, strict=True)]
                    for rows in zip(y, t, strict=True)])  # fmt: skip


def _tversky(y, t):
    both, more, less = ((a * b).sum(axis=1) for a, b in ((y, t), (y, 1 - t), (1 - y, t)))
    return np.mean(1 - (both + 1e-7) / (both + 0.3 * more + 0.5 * less + 1e-7))


def keras_loss(name, **options):
    """The mean over the batch of what Keras's class makes of each example."""

    def mean(y, t):
        keras = pytest.importorskip("keras")
        loss = getattr(keras.losses, name)(reduction=None, dtype="float64", **options)
        return np.mean(
            np.asarray(loss(keras.ops.convert_to_tensor(t, "float64"), keras.ops.convert_to_tensor(y, "float64")))
        )

    return mean


LOSSES = {
    "log_cosh": lambda y, t: np.mean(np.log(np.cosh(y - t))),
    "quantile(q = 0.3)": _pinball,
    "poisson": keras_loss("Poisson"),
    "mape": keras_loss("MeanAbsolutePercentageError"),
    "msle": keras_loss("MeanSquaredLogarithmicError"),
    "squared_hinge": keras_loss("SquaredHinge"),
    "cosine": lambda y, t: 1 + keras_loss("CosineSimilarity")(y, t),
    "dice": keras_loss("Dice", axis=(1,)),
    "tversky(alpha = 0.3)": _tversky,
    "focal(gamma = 1.5)": lambda p, y: np.mean([-((1 - row[k]) ** 1.5) * math.log(row[k]) for row, k in zip(p, y)]),  # noqa: B905
}
"""What each loss of a batch is, by Keras or by hand."""


def loss_spec(call, network="identity"):
    name, _, more = call.rstrip(")").partition("(")
    target = "class[3]" if name == "focal" else "[3]"
    return f"""use std.losses
    model M {{ input x: [3]  target t: {target}  output y = x -> {network} }}
    train {{ loss = {name}(y, t{", " * bool(more)}{more}) }}"""


@pytest.mark.parametrize("call", LOSSES)
def test_losses(call):
    """A batch of shares: of the squared hinge the targets are signs, of a focal loss classes."""
    module, rng = module_of(loss_spec(call)), np.random.default_rng(4)
    y, t = rng.dirichlet(np.ones(3), 7), rng.random((7, 3))
    t = {"squared_hinge": np.sign(t - 0.5), "focal(gamma = 1.5)": np.arange(7) % 3}.get(call, t)
    batch = {"x": y, "t": t}
    found = module.total_loss({}, batch, module.forward({}, batch)[1])
    assert found == pytest.approx(LOSSES[call](y, t), rel=1e-10)


@pytest.mark.parametrize("call", LOSSES)
def test_slopes_of_losses(call):
    module = module_of(loss_spec(call, "dense(4, tanh) -> dense(3, softmax)"))
    assert_gradients(module, *generic_point(module, 4))


def test_losses_for_tensorflow():
    """All of them in one sum."""
    pytest.importorskip("tensorflow")
    terms = [f"{call.partition('(')[0]}(y, t)" for call in LOSSES if "focal" not in call]
    text = loss_spec("mape", "dense(4, tanh) -> dense(3, softmax)").replace("mape(y, t)", " + ".join(terms))
    agrees(model_of(text), 4)


# ------------------------------------------------------------------------------------- schedules, initialisers

STEPS, PER_EPOCH = 60, 5


def smith(lr, half, low):
    """The triangular policy of Smith 2017, in its own terms."""
    for step in range(STEPS):
        at = step / (half * PER_EPOCH)
        x = abs(at - 2 * math.floor(1 + at / 2) + 1)
        yield low * lr + (lr - low * lr) * max(0, 1 - x)


SCHEDULES = {
    "inverse_root(0.5, over = 7)": lambda: [0.5 * min(s**-0.5 * 7**0.5, s / 7) for s in range(1, STEPS + 1)],
    "inverse_time(0.5, rate = 0.3)": lambda: [0.5 / (1 + 0.3 * s / PER_EPOCH) for s in range(STEPS)],
    "triangular(0.5, half = 2, low = 0.2)": lambda: [*smith(0.5, 2, 0.2)],
}


@pytest.mark.parametrize("call", SCHEDULES)
def test_schedules(call):
    module = module_of(network("mish", f"optim = sgd({call})  epochs = {STEPS // PER_EPOCH}"))
    found = [module.learning_rate(step, STEPS, PER_EPOCH) for step in range(STEPS)]
    np.testing.assert_allclose(found, SCHEDULES[call](), rtol=1e-12)


INITS = {
    "he_out": lambda rng, n_in, n_out: rng.normal(0, math.sqrt(2 / n_out), (n_in, n_out)),
    "siren(4)": lambda rng, n_in, n_out: rng.uniform(-math.sqrt(6 / n_in) / 4, math.sqrt(6 / n_in) / 4, (n_in, n_out)),
    "xavier_out": lambda rng, n_in, n_out: rng.normal(0, n_out**-0.5, (n_in, n_out)),
}


@pytest.mark.parametrize("call", INITS)
def test_initialisers(call):
    params = module_of(network("mish", f"init = {call}")).init_params(2, np.float64)
    np.testing.assert_allclose(params["h.W"], INITS[call](np.random.default_rng(2), 3, 4), rtol=1e-12)
