"""Two mistakes at once in a fast step: each statement is judged by itself, with what is right handed in before it."""

import itertools
import random

import pytest
from mutation import fast

from dotnn_runtime.gradcheck import check_script

OPERATORS = ("fast_sign", "fast_one_example", "fast_swapped_operands", "fast_other_function")
PAIRS = 3


def blamable(step, subject):
    """The cotangents that are to blame for a mistake; none where it stops, changes nothing, or changes the loss."""
    try:
        names = fast.to_blame(step.source, subject)
    except Exception:
        return ()
    return names if names != (fast.LOSS,) else ()


def edit(right, step):
    """Which lines of the right script a mistake replaces, and by what."""
    wrong, start, same = step.source.splitlines(), step.line - 1, 0
    while same < len(right) - start and wrong[-1 - same] == right[-1 - same]:
        same += 1
    return start, len(right) - same, wrong[start : len(wrong) - same]


def with_both(one, other, subject):
    lines = right = fast.right_source(subject).splitlines()
    for start, end, new in sorted((edit(right, step) for step in (one, other)), reverse=True):
        lines = [*lines[:start], *new, *lines[end:]]
    return "\n".join(lines) + "\n"


def pairs(subject):
    """Pairs of mistakes in statements apart, that make two cotangents wrong, by chance."""
    steps = [step for step in fast.faulty_steps(subject) if step.operator in OPERATORS]
    random.Random(1).shuffle(steps)
    for one, other in zip(steps[::2], steps[1::2], strict=False):
        names = blamable(one, subject), blamable(other, subject)
        if abs(one.line - other.line) > 1 and all(names) and not set(names[0]) & set(names[1]):
            yield one, other, names


@pytest.mark.parametrize("subject", ["chain", "residual"])
def test_two_mistakes_in_a_fast_step_are_both_blamed(subject):
    for one, other, names in itertools.islice(pairs(subject), PAIRS):
        report = check_script(with_both(one, other, subject), f"{subject}.py", v4=False)
        blamed = {blame.name for blame in report.blames}
        assert all(blamed & set(some) for some in names), (one.change, other.change, blamed)
        assert len(report.blames) == 2
