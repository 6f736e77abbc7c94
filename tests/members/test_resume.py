"""A training that was interrupted and resumed ends as one that was not: bit by bit, in memory and on disk."""

import copy
import subprocess
import sys

import numpy as np
import pytest
from errors.runner import dotnn
from support import STYLES, generic_point, module_of

from dotnn.library.optimizers import OPTIMIZERS
from dotnn_runtime.script.checkpoint import load_state, save_checkpoint, save_state

NETWORK = """model M {{ input x: [4]  target y: class[3]
  output p = x -> dense(8, tanh) -> dropout(0.2) -> dense(3, softmax) }}
data {{ x = [[1, 2, 3, 4]]  y = [0]  split = split(train = 60%, val = 40%) }}
train {{ loss = cross_entropy(p, y)  epochs = 9  checkpoint = every({every})  metrics = [accuracy]  {train} }}"""
REGIMES = {
    **{name: f"optim = {name}(0.1)  batch = 4" for name in OPTIMIZERS},
    "all at once": "optim = adam(0.1)  batch = all",
    "momentum": "optim = sgd(linear(0.1, warmup = 3), momentum = 0.9)  batch = all  clip = global_norm(0.1)",
    "schedule": "optim = adamw(cosine(0.1, warmup = 10%))  batch = 5  clip = norm(0.1)  constraint = max_norm(1)",
    "plateau": "optim = sgd(plateau(2, patience = 1, factor = 0.5, cooldown = 1))  batch = 5",
    "early": "optim = adam(0.3)  batch = 5  stop = early(val_loss, patience = 3)",
    "early by accuracy": "optim = adam(0.3)  batch = all  stop = early(val_accuracy, patience = 4)",
}


def assert_same_run(found, expected):
    (params, history), (others, records) = expected, found
    assert list(records) == list(history)
    assert (records.stopped_by, records.best_epoch) == (history.stopped_by, history.best_epoch)
    assert others.keys() == params.keys()
    for name, w in params.items():
        np.testing.assert_array_equal(others[name], w, strict=True)


def keeping(states):
    """What keeps the states of a training, which goes on with them."""
    return lambda record, state: states.append(copy.deepcopy(state))


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("regime", REGIMES)
def test_from_every_epoch(regime, style, tmp_path):
    """From the last one, too, which a rule may have ended: then nothing is trained any more."""
    module = module_of(NETWORK.format(every=1, train=REGIMES[regime]), style)
    _, data = generic_point(module, 1, examples=30)
    whole = module.train(data)
    states = []
    assert_same_run(module.train(data, on_epoch=keeping(states)), whole)
    assert len(states) == len(whole[1])
    for state in states:
        save_state(tmp_path / "state.npz", state)
        assert_same_run(module.train(data, resume=load_state(tmp_path / "state.npz", module.PARAMS)), whole)
        assert_same_run(module.train(data, resume=state), whole)


def test_the_state_is_live():
    """Nothing is copied for who does not keep it: the parameters of all epochs are the same arrays."""
    module = module_of(NETWORK.format(every=1, train="batch = 10"), "fast")
    _, data = generic_point(module, 1, examples=30)
    states = []
    module.train(data, epochs=3, on_epoch=lambda record, state: states.append(state))
    assert states[0]["params"] is states[2]["params"] and states[0]["optimizer"] is states[2]["optimizer"]


@pytest.mark.parametrize("style", STYLES)
def test_every_third_epoch_and_the_last(style, tmp_path):
    """And where a rule ends the training: the file is what the next one goes on from."""
    for more, expected in (("", [3, 6, 8]), ("stop = when(loss < 1e9)", [1])):
        module = module_of(NETWORK.format(every=3, train=f"batch = 10  {more}"), style)
        _, data = generic_point(module, 1, examples=30)
        saved = []

        def after(record, state, saved=saved):
            (tmp_path / "checkpoint.npz").unlink(missing_ok=True)
            save_checkpoint(tmp_path, state, 0, epochs=8, every=3)
            saved += [record["epoch"]] if (tmp_path / "checkpoint.npz").exists() else []

        module.train(data, epochs=8, on_epoch=after)
        assert saved == expected


def test_more_epochs_go_on_from_the_end():
    module = module_of(NETWORK.format(every=1, train="optim = adam(0.01)  batch = 10"))
    _, data = generic_point(module, 1, examples=30)
    states = []
    module.train(data, epochs=4, on_epoch=keeping(states))
    assert_same_run(module.train(data, resume=states[-1]), module.train(data))


def test_a_training_that_ran_out_of_time_goes_on_when_it_is_resumed():
    module = module_of(NETWORK.format(every=1, train="batch = 10  stop = [minutes(1e-9), early(val_loss)]"), "fast")
    _, data = generic_point(module, 1, examples=30)
    states = []
    _, history = module.train(data, on_epoch=keeping(states))
    assert len(history) == 1 and "minute" in history.stopped_by
    assert len(module.train(data, resume=states[-1])[1]) == 2


def test_what_tells_trainings_apart():
    """Whatever of the regime differs, weight decay too, which no parameter shows."""
    regimes = [*REGIMES.values(), "batch = 5", "batch = 5  decay = weight_decay(0.1)", "batch = 5  shuffle = false"]
    modules = [module_of(NETWORK.format(every=1, train=regime), "fast") for regime in regimes]
    assert len({module.TRAINING for module in modules}) == len(regimes)


SPEC = NETWORK.replace("data {{ x = [[1, 2, 3, 4]]  y = [0]  ", 'data {{ source = npz("d.npz", x = x, y = y)  ')


def by_script(folder, *options, data="d.npz", name="model.py"):
    command = [sys.executable, name, "train", "--out", "out", "--data", data, *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def by_dotnn(folder, *options, data="d.npz", name="s.nn"):
    return dotnn("train", name, "--run", "run", "--data", data, *options, folder=folder)


@pytest.mark.parametrize("train", [by_script, by_dotnn])
def test_what_a_checkpoint_is_not_of_is_refused(train, tmp_path):
    """Another spec, other data, though in one number of one example, another seed: each by its own."""
    rng = np.random.default_rng(0)
    data = {"x": rng.standard_normal((30, 4)), "y": rng.integers(0, 3, 30)}
    np.savez(tmp_path / "d.npz", **data)
    data["x"][29, 2] += 1e-6
    np.savez(tmp_path / "other.npz", **data)
    for name, batch in (("s", 10), ("t", 15)):
        (tmp_path / f"{name}.nn").write_text(SPEC.format(every=1, train=f"batch = {batch}"))
    for name, file in (("s", "model.py"), ("t", "other.py")):
        assert dotnn("compile", f"{name}.nn", "-o", file, "--style", "fast", folder=tmp_path).exit_code == 0
    whole = train(tmp_path, "--epochs", "3")
    assert code(whole) == 0, whole.stderr
    refused = [train(tmp_path, "--resume", data="other.npz"), train(tmp_path, "--resume", "--seed", "9")]
    refused.append(train(tmp_path, "--resume", name="other.py" if train is by_script else "t.nn"))
    for outcome in refused:
        assert code(outcome) == 1 and "another training" in outcome.stderr, outcome.stderr
    assert code(train(tmp_path, "--resume")) == 0


def code(outcome):
    return outcome.exit_code if hasattr(outcome, "exit_code") else outcome.returncode
