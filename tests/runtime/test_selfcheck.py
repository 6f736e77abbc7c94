import numpy as np
import pytest

from dotnn_runtime.script.selfcheck import check_gradients, generic_batch, report_check

DECLARED = {"x": ("real", (3,)), "t": ("unit", (2,))}


def loss(params, batch):
    h = np.tanh(batch["x"] @ params["h.W"] + params["h.b"])
    error = h @ params["y.W"] - batch["t"] + 0 * params["idle"]
    return 0.5 * np.sum(error * error)


def loss_and_grads(params, batch):
    h = np.tanh(batch["x"] @ params["h.W"] + params["h.b"])
    d_y = h @ params["y.W"] - batch["t"]
    d_z = d_y @ params["y.W"].T * (1 - h * h)
    grads = {"h.W": batch["x"].T @ d_z, "h.b": d_z.sum(axis=0), "y.W": h.T @ d_y, "idle": np.zeros(())}
    return 0.5 * np.sum(d_y * d_y), grads


@pytest.fixture
def case():
    rng = np.random.default_rng(0)
    params = {"h.W": rng.normal(size=(3, 4)), "h.b": rng.normal(size=4), "y.W": rng.normal(size=(4, 2))}
    return params | {"idle": np.array(1.0)}, generic_batch(DECLARED, rng, 5)


def test_right_gradients_pass(case, capsys):
    rows = check_gradients(loss, loss_and_grads, *case)
    assert [verdict for _, _, verdict in rows] == ["ok", "ok", "ok", "no signal"]
    assert max(error for _, error, _ in rows) < 1e-13
    assert report_check(rows) is True
    assert capsys.readouterr().out.splitlines()[-1] == "PASS"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_parameters_of_any_precision_are_checked_in_double(case, dtype):
    params, batch = case
    rows = check_gradients(loss, loss_and_grads, {k: v.astype(dtype) for k, v in params.items()}, batch)
    assert max(error for _, error, _ in rows) < 1e-13


MUTANTS = {
    "sign": lambda g: -g,
    "one per cent": lambda g: 1.01 * g,
    "zero": lambda g: 0 * g,
    "one element": lambda g: g * np.where(np.arange(g.size).reshape(g.shape) == 0, 1.01, 1),
    "rolled": lambda g: np.roll(g, 1),
    "shape": lambda g: g[:-1],
    "not a number": lambda g: g * np.nan,
}


@pytest.mark.parametrize("mutant", MUTANTS)
@pytest.mark.parametrize("name", ["h.W", "h.b", "y.W"])
def test_a_wrong_gradient_is_named(case, name, mutant, capsys):
    def wrong(params, batch):
        value, grads = loss_and_grads(params, batch)
        return value, grads | {name: MUTANTS[mutant](grads[name])}

    rows = check_gradients(loss, wrong, *case)
    others = [verdict for other, _, verdict in rows if other not in (name, "idle")]
    assert {row[0]: row[2] for row in rows}[name] == "WRONG"
    # A gradient that is not finite leaves no scale for the others, which are still compared.
    assert others == ["ok", "ok"]
    assert report_check(rows) is False
    assert capsys.readouterr().out.splitlines()[-1] == "FAIL"


def test_a_missing_gradient_is_wrong(case):
    def wrong(params, batch):
        value, grads = loss_and_grads(params, batch)
        return value, {"h.W": grads["h.W"], "h.b": grads["h.b"], "idle": grads["idle"]}

    assert {row[0]: row[2] for row in check_gradients(loss, wrong, *case)}["y.W"] == "WRONG"


def test_an_unexpected_signal_under_a_zero_gradient_is_wrong(case):
    rows = check_gradients(lambda p, b: loss(p, b) + p["idle"], loss_and_grads, *case)
    assert rows[-1][2] == "WRONG"


def test_nothing_checked_is_no_pass(capsys):
    assert report_check([("w", 0.0, "no signal")]) is False
    assert "INCONCLUSIVE" in capsys.readouterr().out


def test_unknown_kinds_are_refused():
    with pytest.raises(ValueError, match="unknown kind 'float'"):
        generic_batch({"x": ("float", (1,))}, np.random.default_rng(0), 2)
