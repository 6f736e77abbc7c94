"""Scripts whose gradients are right: no false alarm, and errors at the level of rounding."""

import json
import statistics

import numpy as np
import pytest

from dotnn_runtime.gradcheck import Verdict, check_script, render_text

NAMES = ["mlp", "square", "residual", "noisy", "batchnorm", "recurrent", "fast"]


def test_no_false_alarm_over_many_seeds(script):
    errors = []
    for name in NAMES:
        source = script(name)
        for seed in range(8):
            report = check_script(source, f"{name}.py", seed=seed)
            assert report.verdict is Verdict.PASS, (name, seed, render_text(report))
            assert report.blame is None
            errors += [t.rel_err for t in report.tensors if t.rel_err is not None]
    assert statistics.median(errors) <= 1e-14
    assert max(errors) <= 1e-11


def test_every_parameter_and_every_cotangent_has_a_row(script):
    report = check_script(script("residual"), "residual.py")
    names = [t.name for t in report.tensors]
    assert names[:6] == ["a.W", "a.b", "s.W", "s.b", "logits.W", "logits.b"]
    assert {"d_logits", "d_r", "d_s2", "d_s2_z", "d_s1", "d_s1_z", "d_a"} <= set(names)
    assert all(t.probes > 0 and t.spec_line for t in report.tensors)
    assert next(t for t in report.tensors if t.name == "s.W").spec_line == "residual.nn:6"


def test_input_gradients_are_checked_where_the_script_returns_them(script):
    report = check_script(script("noisy"), "noisy.py")
    assert next(t for t in report.tensors if t.name == "x").verdict is Verdict.PASS


def test_cotangents_of_a_loop_and_of_the_fast_style_are_found(script):
    loop = {t.name: t.verdict for t in check_script(script("recurrent"), "recurrent.py").tensors}
    assert loop["d_r_z"] is loop["d_r_h"] is loop["d_r_in"] is Verdict.PASS
    fast = {t.name: t.verdict for t in check_script(script("fast"), "fast.py").tensors}
    assert fast["d_h"] is fast["d_y"] is Verdict.PASS


def test_a_declared_zero_is_certified_and_an_undeclared_one_is_noted(script):
    report = check_script(script("batchnorm"), "batchnorm.py")
    assert {t.name: t.verdict for t in report.tensors}["h.b"] is Verdict.ZERO_STRUCTURAL
    assert not report.notes
    undeclared = check_script(script("batchnorm", ('STRUCTURAL_ZEROS = ("h.b",)', "")), "batchnorm.py")
    assert {t.name: t.verdict for t in undeclared.tensors}["h.b"] is Verdict.ZERO_OBSERVED
    assert undeclared.exit_code == 0
    assert [note.partition(" is zero")[0] for note in undeclared.notes] == ["The gradient of h.b"]


@pytest.mark.parametrize("declared", [True, False])
def test_a_zero_that_is_not_true_fails(script, declared):
    table = 'STRUCTURAL_ZEROS = ("h.b",)'
    also = table.replace(",)", ', "n.beta")') if declared else table
    wrong = script("batchnorm", ('"n.beta": d_n_beta', '"n.beta": 0 * d_n_beta'), (table, also))
    report = check_script(wrong, "batchnorm.py")
    assert {t.name: t.verdict for t in report.tensors}["n.beta"] is Verdict.FAIL


def test_a_zero_that_is_declared_but_not_true_fails(script):
    report = check_script(script("batchnorm", ('("h.b",)', '("h.b", "n.beta")')), "batchnorm.py")
    assert {t.name: t.verdict for t in report.tensors}["n.beta"] is Verdict.FAIL


def test_a_dead_layer_is_drawn_again(script):
    # with the first seed every relu unit is dead, so a wrong gradient could not show
    end = "    return params\n\n\ndef forward"
    dead = (end, '    params["h.b"] -= 50 * (seed == 0)\n' + end)
    report = check_script(script("noisy", dead), "noisy.py", seed=0)
    assert report.verdict is Verdict.PASS
    assert {t.name: t.verdict for t in report.tensors}["h.W"] is Verdict.PASS
    wrong = script("noisy", dead, ("d_h_b = d_h_z.sum(axis=0)", "d_h_b = d_h_z.mean(axis=0)"))
    report = check_script(wrong, "noisy.py", seed=0)
    assert report.verdict is Verdict.FAIL
    assert report.blame.name == "d_h_b"
    assert report.blame.pattern == "×1/B"


def test_reduction_over_the_batch_is_reported(script):
    def detail(name):
        checks = check_script(script(name), f"{name}.py").checks
        return next(c.detail for c in checks if c.title == "repeated batch")

    assert detail("mlp") == "the loss sums over the batch"
    assert detail("residual") == "the loss averages over the batch"


def test_json_has_exactly_the_keys_of_the_contract(script):
    report = check_script(script("residual"), "residual.py", seed=3)
    found = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert list(found) == [
        "verdict", "reason", "checks", "tensors", "blame", "blames", "kinks", "ties", "taylor_order", "oracles",
        "seed", "cost_forwards",
    ]  # fmt: skip
    assert found["reason"] is None
    assert list(found["checks"][0]) == ["id", "title", "verdict", "value", "detail"]
    assert list(found["tensors"][0]) == ["name", "verdict", "rel_err", "method", "shape", "spec_line"]
    assert found["verdict"] == "PASS"
    assert found["seed"] == 3
    assert found["taylor_order"] == pytest.approx(2.0, abs=0.1)
    assert report.exit_code == 0


def test_json_of_a_failure(script):
    wrong = script("mlp", ("d_y = d_loss * (y - t)", "d_y = d_loss * 2 * (y - t)"))
    report = check_script(wrong, "mlp.py")
    found = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert found["verdict"] == "FAIL"
    blame = found["blame"]
    assert list(blame) == ["layer", "op", "spec_line", "generated_line", "pattern"]
    assert blame["op"] == "half_sse(y, t)"
    assert blame["spec_line"] == "mlp.nn:9"
    assert blame["generated_line"].endswith(": d_y = d_loss * 2 * (y - t)")
    assert blame["pattern"] == "×2"


def test_text_is_plain_and_tells_a_beginner_what_is_wrong(script):
    wrong = script("mlp", ("d_y = d_loss * (y - t)", "d_y = d_loss * 2 * (y - t)"))
    text = render_text(check_script(wrong, "mlp.py"))
    assert "\x1b" not in text
    assert "The faulty rule: d_y" in text
    assert "mlp.nn:9" in text
    assert "2.000 times too large in every element" in text


def test_the_same_seed_gives_the_same_report(script):
    source = script("noisy")
    assert check_script(source, "noisy.py", seed=5).to_json() == check_script(source, "noisy.py", seed=5).to_json()


def test_cost_does_not_grow_with_the_number_of_parameters(script):
    wide = script("mlp").replace("(3, 4)", "(3, 3000)").replace('"h1.b": (4,)', '"h1.b": (3000,)')
    report = check_script(wide.replace('"h2.W": (4, 2)', '"h2.W": (3000, 2)'), "mlp.py", v4=False)
    small = check_script(script("mlp"), "mlp.py", v4=False)
    assert report.verdict is Verdict.PASS
    assert report.cost_forwards < 2 * small.cost_forwards


def test_a_witness_is_compared_and_listed(script):
    namespace: dict = {}
    exec(script("mlp"), namespace)

    def witness(point):
        outputs, _ = namespace["forward"](point.params, point.batch)
        loss, grads = namespace["loss_and_grads"](point.params, point.batch)
        return loss, outputs, grads

    report = check_script(script("mlp"), "mlp.py", witnesses={"a copy": witness})
    assert "a copy" in report.oracles
    assert next(c for c in report.checks if c.id == "V8").verdict is Verdict.PASS

    other_forward = {"mistaken": lambda point: (witness(point)[0] * 1.001, {}, {})}
    report = check_script(script("mlp"), "mlp.py", witnesses=other_forward)
    assert report.verdict is Verdict.FAIL


def test_batch_size_differs_from_every_other_size(script):
    report = check_script(script("mlp").replace("(3,)", "(5,)").replace("(3, 4)", "(5, 4)"), "mlp.py")
    assert report.batch_size == 6
    assert np.isfinite(report.taylor_order)
