"""Sabotage: every faulty backward pass is caught, and the faulty line is blamed."""

import warnings

import pytest

from dotnn_runtime.gradcheck import Verdict, check_script

from .mutants import mutants

# Faulty lines that compute the same: `len` is that of either array; a gradient that is zero by construction stays
# zero, and so does a buffer of zeros before it is filled.
EQUIVALENT = {"noisy": ["d_g = d_loss * 2 * (g - t) / (3 * len(cache['g_z']))"]}
ZERO_LINES = {"batchnorm": ("d_h_b",), "recurrent": ("d_r_in", "d_r_Wh")}


def survivors(script, batch_size=None, only=None):
    """Return the mutants that the probes of whole tensors do not catch, or whose fault is blamed on another line."""
    missed, count = [], 0
    for mutant in mutants(script):
        if only is not None and mutant.operator not in only:
            continue
        if mutant.change in EQUIVALENT.get(script, ()):
            continue
        if mutant.name in ZERO_LINES.get(script, ()) and mutant.operator in ("whole_line", "bias_sum"):
            continue
        count += 1
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # some faults overflow
            report = check_script(mutant.source, f"{script}.py", batch_size=batch_size, v4=False)
        blamed = report.blame.name if report.blame else None
        if report.verdict is not Verdict.FAIL or blamed != mutant.name:
            missed.append((mutant.operator, mutant.change, str(report.verdict), blamed))
    assert count
    return missed


@pytest.mark.parametrize("script", ["mlp", "residual", "noisy", "batchnorm", "recurrent"])
def test_every_fault_is_caught_and_blamed(script):
    assert survivors(script) == []


def test_faults_that_only_equal_sizes_hide():
    # batch and layers of one size: nothing stops with an error of shapes
    assert survivors("square", batch_size=4, only=("drop_transpose", "transpose_product", "bias_sum")) == []


def test_an_equivalent_mutant_is_not_blamed():
    found = [m for m in mutants("noisy") if m.change in EQUIVALENT["noisy"]]
    assert len(found) == 1
    assert check_script(found[0].source, "noisy.py").verdict is Verdict.PASS
