"""What an optimizer's equation may call means the same in every style; what no script knows is refused."""

import numpy as np
import pytest
from support import STYLES, model_of, module_of

from dotnn.ir import expr
from dotnn.ir.expr import FUNCTIONS, Unspellable, ufunc
from dotnn.library.optimizers import Optimizer, learning_rate
from dotnn.model.bind import FAMILIES
from dotnn.session import Options, compile_model

SPEC = """model M { input x: [2]  target t: [1]  output y = x -> dense(1) }
train { loss = half_sse(y, t)  optim = OPTIM  batch = all  bias_init = constant(0.5) }"""
TERMS = {
    "exp": "exp(-abs(g))",
    "minimum": "minimum(g, m)",
    "maximum": "maximum(0.2, lr * g)",
    "log": "log(1 + abs(g))",
    "sqrt": "sqrt(abs(g))",
    "root": "root(abs(g))",
    "log1p": "log1p(abs(g))",
    "expm1": "expm1(-abs(g))",
    "logaddexp": "logaddexp(g, m)",
    "mod": "mod(g, 0.7)",
}
X, T = np.array([[0.5, -1.0], [2.0, 0.3]]), np.array([[3.0], [1.0]])


def writes_into_arrays(name):
    """Whether the fast style can have it."""
    try:
        return bool(ufunc(name))
    except Unspellable:
        return False


NAMES = [name for name in FUNCTIONS if writes_into_arrays(name)]


def equations(name):
    """An update by one function, of the gradient or of a memory, on either side of another term."""
    return f"m = 0.5 * m - g ** 2 + {TERMS.get(name, f'{name}(g)')}", f"w = w - lr * {TERMS.get(name, f'{name}(m)')}"


def by_hand(name, params, steps):
    """The equations in NumPy, and the gradient of a line written down."""
    w, m = np.concatenate([params["y.W"][:, 0], params["y.b"]]), np.zeros(3)
    known = {name: getattr(np, ufunc(name)) for name in NAMES} | {"lr": 0.1}
    for _ in range(steps):
        e = X @ w[:2] + w[2] - T[:, 0]
        known |= {"g": np.array([*(e @ X), e.sum()]), "w": w, "m": m}
        exec("; ".join(equations(name)), known)
        w, m = known["w"], known["m"]
    return w


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("rate", ["0.1", "linear(0.1, end = 0.1)"])
def test_a_function_of_an_equation(name, style, rate, monkeypatch):
    made = expr.equations(*equations(name))
    probe = Optimizer("probe", "", (learning_rate(0.1),), lambda attrs: made, lambda attrs: {"m": 0}, "none")
    monkeypatch.setitem(FAMILIES["optimizer"], "probe", probe)
    module = module_of(SPEC.replace("OPTIM", f"probe({rate})"), style)
    start = module.init_params(1, np.float64)
    after = module.train({"x": X, "t": T}, epochs=3, params=start, dtype=np.float64)[0]
    np.testing.assert_allclose(np.concatenate([*after.values()], axis=None), by_hand(name, start, 3), rtol=1e-12)


@pytest.mark.parametrize("options", [*map(Options, STYLES), Options(target="tensorflow")], ids=str)
def test_another_function_is_refused(options, monkeypatch):
    made = expr.equations("w = w - lr * cosh(g)")
    probe = Optimizer("probe", "", (learning_rate(0.1),), lambda attrs: made, lambda attrs: {}, "")
    monkeypatch.setitem(FAMILIES["optimizer"], "probe", probe)
    with pytest.raises(Unspellable, match="has no cosh"):
        compile_model(model_of(SPEC.replace("OPTIM", "probe")), options)


@pytest.mark.parametrize("style", STYLES)
def test_a_choice_of_ones(style):
    """A threshold unit: 1 above 0, else 0; it is written with ones of an array's shape."""
    text = """activation late(z, a = 1) = threshold(z - a) + a
optimizer marked(lr = 0.1) { slot m = 2  m = late(m - 1.5 + 0.001 * g) + m / 4  w = w - lr * m * g }
""" + SPEC.replace("OPTIM", "marked")
    module = module_of(text, style)
    params = module.init_params(0, np.float64)
    found, _ = module.train({"x": X, "t": T}, epochs=3, dtype=np.float64, params=params)
    w, m = np.concatenate([params["y.W"][:, 0], params["y.b"]]), np.full(3, 2.0)
    for _ in range(3):
        e = X @ w[:2] + w[2] - T[:, 0]
        g = np.array([*(e @ X), e.sum()])
        m = np.where(m - 1.5 + 0.001 * g - 1 > 0, 1, 0) + 1 + m / 4
        w = w - 0.1 * m * g
    np.testing.assert_allclose([*found["y.W"][:, 0], *found["y.b"]], w, rtol=1e-12)
