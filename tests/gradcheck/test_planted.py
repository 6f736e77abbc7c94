"""Scripts with functions, loops and records: every planted fault is caught, and blamed on its own line."""

import os
import random
import warnings
from functools import cache

import numpy as np
import pytest
from gradcheck.planted import lesson, planted

from dotnn_runtime.gradcheck import Verdict, check_script
from dotnn_runtime.gradcheck.probing.draws import generic_point
from dotnn_runtime.gradcheck.probing.evaluation import loss_and_grads
from dotnn_runtime.gradcheck.reading.script import read_script

LESSONS = ("xor", "iris", "brackets", "jabberwocky")
ALL = bool(os.environ.get("DOTNN_LONG"))
SOME = {"xor": 12, "iris": 12, "brackets": 3, "jabberwocky": 3}
PAIRS = {"xor": 4, "iris": 4, "brackets": 1, "jabberwocky": 1}
"""How many faults, and pairs of them, are planted where not all are: in a minute, not in half an hour."""
OWN_LINE, BOTH = 0.99, 0.95

BESIDE = {
    (
        "jabberwocky",
        "d_z = np.concatenate([d_i * d_b * (1 - i), d_f * f * (1 - f), d_g * (1 - g * g), d_o * o * (1 - o)], axis=1)",
    ): "the line stops and is blamed first, but nothing puts it right: so the lines that add up what it makes follow",
    ("jabberwocky", "d_h = d_z @ steps.T"): "the same",
}
"""Faults that are caught, but for which other lines are blamed, too, and why: lesson and change."""


def grads_of(source):
    module = read_script(source, "planted.py").plain
    point = generic_point(
        module.init_params(0, dtype=np.float64), module.INPUTS, module.TARGETS,
        batch_size=5, rng=np.random.default_rng(0),
    )  # fmt: skip
    try:
        return loss_and_grads(module, point)[1]
    except Exception:
        return None


def same(ours, theirs):
    if ours is None or theirs is None:
        return ours is theirs
    largest = max(np.abs(g).max() for g in theirs.values())
    return all(
        n in ours and ours[n].shape == g.shape and np.abs(ours[n] - g).max() <= 1e-12 * largest
        for n, g in theirs.items()
    )  # fmt: skip


@cache
def faults(name):
    """Faults that change a gradient, in random order."""
    found = list(planted(lesson(name)))
    random.Random(0).shuffle(found)
    return found


def check(source, name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return check_script(source, f"{name}.py", v4=False, training=True)


@pytest.mark.parametrize("name", LESSONS)
def test_a_right_lesson_passes(name):
    report = check_script(lesson(name), f"{name}.py")
    assert report.verdict is Verdict.PASS
    assert report.blames == []


@pytest.mark.parametrize("name", LESSONS)
def test_every_planted_fault_is_blamed_on_its_own_line(name):
    right, missed, wrong, count = grads_of(lesson(name)), [], [], 0
    for fault in faults(name):
        if count == SOME[name] and not ALL:
            break
        with np.errstate(all="ignore"):
            if same(grads_of(fault.source), right):
                continue  # it computes the same
        count += 1
        report = check(fault.source, name)
        if report.verdict is not Verdict.FAIL:
            missed.append(fault.change)
        elif (name, fault.change) in BESIDE:
            assert report.blames[0].line == fault.line
        elif [blame.line for blame in report.blames] != [fault.line]:
            wrong.append((fault.line, fault.change, [(b.line, b.text) for b in report.blames]))
    assert missed == []
    assert len(wrong) <= (1 - OWN_LINE) * count, wrong


@pytest.mark.parametrize("name", LESSONS)
def test_two_faults_are_both_blamed(name):
    """Two lines are changed at once; every line is judged by itself."""
    right, source, wrong, count = grads_of(lesson(name)), lesson(name).splitlines(), [], 0
    single = [f for f in faults(name) if f.operator in ("flipped_sign", "missing_factor", "dropped_term")]
    for one, other in zip(single[::2], single[1::2], strict=False):
        if count == PAIRS[name] and not ALL:
            break
        if abs(one.line - other.line) < 4 or same(grads_of(one.source), right) or same(grads_of(other.source), right):
            continue
        count += 1
        lines = [*source]
        for fault in (one, other):
            changed = fault.source.splitlines()
            lines = [b if a == c else a for a, b, c in zip(changed, lines, source, strict=True)]
        report = check("\n".join(lines) + "\n", name)
        if not {one.line, other.line} <= {blame.line for blame in report.blames}:
            wrong.append((one.line, one.change, other.line, other.change, [(b.line, b.text) for b in report.blames]))
    assert len(wrong) <= (1 - BOTH) * count, wrong


def test_a_blame_says_in_which_calls_and_turns():
    source = lesson("brackets").replace("d_h = d_y + d_h_from_f ", "d_h = d_y - d_h_from_f ")
    blame = check(source, "brackets").blames[0]
    assert "h.Encoder2" in blame.paths[0]
    assert blame.right == "d_y + d_h_from_f"


def test_all_blames_are_in_the_json():
    source = lesson("xor").replace("dense1.T @ d_p_z", "-dense1.T @ d_p_z").replace("x.T @ d", "2 * x.T @ d")
    found = check(source, "xor").to_json()["blames"]
    assert [entry["pattern"] for entry in found] == ["sign", "×2"]
    assert all(entry["line"] for entry in found)
