"""Every optimizer alone, against its source written out for one weight."""

import math
from functools import partial

import numpy as np
import pytest
from support import STYLES, module_of

from dotnn.library.optimizers import OPTIMIZERS


def sgd(w, gradient, steps, lr, momentum=0.0, nesterov=False):
    """Sutskever et al. 2013, Eq. 1-4, with the look-ahead parameters as the ones that are stored."""
    velocity = 0.0
    for k in range(steps):
        g = gradient(w, k)
        before, velocity = velocity, momentum * velocity - lr * g
        # Their w' = w + mu v; in these, w'_new = w' - mu v_old + (1 + mu) v_new.
        w = w - momentum * before + (1 + momentum) * velocity if nesterov else w + velocity
    return w


def adam(w, gradient, steps, lr, beta1=0.9, beta2=0.999, epsilon=1e-7, decay=0.0):
    """Kingma and Ba 2015, Algorithm 1; with decay Loshchilov and Hutter 2019, Algorithm 2."""
    m = v = 0.0
    for k in range(steps):
        g = gradient(w, k)
        m, v = m + (1 - beta1) * (g - m), v + (1 - beta2) * (g**2 - v)
        step = (m / (1 - beta1 ** (k + 1))) / (math.sqrt(v / (1 - beta2 ** (k + 1))) + epsilon)
        w = w - lr * step - lr * decay * w
    return w


def rmsprop(w, gradient, steps, lr, rho=0.9, epsilon=1e-7):
    """Tieleman and Hinton 2012, slide 29."""
    mean_square = 0.0
    for k in range(steps):
        g = gradient(w, k)
        mean_square = rho * mean_square + (1 - rho) * g**2
        w = w - lr * g / math.sqrt(mean_square + epsilon)
    return w


def adagrad(w, gradient, steps, lr, start=0.1, epsilon=1e-7):
    """Duchi et al. 2011, diagonal form."""
    total = start
    for k in range(steps):
        g = gradient(w, k)
        total += g**2
        w = w - lr * g / math.sqrt(total + epsilon)
    return w


UPDATES = {
    "sgd": (sgd, [{"lr": 0.05}, {"lr": 0.05, "momentum": 0.9}, {"lr": 0.05, "momentum": 0.9, "nesterov": True}]),
    "adam": (adam, [{"lr": 0.1}, {"lr": 0.1, "beta1": 0.7, "beta2": 0.9, "epsilon": 0.01}]),
    "adamw": (
        lambda *args, decay=0.004, **kw: adam(*args, decay=decay, **kw),
        [{"lr": 0.1}, {"lr": 0.1, "decay": 0.3}],
    ),
    "rmsprop": (rmsprop, [{"lr": 0.1}, {"lr": 0.1, "rho": 0.5, "epsilon": 0.01}]),
    "adagrad": (adagrad, [{"lr": 0.1}, {"lr": 0.1, "start": 0.5, "epsilon": 0.01}]),
}
"""Each optimizer for one weight, written from its source, with the arguments to try."""


FUNCTIONS = {name: getattr(math, name) for name in ("sqrt", "exp", "log", "tanh", "cosh", "erf")} | {
    "abs": abs, "minimum": min, "maximum": max, "sign": lambda x: math.copysign(1, x) if x else 0.0,
}  # fmt: skip


def by_its_equations(name, w, gradient, steps, **arguments):
    """The member's own equations, one after the other, for one weight: what a script must do, known source or not."""
    optimizer = OPTIMIZERS[name]
    attrs = {arg.name: arg.default for arg in optimizer.args} | arguments
    known = dict(optimizer.slots(attrs)) | attrs
    for k in range(steps):
        known |= {"w": w, "g": gradient(w, k), "t": k + 1}
        for equation in optimizer.equations(attrs):
            exec(str(equation).replace("^", "**"), FUNCTIONS, known)
        w = known["w"]
    return w


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(
    ("name", "arguments"),
    [(name, arguments) for name in OPTIMIZERS for arguments in UPDATES.get(name, (None, [{}]))[1]],
)
def test_optimizer(name, arguments, style):
    """y = w x with the loss (w x - t)², one example at a time in order, three times over."""
    given = ", ".join(f"{k} = {str(v).lower()}" for k, v in arguments.items())
    module = module_of(
        f"""model M {{ input x: [1]  target t: [1]  output y = x -> dense(1, bias = false, init = constant(0.7)) }}
        train {{ loss = sse(y, t)  optim = {name}({given})  batch = online  shuffle = false }}""",
        style,
    )
    x, t = [1.0, -0.5, 2.0, 0.3], [0.5, 1.0, -1.0, 2.0]
    data = {"x": np.array(x)[:, None], "t": np.array(t)[:, None]}
    params, _ = module.train(data, epochs=3, dtype=np.float64)
    gradient = lambda w, k: 2 * (w * x[k % 4] - t[k % 4]) * x[k % 4]  # noqa: E731
    sources = [UPDATES[name][0]] if name in UPDATES else []
    for update in (*sources, partial(by_its_equations, name)):
        np.testing.assert_allclose(params["y.W"], [[update(0.7, gradient, 12, **arguments)]], rtol=1e-10)


@pytest.mark.parametrize(
    "regime", ["optim = sgd(0.1)  clip = value(0.5)", "optim = sgd(linear(0.1))", "optim = adam(0.1)"]
)
def test_more_parameters_than_a_block_of_the_fast_style_holds(regime):
    """An update of few passes is not cut into blocks, one of many is: both take the steps of the explain style."""
    network = "input x: [330]  target t: [1]  output y = x -> dense(100, tanh) -> dense(1)"
    text = f"model M {{ {network} }} train {{ loss = mse(y, t)  {regime}  batch = 2  shuffle = false }}"
    draws = np.random.default_rng(0)
    data = {"x": draws.standard_normal((4, 330)), "t": draws.standard_normal((4, 1))}
    (ours, _), (fast, _) = (module_of(text, s).train(data, epochs=2, dtype=np.float64) for s in ("explain", "fast"))
    for name, w in ours.items():
        np.testing.assert_allclose(fast[name], w, rtol=1e-9)
