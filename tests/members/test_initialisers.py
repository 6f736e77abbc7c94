"""Every initialiser alone: the mean and variance it promises, and that a seed gives the same draw again."""

import math

import numpy as np
import pytest
from click.testing import CliRunner
from support import STYLES, model_of, module_of

from dotnn.cli import main
from dotnn.codegen.training import rescaled
from dotnn.ir.interpret import run
from dotnn.library.inits import INITS
from dotnn.session import lower

INIT_CALLS = {
    "uniform": ("uniform(-0.3, 0.9)", lambda n_in, n_out: (0.3, 1.2**2 / 12)),
    "normal": ("normal(0.2)", lambda n_in, n_out: (0, 0.04)),
    "constant": ("constant(0.1)", lambda n_in, n_out: (0.1, 0)),
    "ones": ("ones", lambda n_in, n_out: (1, 0)),
    "zeros": ("zeros", lambda n_in, n_out: (0, 0)),
    "xavier": ("xavier", lambda n_in, n_out: (0, 2 / (n_in + n_out))),
    "xavier_in": ("xavier_in", lambda n_in, n_out: (0, 1 / n_in)),
    "he": ("he", lambda n_in, n_out: (0, 2 / n_in)),
    "truncated_normal": ("truncated_normal(0.2)", lambda n_in, n_out: (0, 0.04)),
    "lsuv": ("lsuv", lambda n_in, n_out: (0, 1 / max(n_in, n_out))),
    "orthogonal": ("orthogonal", lambda n_in, n_out: (0, 1 / max(n_in, n_out))),
    "forget_one": (
        "forget_one",
        lambda n_in, n_out: (n_out // 4 / n_out, n_out // 4 / n_out * (1 - n_out // 4 / n_out)),
    ),
}
"""A call of each initialiser, and the mean and the variance it promises; `file` is met in tests/golden."""
FIXED = ("constant", "ones", "zeros", "forget_one")


@pytest.mark.parametrize("name", [name for name in INITS if name != "file"])
@pytest.mark.parametrize(("n_in", "n_out"), [(60, 130), (130, 60)])
def test_initialiser(name, n_in, n_out):
    call, promise = INIT_CALLS[name]
    spec = f"model M {{ input x: [{n_in}]  target t: [{n_out}]  output y = x -> dense({n_out}, init = {call}) }}"
    module = module_of(f"{spec} train {{ loss = mse(y, t) }}")
    w = module.init_params(1, np.float64)["y.W"]
    mean, variance = promise(n_in, n_out)
    assert abs(w.mean() - mean) <= 5 * math.sqrt(variance / w.size) + 1e-15
    np.testing.assert_allclose(w.var(), variance, rtol=0.05, atol=1e-15)  # sampling error: sqrt(2/7800), 1.6%
    np.testing.assert_array_equal(w, module.init_params(1, np.float64)["y.W"])
    np.testing.assert_array_equal(w.astype(np.float32), module.init_params(1)["y.W"])
    assert name in FIXED or (w != module.init_params(2, np.float64)["y.W"]).any()


@pytest.mark.parametrize(
    ("call", "variance"), [("xavier(truncated)", 2 / 190), ("xavier_in(truncated)", 1 / 60), ("he(truncated)", 2 / 60)]
)
def test_truncated_draws_keep_the_variance_within_two_sigma(call, variance):
    spec = f"model M {{ input x: [60]  target t: [130]  output y = x -> dense(130, init = {call}) }}"
    w = module_of(f"{spec} train {{ loss = mse(y, t) }}").init_params(1, np.float64)["y.W"]
    np.testing.assert_allclose(w.var(), variance, rtol=0.05)
    assert abs(w).max() <= 2 * math.sqrt(variance) / 0.8796
    assert abs(w).max() > 1.9 * math.sqrt(variance) / 0.8796


@pytest.mark.parametrize("style", ["explain", "fast"])
def test_lsuv_gives_every_layer_unit_variance(style):
    """Tiny inputs through ten layers; each weight is the orthogonal one but for a factor."""
    layers = " -> ".join(["dense(30, tanh)"] * 9)
    spec = f"""model M {{ input x: [20]  target t: [1]  output y = x -> {layers} -> dense(1) }}
    train {{ loss = mse(y, t)  init = lsuv  epochs = 1 }}"""
    module = module_of(spec, style)
    data = {"x": 1e-3 * np.random.default_rng(0).standard_normal((300, 20)), "t": np.zeros((300, 1))}
    start = module.init_params(0, np.float64)
    params, _ = module.train(data, epochs=0, dtype=np.float64)
    model = model_of(spec)
    graph = lower(model)
    values, made = run(graph, {**params, **data}), rescaled(model, graph)
    assert list(made) == [name for name in module.PARAMS if name.endswith("W")]
    for name, value in made.items():
        np.testing.assert_allclose(values[value.id].var(), 1, atol=0.1)
        ratio = params[name] / start[name]
        np.testing.assert_allclose(ratio, ratio.flat[0], rtol=1e-9)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(
    "layer", ["lstm(4)", "rnn(4, recompute = 2, returns = sequence) -> flatten", "gru(4, stateful = true)"]
)
def test_lsuv_leaves_what_is_inside_of_a_layer(layer, style):
    """Also where a layer computes what it makes in parts."""
    spec = f"""model M {{ input x: [4, 3]  target t: [2]
    output y = x -> multi_head_attention(2, 3) -> {layer} -> dense(2) }}
    train {{ loss = mse(y, t)  init = lsuv  shuffle = false }}"""
    module = module_of(spec, style)
    data = {"x": np.random.default_rng(0).standard_normal((50, 4, 3)), "t": np.zeros((50, 2))}
    start, (params, _) = module.init_params(0), module.train(data, epochs=0)
    changed = {name for name, weight in params.items() if (weight != start[name]).any()}
    assert changed <= {"y.multi_head_attention1.Wo", "y.dense1.W"} and changed


def test_orthogonal_is_orthogonal():
    for n_in, n_out in ((5, 8), (8, 5), (6, 6)):
        spec = (
            f"model M {{ input x: [{n_in}]  target t: [{n_out}]  output y = x -> dense({n_out}, init = orthogonal) }}"
        )
        w = module_of(f"{spec} train {{ loss = mse(y, t) }}").init_params(1, np.float64)["y.W"]
        product = w @ w.T if n_in <= n_out else w.T @ w
        np.testing.assert_allclose(product, np.eye(min(n_in, n_out)), atol=1e-12)


LARGE = """model M {
  input  x: [30]
  target t: [2]
  output y = x -> dense(300, tanh) -> dense(2)
}
data { source = npz("data.npz", x = x, t = t) }
train { loss = mse(y, t)  epochs = 1  init = file("first.npz") }
"""


@pytest.mark.parametrize("words", [["check"], ["explain", "--example", "1"], ["train"]])
def test_weights_too_many_for_a_script_are_found_beside_their_spec_from_everywhere(words, tmp_path, monkeypatch):
    specs, elsewhere = tmp_path / "specs", tmp_path / "elsewhere"
    specs.mkdir()
    elsewhere.mkdir()
    (specs / "m.nn").write_text(LARGE, encoding="utf-8")
    rng = np.random.default_rng(0)
    shapes = {"y.dense1.W": (30, 300), "y.dense1.b": 300, "y.dense2.W": (300, 2), "y.dense2.b": 2}
    np.savez(specs / "first.npz", **{name: rng.standard_normal(shape) for name, shape in shapes.items()})
    np.savez(specs / "data.npz", x=rng.standard_normal((8, 30)), t=rng.standard_normal((8, 2)))
    monkeypatch.chdir(elsewhere)
    command, *options = words
    done = CliRunner().invoke(main, [command, "../specs/m.nn", *options], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    if command == "train":
        done = CliRunner().invoke(main, ["doctor", "runs/m"], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        (specs / "first.npz").unlink()
        done = CliRunner().invoke(main, ["doctor", "runs/m"], catch_exceptions=False)
        assert done.exit_code == 1 and "first.npz" in done.output and "NN901" not in done.output
