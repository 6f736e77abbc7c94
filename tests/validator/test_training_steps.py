"""V10 and V11: what `train` runs is what was proven, in both styles, for every member of the registry."""

import pytest
from ir.test_memory import BRANCHES, SABOTAGE, spec
from regimes import OPTIMIZER_CALLS, REGIMES
from samples import LAYERS_TOGETHER, loss_settings, loss_spec
from support import ROOT, as_module, model_of

from dotnn.commands.checking.script import beside
from dotnn.commands.checking.spec import check_spec
from dotnn.running.spec_step import SpecStep
from dotnn.session import Options, compile_model
from dotnn_runtime.gradcheck import Verdict, check_script, check_style
from dotnn_runtime.gradcheck.probing.course import Trial
from dotnn_runtime.gradcheck.tracing.traced import load_script

NET = """model M {{
  input  x: [3]
  target t: [2]
  h = x -> dense(4, tanh) -> batchnorm
  output y = h -> dense(2)
}}
train {{ loss = mse(y, t)  metrics = mae  {regime} }}"""


TRAINED = [regime for regime in REGIMES if " init = " not in regime]


def results(text, style):
    """What V10 and the comparison of loops say of a spec's script in a style."""
    model = model_of(text)
    compiled = compile_model(model, Options(style))
    references = {"the interpreter": SpecStep(model, compiled.graph, style == "fast")}
    twin = as_module(compiled.script, ROOT / "test.nn")
    return check_style(compiled.script, "test.py", 0, style, references, twin)


def agrees(text, style):
    checks, blame = results(text, style)
    assert [c for c in checks if c.verdict is not Verdict.PASS] == []
    assert [c.id for c in checks] == ["V10", "V10", "V11", "V12"] and blame is None


@pytest.mark.parametrize("text", LAYERS_TOGETHER.values(), ids=LAYERS_TOGETHER)
def test_the_fast_step_of_every_layer_is_the_interpreters(text):
    agrees(text, "fast")


@pytest.mark.parametrize(("name", "target", "stage"), list(loss_settings()))
def test_the_fast_step_of_every_loss_is_the_interpreters(name, target, stage):
    agrees(loss_spec(f"{name}(y, t)", target, stage), "fast")


@pytest.mark.parametrize("style", ["explain", "fast"])
@pytest.mark.parametrize("regime", [*(f"optim = {call}" for call in OPTIMIZER_CALLS), *TRAINED])
def test_the_step_of_every_regime_is_the_equations(regime, style):
    agrees(NET.format(regime=regime if "batch" in regime else f"{regime}  batch = 4"), style)


def test_two_sizes_of_a_batch_over_two_batches_each():
    """Neither is a size of the network, nor the five that gradients are checked with."""
    taken = {3, 4, 2, 5, 6, 8}
    text = NET.format(regime="batch = 9").replace("dense(4, tanh)", "dense(6, tanh) -> dense(8)")
    for whole in (text, text.replace("batch = 9", "batch = all")):
        trial = Trial(load_script(compile_model(model_of(whole), Options("fast")).script, "test.py"), 0)
        sizes = [len(step.batch["x"]) for training, _ in trial.trainings for step in training.steps]
        assert set(sizes) == set(trial.course.sizes) and not set(sizes) & taken
        assert all(sizes.count(size) >= 2 for size in set(sizes))


def line_of(text, piece):
    """The number of the line that holds a piece of text, which is there once."""
    assert text.count(piece) == 1, piece
    return text[: text.index(piece)].count("\n") + 1


PASS = "return loss, grads"
BATCH = "{n: v[chosen] for n, v in examples.items()}"
FAULTS = {
    "a forward that is another": ("fast", "tanh(h_dense1_z, h_dense1)", "np.sin(h_dense1_z, h_dense1)"),
    "a forward that remembers": ("fast", "tanh(h_dense1_z, h_dense1)", "tanh(h_dense1_z + h_dense1, h_dense1)"),
    "a statistic that adds up": ("fast", "dot(h_dense1, ones, h_mu)", "np.add(np.dot(h_dense1, ones), h_mu, h_mu)"),
    "a gradient that adds up": ("fast", "dot(h, d_y_T, d_y_W)", "np.add(np.dot(h, d_y_T), d_y_W, d_y_W)"),
    "targets of other rows": ("fast", 'take(arrays["t"], chosen, 0', 'take(arrays["t"], chosen[::-1], 0'),
    "a doubled pass": ("explain", PASS, "return loss, {n: 2 * g for n, g in grads.items()}"),
    "the loss of no pass": ("explain", PASS, "return 2 * loss, grads"),
    "other rows": ("explain", BATCH, BATCH.replace("[chosen]", "[chosen[::-1] if n == 't' else chosen]")),
    "a batch size": ("explain", "d_loss * 2 * (y - t) / (2 * len(y))", "d_loss * 2 * (y - t) / (2 * 5)"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_blamed_on_its_line_without_a_spec(name):
    style, right, wrong = FAULTS[name]
    text = compile_model(model_of(NET.format(regime="batch = 4")), Options(style)).script.replace(
        "np.empty(", "np.zeros("
    )
    at = text.index(right, text.index("def make_step(") if style == "fast" else 0)
    end = text.find("def make_forward(", at) if style == "fast" else len(text)
    assert text[at:end].count(right) == 1, right
    assert check_script(text, "test.py", v4=False).verdict is Verdict.PASS
    report = check_script(text[:at] + wrong + text[at + len(right) :], "test.py", v4=False)
    assert report.verdict is Verdict.FAIL
    assert report.blame.line == text[:at].count("\n") + 1


def test_a_script_without_fit_is_no_failure():
    text = compile_model(model_of(NET.format(regime="")), Options()).script
    report = check_script(text.replace("def train(", "def other("), "test.py", v4=False)
    assert report.verdict is Verdict.PASS
    assert [(c.id, c.verdict) for c in report.checks if c.verdict is Verdict.SKIPPED] == [("V10", Verdict.SKIPPED)]


def test_a_fit_that_stops_is_a_failure():
    text = compile_model(model_of(NET.format(regime="")), Options()).script
    line = '"optimizer": optimizer_state(params)'
    report = check_script(text.replace(line, '"optimizer": optimizer_state()'), "test.py", v4=False)
    assert report.verdict is Verdict.FAIL
    assert report.blame.line == line_of(text, line)


@pytest.mark.parametrize("wrong", ["gradients", "clipped", "update"])
def test_a_reference_that_differs_is_noticed(wrong, monkeypatch):
    """What the interpreter and the equations say is compared, not assumed."""
    method = "_pass" if wrong == "gradients" else wrong
    honest = getattr(SpecStep, method)

    def off(self, *arguments):
        result = honest(self, *arguments)
        arrays = result.grads if wrong == "gradients" else result
        arrays["y.W"] = arrays["y.W"] * (1 + 1e-6)
        return result

    monkeypatch.setattr(SpecStep, method, off)
    for style in ("explain", "fast"):
        checks, _ = results(NET.format(regime="clip = norm(9)  batch = 4"), style)
        assert checks[0].verdict is Verdict.FAIL
        assert "y.W" in checks[0].detail


def test_every_failure_is_in_the_json():
    """A FAIL never comes without a reason: another loss with its own right gradients is found beside the spec alone."""
    model = model_of(NET.format(regime="batch = 4"))
    compiled = compile_model(model, Options())
    text = compiled.script.replace("((t - y) ** 2).sum() / (2 * len(y))", "((t - y) ** 2).sum()")
    text = text.replace("d_loss * 2 * (y - t) / (2 * len(y))", "d_loss * 2 * (y - t)")
    found = beside(text, "test.py", 0, compiled.script, SpecStep(model, compiled.graph)).to_json()
    failed = [row["id"] for row in found["checks"] if row["verdict"] == "FAIL"]
    assert found["verdict"] == "FAIL" and failed == ["V8"]
    assert found["reason"].startswith("V8 against test.nn, compiled: ")
    assert {row["id"] for row in found["checks"]} >= {"V0", "V1", "V2", "V4", "V5", "V6", "V7", "V8", "V9"}


@pytest.mark.parametrize("what", list(SABOTAGE)[:3])
def test_a_planner_without_one_of_its_rules_is_found_by_check(what, monkeypatch, tmp_path):
    """A wrong fast step, forward or backward, fails the check of the spec and is blamed on a line of that step."""
    monkeypatch.setattr(*SABOTAGE[what])
    texts = (spec(name, "mse") for name in BRANCHES)
    text = next(text for text in texts if results(text, "fast")[1] is not None)
    path = tmp_path / "branch.nn"
    path.write_text(text, encoding="utf-8")
    report = check_spec(str(path))
    fast = compile_model(model_of(text), Options("fast", input_gradients=True)).script
    assert report.verdict is Verdict.FAIL
    assert line_of(fast, "def make_step(") < report.blame.line < line_of(fast, "    return step\n")


SETTINGS = """model M { input x: [3]  target t: [2]  h = x -> dense(4, tanh)  output y = h -> dense(2) }
data { x = [[0, 1, 2]]  t = [[1, 2]]  split = split(train = 60%, val = 40%) }
train { loss = mse(y, t)  optim = sgd(0.1)  batch = 4  accumulate = 2  average = ema(0.9)  noise = gradient(0.1)
  rates = rate(h, 0.5)  shuffle = batches  validate = every(steps(3)) }"""
PLANTED = {
    "a piece that weighs as the others": ("total += share * loss", "total += 0.5 * loss"),
    "gradients that are not added up": ("grads.get(n, 0) + share * found[n]", "share * found[n]"),
    "an average that forgets": ("0.9 * average[name] + (1 - 0.9)", "0.8 * average[name] + (1 - 0.8)"),
    "an average that is not evaluated": ('evaluate(params | state["average"]', "evaluate(params"),
    "more noise": ("for n in PARAMS}, 0.1, rng)", "for n in PARAMS}, 0.2, rng)"),
    "a rate for all": ("RATES.get(name, 1.0)", "1.0"),
    "batches drawn anew": ("for number in rng.permutation(len(batches))", "for number in range(len(batches))"),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_a_fault_in_what_a_setting_does_is_found_beside_the_spec(fault):
    model = model_of(SETTINGS)
    compiled = compile_model(model, Options())
    right, wrong = PLANTED[fault]
    assert right in compiled.script, right
    reference = SpecStep(model, compiled.graph)
    assert beside(compiled.script, "test.py", 0, compiled.script, reference).verdict is Verdict.PASS
    edited = compiled.script.replace(right, wrong)
    assert beside(edited, "test.py", 0, compiled.script, reference).verdict is Verdict.FAIL
