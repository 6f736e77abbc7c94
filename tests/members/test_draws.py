"""What a network draws itself, in prediction, too: `noise([8], normal)`, `dropout(0.5, always = true)`."""

import numpy as np
import pytest
import scipy.stats
from errors.runner import dotnn
from support import STYLES, assert_gradients, generic_point, model_of, module_of

from dotnn.commands.comparing import follow
from dotnn.running.scripts import load_module
from dotnn.session import Compilation
from dotnn_runtime.run_folder import RunFolder

CODER = """
block Around(units) {
  input h: [n]
  mu = h -> dense(units)
  spread_of = h -> dense(units)
  output mu + exp(0.5 * spread_of) * noise([units])
}
model Coder {
  input  x: [6]
  input  ids: int[2]
  target same: [6]
  h = concat(x -> dense(5, tanh), ids -> embedding(2, 3) -> flatten)
  z = h -> Around(3)
  code = z + 0.1 * noise([3], uniform(-1, 1))
  output y = code -> dense(5, tanh) -> dropout(0.25, always = true) -> dense(6)
}
train { loss = mse(y, same)  optim = adam(0.01)  batch = 4  epochs = 2 }
"""


def drawn(draw, count=4000):
    """What is drawn for so many examples."""
    module = module_of(f"""model M {{ input x: [1]  target t: [2]
      output z = noise([2], {draw})  output y = x -> dense(2) }} train {{ loss = mse(y, t) }}""")
    params, _ = generic_point(module)
    inputs = {"x": np.ones((count, 1))}
    return module.predict(params, inputs, rng=np.random.default_rng(3))["z"], module, params, inputs


@pytest.mark.parametrize(
    ("draw", "law"),
    [
        ("normal", scipy.stats.norm()),
        ("normal(2.5)", scipy.stats.norm(0, 2.5)),
        ("uniform", scipy.stats.uniform()),
        ("uniform(-3, 1)", scipy.stats.uniform(-3, 4)),
    ],
)
def test_it_has_the_distribution_that_it_says(draw, law):
    values, module, params, inputs = drawn(draw)
    assert scipy.stats.kstest(values.ravel(), law.cdf).pvalue > 1e-3
    assert len(np.unique(values)) == values.size
    again = [module.predict(params, inputs)["z"] for _ in range(2)]
    np.testing.assert_array_equal(*again)
    assert (again[0] != values).all()


@pytest.mark.parametrize("style", STYLES)
def test_the_gradient_goes_round_what_is_drawn(style):
    module = module_of(CODER, style)
    params, batch = generic_point(module)
    assert_gradients(module, params, batch, 7)


def test_both_styles_draw_alike():
    explain, fast = (module_of(CODER, style) for style in STYLES)
    params, batch = generic_point(explain, examples=7)
    inputs = {name: batch[name] for name in explain.INPUTS}
    ours, theirs = (m.predict(params, inputs, rng=np.random.default_rng(5))["y"] for m in (explain, fast))
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    figures = [m.evaluate(params, batch, None)["loss"] for m in (explain, explain, fast)]
    np.testing.assert_allclose(figures, figures[0], rtol=1e-12)
    trained = [m.train(batch, params=params, dtype=np.float64)[0] for m in (explain, fast)]
    for name, w in trained[0].items():
        np.testing.assert_allclose(trained[1][name], w, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("style", STYLES)
def test_predictions_with_dropout_have_the_mean_and_the_variance_of_its_mask(style):
    """Of y = sum of w x m, m = 1/rho with probability rho: sum of w x, and sum of (1/rho - 1) (w x)^2."""
    module = module_of(
        """model M { input x: [4]  target t: [1]  output y = x -> dropout(0.3, always = true) -> dense(1) }
        train { loss = mse(y, t) }""",
        style,
    )
    params, batch = generic_point(module, examples=1)
    rng = np.random.default_rng(1)
    inputs = {"x": np.repeat(batch["x"], 40_000, axis=0)}
    y = module.predict(params, inputs, rng=rng)["y"][:, 0]
    terms = params["y.W"][:, 0] * batch["x"][0]
    mean, deviation = terms.sum() + params["y.b"][0], np.sqrt((1 / 0.7 - 1) * (terms**2).sum())
    assert abs(y.mean() - mean) < 5 * deviation / np.sqrt(len(y))
    np.testing.assert_allclose(y.std(), deviation, rtol=0.03)


def test_a_value_may_still_be_called_noise():
    module = module_of("model M { input noise: [2]  target t: [2]  output y = 2 * noise -> dense(2) }"
                       "train { loss = mse(y, t) }")  # fmt: skip
    assert list(module.INPUTS) == ["noise"]


def test_tensorflow_trains_alike():
    pytest.importorskip("tensorflow")
    assert follow.compare(Compilation.of(model_of(CODER)), 6).verdict == "PASS"


def test_tensorflow_draws_by_the_generator_that_is_given():
    pytest.importorskip("tensorflow")
    script = Compilation.of(model_of(CODER)).script("tensorflow")
    scope = {"__name__": "coder", "__file__": "coder.py"}
    exec(compile(script, "coder.py", "exec"), scope)
    network = scope["build_model"]()
    inputs = {"x": np.ones((500, 6)), "ids": np.zeros((500, 2), int)}
    one, again, other = (scope["predict"](network, inputs, rng=np.random.default_rng(seed))["y"] for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert len(np.unique(np.round(one, 5), axis=0)) > 400 and (one != other).any(axis=1).mean() > 0.9


def test_passes_give_the_mean_and_the_spread(tmp_path):
    """Of a network whose dropout stays on: what so many calls of the script say, one generator for all of them."""
    (tmp_path / "d.nn").write_text("""model D { input x: [3]  target t: [1]
      output y = x -> dense(20, relu) -> dropout(0.5, always = true) -> dense(1) }
    data { source = npz("d.npz", x = x, t = t)  scale = standard(t) }
    train { loss = mse(y, t)  epochs = 2  seed = 4 }""")
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "d.npz", x=rng.normal(size=(40, 3)), t=5 + 3 * rng.normal(size=(40, 1)))
    np.savez(tmp_path / "new.npz", x=rng.normal(size=(5, 3)))
    assert dotnn("train", "d.nn", "--run", "run", folder=tmp_path).exit_code == 0
    found = dotnn("predict", "run", "--input", "new.npz", "--passes", "12", "-o", "out.npz", folder=tmp_path)
    assert found.exit_code == 0, found.stderr
    module, params = load_module(tmp_path / "run" / "model.py", None), dict(np.load(tmp_path / "run" / "weights.npz"))
    scaling = RunFolder.open(tmp_path / "run").read_scaling(module.FITTED)
    draws, x = np.random.default_rng(4), {"x": np.load(tmp_path / "new.npz")["x"]}
    said = np.array([module.predict(params, x, scaling, rng=draws)["y"] for _ in range(12)], float)
    outputs = np.load(tmp_path / "out.npz")
    np.testing.assert_allclose(outputs["y"], said.sum(axis=0) / 12, rtol=1e-6)
    np.testing.assert_allclose(outputs["y_spread"], np.sqrt(((said - said.mean(axis=0)) ** 2).mean(axis=0)), rtol=1e-5)
    assert (outputs["y_spread"] > 0).all()
    (tmp_path / "d.nn").write_text((tmp_path / "d.nn").read_text().replace(", always = true", ""))
    assert dotnn("train", "d.nn", "--run", "plain", folder=tmp_path).exit_code == 0
    found = dotnn("predict", "plain", "--input", "new.npz", "--passes", "3", folder=tmp_path)
    assert found.exit_code == 1 and "--passes" in found.stderr
