"""Members of the language, defined once more by a spec: the numbers are those of the built-ins."""

import numpy as np
import pytest
from members.test_cells import BUILT_IN
from members.test_regime_definitions import REGIMES
from redefined import TWICE
from support import STYLES, assert_gradients, generic_point, gradients, model_of, module_of
from tensorflow_target.test_parity import agrees

from dotnn.library.constraints import CONSTRAINTS
from dotnn.library.layers import ACTIVATIONS, LAYERS
from dotnn.library.losses import LOSSES
from dotnn.library.optimizers import OPTIMIZERS
from dotnn.library.penalties import PENALTIES
from dotnn.library.schedules import SCHEDULES

OTHERWISE = {
    "plateau": "waits for a figure of the validation part",
    "rise": "waits for a figure of the validation part",
    "weight_decay": "acts in the update, on the weights alone",
}
"""What a definition cannot say, and why."""


def test_no_member_is_forgotten():
    """Whatever the language can say of its own members is said by a test, here or where the names come from."""
    assert len(TWICE) >= 30
    recurrent = {name for name, layer in LAYERS.items() if any(arg.name == "recurrent_init" for arg in layer.args)}
    members = {*ACTIVATIONS, *LOSSES, *OPTIMIZERS, *SCHEDULES, *PENALTIES, *CONSTRAINTS, *recurrent}
    again = {*TWICE, *BUILT_IN, *(call.partition("(")[0] for call in REGIMES)}
    assert members - again == {*OTHERWISE}


@pytest.mark.parametrize("name", TWICE)
@pytest.mark.parametrize("style", STYLES)
def test_the_same_numbers(name, style):
    """Losses, gradients, and a training of several updates."""
    theirs, ours = (module_of(TWICE[name].spec(ours=mine, width=4), style) for mine in (False, True))
    params, batch = generic_point(theirs, 1)
    alike = dict(zip(theirs.PARAMS, ours.PARAMS, strict=True))
    assert [ours.PARAMS[alike[key]] for key in theirs.PARAMS] == [*theirs.PARAMS.values()]
    moved = {alike[key]: value for key, value in params.items()}
    losses = [m.total_loss(p, batch, m.forward(p, batch)[1]) for m, p in ((theirs, params), (ours, moved))]
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-12)
    wanted, found = gradients(theirs, params, batch), gradients(ours, moved, batch)
    for key, value in wanted.items():
        np.testing.assert_allclose(found[alike[key]], value, rtol=1e-12, atol=1e-12, err_msg=key)
    options = {"epochs": 3, "seed": 2, "dtype": np.float64}
    trained = [m.train(batch, params=p, **options)[0] for m, p in ((theirs, params), (ours, moved))]
    for key, value in trained[0].items():
        np.testing.assert_allclose(trained[1][alike[key]], value, rtol=1e-12, atol=1e-12, err_msg=key)


@pytest.mark.parametrize("name", TWICE)
def test_tensorflow_has_the_same_numbers(name):
    """A training of the definition agrees with the NumPy script, which is compared with the built-in above."""
    pytest.importorskip("tensorflow")
    assert agrees(model_of(TWICE[name].spec(ours=True, width=4)), 2) < 1e-9


FUSED = {
    "-log(p[k])": ("p, k: class", "softmax", "t", "cross_entropy"),
    "-sum(k * log(p))": ("p, k", "softmax", "u", "cross_entropy"),
    "-sum(log(p) * k)": ("p, k", "softmax", "u", "cross_entropy"),
    "-mean(k * log(p) + (1 - k) * log(1 - p))": ("p, k", "sigmoid", "u", "bce"),
    "mean(-k * log(p) - log(1 - p) + k * log(1 - p))": ("p, k", "sigmoid", "u", "bce"),
}
"""Losses, with their operands, the last layer and the target, and the built-in that each is."""
NOT_FUSED = {
    "-2 * log(p[k])": ("p, k: class", "softmax", "t", ""),
    "-mean(k * log(p))": ("p, k", "softmax", "u", ""),
    "-mean(k * log(p) + (1 - k) * log(1 - p) + 0.1 * k)": ("p, k", "sigmoid", "u", ""),
    "-mean(k * log(p) + (1 - k) * log(p))": ("p, k", "sigmoid", "u", ""),
}


def fused_spec(formula, loss):
    operands, stage, target, _ = {**FUSED, **NOT_FUSED}[formula]
    return f"""loss mine({operands}) = {formula}
    model M {{ input x: [4]  target t: class[3]  target u: [3]
      output y = x -> dense(3, {stage}) }}
    train {{ loss = {loss}(y, {target}) + 0.1 * cross_entropy(y, t) + 0.1 * l1(y, u) }}"""


@pytest.mark.parametrize("formula", FUSED)
def test_a_cross_entropy_in_one_pass(formula):
    """It is found by what the graph computes, and the fast step is as short as with the built-in."""
    _, stage, target, built_in = FUSED[formula]
    theirs = module_of(fused_spec(formula, built_in).partition("\n")[2], "fast")
    ours = module_of(fused_spec(formula, "mine"), "fast")
    params, batch = generic_point(theirs, 3)
    batch["u"] = np.array([[0, 1, 0], [1, 0, 0], [0.5, 0.25, 0.25], [0, 0, 1], [0, 1, 0]])
    wanted, found = gradients(theirs, params, batch), gradients(ours, params, batch)
    rounding = 1e-14 if (stage, target) == ("softmax", "u") else 0  # a factor of ours: what a row of u sums to, here 1
    for key, value in wanted.items():
        np.testing.assert_allclose(found[key], value, rtol=rounding, atol=0, err_msg=f"{key}, {target}")


@pytest.mark.parametrize("formula", NOT_FUSED)
def test_what_only_looks_like_one(formula):
    explain, fast = (module_of(fused_spec(formula, "mine"), style) for style in STYLES)
    params, batch = generic_point(explain, 3)
    assert_gradients(explain, params, batch)
    wanted, found = gradients(explain, params, batch), gradients(fast, params, batch)
    for key, value in wanted.items():
        np.testing.assert_allclose(found[key], value, rtol=1e-12, atol=1e-14, err_msg=key)


def test_a_target_that_the_network_computes_gets_its_gradient():
    text = """loss mine(p, k) = -mean(k * log(p) + (1 - k) * log(1 - p))
    model M { input x: [4]  t = x -> dense(3, tanh)  output y = x -> dense(3, sigmoid) }
    train { loss = mine(y, t) }"""
    explain, fast = (module_of(text, style) for style in STYLES)
    params, batch = generic_point(explain, 3)
    assert_gradients(explain, params, batch)
    for key, value in gradients(explain, params, batch).items():
        np.testing.assert_allclose(gradients(fast, params, batch)[key], value, rtol=1e-12, atol=1e-14, err_msg=key)
