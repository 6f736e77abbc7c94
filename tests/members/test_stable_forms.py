"""Formulas of a spec at extreme values: as exact as the language's own, whoever computed their parts."""

import mpmath
import numpy as np
import pytest
from support import STYLES, assert_gradients, generic_point, gradients, model_of, module_of
from tensorflow_target.test_parity import agrees

from dotnn.session import Compilation

LOSSES = {
    "-log(p[k])": ("p, k: class", "softmax", "class[3]", lambda z, k: log_sum(z) - z[k]),
    "sum(exp(p) * 0) - log(softmax(p))[k]": ("p, k: class", "identity", "class[3]", None),
    "log(sum(exp(p))) - p[k]": ("p, k: class", "identity", "class[3]", lambda z, k: log_sum(z) - z[k]),
    "log(sum(exp(2 * p - 1))) - 2 * p[k]": (
        "p, k: class", "identity", "class[3]", lambda z, k: log_sum([2 * x - 1 for x in z]) - 2 * z[k]
    ),
    "-mean(k * log(p) + (1 - k) * log(1 - p))": (
        "p, k", "sigmoid", "[3]", lambda z, k: sum(soft(x) - t * x for x, t in zip(z, k, strict=True)) / 3
    ),
    "mean(log(1 + exp(p)) - k * p)": (
        "p, k", "identity", "[3]", lambda z, k: sum(soft(x) - t * x for x, t in zip(z, k, strict=True)) / 3
    ),
    "-mean(log(sigmoid(k * p)))": (
        "p, k", "identity", "[3]", lambda z, k: sum(soft(-x * t) for x, t in zip(z, k, strict=True)) / 3
    ),
    "mean(sqrt((p - k)^2))": (
        "p, k", "identity", "[3]", lambda z, k: sum(abs(x - t) for x, t in zip(z, k, strict=True)) / 3
    ),
}  # fmt: skip
"""Formulas: the operands, the last layer, the target, and the same of the pre-activations z in many digits."""


def soft(x):
    return mpmath.log1p(mpmath.exp(x))


def log_sum(z):
    return mpmath.log(sum(mpmath.exp(x) for x in z))


def spec_of(formula, operands, stage, target):
    return f"""loss mine({operands}) = {formula}
    model M {{ input x: [3]  target t: {target}
      z = x -> dense(3)
      output y = z -> {stage} }}
    train {{ loss = mine(y, t) }}"""


def point(target):
    """Pre-activations up to 10,000, made by an identity for weights."""
    z = np.array([[1e4, -1e4, 3.0], [-1e4, 2e3, 1e4], [0.5, 0.25, -1.0], [-1e4, -1e4, -1e4 + 1]])
    t = (
        np.array([1, 0, 2, 0])
        if target.startswith("class")
        else np.array([[0, 1, 1], [1, 0, 0], [1, 1, 0], [0, 0, 1.0]])
    )
    return {"z.W": np.eye(3), "z.b": np.zeros(3)}, {"x": z, "t": t}


@pytest.mark.parametrize("formula", [f for f, case in LOSSES.items() if case[3]])
@pytest.mark.parametrize("style", STYLES)
def test_exact_at_extreme_values(formula, style):
    module = module_of(spec_of(formula, *LOSSES[formula][:3]), style, input_gradients=True)
    exact = LOSSES[formula][3]
    params, batch = point(LOSSES[formula][2])
    with np.errstate(all="raise", under="ignore"):
        found = module.total_loss(params, batch, module.forward(params, batch)[1])
        slopes = gradients(module, params, batch)["x"]
    with mpmath.workdps(60):
        wanted, at = mpmath.mpf(0), range(len(batch["x"]))
        for i in at:
            z, t = [*map(mpmath.mpf, batch["x"][i])], batch["t"][i]
            t = t if t.ndim == 0 else [*map(int, t)]
            wanted += exact(z, t) / len(at)
            right = [float(slope_of(exact, z, t, j)) / len(at) for j in range(3)]
            np.testing.assert_allclose(slopes[i], right, rtol=1e-11, atol=1e-15)
    np.testing.assert_allclose(found, float(wanted), rtol=1e-14)


def slope_of(exact, z, t, j):
    """The derivative of a formula by its operand number j, in many digits."""

    def moved(value):
        return exact([*z[:j], value, *z[j + 1 :]], t)

    return mpmath.diff(moved, z[j], h=mpmath.mpf(10) ** -20)


@pytest.mark.parametrize("formula", LOSSES)
def test_the_same_at_usual_values(formula):
    module = module_of(spec_of(formula, *LOSSES[formula][:3]), input_gradients=True)
    assert_gradients(module, *generic_point(module, 1))


def test_the_language_s_own_and_the_spec_s_give_the_same():
    built_in = spec_of("-log(p[k])", "p, k: class", "softmax", "class[3]").replace("mine(y, t)", "cross_entropy(y, t)")
    ours, theirs = (module_of(t) for t in (spec_of("-log(p[k])", "p, k: class", "softmax", "class[3]"), built_in))
    params, batch = point("class[3]")
    for name, value in gradients(theirs, params, batch).items():
        np.testing.assert_allclose(gradients(ours, params, batch)[name], value, rtol=1e-15)


NORM = """
    loss distance(y, t) = sqrt(sum((y - t)^2))
    activation soft(z) = log(1 + exp(z)) + log(1 - sigmoid(z)) * 0.5
    model M { input x: [3]  target t: [3]
      h = x -> dense(3, soft)
      n = sqrt(sum(h * h)) + sqrt(sum(x^2))
      g = log(1 + exp(h)) - log(sigmoid(h))
      output y = (h / n) + g - g -> dense(3) }
    train { loss = distance(y, t)  optim = sgd(0.01) }"""


@pytest.mark.parametrize("style", STYLES)
def test_a_norm_has_derivative_zero_at_zero(style):
    module = module_of(NORM, style, input_gradients=True)
    params, batch = generic_point(module, 3)
    assert_gradients(module, params, batch)
    params["y.W"][:] = 0
    batch["t"] = np.tile(params["y.b"], (len(batch["t"]), 1))
    with np.errstate(all="raise", under="ignore"):
        assert module.total_loss(params, batch, module.forward(params, batch)[1]) == 0
        assert not gradients(module, params, batch)["y.b"].any()
        batch["x"][:] = 0
        assert np.isfinite(gradients(module, params, batch)["x"]).all()


def test_an_activation_does_not_overflow():
    module = module_of("""activation soft(z) = log(1 + exp(z)) + log(1 - sigmoid(z)) * 0.5
    model M { input x: [3]  target t: [3]  output y = x -> dense(3, soft) } train { loss = l1(y, t) }""")
    params, batch = generic_point(module, 3)
    batch["x"] *= 1e4
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        assert np.isfinite(module.total_loss(params, batch, module.forward(params, batch)[1]))
        assert all(np.isfinite(g).all() for g in gradients(module, params, batch).values())


APART = """
    model M {{ input x: [3]  target t: [3]
      z = x -> dense(3)
      {}
      output y = made
    }}
    train {{ loss = sse(y, t) }}"""
STEP = """
    cell mine(units) {{
      input x: [n]
      state h: [units]
      param W: [n, units]
      z = x @ W
      {}
      next h = h + made
      output h
    }}
    model M {{ input x: [3]  target t: [3]
      z = x -> dense(3)
      output y = z -> reshape([1, 3]) -> mine(3)
    }}
    train {{ loss = sse(y, t) }}"""
FORMS = {
    "e = exp(z)  made = log(1 + e)": lambda z, i: soft(z[i]),
    "e = exp(z)  made = log1p(e) - z": lambda z, i: soft(z[i]) - z[i],
    "q = z^2  made = sqrt(q)": lambda z, i: abs(z[i]),
    "q = z * z  r = q  made = sqrt(r)": lambda z, i: abs(z[i]),
    "s = sigmoid(z)  made = log(s) - log(1 - s)": lambda z, i: z[i],
    "p = softmax(z)  made = log(p)": lambda z, i: z[i] - log_sum(z),
    "e = exp(2 * z)  u = sum(e)  made = log(u) - 2 * z": lambda z, i: log_sum([2 * x for x in z]) - 2 * z[i],
}
"""Formulas in several statements, and what they make of z in many digits."""


@pytest.mark.parametrize("network", ["model", "cell"])
@pytest.mark.parametrize("statements", FORMS)
@pytest.mark.parametrize("style", STYLES)
def test_across_statements_and_in_the_step_of_a_cell(statements, network, style):
    text = {"model": APART, "cell": STEP}[network]
    module = module_of(text.format(statements.replace("  ", "\n      ")), style, input_gradients=True)
    params, batch = point("[3]")
    params |= {name: np.eye(3) for name in module.PARAMS if name not in params}
    batch["t"] = np.zeros_like(batch["t"])
    with np.errstate(invalid="raise", divide="raise", over="ignore"):  # what a statement says is computed, too
        made = module.predict(params, {"x": batch["x"]})["y"]
        slopes = gradients(module, params, batch)["x"]
    with mpmath.workdps(60):
        for row, x in enumerate(batch["x"]):
            z = [*map(mpmath.mpf, x)]
            wanted = [FORMS[statements](z, i) for i in range(3)]
            np.testing.assert_allclose(made[row], [float(w) for w in wanted], rtol=1e-13, atol=1e-11)
            right = [
                sum(2 * wanted[i] * slope_of(lambda z, _, i=i: FORMS[statements](z, i), z, None, j) for i in range(3))
                for j in range(3)
            ]
            np.testing.assert_allclose(slopes[row], [float(r) for r in right], rtol=1e-9, atol=1e-9)


def test_tensorflow_has_the_same_forms():
    assert agrees(model_of(NORM), 3) < 1e-9
    for statements in FORMS:
        shown = statements.replace("  ", "\n      ")
        assert agrees(model_of(APART.format(shown)), 3) < 1e-9
    assert (
        agrees(
            model_of(STEP.format("\n      ".join(["e = exp(z + h)", "p = softmax(h)", "made = log(1 + e) - log(p)"]))),
            3,
        )
        < 1e-9
    )
    for formula in ("-log(p[k])", "-mean(k * log(p) + (1 - k) * log(1 - p))"):
        begun = Compilation.of(model_of(spec_of(formula, *LOSSES[formula][:3])))
        params, batch = point(LOSSES[formula][2])
        ours = module_of(spec_of(formula, *LOSSES[formula][:3]))
        with begun.witness() as peer:
            loss, _, grads = peer.loss_and_grads(params, batch)
        np.testing.assert_allclose(loss, ours.total_loss(params, batch, ours.forward(params, batch)[1]), rtol=1e-12)
        for name, value in gradients(ours, params, batch).items():
            np.testing.assert_allclose(grads[name], value, rtol=1e-9, atol=1e-12)
