"""A training that was interrupted and resumed ends as one that was not: bit by bit, in memory and on disk."""

import numpy as np
import pytest
from support import STYLES, generic_point, module_of

from dotnn.library.optimizers import OPTIMIZERS
from dotnn_runtime.script.checkpoint import load_state, save_state

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


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("regime", REGIMES)
def test_from_every_epoch(regime, style, tmp_path):
    module = module_of(NETWORK.format(every=1, train=REGIMES[regime]), style)
    _, data = generic_point(module, 1, examples=30)
    whole = module.train(data)
    states = []
    assert_same_run(module.train(data, checkpoint=states.append), whole)
    assert len(states) >= min(8, len(whole[1]) - 1)
    for state in states:
        save_state(tmp_path / "state.npz", state)
        assert_same_run(module.train(data, resume=load_state(tmp_path / "state.npz", module.PARAMS)), whole)
        # A state is nobody's but the caller's: it serves again.
        assert_same_run(module.train(data, resume=state), whole)


@pytest.mark.parametrize("style", STYLES)
def test_every_third_epoch_and_the_last(style):
    module = module_of(NETWORK.format(every=3, train="batch = 10"), style)
    _, data = generic_point(module, 1, examples=30)
    saved = []
    module.train(data, epochs=8, checkpoint=lambda state: saved.append(len(state["history"])))
    assert saved == [3, 6, 8]


def test_more_epochs_go_on_from_the_end():
    module = module_of(NETWORK.format(every=1, train="optim = adam(0.01)  batch = 10"))
    _, data = generic_point(module, 1, examples=30)
    states = []
    module.train(data, epochs=4, checkpoint=states.append)
    assert_same_run(module.train(data, resume=states[-1]), module.train(data))


def test_a_checkpoint_of_another_spec_is_refused():
    """Whatever of the regime differs, weight decay too, which no parameter shows."""
    regimes = [*REGIMES.values(), "batch = 5", "batch = 5  decay = weight_decay(0.1)", "batch = 5  shuffle = false"]
    modules = [module_of(NETWORK.format(every=1, train=regime)) for regime in regimes]
    assert len({module.TRAINING for module in modules}) == len(regimes)
    _, data = generic_point(modules[0], 1, examples=30)
    states = []
    modules[0].train(data, epochs=2, checkpoint=states.append)
    with pytest.raises(modules[1].DataError):
        modules[1].train(data, resume=states[-1])


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("part", ["train", "val"])
def test_other_data_are_refused(part, style):
    """One number of one example is enough."""
    module = module_of(NETWORK.format(every=1, train="batch = 10"), style)
    parts, scaling = module.prepare(generic_point(module, 1, examples=30)[1], np.float64)
    states = []
    module.fit(module.init_params(0), parts, scaling, epochs=2, checkpoint=states.append)
    module.fit(module.init_params(0), parts, scaling, epochs=3, resume=states[-1])
    parts[part]["x"][3, 2] += 1e-6
    with pytest.raises(module.DataError):
        module.fit(module.init_params(0), parts, scaling, epochs=3, resume=states[-1])
