"""The training of `dotnn diff`, one step at a time: batches, learning rates and updates are those of `fit`."""

import numpy as np
import pytest
from support import model_of, module_of

from dotnn.targets.numpy.steps import Training

ROWS = np.random.default_rng(0).standard_normal((11, 2)).round(3)
HELD_BACK = "split = split(train = 70%, val = 30%)"
SPEC = f"""model M {{{{ input x: [2]  target t: [1]  output y = x -> dense(3, tanh) -> batchnorm -> dense(1) }}}}
data {{{{ x = {ROWS.tolist()}  t = {ROWS[:, :1].tolist()}  {{data}} }}}}
train {{{{ loss = mse(y, t, reduce = {{reduce}})  epochs = 8  metrics = [r2]  {{train}} }}}}"""
SETTINGS = [
    ("optim = sgd(0.1)  clip = global_norm(0.5)  constraint = max_norm(0.5)", ""),
    ("optim = sgd(cosine(0.1, warmup = 5))  clip = value(0.1)", ""),
    ("optim = sgd(plateau(0.1, patience = 1, min_delta = 0.5))", ""),
    ("optim = adam(plateau(0.1, loss, patience = 1, min_delta = 0.5))", HELD_BACK),
    ("optim = sgd(plateau(0.1, patience = 1, min_delta = 0.5))", HELD_BACK),
    ("optim = sgd(plateau(0.1, r2, patience = 1, min_delta = 0.5))", "scale = standard(x, t)"),
]


def spied(training):
    """A list of what the plateau of a training is told, as it is told."""
    told = []
    if hasattr(training.rates, "plateau"):
        observe = training.rates.plateau.observe
        training.rates.plateau.observe = lambda quantity: told.append(quantity) or observe(quantity)
    return told


@pytest.mark.parametrize("reduce", ["mean", "sum"])
@pytest.mark.parametrize("batch", ["4", "all"])
@pytest.mark.parametrize(("train", "data"), SETTINGS)
def test_it_ends_where_fit_ends(train, data, batch, reduce):
    text = SPEC.format(train=f"{train}  batch = {batch}", data=data, reduce=reduce)
    script = module_of(text)
    ours = Training(model_of(text), script, seed=3)
    told = spied(ours)
    rates, steps = [], 8 * -(-ours.data.count // (4 if batch == "4" else ours.data.count))
    for number, examples in enumerate(ours.batches(steps)):
        _, grads, rate = ours.gradients(number, examples)
        ours.update(grads, rate)
        rates.append(rate)
    assert len(rates) == steps
    assert ("sgd(0.1)" in train) == (len(set(rates)) == 1)
    expected, history = script.train(seed=3, dtype=np.float64)
    assert told == pytest.approx([record[ours.rates.quantity] for record in history[:-1]] if told else [], rel=1e-12)
    assert bool(told) == ("plateau" in train)
    for name in script.PARAMS:
        np.testing.assert_allclose(ours.params[name], expected[name], rtol=1e-12, atol=1e-15)
