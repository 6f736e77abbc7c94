"""The TensorFlow script as a user runs it: trained, saved, loaded, exported, asked from the command line."""

import csv
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from support import SPECS, as_module, compiled, model_of, run_program

from dotnn.running.scripts import load_module
from dotnn.session import Options, compile_model, compile_spec
from dotnn_runtime.script.selfcheck import generic_batch

# Keras hands its variables to NumPy in a way that NumPy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

TRAINED = [
    "and_or", "digits", "digits_batchnorm", "digits_cosine", "four", "iris", "maxout", "non_negative", "one_cycle",
    "perceptron", "plateau", "power_plant", "two_tasks", "xor",
]  # fmt: skip
WITH_XLA = ["digits_batchnorm", "iris", "maxout", "non_negative", "perceptron", "two_tasks"]
"""Trained as users do: its compilation takes three times as long as all else. The others show the loop without it."""
WITHOUT_TENSORBOARD = """
import runpy, sys
sys.modules["tensorboard"] = None
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
RESUMED = """model M {{
  input  x: [3]
  target t: [1]
  output y = x -> dense(4, tanh) -> dropout(0.2) -> dense(1)
}}
train {{
  loss = mse(y, t)  optim = adam(cosine(0.05))  batch = {batch}  epochs = 6
  stop = early(loss, patience = 4)  checkpoint = every(1)
}}"""


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The scripts of a spec for NumPy and for TensorFlow, as modules, with 3 epochs to train."""

    def make(name):
        path = SPECS / f"{name}.nn"
        file = tmp_path_factory.mktemp(name) / f"{name}.py"
        file.write_text(compile_spec(str(path), Options(target="tensorflow")).script, encoding="utf-8")
        return as_module(compiled(path, "explain").script, path), load_module(file)

    return make


@pytest.fixture
def double():
    """Let a module compute in float64 for one test."""
    changed = []

    def use(module):
        module.set_precision("float64")
        changed.append(module)

    yield use
    for module in changed:
        module.set_precision("float32")


@pytest.mark.parametrize("name", TRAINED)
def test_training_ends_where_numpy_ends(name, both, double):
    """The loop itself: XLA, the batches' order, the last small batch, metrics, stop rules, best weights, units."""
    ours, theirs = both(name)
    double(theirs)
    theirs.XLA &= name in WITH_XLA
    data = ours.load_data()
    params, history = ours.train(data, epochs=3, dtype=np.float64)
    their_params, their_history = theirs.train(data, epochs=3)
    assert their_params.keys() == params.keys()
    for key, value in params.items():  # Keras rounds momentum and penalties to float32
        np.testing.assert_allclose(their_params[key], value, rtol=1e-5, atol=1e-6, err_msg=key)
    assert [record.keys() for record in their_history] == [record.keys() for record in history]
    for record, their_record in zip(history, their_history, strict=True):
        assert their_record == pytest.approx(record, rel=1e-5, abs=1e-6)
    assert (their_history.stopped_by, their_history.best_epoch) == (history.stopped_by, history.best_epoch)
    assert their_history.test == pytest.approx(history.test, rel=1e-5)
    inputs = {key: data[key] for key in ours.INPUTS}
    outputs = ours.predict(params, inputs, history.scaling or None)
    for key, value in theirs.predict(params, inputs, history.scaling or None).items():
        np.testing.assert_allclose(value, outputs[key], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("batch", ["4", "all"])
def test_a_resumed_training_ends_where_an_uninterrupted_one_does(batch, tmp_path):
    """Weights, the optimizer's memory, the order of batches and the masks of dropout: all of it goes on."""
    file = tmp_path / "resumed.py"
    options = Options(target="tensorflow")
    file.write_text(compile_model(model_of(RESUMED.format(batch=batch)), options).script, encoding="utf-8")
    script = load_module(file)
    script.XLA &= batch == "4"
    rng = np.random.default_rng(0)
    data = {"x": rng.random((10, 3)), "t": rng.random((10, 1))}

    def keep(record, state):
        if record["epoch"] == 3:
            script.save_state(tmp_path / "state.npz", state)

    whole, history = script.train(data, on_epoch=keep)
    state = script.load_state(tmp_path / "state.npz", script.PARAMS)
    params, resumed = script.train(data, resume=state)
    assert list(resumed) == list(history) and len(history) == 6
    for key, value in whole.items():
        np.testing.assert_array_equal(params[key], value)


def test_streamed_examples_train_like_resident_ones(both):
    ours, script = both("digits_cosine")
    data = ours.load_data()
    resident, _ = script.train(data, epochs=2)
    script.RESIDENT_BYTES = 0
    streamed, _ = script.train(data, epochs=2)
    for key, value in resident.items():
        np.testing.assert_allclose(streamed[key], value, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_learns(policy, both):
    ours, script = both("digits_dropout")
    data = ours.load_data()
    script.XLA &= policy == "mixed_float16"  # a penalty in the other one is trained with it, too
    try:
        script.set_precision(policy)
        params, history = script.train(data, epochs=4)
    finally:
        script.set_precision("float32")
    assert all(value.dtype == np.float32 for value in params.values())
    assert history[-1]["loss"] < 0.6 * history[0]["loss"]
    assert history.test["accuracy"] > 0.9


def test_mixed_precision_with_a_penalty(both):
    """The network computes in 16 bits, the loss and its penalty in 32."""
    ours, script = both("softmax_regression")
    data = ours.load_data()
    _, expected = script.train(data, epochs=2)
    try:
        script.set_precision("mixed_bfloat16")
        _, history = script.train(data, epochs=2)
    finally:
        script.set_precision("float32")
    assert history[-1]["loss"] == pytest.approx(expected[-1]["loss"], rel=0.02)


def test_dropout_draws_anew_in_every_step(tmp_path):
    """The same seed trains to the same weights, another one to others; in prediction nothing is silenced."""
    file = tmp_path / "dropout.py"
    options = Options(target="tensorflow")
    file.write_text(compile_model(model_of(RESUMED.format(batch=4)), options).script, encoding="utf-8")
    script = load_module(file)
    script.XLA = False
    rng = np.random.default_rng(0)
    data, start = {"x": rng.random((10, 3)), "t": rng.random((10, 1))}, script.init_params(0)
    first, again, other = (script.train(data, epochs=1, seed=seed, params=start)[0] for seed in (1, 1, 2))
    assert all(np.array_equal(first[key], again[key]) for key in first)
    assert not np.allclose(first["y.dense1.W"], other["y.dense1.W"])
    model = script.build_model()
    batch = {"x": np.ones((50, 3), np.float32)}
    values = [model(batch, training=True)["y"].numpy() for _ in range(2)]
    assert not np.allclose(*values) and np.ptp(values[0]) > 0
    assert np.ptp(model(batch)["y"]) == 0


@pytest.mark.parametrize("name", ["maxout", "experts", "and_or", "digits_batchnorm", "brackets", "lenet"])
def test_a_saved_model_predicts_the_same(name, both, tmp_path):
    """`.keras` and SavedModel; weights go both ways."""
    ours, script = both(name)
    keras, tf = script.keras, script.tf
    params = {key: value + 0.1 for key, value in ours.init_params(3).items()}
    model = script.build_model(params)
    shapes = {**ours.PARAMS, **getattr(ours, "STATE", {})}
    assert {key: value.shape for key, value in script.weights(model).items()} == shapes
    for key, value in script.weights(model).items():
        np.testing.assert_array_equal(value, params[key])
    batch = generic_batch(ours.INPUTS, np.random.default_rng(0), 5)
    batch = {key: value.astype(np.int32 if value.dtype.kind == "i" else np.float32) for key, value in batch.items()}
    expected = ours.forward(params, batch)[0]
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    model.export(tmp_path / "saved", verbose=False)
    restored = tf.saved_model.load(tmp_path / "saved")
    served = restored.serve({key: tf.constant(value) for key, value in batch.items()})
    for key, value in expected.items():
        for found in (model(batch)[key], loaded(batch)[key], served[key]):
            np.testing.assert_allclose(found, value, rtol=1e-5, atol=1e-6)


def test_keras_can_train_it_too(both):
    """The model is an ordinary Keras model: `compile` and `fit` work, penalties and callbacks included."""
    ours, script = both("softmax_regression")
    parts, _ = script.prepare(ours.load_data())
    model = script.build_model()
    model.compile(script.make_optimizer(model), "sparse_categorical_crossentropy")
    history = model.fit({"x": parts["train"]["x"]}, {"p": parts["train"]["species"]}, epochs=3, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]
    assert model.losses and float(model.losses[0]) > 0


def written(text, path):
    """Compile a spec to a file, where TensorFlow finds the source of the loops that it makes graphs of."""
    path.write_text(compile_model(model_of(text), Options(target="tensorflow")).script, encoding="utf-8")
    return load_module(path)


@pytest.mark.parametrize(
    ("layers", "regime"),
    [
        ("dense(4)", "optim = adam(0.02)"),
        ("dense(4)", "optim = adamw(0.02)"),
        ("dense(4)", "optim = sgd(0.1, momentum = 0.9)"),
        ("reshape([2, 2]) -> gru(4)", "optim = sgd(0.1, momentum = 0.9)  clip = norm(0.01)"),
    ],
)
def test_keras_goes_on_with_a_compiled_model_that_was_saved(layers, regime, tmp_path):
    """With the optimizer's memory: Keras orders variables by depth, where `a` comes last, and the spec has it first."""
    text = f"""model M {{
      input  x: [4]
      target t: [2]
      a = x -> {layers}
      output y = concat(a, x -> dense(4) -> dense(4)) -> dense(2)
    }}
    train {{ loss = mse(y, t)  {regime}  batch = 4 }}"""
    script = written(text, tmp_path / "compiled.py")
    rng = np.random.default_rng(0)
    x, t = {"x": rng.normal(size=(20, 4))}, {"y": rng.normal(size=(20, 2))}
    model = script.build_model()
    model.compile(script.make_optimizer(model), "mse")
    model.fit(x, t, epochs=2, shuffle=False, verbose=0)
    model.save(tmp_path / "model.keras")
    again = script.keras.models.load_model(tmp_path / "model.keras")
    for each in (model, again):
        each.fit(x, t, epochs=2, shuffle=False, verbose=0)
    for name, w in script.weights(model).items():
        np.testing.assert_allclose(script.weights(again)[name], w, rtol=1e-6, atol=1e-7, err_msg=name)


@pytest.mark.parametrize("batch", ["4", "all"])
def test_a_frozen_layer_stays_as_it_is(batch, tmp_path):
    text = f"""model M {{ input x: [2]  target t: [1]  h = x -> dense(3, tanh)  output y = h -> dense(1) }}
    train {{ loss = mse(y, t)  optim = adam(0.1)  batch = {batch} }}"""
    script = written(text, tmp_path / "frozen.py")
    script.XLA = False
    rng = np.random.default_rng(0)
    parts, scaling = script.prepare({"x": rng.normal(size=(8, 2)), "t": rng.normal(size=(8, 1))})
    model = script.build_model()
    before = script.weights(model)
    model.get_layer("h").trainable = False
    script.fit(model, parts, scaling, epochs=2)
    after = script.weights(model)
    moved = {name for name, w in before.items() if not np.array_equal(after[name], w)}
    assert moved == {"y.W", "y.b"}


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A folder with the scripts of a spec, where a process has trained that for TensorFlow: it takes seconds to begin.

    The package `tensorboard` is not there for it.
    """
    folder, spec = tmp_path_factory.mktemp("ran"), SPECS / "iris.nn"
    for target, style in (("numpy", "fast"), ("tensorflow", "")):
        script = compile_spec(str(spec), Options(style, target=target)).script
        (folder / f"for_{target}.py").write_text(script, encoding="utf-8")
    words = ["train", "--data", spec.parent / "data" / "iris.csv", "--epochs", 4, "--out", "out"]
    words += ["--export", "saved", "--tensorboard", "logs"]
    command = [sys.executable, "-c", WITHOUT_TENSORBOARD, "for_tensorflow.py", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def test_command_line(ran):
    """Train, predict and check as a program; the NumPy script predicts the same from the same folder."""
    folder, text = ran

    def run(target, *arguments):
        if target == "tensorflow":
            done = run_program(folder / "for_tensorflow.py", *arguments, folder=folder)
        else:
            command = [sys.executable, "for_numpy.py", *map(str, arguments)]
            done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
        assert done.returncode == 0, done.stderr
        return done.stdout

    out = folder / "out"
    assert "stopped by epochs after 4 epochs" in text
    results = {"weights.npz", "model.keras", "history.csv", "scaling.json", "labels.json"}
    assert {path.name for path in out.iterdir()} == results
    assert (folder / "saved" / "saved_model.pb").is_file()
    (folder / "new.csv").write_text("sepal_length,sepal_width,petal_length,petal_width\n5,3,1,0.2\n6,3,5,2\n")
    tables = [
        list(csv.reader(run(target, "predict", "--weights", out, "--input", "new.csv").splitlines()))
        for target in ("numpy", "tensorflow")
    ]
    assert tables[0][0] == tables[1][0]
    ours, theirs = (np.array([row[:3] for row in table[1:]], float) for table in tables)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    run("tensorflow", "predict", "--weights", out, "--input", "new.csv", "-o", "new.npz")
    with np.load(folder / "new.npz") as stored:
        np.testing.assert_allclose(stored["p"], theirs, rtol=1e-5)
        assert stored["species"].tolist() == [row[3] for row in tables[1][1:]]
    assert run("tensorflow", "check").splitlines()[-1] == "PASS"


def test_classes_are_headed_by_their_texts_and_weights_are_finite(both, tmp_path, capsys):
    """The command line of the script, in this process: TensorFlow takes seconds to begin."""
    _, script = both("iris")
    table, words = SPECS / "data" / "iris.csv", script.command_line().parse_args
    script.run_train(words(["train", "--epochs", "1", "--out", str(tmp_path), "--data", str(table)]))
    capsys.readouterr()
    predict = words(["predict", "--weights", str(tmp_path), "--input", str(table)])
    assert script.run_predict(predict)
    head, *rows = capsys.readouterr().out.splitlines()
    assert head == "p_setosa,p_versicolor,p_virginica,species"
    texts = script.read_labels(tmp_path)["species"]
    assert [row.split(",")[3] for row in rows] == [texts[np.argmax([*map(float, r.split(",")[:3])])] for r in rows]
    weights = dict(np.load(tmp_path / "weights.npz"))
    name = next(iter(weights))
    np.savez(tmp_path / "weights.npz", **{**weights, name: np.full_like(weights[name], np.nan)})
    with pytest.raises(script.DataError, match=rf"{name}\[0, 0\] is nan"):
        script.run_predict(predict)


def test_lsuv_starts_from_the_same_weights():
    model = model_of("""model M {
      input  x: [6, 6, 1]
      target t: [2]
      h = x -> depthwise_conv2d(3, multiplier = 2) -> conv2d(3, 3, relu) -> maxpool(2) -> flatten -> dense(8, prelu)
      output y = h -> dense(2)
    }
    train { loss = mse(y, t)  init = lsuv }""")
    ours, theirs = (
        as_module(compile_model(model, Options(style, target=target)).script, SPECS)
        for style, target in (("fast", "numpy"), ("", "tensorflow"))
    )
    data = {"x": 0.01 * np.random.default_rng(0).standard_normal((100, 6, 6, 1)), "t": np.zeros((100, 2))}
    start = theirs.train(data, epochs=0)[0]
    for name, weight in ours.train(data, epochs=0)[0].items():
        np.testing.assert_allclose(start[name], weight, rtol=1e-5)
    network = theirs.training_model(theirs.build_model(start))
    values = theirs.forward(network, {"x": data["x"].astype(np.float32)})
    for value in theirs.LSUV.values():
        np.testing.assert_allclose(values[value].var(), 1, atol=0.1)


def test_what_tensorboard_is_told(ran):
    """The event file holds the figures of history.csv, as scalars, although the package is not installed."""
    folder, _ = ran
    with open(folder / "out" / "history.csv", newline="") as file:
        records = [{k: float(value) for k, value in row.items() if k != "epoch"} for row in csv.DictReader(file)]
    (events,) = (folder / "logs").iterdir()
    written = [{} for _ in records]
    for event in tf.compat.v1.train.summary_iterator(str(events)):
        for value in event.summary.value:
            assert value.metadata.plugin_data.plugin_name == "scalars"
            written[event.step - 1][value.tag] = float(tf.make_ndarray(value.tensor))
    assert len(records) == 4 and {"loss", "val_loss", "accuracy"} <= records[0].keys()
    assert written == [pytest.approx(record, rel=1e-6) for record in records]


def test_check_of_a_cut_gradient_says_what_can_check_it(tmp_path):
    model = model_of("""model M { input x: [4]  target y: [1]  h = x -> dense(3, tanh)
    output p = concat(h, h -> stop_gradient) -> dense(1) }  train { loss = mse(p, y) }""")
    (tmp_path / "model.py").write_text(compile_model(model, Options(target="tensorflow")).script, encoding="utf-8")
    done = run_program(tmp_path / "model.py", "check", folder=tmp_path)
    assert done.returncode == 1
    assert "--against tensorflow" in done.stderr and "WRONG" not in done.stdout
