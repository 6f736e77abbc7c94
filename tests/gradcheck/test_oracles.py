"""The oracles, and the functions with branches that they freeze."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dotnn_runtime.gradcheck import Verdict, check_functions, check_script
from dotnn_runtime.gradcheck.probing.oracles import complex_step, richardson, taylor_order
from dotnn_runtime.gradcheck.reading.types import Key
from dotnn_runtime.gradcheck.tracing.branches import BRANCHES

X = Key("param", "x")


def along(function, at):
    return lambda push: function(at + push.get(X, 0.0))


@given(at=st.floats(-2, 2), scale=st.floats(1e-3, 1e3))
@settings(max_examples=50, deadline=None)
def test_both_oracles_find_known_derivatives(at, scale):
    point, direction = np.array([at, 0.7]), {X: scale * np.array([1.0, -0.4])}

    def function(x):
        return (np.exp(x[0]) * np.tanh(x[1]) + x[0] ** 3).sum()

    right = scale * (np.exp(at) * np.tanh(0.7) + 3 * at**2 - 0.4 * np.exp(at) / np.cosh(0.7) ** 2)
    size = scale * (np.exp(at) + 3 * at**2)
    assert abs(complex_step(along(function, point), direction) - right) <= 1e-14 * size
    estimate = richardson(along(function, point), direction)
    assert abs(estimate.value - right) <= max(1e-10 * size, 10 * estimate.error)


def test_richardson_is_not_fooled_beyond_the_radius_of_convergence():
    # the poles at ±0.01i make every step above 0.01 useless
    estimate = richardson(along(lambda x: float(np.arctan(100 * x).sum()), np.zeros(1)), {X: np.ones(1)})
    assert estimate.value == pytest.approx(100.0, rel=1e-8)


def test_richardson_knows_when_it_cannot_resolve():
    estimate = richardson(along(lambda x: float(1.0 + 1e-20 * x.sum()), np.zeros(1)), {X: np.ones(1)})
    assert estimate.error > 1e-17


def test_taylor_order_tells_right_from_wrong_slopes():
    function = along(lambda x: np.sin(x).sum(), np.array([0.3]))
    assert taylor_order(function, {X: np.ones(1)}, np.cos(0.3)) == pytest.approx(2.0, abs=0.05)
    assert taylor_order(function, {X: np.ones(1)}, 1.01 * np.cos(0.3)) == pytest.approx(1.0, abs=0.1)
    assert taylor_order(along(lambda x: 3 * x.sum(), np.ones(2)), {X: np.ones(2)}, 6.0) is None


CALLS = [
    ("maximum", (np.array([1.0, -2.0, 3.0]), np.array([2.0, -3.0, 1.0])), {}),
    ("maximum", (np.array([1.0, -2.0]), 0), {}),
    ("minimum", (0.5, np.array([1.0, -2.0])), {}),
    ("abs", (np.array([1.5, -2.0]),), {}),
    ("sign", (np.array([1.5, -2.0]),), {}),
    ("clip", (np.array([1.5, -2.0, 0.3]), -1.0, 1.0), {}),
    ("max", (np.arange(24.0).reshape(2, 3, 4) % 7,), {"axis": -1, "keepdims": True}),
    ("max", (np.arange(24.0).reshape(2, 3, 4) % 7,), {"axis": (0, 2)}),
    ("min", (np.arange(24.0).reshape(2, 3, 4) % 7,), {}),
    ("argmax", (np.array([[1.0, 3.0], [2.0, 0.0]]),), {"axis": 1}),
    (">", (np.array([1.0, -1.0]), 0.0), {}),
]


@pytest.mark.parametrize(("name", "args", "options"), CALLS)
def test_frozen_functions_agree_with_numpy_at_the_base_point(name, args, options):
    branch = BRANCHES[name]
    plain = np.greater if name == ">" else getattr(np, name)
    frozen = branch.apply(branch.decide(*args, **options), *args, **options)
    np.testing.assert_array_equal(frozen, plain(*args, **options))
    assert np.shape(frozen) == np.shape(plain(*args, **options))


def test_conventions_at_ties():
    relu = BRANCHES["maximum"]
    assert relu.apply(relu.decide(np.zeros(2), 0), np.full(2, 1e-20j), 0).imag.tolist() == [0.0, 0.0]
    first = relu.apply(relu.decide(np.zeros(1), np.zeros(1)), np.array([1e-20j]), np.array([5e-20j]))
    assert first.imag.tolist() == [1e-20]
    pool = BRANCHES["max"]
    winner = pool.decide(np.array([2.0, 2.0, 1.0]))
    assert winner == 0
    assert pool.ties(np.array([2.0, 2.0, 1.0])) == 1


def test_check_functions_certifies_and_blames():
    rng = np.random.default_rng(0)
    arrays = {"W": rng.standard_normal((4, 4)), "b": rng.standard_normal(4)}
    x = rng.standard_normal((7, 4))

    def loss(a):
        return 0.5 * (np.tanh(x @ a["W"] + a["b"]) ** 2).sum()

    def grads(a):
        out = np.tanh(x @ a["W"] + a["b"])
        d_z = out * (1 - out * out)
        return {"W": x.T @ d_z, "b": d_z.sum(axis=0)}

    report = check_functions(loss, grads, arrays)
    assert report.verdict is Verdict.PASS
    assert report.oracles == ["complex step, h = 1e-20"]
    assert report.taylor_order == pytest.approx(2.0, abs=0.1)
    wrong = check_functions(loss, lambda a: grads(a) | {"W": grads(a)["W"].T}, arrays)
    assert wrong.verdict is Verdict.FAIL
    assert (wrong.blame.name, wrong.blame.pattern) == ("W", "transposed")
    assert check_functions(loss, lambda a: {"b": np.ones(3)}, arrays).verdict is Verdict.FAIL


def test_check_functions_falls_back_where_the_loss_is_not_complex_safe():
    arrays = {"x": np.array([0.5, -1.5, 2.0])}
    report = check_functions(lambda a: np.abs(a["x"]).sum(), lambda a: {"x": np.sign(a["x"])}, arrays)
    assert report.verdict is Verdict.PASS
    assert report.oracles == ["Richardson extrapolation"]
    assert "not complex-safe" in report.notes[0]


def test_a_forward_pass_that_is_not_complex_safe_is_checked_numerically(script):
    # np.std takes the modulus of complex numbers; the gradient below is right for real ones
    norm = ("loss = 0.5 * ((t - y) ** 2).sum()", "loss = 0.5 * np.linalg.norm(t - y) ** 2")
    report = check_script(script("mlp", norm), "mlp.py")
    assert report.verdict is Verdict.PASS
    assert report.oracles == ["Richardson extrapolation, branches frozen"]
    wrong = script("mlp", norm, ("d_h1 = d_h2_z @ h2_W.T", "d_h1 = 1.01 * d_h2_z @ h2_W.T"))
    report = check_script(wrong, "mlp.py")
    assert report.verdict is Verdict.FAIL
    assert report.blame.name == "d_h1"


def test_absolute_values_are_frozen_and_stay_complex_safe(script):
    l1 = ("loss = 0.5 * ((t - y) ** 2).sum()", "loss = np.abs(y - t).sum()")
    report = check_script(script("mlp", l1, ("d_loss * (y - t)", "d_loss * np.sign(y - t)")), "mlp.py")
    assert report.verdict is Verdict.PASS
    assert report.oracles[0].startswith("complex step")


def test_kinks_are_reported_and_never_crossed(script):
    report = check_script(script("residual"), "residual.py")
    assert any("np.maximum(s1_z, 0)" in kink.text for kink in report.kinks)
    assert report.verdict is Verdict.PASS
