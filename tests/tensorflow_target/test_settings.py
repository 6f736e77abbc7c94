"""Settings of the training loop in TensorFlow: the same training as the NumPy script's, resumed, and refused."""

import copy

import numpy as np
import pytest
from members.test_settings import HELD, NETWORK, ONE_BY_ONE, SPEC, assert_close, data
from support import model_of
from tensorflow_target.test_parity import agrees

from dotnn.core.diagnostics import CompileError
from dotnn.running.scripts import load_module
from dotnn.session import Options, compile_model

UNWRITTEN = ("noise", "validate", "updates")
WRITTEN = [train for train in ONE_BY_ONE if not any(word in train for word in UNWRITTEN)]
TOGETHER = [
    "accumulate = 2  average = ema(0.5)  rates = rate(h, 0.5)  shuffle = batches",
    "rates = [rate(h, 0.5), rate(y.W, 2)]  decay = weight_decay(0.125)  clip = norm(0.25)",
    "average = ema(0.5)  batch = all",
]


def modules(text, folder):
    model = model_of(text)
    targets = (Options("explain"), Options(target="tensorflow"))
    files = [folder / "ours.py", folder / "theirs.py"]
    for file, options in zip(files, targets, strict=True):
        file.write_text(compile_model(model, options).script)
    return [*map(load_module, files)]


@pytest.mark.parametrize("train", [*WRITTEN, *TOGETHER])
def test_the_same_training(train, tmp_path):
    """Through all epochs, in float64: weights, or their average, and every figure; together compiled with XLA, too."""
    text = SPEC.format(train=train if "batch =" in train else f"{train}  batch = 4", data=HELD)
    script, twin = modules(text.replace("sgd(0.2", "sgd(0.25"), tmp_path)  # Keras rounds 0.2 to a float32
    twin.XLA &= train in TOGETHER
    first = script.init_params(0, np.float64)
    ours, records = script.train(data(), params=first, dtype=np.float64)
    theirs, others = twin.train(data(), params=first, dtype="float64")
    assert_close(theirs, ours)
    for record, other in zip(records, others, strict=True):
        assert record.keys() == other.keys()
        np.testing.assert_allclose([*other.values()], [*record.values()], rtol=1e-9)


@pytest.mark.parametrize("train", ["accumulate = 3", "rates = [rate(h, 0.5), rate(y.W, 2)]", "shuffle = batches"])
def test_every_step_is_that_of_the_numpy_scripts(train):
    """`dotnn diff`, with dropout, whose masks are drawn for each of the batches of an update."""
    agrees(model_of(NETWORK.format(train=train, middle="dropout(0.3)")), 12)


@pytest.mark.parametrize("train", ["average = ema(0.7)", "average = last(3)", "shuffle = batches  accumulate = 2"])
def test_a_resumed_training_is_the_same(train, tmp_path):
    _, module = modules(NETWORK.format(train=train, middle="dropout(0.3)"), tmp_path)
    module.XLA, states = False, []  # the same steps, compiled in a quarter of the time
    whole, history = module.train(data(), on_epoch=lambda record, state: states.append(numbers(state)))
    again, records = module.train(data(), resume=states[1])
    assert list(records) == list(history)
    for name, w in whole.items():
        np.testing.assert_array_equal(again[name], w)


def numbers(state):
    """A state as a file holds it: arrays for variables."""
    variables = {name: v.numpy() for name, v in state["variables"].items()}
    return {**{name: copy.deepcopy(v) for name, v in state.items() if name != "variables"}, "variables": variables}


def test_two_rates_of_one_variable_are_refused():
    """The biases of a gru are two parameters and one variable of Keras."""
    text = """model M {{ input x: [3, 2]  target t: [1]  output y = x -> gru(2) -> dense(1) }}
    train {{ loss = mse(y, t)  rates = [{rates}] }}"""
    names = [name for name in model_of(text.format(rates="rate(y, 2)")).params if "gru" in name and ".b" in name]
    both = ", ".join(f"rate({name}, 2)" for name in names)
    assert len(names) == 2
    compile_model(model_of(text.format(rates=both)), Options(target="tensorflow"))
    with pytest.raises(CompileError, match="NN507"):
        compile_model(model_of(text.format(rates=f"rate({names[0]}, 2)")), Options(target="tensorflow"))


@pytest.mark.parametrize(
    ("train", "distribute"),
    [("noise = gradient(0.1)", ""), ("noise = weights(0.1)", ""),
     ("average = last(updates = 9)", ""), ("average = ema(0.9)", "mirrored"),
     ("shuffle = batches", "mirrored")],
)  # fmt: skip
def test_what_is_refused(train, distribute):
    own = {"distribute": distribute} if distribute else {}
    with pytest.raises(CompileError, match="NN507") as caught:
        compile_model(model_of(SPEC.format(train=train, data=HELD)), Options(target="tensorflow", **own))
    (found,) = caught.value.diagnostics
    assert found.help and (found.span is not None or "shuffle" in train)
