"""The layers that are pasted into scripts: what they draw, where they cut the gradient, how they are saved."""

import json

import numpy as np
import pytest
from support import model_of

from dotnn.running.scripts import load_module
from dotnn.session import Options, compile_model

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SPEC = """model M {{
  input  x: [6, 3]
  target t: [1]
  placed = x -> position_embedding
  a = placed -> {first}(4, returns = sequence{options})
  noisy = a -> gaussian_noise({sigma})
  output y = noisy -> gru(3) -> dense(1)
}}
train {{ loss = mse(y, t)  decay = l2(0.1)  constraint = max_norm(0.8)  optim = sgd(0.1)  batch = 5  epochs = 2 }}"""


@pytest.fixture
def make(tmp_path):
    """The script for TensorFlow of the spec above, as a module."""

    def script(first, options="", sigma=0):
        text = SPEC.format(first=first, options=f", {options}" if options else "", sigma=sigma)
        file = tmp_path / "script.py"
        file.write_text(compile_model(model_of(text), Options(target="tensorflow")).script, encoding="utf-8")
        return load_module(file)

    return script


def examples(count=5):
    rng = np.random.default_rng(0)
    return {"x": rng.standard_normal((count, 6, 3)), "t": rng.standard_normal((count, 1))}


@pytest.mark.parametrize("layer", ["lstm", "gru"])
def test_all_gates_see_one_mask(layer, make):
    """Drawn by Keras's own generator: the same for every gate, another one in every call, the right share of zeros."""
    cell = make(layer, "dropout = 0.2, recurrent_dropout = 0.4").build_model().get_layer("a").cell
    for draw, reset, silenced in [
        (cell.get_dropout_mask, cell.reset_dropout_mask, 0.2),
        (cell.get_recurrent_dropout_mask, cell.reset_recurrent_dropout_mask, 0.4),
    ]:
        first, *others = (np.array(mask) for mask in draw(np.ones((500, 4), np.float32)))
        assert len(others) == {"lstm": 3, "gru": 2}[layer]
        assert all(np.array_equal(other, first) for other in others)
        assert (first == 0).mean() == pytest.approx(silenced, abs=0.05)
        reset()
        assert not np.array_equal(draw(np.ones((500, 4), np.float32))[0], first)
        reset()


@pytest.mark.parametrize("layer", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("reverse", ["false", "true"])
def test_the_gradient_ends_where_it_is_cut(layer, reverse, make):
    """What a step adds to the loss is felt by the inputs since the last cut, and by no other."""
    script = make(layer, f"truncate = 4, reverse = {reverse}")
    tf, model = script.tf, script.build_model()
    network = script.keras.Model(model.input, model.get_layer("a").output)
    x = tf.constant(examples()["x"], "float32")
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        read = tf.unstack(network({"x": x}), axis=1)
    states = read[::-1] if reverse == "true" else read  # Keras returns them in the order in which they were read
    steps = range(6)
    felt = [(np.abs(tape.gradient(state, x)).max(axis=(0, 2)) > 0).tolist() for state in states]
    before = [[s >= t if reverse == "true" else s <= t for s in steps] for t in steps]
    assert felt == [[before[t][s] and s // 4 == t // 4 for s in steps] for t in steps]


def test_noise_above_one(make):
    """The deviation is what the spec says, and prediction knows no noise."""
    noisy = make("rnn", sigma=2.5).build_model().get_layer("noisy")
    zeros = np.zeros((400, 6, 4), np.float32)
    assert np.std(noisy(zeros, training=True)) == pytest.approx(2.5, rel=0.05)
    assert np.ptp(noisy(zeros)) == 0


CALLS = [
    ("lstm", "truncate = 4, dropout = 0.3, recurrent_dropout = 0.3, act = gelu", 1.5),
    ("gru", "recurrent_dropout = 0.3, reverse = true", 0.5),
]


@pytest.mark.parametrize(("layer", "options", "sigma"), CALLS)
def test_they_are_trained_saved_and_loaded(layer, options, sigma, make, tmp_path):
    script = make(layer, options, sigma)
    keras, data = script.keras, examples(20)
    first, again = (script.train(data, seed=1)[0] for _ in range(2))
    assert all(np.array_equal(first[key], again[key]) for key in first)
    model = script.build_model(first)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    x = {"x": data["x"].astype(np.float32)}
    np.testing.assert_array_equal(loaded(x)["y"], model(x)["y"])
    assert json.dumps(loaded.get_config()) == json.dumps(model.get_config())
    assert float(sum(loaded.losses)) == float(sum(model.losses)) > 0
    assert script.weights(loaded).keys() == first.keys()
    held = [[type(variable.constraint).__name__ for variable in m.trainable_variables] for m in (loaded, model)]
    assert held[0] == held[1] and held[0].count("MaxNorm") == 6
    model.export(tmp_path / "saved", verbose=False)
    restored = script.tf.saved_model.load(tmp_path / "saved")
    np.testing.assert_allclose(restored.serve(x)["y"], model(x)["y"], rtol=1e-5, atol=1e-6)
