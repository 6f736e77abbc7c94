"""Which rule has ended a training is known from what the history says, and the page of a run says it in words."""

import numpy as np
import pytest
from support import ROOT, as_module, model_of

from dotnn.codegen.stopping import which_ended
from dotnn.reports.page.sections import summary_of
from dotnn.session import Options, compile_model

SPEC = """
model M {{
  input x: [2]
  target t: [1]
  output y = x -> dense(1)
}}
data {{ source = npz("m.npz", x = x, t = t)  split = split(train = 50%, val = 50%) }}
train {{ loss = mse(y, t)  optim = sgd(0.5)  epochs = 40  batch = 8  stop = [{stops}]  {more} }}
"""
RULES = ["when(val_loss < 0.5)", "when(loss > 1e-12)", "early(val_loss, patience = 3)", "minutes(2.5)", "minutes(1)"]


@pytest.mark.parametrize("more", ["", "validate = every(steps(2))"])
@pytest.mark.parametrize("ends", range(3))
@pytest.mark.parametrize("style", ["explain", "fast"])
def test_the_rule_that_has_ended_a_training(style, ends, more):
    """Only one of the rules can end it: the others are out of reach."""
    stops = ["when(loss < -1)", "early(val_loss, patience = 30)", "minutes(100)"]
    stops[0 if ends < 2 else 1] = RULES[ends]
    model = model_of(SPEC.format(stops=", ".join(stops), more=more))
    module = as_module(compile_model(model, Options(style)).script, ROOT / "m.nn")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(32, 2))
    t = x @ [[1.0], [2.0]] if ends < 2 else rng.normal(size=(32, 1))
    _, history = module.train({"x": x, "t": t}, epochs=40)
    assert which_ended(history.stopped_by, model.train) is model.train.stops[0 if ends < 2 else 1]
    said = summary_of(model, {"stopped_by": history.stopped_by, "epochs": len(history), "best_epoch": 1})
    waited = f"3 {'validations' if more else 'epochs'}"
    assert (f"val_loss had not improved for {waited};" in said) == (ends == 2)


@pytest.mark.parametrize("stopped_by", ["epochs", "diverged", "Ctrl-C"])
def test_what_no_rule_has_ended(stopped_by):
    assert which_ended(stopped_by, model_of(SPEC.format(stops=", ".join(RULES), more="")).train) is None
