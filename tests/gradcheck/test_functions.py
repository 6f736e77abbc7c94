"""`check_functions` on pairs written by hand: what is right passes; what is left out, zero or on a kink is seen."""

import numpy as np
import pytest

from dotnn_runtime.gradcheck import Verdict, check_functions

RNG = np.random.default_rng(0)
X, T = RNG.normal(size=(6, 3)), RNG.normal(size=(6, 2))
ARRAYS = {"W": RNG.normal(size=(3, 4)), "b": RNG.normal(size=4), "V": RNG.normal(size=(4, 2))}
ON_THE_KINKS = {**ARRAYS, "b": -(X @ ARRAYS["W"])[0]}
"""The first example stands exactly on the edge of every relu."""


def relu_loss(a):
    z = X @ a["W"] + a["b"]
    return ((np.where(z.real > 0, z, 0) @ a["V"] - T) ** 2).sum()


def relu_gradient(a, at_zero=0.0):
    z = X @ a["W"] + a["b"]
    h = np.where(z > 0, z, 0)
    error = 2 * (h @ a["V"] - T)
    d_z = error @ a["V"].T * np.where(z == 0, at_zero, z > 0)
    return {"W": X.T @ d_z, "b": d_z.sum(axis=0), "V": h.T @ error}


def normed(z):
    c = z - z.mean(axis=0)
    return c, ((c * c).mean(axis=0) + 1e-3) ** 0.5


def norm_loss(a):
    c, sigma = normed(X @ a["W"] + a["b"])
    return ((c / sigma @ a["V"] - T) ** 2).sum()


def norm_gradient(a):
    c, sigma = normed(X @ a["W"] + a["b"])
    n = c / sigma
    error = 2 * (n @ a["V"] - T)
    d_n = error @ a["V"].T
    d_z = (d_n - d_n.mean(axis=0) - n * (d_n * n).mean(axis=0)) / sigma
    return {"W": X.T @ d_z, "b": d_z.sum(axis=0), "V": n.T @ error}


def verdicts(report):
    return {t.name: t.verdict for t in report.tensors}


def test_a_right_pair_passes():
    assert check_functions(relu_loss, relu_gradient, ARRAYS).verdict is Verdict.PASS
    report = check_functions(norm_loss, norm_gradient, ARRAYS)
    assert report.verdict is Verdict.PASS
    assert verdicts(report) == {"W": Verdict.PASS, "b": Verdict.ZERO_OBSERVED, "V": Verdict.PASS}


@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_without_a_gradient_fails(name):
    def gradient(a):
        return {n: g for n, g in relu_gradient(a).items() if n != name}

    report = check_functions(relu_loss, gradient, ARRAYS)
    assert verdicts(report) == dict.fromkeys(ARRAYS, Verdict.PASS) | {name: Verdict.FAIL}
    assert (report.blame.name, report.blame.pattern) == (name, "missing")


def test_an_array_that_the_loss_does_not_feel_needs_no_gradient():
    report = check_functions(relu_loss, relu_gradient, ARRAYS | {"unread": np.ones(3)})
    assert report.verdict is Verdict.PASS
    assert verdicts(report)["unread"] is Verdict.ZERO_OBSERVED


def test_a_gradient_of_no_array_fails():
    report = check_functions(relu_loss, lambda a: relu_gradient(a) | {"U": np.ones(2)}, ARRAYS)
    assert report.verdict is Verdict.FAIL
    assert [c.title for c in report.checks if c.verdict is Verdict.FAIL] == ["U"]


def test_a_zero_fails_where_the_truth_is_none():
    report = check_functions(relu_loss, lambda a: relu_gradient(a) | {"b": np.zeros(4)}, ARRAYS)
    assert (report.blame.name, report.blame.pattern) == ("b", "zero")


def test_a_dead_point_is_left():
    """All units are dead: the gradient is zero as the truth is, here; two points on, it is found wrong."""
    dead = {"x": np.repeat([-1e-3, -1.0], 8)}

    def loss(a):
        return np.where(a["x"].real > 0, a["x"] ** 2, 0).sum()

    assert check_functions(loss, lambda a: {"x": np.where(a["x"] > 0, 2 * a["x"], 0)}, dead).verdict is Verdict.PASS
    report = check_functions(loss, lambda a: {"x": np.where(a["x"] > 0, a["x"], 0)}, dead)
    assert report.verdict is Verdict.FAIL
    assert "near by" in report.blame.words


def test_a_kink_is_no_failure_but_a_doubt():
    assert check_functions(relu_loss, relu_gradient, ON_THE_KINKS).verdict is Verdict.PASS
    other = check_functions(relu_loss, lambda a: relu_gradient(a, at_zero=1.0), ON_THE_KINKS)
    assert verdicts(other)["b"] is Verdict.INCONCLUSIVE
    assert "kink" in other.reason
    doubled = check_functions(relu_loss, lambda a: relu_gradient(a, 1.0) | {"b": np.ones(4)}, ON_THE_KINKS)
    assert verdicts(doubled)["b"] is Verdict.FAIL
