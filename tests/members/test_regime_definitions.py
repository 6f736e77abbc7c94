"""Optimizers, schedules and initialisers that a spec defines: against the language's own, and against plain NumPy."""

import copy
import math

import numpy as np
import pytest
from errors.runner import dotnn
from support import STYLES, generic_point, model_of, module_of
from tensorflow_target.test_parity import agrees

from dotnn.model.identity import training_identity
from dotnn.running.scripts import load_module
from dotnn.session import Options, compile_model

MOMENTS = """
  slot m = 0
  slot v = 0
  m = b1 * m + (1 - b1) * g
  v = b2 * v + (1 - b2) * g^2
  u = m / (1 - b1^t) / (sqrt(v / (1 - b2 ** t)) + eps)"""
OPTIMIZERS = {
    "sgd(0.1, momentum = 0.8, nesterov = true)": """optimizer mine(lr = 0.1, mu = 0.8) {
      slot v = 0
      v = mu * v - lr * g
      w = w + mu * v - lr * g
    }""",
    "adam(0.1, beta1 = 0.7)": f"""optimizer mine(lr = 0.1, b1 = 0.7 in 0..1, b2 = 0.999, eps = 1e-7) {{ {MOMENTS}
      w = w - lr * u
    }}""",
    "adamw(0.1, decay = 0.3)": f"""optimizer mine(lr = 0.1, b1 = 0.9, b2 = 0.999, eps = 1e-7, decay = 0.3) {{ {MOMENTS}
      w = w - lr * (u + decay * w)
    }}""",
    "rmsprop(0.1, rho = 0.5)": """optimizer mine(lr = 0.1, rho = 0.5) {
      slot v = 0
      v = rho * v + (1 - rho) * g * g
      w = w - lr * g / sqrt(v + 1e-7)
    }""",
    "adagrad(0.1, start = 0.25)": """optimizer mine(lr = 0.1, first = 0.25) {
      slot s = first
      s = s + g ^ 2
      w = w - lr * g / sqrt(s + 1e-7)
    }""",
}
"""Optimizers of the language, defined once more."""
SCHEDULES = {
    "cosine(0.1, warmup = 3, end = 0.01)": """schedule mine(lr, rise = 3, end = 0.01) =
      where(step < rise, lr * step / rise,
            end + (lr - end) * (1 + cos(pi * (step - rise) / max(steps - rise, 1))) / 2)""",
    "linear(0.1)": "schedule mine(lr) = lr * (1 - step / steps)",
    "step(0.1, epochs(2), 0.5)": "schedule mine(lr, factor = 0.5) = lr * factor ^ floor(epoch / 2)",
    "exponential(0.1, 0.9)": "schedule mine(lr, rate = 0.9) = lr * rate ^ (step / steps * epochs)",
    "one_cycle(0.1, warmup = 4)": """schedule mine(lr, rise = 4, low = 25) =
      where(step + 1 < rise,
            lr / low + (lr - lr / low) * (1 + cos(pi * (step + 1 - rise) / (rise - 1))) / 2,
            lr / low / 1e4 + (lr - lr / low / 1e4) * (1 + cos(pi * (step + 1 - rise) / (steps - rise))) / 2)""",
    "warmup(0.1, over = 7)": "schedule mine(lr, over = 7) = lr * min(step / over, 1)",
    "cyclic(0.1, 0.01, every = 5, factor = 0.5)": """schedule mine(lr, low = 0.01, every = 5) =
      low + (lr - low) * 0.5 ^ floor(step / every) * (1 - abs(2 * (step mod every) / every - 1))""",
    "restarts(0.1, every = 5, end = 0.02)": """schedule mine(lr, every = 5, end = 0.02) =
      end + (lr - end) * (1 + cos(pi * (step mod every) / every)) / 2""",
    "power(0.1, over = 6, power = 1.5)": "schedule mine(lr, over = 6) = lr / (1 + step / over) ^ 1.5",
    "polynomial(0.1, power = 1.5, warmup = 3)": """schedule mine(lr, rise = 3) =
      where(step < rise, lr * step / rise, lr * (1 - (step - rise) / (steps - rise)) ^ 1.5)""",
}
"""Schedules of the language, defined once more."""
ON_WEIGHTS = {
    "l1(0.02)": ("decay", "penalty mine(w, s = 0.02) = s * sum(abs(w))"),
    "l2(0.02)": ("decay", "penalty mine(w, s = 0.02) = s * sum(w^2)"),
    "max_norm(0.8)": ("constraint", "constraint mine(w) = w * min(0.8 / max(sqrt(sum(w^2, axis = 0)), 1e-30), 1)"),
    "bounds(-0.3, 0.2)": ("constraint", "constraint mine(w) = clip(w, -0.3, 0.2)"),
}
"""Penalties and constraints of the language, defined once more."""
REGIMES = {
    **{call: (f"optim = {call}", text, "optim = mine") for call, text in OPTIMIZERS.items()},
    **{call: (f"optim = adam({call})", text, "optim = adam(mine(0.1))") for call, text in SCHEDULES.items()},
    **{
        call: (f"optim = sgd(0.1)  {key} = {call}", text, f"optim = sgd(0.1)  {key} = mine")
        for call, (key, text) in ON_WEIGHTS.items()
    },
}


def network(definition, train):
    return f"""{definition}
    model M {{ input x: [4]  target t: [2]  output y = x -> dense(5, tanh) -> dense(2) }}
    train {{ loss = mse(y, t)  {train}  batch = 4  epochs = 6  checkpoint = every(1) }}"""


DATA = {name: np.random.default_rng(n).standard_normal((10, 2 * n)) for n, name in ((2, "x"), (1, "t"))}


def trained(text, style):
    return module_of(text, style).train(DATA, dtype=np.float64)[0]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("built_in", REGIMES)
def test_defined_again(built_in, style):
    """The weights after 18 updates: with a mistake in one of them they would be others."""
    theirs, definition, ours = REGIMES[built_in]
    expected = trained(network("", theirs), style)
    for name, w in trained(network(definition, ours), style).items():
        np.testing.assert_allclose(w, expected[name], rtol=1e-12, atol=1e-14, err_msg=name)


@pytest.mark.parametrize(
    "built_in", ["adamw(0.1, decay = 0.3)", "adagrad(0.1, start = 0.25)", "step(0.1, epochs(2), 0.5)"]
)
def test_defined_again_for_tensorflow(built_in):
    """It takes the steps of the NumPy script, which are those of the language's own, both in double precision."""
    pytest.importorskip("tensorflow")
    _, definition, ours = REGIMES[built_in]
    agrees(model_of(network(definition, ours)), 8)


ODD = """params { shift = 0.25 }
optimizer odd(lr = 0.05, start = 0.5, b = 0.75) {
  slot m = start
  slot add = 0
  before = m + shift * add
  g = clip(g, -0.5, 0.5) + 0.01 * w
  rate = b / (1 + sqrt(t)) + where(t mod 2 > 0.5, 0.1, 0)
  m = b * m + (1 - b) * g
  m = max(m, -min(abs(g), 1))
  add = sigmoid(add) * before - erf(before)
  step_size = where(m * g > 0 and not (add < 0), 2 * m, where(add >= 0 or g == 0, g mod 0.3, 1 / (2 + abs(add))))
  w = w - lr * rate * (step_size + before)
  w = where(abs(w) > 3, 3 * sign(w), w) * (1 - lr * step / 1000)
}"""


def by_hand(w, gradients):
    """The same for one array of weights, in NumPy."""
    m, add = np.full_like(w, 0.5), np.zeros_like(w)
    for t, g in enumerate(gradients, 1):
        before = m + 0.25 * add
        g = np.clip(g, -0.5, 0.5) + 0.01 * w
        rate = 0.75 / (1 + math.sqrt(t)) + 0.1 * (t % 2)
        m = np.maximum(0.75 * m + 0.25 * g, -np.minimum(np.abs(g), 1))
        add = before / (1 + np.exp(-add)) - np.vectorize(math.erf)(before)
        other = np.where((add >= 0) | (g == 0), g - 0.3 * np.floor(g / 0.3), 1 / (2 + np.abs(add)))
        w = w - 0.05 * rate * (np.where((m * g > 0) & (add >= 0), 2 * m, other) + before)
        w = np.clip(w, -3, 3) * (1 - 0.05 * (t - 1) / 1000)
    return w


def test_everything_that_an_optimizer_can_say():
    """Values used after what they were made of has changed, a gradient changed on the way, masks, words of scripts."""
    text = network(ODD, "optim = odd")
    draws = np.random.default_rng(5)
    steps = [{"y.dense2.W": draws.standard_normal((5, 2)) * 3} for _ in range(7)]
    explain, fast = (module_of(text, style) for style in ("explain", "fast"))
    params = {name: draws.standard_normal(shape) * 2 for name, shape in explain.PARAMS.items()}
    zeros = {name: np.zeros_like(w) for name, w in params.items()}
    w, held = fast.flat_arrays(fast.PARAMS, np.float64)
    g, grads = fast.flat_arrays(fast.PARAMS, np.float64)
    for name, value in params.items():
        held[name][...] = value
    expected = by_hand(params["y.dense2.W"], [step["y.dense2.W"] for step in steps])
    state = explain.optimizer_state(params)
    update = fast.make_update(w, g, fast.optimizer_state(w), held)
    for step in steps:
        explain.update(params, zeros | step, state)
        for name, value in (zeros | step).items():
            grads[name][...] = value
        update()
    np.testing.assert_allclose(params["y.dense2.W"], expected, rtol=1e-12)
    np.testing.assert_allclose(held["y.dense2.W"], expected, rtol=1e-12)
    np.testing.assert_allclose(held["y.dense1.W"], params["y.dense1.W"], rtol=1e-12)


def test_everything_that_an_optimizer_can_say_for_tensorflow():
    pytest.importorskip("tensorflow")
    agrees(model_of(network(ODD, "optim = odd")), 12)


@pytest.mark.parametrize("style", STYLES)
def test_a_training_goes_on_from_every_epoch(style):
    saw = "schedule saw(lr, period = 4) = lr * (1 - (epoch mod period) / period)"
    module = module_of(network(f"{ODD}\n{saw}", "optim = odd(saw(0.05))"), style)
    states = []
    whole, _ = module.train(DATA, on_epoch=lambda record, state: states.append(copy.deepcopy(state)))
    for state in states:
        for name, w in module.train(DATA, resume=state)[0].items():
            np.testing.assert_array_equal(w, whole[name], strict=True)


LONG = """optimizer mine(lr = 0.1, b = 0.9) {
  share = sqrt(1 - step / steps) * b
  late  = where(epoch >= epochs / 2, 0.5, 1)
  w     = w - lr * share * late * g * sqrt(1 + 1 / (1 + epoch))
}"""


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("batch", [3, 4, "all"])
def test_an_optimizer_knows_the_length_of_the_run(style, batch):
    """It is that of the training, not of the spec; a training that goes on knows its own. Float32 stays float32."""
    text = network(LONG, "optim = mine").replace("batch = 4", f"batch = {batch}  shuffle = false")
    text = text.replace("dense(5, tanh) -> dense(2)", "dense(2, bias = false)")
    module, states = module_of(text, style), []
    x, t = DATA["x"], DATA["t"]
    size = len(x) if batch == "all" else batch
    starts, epochs = range(0, len(x), size), 4
    keep = lambda record, state: states.append(copy.deepcopy(state))  # noqa: E731
    params, _ = module.train(DATA, epochs=epochs, dtype=np.float64, on_epoch=keep)
    w = module.init_params(0, np.float64)["y.W"]
    for step in range(epochs * len(starts)):
        epoch, at = divmod(step, len(starts))
        rows = slice(starts[at], starts[at] + size)
        gradient = module.loss_and_grads({"y.W": w}, {"x": x[rows], "t": t[rows]})[1]["y.W"]
        share = math.sqrt(1 - step / (epochs * len(starts))) * 0.9 * (0.5 if epoch >= epochs / 2 else 1)
        w = w - 0.1 * share * gradient * math.sqrt(1 + 1 / (1 + epoch))
    np.testing.assert_allclose(params["y.W"], w, rtol=1e-12)
    again, _ = module.train(DATA, epochs=epochs, dtype=np.float64, resume=states[1])
    np.testing.assert_array_equal(again["y.W"], params["y.W"])
    assert module.train(DATA, epochs=2)[0]["y.W"].dtype == np.float32


def test_an_optimizer_that_knows_the_length_of_the_run_is_checked(tmp_path):
    (tmp_path / "a.nn").write_text(network(LONG, "optim = mine"))
    checked = dotnn("check", "a.nn", folder=tmp_path)
    assert checked.exit_code == 0, checked.stdout


def test_an_optimizer_that_knows_the_length_of_the_run_for_tensorflow(tmp_path):
    pytest.importorskip("tensorflow")
    text = network(LONG, "optim = mine")
    agrees(model_of(text), 6)
    path = tmp_path / "script.py"  # TensorFlow reads the text of a loop
    path.write_text(compile_model(model_of(text.replace("0.1", "0.125")), Options(target="tensorflow")).script)
    module = module_of(text.replace("0.1", "0.125"))
    options = {"epochs": 5, "dtype": np.float64, "params": module.init_params(0)}
    expected = module.train(DATA, **options)[0]
    for name, w in load_module(path).train(DATA, **options)[0].items():
        np.testing.assert_allclose(w, expected[name], rtol=1e-9, err_msg=name)


def test_what_a_definition_says_tells_trainings_apart():
    """Equal names and arguments, another equation: a checkpoint of one is none of the other."""
    texts = [
        network("optimizer mine(lr = 0.1) { w = w - lr * g }", "optim = mine"),
        network("optimizer mine(lr = 0.1) { w = w - 2 * lr * g }", "optim = mine"),
        network("schedule mine(lr) = lr * (1 - step / steps)", "optim = sgd(mine(0.1))"),
        network("schedule mine(lr) = lr * (1 - step / steps)^2", "optim = sgd(mine(0.1))"),
        network("init mine(sd = 1) = normal(sd)", "init = mine"),
        network("init mine(sd = 1) = normal(2 * sd)", "init = mine"),
        network("init mine(sd = 1) = uniform(0, sd)", "init = mine"),
    ]
    assert len({training_identity(model_of(text), "numpy", "fast") for text in texts}) == len(texts)
    commented = "# A comment.\noptimizer mine(lr = 0.1) {\n  w = w - lr * g  # the step\n}"
    again = network(commented, "optim = mine")
    assert training_identity(model_of(again), "", "") == training_identity(model_of(texts[0]), "", "")


INITS = {
    "init mine(sd = 2) = normal(sd) / sqrt(n_out)": lambda rng, shape: rng.normal(0, 2, shape) / math.sqrt(shape[1]),
    "init mine(low = 1, high = 3) = uniform(-low / n_in, high)": lambda rng, shape: rng.uniform(
        -1 / shape[0], 3, shape
    ),
    "init mine = 2": None,
    "init base(sd = 1) = normal(sd) + uniform(0, sd)\ninit mine(k = 3) = 2 * base(k) * where(normal > 0, 1, -1)": (
        lambda rng, shape: (
            2 * (rng.normal(0, 3, shape) + rng.uniform(0, 3, shape)) * np.where(rng.normal(0, 0.05, shape) > 0, 1, -1)
        )
    ),
    "init mine() = 1 / (n_in + n_out) + 0 * ones": lambda rng, shape: np.full(shape, 1 / sum(shape)),
    "init mine(k = 1) = k / n_in": lambda rng, shape: np.full(shape, 1 / shape[0]),
    "init mine() = he(uniform) / 2": lambda rng, shape: rng.uniform(-1, 1, shape) * np.sqrt(3 * 2 / shape[0]) / 2,
}
"""Definitions, and what they draw."""
del INITS["init mine = 2"]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("definition", INITS)
def test_initialisers(definition, style):
    module = module_of(network(definition, "init = mine"), style)
    rng = np.random.default_rng(3)
    params = module.init_params(3, np.float64)
    for name in ("y.dense1.W", "y.dense2.W"):
        np.testing.assert_allclose(params[name], INITS[definition](rng, params[name].shape), rtol=1e-12)


def test_initialisers_of_a_layer_and_of_biases():
    text = """init tiny(sd = 0.1) = normal(sd) * 0.01
    init up(by = 1) = by + zeros
    model M { input x: [4]  target t: [2]
      output y = x -> dense(5, tanh, init = tiny, bias_init = up(3)) -> dense(2, init = tiny(sd = 5)) }
    train { loss = mse(y, t)  init = he }"""
    module = module_of(text)
    rng, params = np.random.default_rng(0), module.init_params(0, np.float64)
    np.testing.assert_allclose(params["y.dense1.W"], rng.normal(0, 0.1, (4, 5)) * 0.01)
    np.testing.assert_allclose(params["y.dense1.b"], np.full(5, 3.0))
    np.testing.assert_allclose(params["y.dense2.W"], rng.normal(0, 5, (5, 2)) * 0.01)
    generic_point(module)
