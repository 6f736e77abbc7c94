"""`stateful = true`: the state of a recurrent layer goes on from batch to batch, the gradient does not."""

import numpy as np
import pytest
from errors.runner import dotnn
from support import STYLES, assert_gradients, generic_point, module_of

NETWORK = """model M {{ input x: [4, 3]  target t: [2]
  output y = x -> rnn(5, stateful = true{more}) -> dense(2) }}
{data}
train {{ loss = mse(y, t)  optim = sgd(0.1)  epochs = 3  batch = 6  shuffle = false  checkpoint = every(1) }}"""


def examples(count=16):
    rng = np.random.default_rng(4)
    return {"x": rng.standard_normal((count, 4, 3)), "t": rng.standard_normal((count, 2))}


def by_hand(params, data, epochs, batch=6, rate=0.1, every=4):
    """Backpropagation through the four steps of each batch, written out; the last batch of an epoch is shorter.

    The gradient stops in front of every so many steps; the state goes on.
    """
    W, U, b, V, c = (params[n].copy() for n in ("y.rnn1.W", "y.rnn1.U", "y.rnn1.b", "y.dense1.W", "y.dense1.b"))
    state = np.zeros((batch, 5))
    for _ in range(epochs):
        for start in range(0, len(data["x"]), batch):
            x, t = (data[name][start : start + batch] for name in ("x", "t"))
            hs = [state[: len(x)].copy()]
            for k in range(4):
                hs.append(np.tanh(x[:, k] @ W + hs[-1] @ U + b))
            state[: len(x)] = hs[-1]
            d_y = 2 * (hs[-1] @ V + c - t) / t.size
            d_V, d_c, d_h = hs[-1].T @ d_y, d_y.sum(axis=0), d_y @ V.T
            d_W, d_U, d_b = np.zeros_like(W), np.zeros_like(U), np.zeros_like(b)
            for k in reversed(range(4)):
                d_z = d_h * (1 - hs[k + 1] ** 2)
                d_W += x[:, k].T @ d_z
                d_U += hs[k].T @ d_z
                d_b += d_z.sum(axis=0)
                d_h = d_z @ U.T if k % every else 0 * d_h
            for w, grad in ((W, d_W), (U, d_U), (b, d_b), (V, d_V), (c, d_c)):
                w -= rate * grad
    return {"y.rnn1.W": W, "y.rnn1.U": U, "y.rnn1.b": b, "y.dense1.W": V, "y.dense1.b": c, "y.rnn1.h.carried": state}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("every", [4, 1, 3])
def test_training_is_that_of_a_loop_written_by_hand(every, style):
    module = module_of(NETWORK.format(more=f", truncate = {every}" if every < 4 else "", data=""), style)
    assert module.STATE == {"y.rnn1.h.carried": (6, 5)}
    data = examples()
    found, _ = module.train(data, dtype=np.float64)
    expected = by_hand(module.init_params(module.SEED, np.float64), data, 3, every=every)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("layer", ["rnn(5", "lstm(5", "gru(5, reset = before"])
@pytest.mark.parametrize("more", [", returns = sequence", ", truncate = 2", ", recurrent_dropout = 0.3"])
def test_gradients_from_a_state_that_is_not_zero(layer, more, style):
    last = " -> flatten" if "sequence" in more else ""
    text = NETWORK.format(more=more, data="").replace("rnn(5", layer).replace(") -> dense", f"){last} -> dense", 1)
    module = module_of(text, style)
    params, batch = generic_point(module, 1, examples=4)
    assert all((params[name] != 0).all() for name in module.STATE)
    if "truncate" not in more:
        assert_gradients(module, params, batch, rng_seed=3)
    still = {name: np.zeros_like(value) if name in module.STATE else value for name, value in params.items()}
    losses = [module.loss_and_grads(p, batch, rng=np.random.default_rng(3))[0] for p in (params, still)]
    assert abs(losses[0] - losses[1]) > 1e-4


@pytest.mark.parametrize("style", STYLES)
def test_predictions_begin_with_nothing(style):
    module = module_of(NETWORK.format(more="", data=""), style)
    params, batch = generic_point(module, 2)
    empty = {name: 0 * value if name in module.STATE else value for name, value in params.items()}
    inputs = {"x": batch["x"]}
    np.testing.assert_array_equal(module.predict(params, inputs)["y"], module.predict(empty, inputs)["y"])


def test_a_run_is_resumed_bit_by_bit(tmp_path):
    np.savez(tmp_path / "d.npz", **examples())
    data = 'data { source = npz("d.npz", x = x, t = t) }'
    text = NETWORK.format(more=", returns = last", data=data)
    for name, epochs in (("whole", 3), ("halved", 2)):
        (tmp_path / "s.nn").write_text(text.replace("epochs = 3", f"epochs = {epochs}"), encoding="utf-8")
        assert dotnn("train", "s.nn", "--run", name, folder=tmp_path).exit_code == 0
    (tmp_path / "s.nn").write_text(text, encoding="utf-8")
    resumed = dotnn("train", "s.nn", "--run", "halved", "--resume", folder=tmp_path)
    assert resumed.exit_code == 0, resumed.stderr
    with np.load(tmp_path / "halved" / "weights.npz") as found, np.load(tmp_path / "whole" / "weights.npz") as expected:
        assert found.files == expected.files
        for name in expected.files:
            np.testing.assert_array_equal(found[name], expected[name])


@pytest.mark.parametrize("style", STYLES)
def test_a_cell_of_the_spec_carries_its_states(style):
    """From what its state is declared to be, in every row."""
    text = """cell leak(units) { input x: [n]  state h: [units] = 0.5  param W: [n, units] = xavier
      next h = 0.5 * h + x @ W  output h }
    model M { input x: [4, 3]  target t: [2]  output y = x -> leak(2, stateful = true) }
    train { loss = mse(y, t)  batch = 6  shuffle = false  epochs = 1 }"""
    module = module_of(text, style)
    params = module.init_params(0, np.float64)
    np.testing.assert_array_equal(params["y.h.carried"], np.full((6, 2), 0.5))
    params, batch = generic_point(module, 3, examples=6)
    state = params["y.h.carried"]
    for k in range(4):
        state = 0.5 * state + batch["x"][:, k] @ params["y.W"]
    np.testing.assert_allclose(module.loss_and_grads(params, batch)[0], np.mean((state - batch["t"]) ** 2), rtol=1e-12)
