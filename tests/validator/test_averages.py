"""`dotnn check` proves averages of the weights: right ones pass, in one `train` and in turn, and wrong ones fail."""

import numpy as np
import pytest
from support import model_of

from dotnn.commands.checking import averages, turns
from dotnn.commands.checking.averages import averaged, check_average
from dotnn.commands.checking.turns import check_together
from dotnn.running.scripts import run_script
from dotnn.session import Compilation
from dotnn_runtime.gradcheck import Verdict

HEAD = """model M { input x: [2]  target t: [1]
  output h = x -> dense(3, tanh)
  output y = h -> dense(1) }
"""
ONE = HEAD + "train { loss = mse(y, t)  optim = adam(0.05)  batch = 4  epochs = 3  MORE  average = CALL }"
TURNS = (
    HEAD
    + """train { optim = adam(0.05)  batch = 4  epochs = 3 }
train a { loss = mse(y, t)  updates = [h]  steps = 2  average = CALL }
train b { loss = mse(y, t)  updates = [y]  average = ema(0.625) }"""
)
CALLS = {
    "ema(0.75)": lambda w: 0.75 ** (len(w) - 1) * w[0] + sum(0.25 * 0.75**k * a for k, a in enumerate(w[:0:-1])),
    "last(2)": lambda w: (w[-1] + w[-3]) / 2,
    "last(updates = 5)": lambda w: sum(w[-5:]) / 5,
}
WRONG = {
    "ema(0.75)": ("0.75", "0.5"),
    "last(2)": ("/ len(recent)", "/ (1 + len(recent))"),
    "last(updates = 5)": ("/ len(recent)", "/ (1 + len(recent))"),
}
"""What stands in the loop of both styles, and something else in its place."""


def spec(text, call, more=""):
    return Compilation.of(model_of(text.replace("CALL", call).replace("MORE", more)))


@pytest.mark.parametrize("call", CALLS)
def test_the_average_that_scripts_are_compared_with(call):
    """Beside the sums as the papers have them, of eight updates, two in an epoch."""
    rng = np.random.default_rng(0)
    weights = [rng.standard_normal((3, 2)) for _ in range(8)]
    average = spec(ONE, call).model.train.setting("average")
    found = averaged(average, [{"h.W": w} for w in weights], 2)["h.W"]
    np.testing.assert_allclose(found, CALLS[call](weights), rtol=1e-13)


@pytest.mark.parametrize("more", ["", "stop = early(loss, patience = 1)  clip = norm(0.1)", "accumulate = 2"])
@pytest.mark.parametrize("call", CALLS)
def test_an_average_is_proven(call, more):
    checks = check_average(spec(ONE, call, more), 0)
    assert len(checks) == 2 and all(check.verdict is Verdict.PASS for check in checks), checks


@pytest.mark.parametrize("call", CALLS)
def test_a_wrong_average_fails_in_both_styles(call, monkeypatch):
    monkeypatch.setattr(averages, "run_script", lambda text, *more: run_script(text.replace(*WRONG[call]), *more))
    checks = check_average(spec(ONE, call), 0)
    assert len(checks) == 2 and all(check.verdict is Verdict.FAIL for check in checks), checks


@pytest.mark.parametrize("call", CALLS)
def test_averages_of_sections_in_turn(call, monkeypatch):
    begun = spec(TURNS, call)
    checks = check_together(begun, 0)
    assert len(checks) == 6 and all(check.verdict is Verdict.PASS for check in checks), checks
    monkeypatch.setattr(turns, "run_script", lambda text, *more: run_script(text.replace(*WRONG[call]), *more))
    wrong = [check for check in check_together(begun, 0) if check.verdict is Verdict.FAIL]
    assert len(wrong) == 2 and all("in turn" in check.title for check in wrong), wrong
