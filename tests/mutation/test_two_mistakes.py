"""Two mistakes at once, in every kind of script: each is judged by itself, with what is right handed in before it."""

import itertools

import pytest
from mutation import fast, pairs, suite
from mutation.subjects import right_script

from dotnn_runtime.gradcheck import Verdict

SOME = 2
"""How many pairs of a kind are tried: `gate.py --pairs` tries all."""


@pytest.mark.parametrize("kind", pairs.KINDS)
def test_two_mistakes_are_both_blamed(kind):
    found = (pair for draw in pairs.drawn(kind) if (pair := draw.pair()) is not None)
    for pair in itertools.islice(found, SOME):
        report = pair.check()
        assert report.verdict is Verdict.FAIL
        assert pair.blamed(report) == (True, True), (str(pair), [(b.line, b.name) for b in report.blames])


HID = {
    "a value handed in, and a line behind it that stops": (
        "stopped", "d_y = d_loss * 2 * (y - t) / (2 * len(y)) / (2 * len(y))", "d_y_W = multiply @ d_y",
    ),
    "a number of examples behind a slope": (
        "cross_entropy_scaled", "return np.maximum(p, 1e-07) / (p > 1e-07)",
        "d_y = d_loss * -np.eye(3, dtype=y.dtype)[t] * safe_log_slope(y) / 5",
    ),
    "a sum of turns that stops before a factor is lost": (
        "recomputed", "d_zg = d_g * (1 - g)", "d_b += d_xz[0]",
    ),
    "a gradient of an input": ("normed", "d_unit = gamma", "grads['x'] = (d_h_dense1 @ params['h.dense1.W'].T).T"),
    "a wrong shape that is only stored": (
        "layernormed", "grads['rows.dense1.b'] = d_dense1_z[0]", "d_sigma2 = inv_sigma ** 3",
    ),
    "d_loss forgotten": ("square", "d_y = 2 * (y - t)", "d_g_W = h.T @ d_g"),
}  # fmt: skip
"""Pairs of which one hid the other once: each stands for its kind."""


@pytest.mark.parametrize("kind", HID)
def test_one_mistake_hides_no_other(kind):
    subject, *changes = HID[kind]
    one, other = (next(m for m in suite.line_mutants(subject) if m.change == change) for change in changes)
    pair = pairs.paired(right_script(subject), one, other)
    report = pair.check()
    assert pair.blamed(report) == (True, True), [(b.line, b.name) for b in report.blames]


@pytest.mark.parametrize("subject", ["chain", "residual"])
def test_two_mistakes_in_a_fast_step_give_two_blames_and_no_third(subject):
    plain = ("fast_sign", "fast_one_example", "fast_swapped_operands", "fast_other_function")
    right = fast.right_source(subject)
    steps = [step for step in suite.faulty_steps(subject) if step.operator in plain]
    mutants = [m for m in (suite.fast_mutant(step, subject) for step in steps) if m.names and m.names != (fast.LOSS,)]
    apart = [(a, b) for a, b in zip(mutants, reversed(mutants), strict=True) if not set(a.names) & set(b.names)]
    both = (pair for a, b in apart if (pair := pairs.paired(right, a, b)) is not None)
    for pair in itertools.islice(both, 3):
        report = pair.check()
        assert pair.blamed(report) == (True, True), str(pair)
        assert len(report.blames) == 2


def test_of_two_mistakes_next_to_each_other_no_pair_is_made():
    right = right_script("chain")
    mutants = [m for m in suite.line_mutants("chain") if len(m.lines) == 1]
    one = mutants[0]
    near = [m for m in mutants if abs(m.lines[0] - one.lines[0]) <= 1 and m.change != one.change]
    far = next(m for m in mutants if m.lines[0] > one.lines[0] + 2)
    assert all(pairs.paired(right, one, m) is None for m in near)
    pair = pairs.paired(right, one, far)
    lines = pair.one.source.splitlines()
    assert pair.one.source == pair.other.source
    assert [lines[n - 1] for n in (*pair.one.lines, *pair.other.lines)] == [
        m.source.splitlines()[m.lines[0] - 1] for m in (one, far)
    ]
