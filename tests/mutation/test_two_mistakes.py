"""Two mistakes at once, in every kind of script: each is judged by itself, with what is right handed in before it."""

import itertools

import pytest
from mutation import fast, pairs, suite
from mutation.subjects import right_script

from dotnn_runtime.gradcheck import Verdict

OF_A_SIZE = "hard_coded_batch"
"""A mistake that shows at another size of the batch alone, which is looked for where nothing else is wrong."""
SOME = 2
"""How many pairs of a kind are tried: `gate.py --pairs` tries all."""


@pytest.mark.parametrize("kind", pairs.KINDS)
def test_two_mistakes_are_both_blamed(kind):
    found = (pair for draw in pairs.drawn(kind) if (pair := draw.pair()) is not None)
    alike = (pair for pair in found if OF_A_SIZE not in (pair.one.operator, pair.other.operator))
    for pair in itertools.islice(alike, SOME):
        report = pair.check()
        assert report.verdict is Verdict.FAIL
        assert pair.blamed(report) == (True, True), (str(pair), [(b.line, b.name) for b in report.blames])


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
