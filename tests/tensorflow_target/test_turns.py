"""Sections that take turns, in TensorFlow: beside the NumPy script, with all that belongs to one section."""

import copy
import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from members.test_turn_names import FUNCTIONS_OF_SCRIPTS, renamed
from members.test_turns import regime
from support import SPECS, model_of, module_of

from dotnn.commands.comparing.sections import compared
from dotnn.running.scripts import load_module
from dotnn.session import Compilation, Options, compile_model
from dotnn.targets.keras.witness import KerasPeer

SPEC = """
loss along(h, g) = sum(h * g)
model Decoupled {
  input x: [3]  target t: [2]
  output h = x -> dense(4, tanh)
  output y = h -> dense(2)
  guess = h -> stop_gradient -> dense(4)
  told = guess -> stop_gradient
}
data { x = [[1, 2, 3]]  t = [[1, 0]]  split = split(train = 75%, val = 25%) }
train { epochs = 4  batch = 2  optim = sgd(0.1)  checkpoint = every(1) }
train lower { loss = along(h, told, reduce = sum)  updates = [h] }
train upper { loss = half_sse(y, t)  updates = [y]  optim = adam(0.02)  metrics = [mae] }
train synthetic { loss = mse(guess, gradient(h))  updates = [guess]  steps = 2  clip = global_norm(0.3)
  optim = adam(cosine(0.05))  stop = early(loss, patience = 1) }
"""


def keeping(states):
    """What keeps the states of a training, whose variables go on."""

    def keep(record, state):
        variables = {i: v.numpy() for i, v in state["variables"].items()}
        states.append(copy.deepcopy({**state, "variables": variables, "history": list(state["history"])}))

    return keep


REGIMES = ["fixed batches", "decay", "batch norm", "augmented", "a plateau", "a plateau of its own", "rates"]
"""Those of `members.test_turns` that this target writes in a way of its own."""
IN_ONE = regime("plain").replace(
    "guess = h -> stop_gradient -> dense(4)", "guess = h -> stop_gradient -> dense(4, bias = false) -> batchnorm"
)
"""Batch norm that the other sections do not compute, and must not renew."""


OF_FUNCTIONS = renamed(regime("plain"), {k: v for k, v in FUNCTIONS_OF_SCRIPTS.items() if k not in "xt"})
WHOLE = {"one of all": SPEC, "in one": IN_ONE}


@pytest.mark.parametrize("text", WHOLE.values(), ids=WHOLE)
def test_turns_in_tensorflow(text, tmp_path):
    """As `train` takes them: each section's epoch is one graph."""
    assert_trained_alike(text, tmp_path)


BY_STEPS = {**{name: regime(name) for name in REGIMES}, "names of functions": OF_FUNCTIONS}


@pytest.mark.usefixtures("step_by_step")
@pytest.mark.parametrize("text", BY_STEPS.values(), ids=BY_STEPS)
def test_a_regime_of_turns_in_tensorflow(text, tmp_path):
    assert_trained_alike(text, tmp_path)


def assert_trained_alike(text, tmp_path):
    """Losses, metrics and weights are those of NumPy, and a training goes on from a state as if nothing had been."""
    text = text.replace("l2(0.01)", "l2(0.015625)")  # Keras takes the strength in single precision
    numpy_script = module_of(text)
    (tmp_path / "turns_tf.py").write_text(compile_model(model_of(text), Options(target="tensorflow")).script)
    script = load_module(tmp_path / "turns_tf.py")
    rng = np.random.default_rng(1)
    data = {"x": rng.standard_normal((9, 3)), "t": rng.standard_normal((9, 2))}
    first = numpy_script.init_params(0, np.float64)
    states = []
    expected, records = numpy_script.train(data, dtype=np.float64, params=first)
    found, history = script.train(data, dtype="float64", params=first, on_epoch=keeping(states))
    for name, w in expected.items():
        np.testing.assert_allclose(found[name], w, rtol=1e-10, atol=1e-13)
    for record, other in zip(records, history, strict=True):
        assert record.keys() == other.keys()
        np.testing.assert_allclose(list(other.values()), list(record.values()), rtol=1e-10)
    again, resumed = script.train(data, dtype="float64", resume=states[1])
    assert list(resumed) == list(history)
    for name, w in found.items():
        np.testing.assert_array_equal(again[name], w)


def test_all_sections_end_by_one_clock(tmp_path, monkeypatch):
    text = SPEC.replace("epochs = 4", "epochs = 9  stop = minutes(1)")
    (tmp_path / "clock_tf.py").write_text(compile_model(model_of(text), Options(target="tensorflow")).script)
    script, looks = load_module(tmp_path / "clock_tf.py"), itertools.count(step=20.0)
    monkeypatch.setattr(script, "time", SimpleNamespace(monotonic=lambda: next(looks)))
    rng = np.random.default_rng(1)
    data = {"x": rng.standard_normal((9, 3)), "t": rng.standard_normal((9, 2))}
    history = script.train(data)[1]
    assert (len(history), history.stopped_by) == (4, "1 minute")


@pytest.mark.parametrize("spec", ["gan.nn", "decoupled.nn"])
def test_every_section_takes_the_steps_of_numpy(spec):
    """`dotnn diff`: with noise that both are given, and with a gradient that another section hands on."""
    begun = Compilation.read(str(SPECS / spec))
    found = compared(begun, 4, 0)
    assert found.verdict == "PASS", found.to_text()
    assert [*found.to_json()["sections"]] == [turn.name for turn in begun.model.turns]
    assert all(len(one.steps) == 4 for one in found.sections.values())


def test_a_section_that_differs_is_named(monkeypatch):
    """A step whose gradient is another one for one bias fails, in the section that updates it alone."""
    make = KerasPeer.make_step

    def make_wrong(self):
        step = make(self)

        def wrong(batch, rate):
            loss, grads = step(batch, rate)
            return loss, {name: 2 * g if name == "y.b" else g for name, g in grads.items()}

        return wrong

    monkeypatch.setattr(KerasPeer, "make_step", make_wrong)
    found = compared(Compilation.of(model_of(SPEC)), 2, 0)
    assert {name: one.verdict for name, one in found.sections.items()} == {
        "lower": "PASS", "upper": "FAIL", "synthetic": "PASS"
    }  # fmt: skip
    assert found.verdict == "FAIL" and "y.b" in found.to_text()
