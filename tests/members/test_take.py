"""`take = 5`: a few examples to train on, the same in both styles; the other parts are what they were."""

import numpy as np
import pytest
from support import STYLES, module_of

SPEC = """model M {{ input x: [2]  target t: [1]  output y = x -> dense(1) }}
data {{ x = [[1, 2]]  t = [[3]]  scale = standard(x)  {data} }}
train {{ loss = mse(y, t)  batch = 2  epochs = 2  checkpoint = every(1) }}"""
SPLITS = ["", "split = split(train = 70%, val = 30%, seed = 4)", "split = split(train = 70%, val = 30%, order = file)"]
RAW = {"x": np.arange(60.0).reshape(30, 2), "t": np.arange(30.0).reshape(30, 1)}


def parts_of(style, more):
    """The targets of each part, which say which examples it has."""
    parts, scaling = module_of(SPEC.format(data=more), style).prepare(RAW, np.float64)
    return {name: np.asarray(part["t"])[:, 0].astype(int).tolist() for name, part in parts.items()}, scaling


@pytest.mark.parametrize("split", SPLITS)
def test_some_of_the_training_part(split):
    whole, _ = parts_of("explain", split)
    (ours, scaling), (theirs, other) = (parts_of(style, f"{split}  take = 5") for style in STYLES)
    assert ours == theirs and ours.get("val") == whole.get("val")
    chosen = ours["train"]
    assert len(chosen) == 5 and set(chosen) < set(whole["train"]) and chosen == sorted(chosen)
    assert (chosen == whole["train"][:5]) == ("order" in split)
    for found in (scaling, other):  # it is fitted on what is trained on
        np.testing.assert_allclose(found["x"]["shift"], RAW["x"][chosen].mean(axis=0))


@pytest.mark.parametrize("style", STYLES)
def test_all_of_them_where_there_are_no_more(style):
    assert parts_of(style, "take = 99")[0]["train"] == list(range(30))


def test_it_makes_another_training():
    one, other, same = (
        module_of(SPEC.format(data=more), "fast").TRAINING for more in ("take = 5", "take = 6", "take = 5")
    )
    assert one != other and one == same


@pytest.mark.parametrize("style", STYLES)
def test_a_few_examples_are_learned_by_heart(style):
    """What it is for: a network that cannot learn five examples has a fault."""
    spec = SPEC.replace("dense(1)", "dense(16, tanh) -> dense(1)").replace("epochs = 2", "epochs = 600")
    text = spec.replace("mse(y, t)", "mse(y, t)  optim = adam(0.05)").format(data="take = 5  split = split(val = 20%)")
    data = {"x": RAW["x"], "t": np.random.default_rng(0).standard_normal((30, 1))}
    _, history = module_of(text, style).train(data, dtype=np.float64)
    assert history[-1]["loss"] < 1e-3 < history[-1]["val_loss"]
