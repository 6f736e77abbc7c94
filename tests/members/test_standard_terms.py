"""Losses of several values, metrics, penalties and constraints of the standard library, against loops and SciPy."""

import math

import mpmath
import numpy as np
import pytest
import scipy.special
import scipy.stats
from members.test_standard_library import LOSSES
from sklearn import metrics
from support import STYLES, assert_gradients, generic_point, model_of, module_of
from tensorflow_target.test_parity import agrees

from dotnn.model.linking import library

STAGES = {"": lambda z: z, "softmax": lambda z: scipy.special.softmax(z, axis=1), "sigmoid": scipy.special.expit,
          "softplus": lambda z: np.logaddexp(0, z)}  # fmt: skip


def cosine(a, b):
    return float(np.dot(a, b) / (np.linalg.norm(a) * np.linalg.norm(b)))


def contrastive(a, b, t):
    far = math.dist(a, b)
    return far**2 if t[0] == 1 else max(0, 1.5 - far) ** 2


def mixture(z, mu, log_sd, t):
    shares = np.exp(z) / sum(np.exp(z))
    return -math.log(sum(w * scipy.stats.norm.pdf(t[0], m, math.exp(s)) for w, m, s in zip(shares, mu, log_sd)))  # noqa: B905


def evidential(mu, v, alpha, beta, t):
    """The logarithm of Student's density, as the paper says that the evidence is, and the term that regularises."""
    found = []
    for m, n, a, b, y in zip(mu, v, alpha, beta, t, strict=True):
        density = scipy.stats.t.logpdf(y, 2 * a, m, math.sqrt(b * (1 + n) / (n * a)))
        found.append(-density + 0.01 * abs(y - m) * (2 * n + a))
    return np.mean(found)


def weston(z, k):
    return sum(max(0, 1 + z[j] - z[k]) for j in range(3) if j != k)


def tukey(y, t):
    return np.mean([4 / 6 * (1 - (1 - ((a - b) / 2) ** 2) ** 3) if abs(a - b) < 2 else 4 / 6 for a, b in zip(y, t)])  # noqa: B905


CASES = {
    "kl(mu, lv)": (
        {"mu": "", "lv": ""}, {},
        lambda mu, lv: sum((math.exp(s) + m * m - 1 - s) / 2 for m, s in zip(mu, lv, strict=True)),
    ),
    "kl_divergence(p, t)": ({"p": "softmax"}, {"t": "[3]"}, lambda p, t: scipy.special.rel_entr(t, p).sum()),
    "gaussian_nll(mu, lv, t)": (
        {"mu": "", "lv": ""}, {"t": "[3]"},
        lambda mu, lv, t: -scipy.stats.norm.logpdf(t, mu, np.exp(lv / 2)).mean(),
    ),
    "multi_hinge(z, k)": ({"z": ""}, {"k": "class[3]"}, weston),
    "categorical_hinge(z, h)": (
        {"z": ""}, {"h": "[3]"},
        lambda z, t: max(0, 1 + max(np.delete(z, t.argmax()).max(), 0) - z[t.argmax()]),
    ),
    "contrastive(a, b, s, margin = 1.5)": ({"a": "", "b": ""}, {"s": "[1]"}, contrastive),
    "triplet(a, b, c)": (
        {"a": "", "b": "", "c": ""}, {},
        lambda a, b, c: max(0, math.dist(a, b) ** 2 - math.dist(a, c) ** 2 + 0.2),
    ),
    "cosine_embedding(a, b, s)": (
        {"a": "", "b": ""}, {"s": "[1]"}, lambda a, b, t: 1 - cosine(a, b) if t[0] > 0 else max(0, cosine(a, b)),
    ),
    "ordinal(z, h)": (
        {"z": ""}, {"h": "[3]"},
        lambda z, t: -sum(math.log(scipy.special.expit(a if b else -a)) for a, b in zip(z, t, strict=True)),
    ),
    "mixture_density(z, mu, lv, s)": ({"z": "", "mu": "", "lv": ""}, {"s": "[1]"}, mixture),
    "evidential(mu, v, v, b, t)": ({"mu": "", "v": "softplus", "b": "softplus"}, {"t": "[3]"}, None),
    "jaccard(p, h)": (
        {"p": "sigmoid"}, {"h": "[3]"},
        lambda p, t: 1 - ((p * t).sum() + 1e-7) / ((p + t - p * t).sum() + 1e-7),
    ),
    "biweight(z, t, scale = 2)": ({"z": ""}, {"t": "[3]"}, tukey),
}  # fmt: skip
"""Calls: the values and their last layers, the targets, and what the loss is of one example."""
TARGETS = {
    "t": np.array([[0.2, 0.3, 0.5], [0.6, 0.1, 0.3], [0.1, 0.8, 0.1], [0.4, 0.4, 0.2]]),
    "h": np.array([[1, 0, 0], [0, 0, 1], [0, 1, 0], [1, 0, 0.0]]),
    "k": np.array([0, 2, 1, 1]),
    "s": np.array([[1], [0], [1], [0.0]]),
}


def loss_spec(call):
    values, targets, _ = CASES[call]
    lines = [f"target {name}: {shape}" for name, shape in targets.items()]
    lines += [f"{name} = x -> dense(3{', ' * bool(act)}{act})" for name, act in values.items()]
    made = "\n".join([*lines, "output q = x -> dense(1)"])
    return f"use std.losses\nmodel M {{ input x: [4]\n{made} }}\ntrain {{ loss = {call} }}"


def test_everything_is_compared_here():
    offered = {part: {s.name.id for s in library(f"std.{part}")[0].sections} for part in ("losses", *OTHERS)}
    assert {call.partition("(")[0] for call in (*CASES, *LOSSES)} | {"log_gamma"} == offered["losses"]
    for part, pieces in OTHERS.items():
        assert {call.partition("(")[0] for call in pieces} == offered[part]


@pytest.mark.parametrize("call", CASES)
@pytest.mark.parametrize("style", STYLES)
def test_losses(call, style):
    values, targets, function = CASES[call]
    module = module_of(loss_spec(call), style)
    params = generic_point(module, 3)[0]
    batch = {"x": np.random.default_rng(4).standard_normal((4, 4)), **{n: TARGETS[n] for n in targets}}
    given = [STAGES[act](batch["x"] @ params[f"{n}.W"] + params[f"{n}.b"]) for n, act in values.items()]
    if function is None:
        mu, v, beta = given
        given, function = [mu, v, v, beta], evidential
    each = [function(*row) for row in zip(*given, *(TARGETS[n] for n in targets), strict=True)]
    found = module.total_loss(params, batch, module.forward(params, batch)[1])
    np.testing.assert_allclose(found, np.mean(each), rtol=1e-10)


@pytest.mark.parametrize("call", CASES)
def test_slopes_of_losses(call):
    module = module_of(loss_spec(call))
    assert_gradients(module, *generic_point(module, 3))


def test_losses_for_tensorflow():
    """All of them in one sum."""
    pytest.importorskip("tensorflow")
    texts = [loss_spec(call).partition("input x: [4]\n")[2].partition("\noutput q")[0] for call in CASES]
    lines = dict.fromkeys(line for text in texts for line in text.splitlines())
    named = {line.split()[0 if "=" in line else 1].rstrip(":"): line for line in lines if "softmax" not in line}
    softmax = "p = x -> dense(3, softmax)"
    calls = [call for call in CASES if "jaccard" not in call]
    made = "\n".join([*(line for name, line in named.items() if name != "p"), softmax, "output q = x -> dense(1)"])
    text = f"use std.losses\nmodel M {{ input x: [4]\n{made} }}\ntrain {{ loss = {' + '.join(calls)} }}"
    assert agrees(model_of(text), 3) < 1e-9


def test_log_gamma():
    z = np.array([1e-8, 0.1, 0.5, 1, 1.5, 2, 3.25, 10, 1000])
    text = (
        "use std.losses\nmodel M { input x: [1]  target t: [1]  output y = x -> log_gamma } train { loss = mse(y, t) }"
    )
    found = module_of(text).forward({}, {"x": z[:, None]})[0]["y"][:, 0]
    wanted = [float(mpmath.loggamma(mpmath.mpf(float(v)))) for v in z]
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=2e-13)


# -------------------------------------------------------------------------------- metrics, penalties, constraints

Y = np.array([[0.1, 0.7, 0.2], [0.6, 0.3, 0.1], [0.2, 0.2, 0.6], [0.05, 0.9, 0.05]])


def each(function, *arrays):
    return np.mean([function(*row) for row in zip(*arrays, strict=True)])


METRICS = {
    "smape": ("t", lambda y, t: 100 * each(lambda a, b: np.mean(2 * abs(a - b) / (abs(a) + abs(b))), y, t)),
    "cosine_similarity": ("t", lambda y, t: each(cosine, y, t)),
    "within(width = 0.25)": ("t", lambda y, t: np.mean(np.abs(y - t) <= 0.25)),
    "largest_error": ("t", lambda y, t: each(metrics.max_error, t, y)),
    "brier": ("k", lambda p, k: np.mean(((p - np.eye(3)[k]) ** 2).sum(axis=1))),
    "confidence": ("k", lambda p, k: each(lambda row, i: row[i], p, k)),
    "overlap": ("h", lambda p, t: each(lambda a, b: metrics.f1_score(b, a > 0.5), p, t)),
    "intersection": ("h", lambda p, t: each(lambda a, b: metrics.jaccard_score(b, a > 0.5), p, t)),
    "poisson_deviance": ("t", lambda y, t: each(metrics.mean_poisson_deviance, t, y)),
}


@pytest.mark.parametrize("call", METRICS)
@pytest.mark.parametrize("style", STYLES)
def test_metrics(call, style):
    target, function = METRICS[call]
    kind = "class[3]" if target == "k" else "[3]"
    name, _, more = call.rstrip(")").partition("(")
    loss = "cross_entropy" if target == "k" else "mse"
    called = f"{name}(y, t{', ' * bool(more)}{more})"
    text = f"""use std.metrics
    model M {{ input x: [3]  target t: {kind}  output y = x -> identity }}
    train {{ loss = {loss}(y, t)  metrics = [{called}] }}"""
    found = module_of(text, style).evaluate({}, {"x": Y, "t": TARGETS[target]}, *([{}] if style == "fast" else []))
    (value,) = (v for key, v in found.items() if key != "loss")
    atol = 1e-7 if target == "h" else 0  # which two empty sets have in common
    np.testing.assert_allclose(value, function(Y, TARGETS[target]), rtol=1e-6 if atol else 1e-10, atol=atol)


W = np.array([[1.0, -2.0], [0.5, 0.25], [0.0, 3.0]])
PENALTIES = {
    "group_lasso(0.3)": 0.3 * sum(np.linalg.norm(column) for column in W.T),
    "elastic_net(0.2, share = 0.25)": 0.2 * (0.25 * np.abs(W).sum() + 0.75 * (W**2).sum()),
}
NORMS = np.array([np.linalg.norm(column) for column in W.T])
CONSTRAINTS = {
    "simplex": np.abs(W) / np.abs(W).sum(axis=0),
    "min_max_norm(0.5, 1.5, rate = 0.8)": W * (0.8 * np.clip(NORMS, 0.5, 1.5) + 0.2 * NORMS) / (NORMS + 1e-7),
}
OTHERS = {"metrics": METRICS, "penalties": PENALTIES, "constraints": CONSTRAINTS}


def regime(call):
    part = "constraint" if call in CONSTRAINTS else "penalty"
    return f"""use std.penalties
    use std.constraints
    model M {{ input x: [3]  target t: [2]  output y = x -> dense(2, {part} = {call}) }}
    train {{ loss = mse(y, t)  optim = sgd(1e-30) }}"""


@pytest.mark.parametrize("call", PENALTIES)
@pytest.mark.parametrize("style", STYLES)
def test_penalties(call, style):
    module = module_of(regime(call), style)
    batch = {"x": np.zeros((2, 3)), "t": np.zeros((2, 2))}
    params = {"y.W": W, "y.b": np.zeros(2)}
    found = module.total_loss(params, batch, module.forward(params, batch)[1])
    np.testing.assert_allclose(found, PENALTIES[call], rtol=1e-12)


@pytest.mark.parametrize("call", CONSTRAINTS)
@pytest.mark.parametrize("style", STYLES)
def test_constraints(call, style):
    """What becomes of a weight in an update that moves nothing."""
    module = module_of(regime(call), style)
    data = {"x": np.zeros((2, 3)), "t": np.zeros((2, 2))}
    start = {"y.W": W, "y.b": np.zeros(2)}
    params = module.train(data, params=start, epochs=1, dtype=np.float64)[0]
    np.testing.assert_allclose(params["y.W"], CONSTRAINTS[call], rtol=1e-12)


@pytest.mark.parametrize("call", [*PENALTIES, *CONSTRAINTS])
def test_they_are_the_same_on_tensorflow(call):
    pytest.importorskip("tensorflow")
    assert agrees(model_of(regime(call).replace("1e-30", "0.1")), 3) < 1e-9
