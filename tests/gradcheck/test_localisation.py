"""What the report says about a fault: the name, the place and the pattern."""

import numpy as np
import pytest

from dotnn_runtime.gradcheck import Verdict, check_script, render_text
from dotnn_runtime.gradcheck.blame.patterns import measure, name_pattern

RIGHT = np.random.default_rng(1).standard_normal((4, 4))


def pattern_of(got, right=RIGHT, elements=True):
    all_of_it = right if elements else None
    truth = measure(lambda u: float(np.vdot(right, u)), got.shape, np.random.default_rng(0), all_of_it)
    return name_pattern(got, truth, batch_size=5).id


def one_changed(array, index, factor):
    changed = array.copy()
    changed[index] = changed[index] * factor
    return changed


@pytest.mark.parametrize(
    ("got", "pattern"),
    [
        (-RIGHT, "sign"),
        (2 * RIGHT, "×2"),
        (5 * RIGHT, "×B"),
        (RIGHT / 5, "×1/B"),
        (1.01 * RIGHT, "×1.01"),
        (0 * RIGHT, "zero"),
        (RIGHT.T, "transposed"),
        (-RIGHT.T, "transposed, sign"),
        (np.roll(RIGHT, 1, 0), "rolled by 1 on axis 0"),
        (np.flip(RIGHT, 1), "flipped on axis 1"),
        (RIGHT + 1.0, "constant added"),
        (one_changed(RIGHT, (2, 1), 1.01), "one element"),
        (one_changed(RIGHT, 2, 3.0), "index 2 of axis 0"),
        (RIGHT * np.arange(1.0, 5.0), "scaled along axis 1"),
        (RIGHT * (RIGHT > 0), "zero where it should not be"),
        (np.tanh(RIGHT), "no simple pattern"),
    ],
)
def test_patterns(got, pattern):
    assert pattern_of(got) == pattern


def test_patterns_of_large_tensors_need_no_elements():
    assert pattern_of(RIGHT.T, elements=False) == "transposed"
    assert pattern_of(3 * RIGHT, elements=False) == "×3"


@pytest.mark.parametrize(
    ("change", "name", "pattern"),
    [
        (("d_a = d_a_from_r + d_a_from_s1", "d_a = d_a_from_r"), "d_a", "accumulation: s1_z missing"),
        (("d_a = d_a_from_r + d_a_from_s1", "d_a = d_a_from_r + d_a_from_s1 + d_a_from_s1"), "d_a",
         "accumulation: s1_z twice"),
        (("d_a_from_s1 = d_s1_z @ s_W.T", "d_a_from_s1 = d_s1_z @ s_W"), "d_a_from_s1", "no simple pattern"),
        (("d_a_from_r = d_r", "d_a_from_r = -d_r"), "d_a_from_r", "sign"),
        ((" + d_s_W_from_penalty", ""), "d_s_W", "accumulation: penalty missing"),
        (("d_s_W_from_s2 = s1.T @ d_s2_z", "d_s_W_from_s2 = d_s2_z.T @ s1"), "d_s_W_from_s2", "transposed"),
        (("d_s1_z = d_s1 * (s1_z > 0)", "d_s1_z = d_s1 * (s1_z >= 0)"), "d_s1_z", "only at ties"),
        (("d_loss * 2 * 0.05 * s_W", "2 * 0.05 * s_W"), "d_s_W_from_penalty", "not linear in d_loss"),
        (("d_logits_b = d_logits.sum(axis=0)", "d_logits_b = d_logits.sum(axis=1)"), "d_logits_b", "wrong shape"),
        (("d_r = d_logits @ logits_W.T", "d_r = d_logits @ logits_W"), "d_r", "exception"),
    ],
)  # fmt: skip
def test_blame_in_the_residual_network(script, change, name, pattern):
    report = check_script(script("residual", change), "residual.py")
    assert report.verdict is Verdict.FAIL
    assert (report.blame.name, report.blame.pattern) == (name, pattern)
    assert report.blame.text.startswith(f"{name} = ")
    assert report.blame.spec_line.startswith("residual.nn:")
    assert report.blame.words in " ".join(render_text(report).split())


def test_a_gradient_without_a_line_of_its_own_is_blamed_in_the_returned_dict(script):
    inlined = script("mlp", ('"h2.b": d_h2_b', '"h2.b": d_h2_z.mean(axis=0)'))
    blame = check_script(inlined, "mlp.py").blame
    assert blame.name == "h2.b"
    assert blame.layer == "h2"
    assert "d_h2_z.mean(axis=0)" in blame.text


@pytest.mark.parametrize(
    ("change", "name", "pattern"),
    [
        (("range(3, -1, -1)", "range(3, 0, -1)"), "t", "steps missing"),
        (("d_r_h * (1 - h * h)", "d_r_h * (1 - h)"), "d_r_z", "no simple pattern"),
        (("d_r_h = d_r_z @ r_Wh.T", "d_r_h = d_r_z @ r_Wh"), "d_r_h", "no simple pattern"),
        (("d_r_Wh += r_seq[:, t].T", "d_r_Wh += r_seq[:, t + 1].T"), "d_r_Wh", "no simple pattern"),
    ],
)
def test_blame_inside_a_loop_over_time(script, change, name, pattern):
    report = check_script(script("recurrent", change), "recurrent.py")
    assert report.verdict is Verdict.FAIL
    assert (report.blame.name, report.blame.pattern) == (name, pattern)


def test_forward_faults_that_no_oracle_can_see_are_seen_by_other_checks(script):
    other_loss = ("    loss = total_loss(params, batch, cache)\n", "    loss = 2 * total_loss(params, batch, cache)\n")
    report = check_script(script("mlp", other_loss), "mlp.py")
    assert report.verdict is Verdict.FAIL
    assert "loss_and_grads returns the loss" in report.checks[0].detail


def test_float32_that_widens_is_reported(script):
    wide = ("d_h2_b = d_h2_z.sum(axis=0)", "d_h2_b = d_h2_z.sum(axis=0, dtype=np.float64)")
    report = check_script(script("mlp", wide), "mlp.py")
    failed = [c for c in report.checks if c.verdict is Verdict.FAIL]
    assert [c.id for c in failed] == ["V9"]
    assert report.blame.name == "d_h2_b"


def test_results_that_change_from_run_to_run_are_reported(script):
    unstable = ("d_h2_b = d_h2_z.sum(axis=0)", "d_h2_b = d_h2_z.sum(axis=0) + 1e-9 * np.random.rand()")
    report = check_script(script("mlp", unstable), "mlp.py")
    assert report.verdict is Verdict.FAIL
    assert "two runs" in report.checks[0].detail


def test_an_example_that_leaks_into_its_neighbours_is_reported(script):
    coupled = (
        "h1_z = x @ h1_W + h1_b",
        "h1_z = x @ h1_W + h1_b + np.linspace(0, 1, len(x), dtype=x.real.dtype)[:, None]",
    )
    report = check_script(script("mlp", coupled), "mlp.py")
    assert [c.title for c in report.checks if c.verdict is Verdict.FAIL] == ["permuted batch", "repeated batch"]
