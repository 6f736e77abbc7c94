"""Every regime of training beside all that a spec may have besides: both styles do the same, and so does a resumed one.

The rows are what the registries know, in one `train` and in sections that take turns. A cell that cannot be is refused
for a reason, and stands in a table here: any other refusal fails. What each row and column does by itself is proven
elsewhere, beside loops written by hand.
"""

import copy

import numpy as np
import pytest
from members.test_resume import assert_same_run, keeping
from members.test_settings import CALLS
from regimes import SCHEDULE_CALLS
from support import ROOT, STYLES, as_module, model_of

from dotnn.core.diagnostics import CompileError
from dotnn.model.settings import ALL, EACH, SETTINGS
from dotnn.session import Compilation, Options, compile_model

HEAD = """model M {{ input x: [3]  {mask}target t: [2]
  output h = x -> dense(4, tanh) {middle}
  output y = h -> dense(2) }}
data {{ source = npz("d.npz", x = x, t = t{more})  split = split(train = 70%, val = 30%)  {data} }}
"""
FORMS = {
    "one": "train {{ loss = {loss}  epochs = 3  {batch}  checkpoint = every(1)  {train} }}",
    "turns": """train {{ epochs = 3  {batch}  checkpoint = every(1)  {train} }}
train upper {{ loss = {loss}  updates = [y] }}
train lower {{ loss = {loss}  updates = [h]  steps = 2 }}""",
}
BATCH = "batch = 4"
SETTING_ROWS = {f"{call}": {"train": call.partition("  stop")[0]} for calls in CALLS.values() for call in calls[:2]}
SCHEDULE_ROWS = {name: {"optim": f"optim = sgd({calls[0]})"} for name, calls in SCHEDULE_CALLS.items()}
ROWS = {
    "plain": {},
    **SETTING_ROWS,
    **SCHEDULE_ROWS,
    "all at once": {"batch": "batch = all"},
    "take": {"data": "take = 9"},
    "augment": {"data": "augment = noise(0.1, x)"},
    "frozen": {"train": "freeze = y.b"},
    "best": {"train": "stop = early(val_loss, patience = 1)"},
}
COLUMNS = {
    "weights": {"data": "weights = w"},
    "mask": {"mask": "input m: int[1]  ", "loss": "mse(y, t, mask = m)", "more": ", m = m"},
    "dropout": {"middle": "-> dropout(0.3) -> dense(4)"},
    "batch norm": {"middle": "-> batchnorm"},
    "clipping": {"train": "clip = global_norm(0.1)"},
    "ema": {"train": "average = ema(0.8)"},
}
REFUSED = {
    ("accumulate", "batch norm", "one"): "statistics",
    ("validate", "all at once", "one"): "one update an epoch",
}
"""The settings that do not go together with a column in one `train`, and words of the reason."""


def spec(row, column, form):
    parts = {"mask": "", "middle": "", "more": "", "data": "", "train": "", "loss": "mse(y, t)", "batch": BATCH}
    both = [ROWS[row], COLUMNS[column]]
    for part in both:
        parts |= {key: text for key, text in part.items() if key not in ("data", "train", "optim")}
    parts["data"] = "  ".join(part.get("data", "") for part in both)
    optim = ROWS[row].get("optim", "optim = adam(0.02)")
    parts["train"] = "  ".join([optim, *(part.get("train", "") for part in both)])
    return (HEAD + FORMS[form]).format(**parts)


def examples(column, count=17):
    rng = np.random.default_rng(3)
    found = {"x": rng.standard_normal((count, 3)), "t": rng.standard_normal((count, 2))}
    found |= {"weights": rng.uniform(0.5, 2, count)} if column == "weights" else {}
    return found | ({"m": np.arange(count)[:, None] % 3 > 0} if column == "mask" else {})


def expected_refusal(row, column, form):
    """The words of the reason why a cell cannot be, "" where it can."""
    key = row.partition(" =")[0]
    if form == "turns" and key in SETTINGS and SETTINGS[key].turns not in (ALL, EACH):
        return SETTINGS[key].turns
    if form == "turns" and row == "best":
        return "is for each section"
    if key == "average" and column == "ema":
        return "is set twice"
    return REFUSED.get((key, column, form), "")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("row", ROWS)
def test_a_regime_beside_everything_else(row, form):
    for column in COLUMNS:
        text, refusal = spec(row, column, form), expected_refusal(row, column, form)
        if refusal:
            with pytest.raises(CompileError) as refused:
                model_of(text)
            assert refusal in str(refused.value), (column, str(refused.value))
            continue
        data, runs = examples(column), []
        for style in STYLES:
            module, states = as_module(compile_model(model_of(text), Options(style)).script, ROOT / "test.nn"), []
            runs.append(module.train(data, dtype=np.float64, on_epoch=keeping(states)))
            assert_same_run(module.train(data, dtype=np.float64, resume=copy.deepcopy(states[0])), runs[-1])
        for name, w in runs[0][0].items():
            np.testing.assert_allclose(runs[1][0][name], w, rtol=1e-9, atol=1e-12, err_msg=column)
        for record, other in zip(runs[0][1], runs[1][1], strict=True):
            np.testing.assert_allclose([*record.values()], [other[key] for key in record], rtol=1e-9, err_msg=column)


@pytest.mark.parametrize("row", ROWS)
def test_tensorflow_writes_it_or_says_why_not(row):
    """Of the settings those that its table refuses, each by the name of the key."""
    for form in FORMS:
        for column in COLUMNS:
            if expected_refusal(row, column, form):
                continue
            begun = Compilation.of(model_of(spec(row, column, form)))
            try:
                assert compile(begun.script("tensorflow"), "m.py", "exec")
            except CompileError as refused:
                said = [d.message for d in refused.diagnostics]
                assert {d.code for d in refused.diagnostics} <= {"NN318", "NN337", "NN507"}, said
                keys = {row.partition(" =")[0]} | ({"average"} if column == "ema" else set())
                assert all(any(key in message for key in keys) for message in said), said
