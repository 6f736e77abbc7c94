"""Losses that a spec defines: the language's own defined once more, and others against NumPy and the complex step."""

import math

import numpy as np
import pytest
from scipy import special
from support import STYLES, assert_gradients, generic_point, gradients, model_of, module_of
from tensorflow_target.test_parity import agrees

from dotnn.core.diagnostics import Source
from dotnn.model.identity import training_identity
from dotnn.session import Compilation

NETWORK = """
    model M {{
      input  x: [4]
      target t: {target}
      h = x -> dense(5, tanh)
      output y = h -> dense(3) -> {stage}
    }}
    train {{ loss = {loss}  optim = adam(0.05) }}"""

AGAIN = {
    "half_sse(y, t)": ("mine(y, t) = 0.5 * sum((t - y)^2)", ", reduce = sum", "[3]", "identity"),
    "sse(y, t)": ("mine(y, t) = sum((t - y)^2)", ", reduce = sum", "[3]", "identity"),
    "mse(y, t)": ("mine(a, b) = mean((a - b)^2)", "", "[3]", "identity"),
    "l1(y, t)": ("mine(y, t) = mean(abs(y - t))", "", "[3]", "identity"),
    "huber(y, t, delta = 0.7)": (
        "mine(y, t, d = 1 in 0.1..2) = mean(where(abs(y - t) <= d, (y - t)^2 / 2, d * (abs(y - t) - d / 2)))",
        ", d = 0.7",
        "[3]",
        "identity",
    ),
    "bce(y, t)": ("mine(p, t) = -mean(t * log(p) + (1 - t) * log(1 - p))", "", "[3]", "sigmoid"),
    "cross_entropy(y, t)": ("mine(p, k: class) = -log(p[k])", "", "class[3]", "softmax"),
    "hinge(y, t)": ("mine(y, t) = mean(max(1 - t * y, 0))", "", "[3]", "identity"),
    "perceptron(y, t)": ("mine(y, t) = sum(where(t * y <= 0, -t * y, 0))", ", reduce = sum", "[3]", "identity"),
}
"""Losses of the language, defined once more: the definition, further arguments, the target, the last layer."""


def spec_of(definitions, loss, target="[3]", stage="identity"):
    lines = "\n".join(f"loss {text}" for text in definitions)
    return lines + NETWORK.format(target=target, stage=stage, loss=loss)


@pytest.mark.parametrize("built_in", AGAIN)
@pytest.mark.parametrize("style", STYLES)
def test_defined_again(built_in, style):
    definition, more, target, stage = AGAIN[built_in]
    ours = module_of(spec_of([definition], f"mine(y, t{more})", target, stage), style)
    theirs = module_of(spec_of([], built_in, target, stage), style)
    params, batch = generic_point(theirs, 1)
    losses = [m.total_loss(params, batch, m.forward(params, batch)[1]) for m in (ours, theirs)]
    np.testing.assert_allclose(*losses, rtol=1e-12)
    found, wanted = gradients(ours, params, batch), gradients(theirs, params, batch)
    for name in wanted:
        np.testing.assert_allclose(found[name], wanted[name], rtol=1e-11, atol=1e-12, err_msg=name)
    data = {name: v if v.dtype.kind == "i" else np.float32(v) for name, v in batch.items()}
    trained = [m.train(data, epochs=4, seed=3, dtype=np.float64)[1][-1]["loss"] for m in (ours, theirs)]
    np.testing.assert_allclose(*trained, rtol=1e-12)


def softmax(z):
    return special.softmax(z, axis=-1)


def of_class(values, k):
    return np.array([row[i] for row, i in zip(values, k, strict=True)])


def cosine(a, b):
    return np.array([p @ q / math.sqrt((p @ p) * (q @ q)) for p, q in zip(a, b, strict=True)])


LACKING = {
    "quantile(y, t, q = 0.9 in 0..1) = mean(max(q * (t - y), (q - 1) * (t - y)))": (
        "[3]", "identity", lambda y, t: np.where(t > y, 0.9 * (t - y), 0.1 * (y - t)).mean(axis=1)
    ),
    "focal(p, k: class, gamma = 2) = -(1 - p[k])^gamma * log(p[k])": (
        "class[3]", "softmax", lambda p, k: -((1 - of_class(p, k)) ** 2) * np.log(of_class(p, k))
    ),
    "tversky(p, t, a = 0.3, b = 0.7) = "
    "1 - (sum(p * t) + 1) / (sum(p * t) + a * sum(p * (1 - t)) + b * sum((1 - p) * t) + 1)": (
        "[3]", "sigmoid",
        lambda p, t: (
            1
            - ((p * t).sum(1) + 1)
            / ((p * t).sum(1) + 0.3 * (p * (1 - t)).sum(1) + 0.7 * ((1 - p) * t).sum(1) + 1)
        ),
    ),
    "cosine(y, t) = 1 - sum(y * t) / sqrt(sum(y^2) * sum(t^2))": ("[3]", "identity", lambda y, t: 1 - cosine(y, t)),
    "ordinal(z, t) = sum(softplus(where(t > 0, -z, z)))": (
        "[3]", "identity", lambda z, t: np.logaddexp(0, np.where(t > 0, -z, z)).sum(axis=1)
    ),
    "log_cosh(y, t) = mean(y - t + softplus(2 * (t - y)) - 0.6931471805599453)": (
        "[3]", "identity", lambda y, t: np.log(np.cosh(y - t)).mean(axis=1)
    ),
    "smape(y, t) = mean(safe(2 * abs(y - t) / (abs(y) + abs(t))))": (
        "[3]", "identity", lambda y, t: (2 * np.abs(y - t) / (np.abs(y) + np.abs(t))).mean(axis=1)
    ),
    "margins(z, k: class, margin = 0.5) = sum(max(0, margin + z - z[k])) - margin": (
        "class[3]", "identity",
        lambda z, k: np.array([sum(max(0, 0.5 + z[i, j] - z[i, c]) for j in {0, 1, 2} - {c}) for i, c in enumerate(k)]),
    ),
    "logits(z, k: class) = log(sum(exp(z))) - z[k]": (
        "class[3]", "identity", lambda z, k: -np.log(of_class(softmax(z), k))
    ),
    "poisson(r, t) = mean(exp(r) - t * r)": ("[3]", "identity", lambda r, t: (np.exp(r) - t * r).mean(axis=1)),
    "normal(o, t) = o[1] / 2 + (t[0] - o[0])^2 / (2 * exp(o[1])) + mean(t[1:] * o[-1])": (
        "[3]", "identity",
        lambda o, t: o[:, 1] / 2 + (t[:, 0] - o[:, 0]) ** 2 / (2 * np.exp(o[:, 1])) + (t[:, 1:] * o[:, 2:]).mean(1),
    ),
    "largest(y, t) = max(abs(y - t)) + min(y) + logsumexp(y) + sum(softmax(y) * t) + mean(relu(y) * t mod 2)": (
        "[3]", "identity",
        lambda y, t: (
            np.abs(y - t).max(1) + y.min(1) + special.logsumexp(y, axis=1) + (softmax(y) * t).sum(1)
            + np.mod(np.maximum(y, 0) * t, 2).mean(1)
        ),
    ),
    "mixed(y, t, a = 2) = a * part(y, t, 3) - mean(y * swish(t))": (
        "[3]", "identity", lambda y, t: 2 * (3 * np.sin(y - t)).sum(1) - (y * t * special.expit(t)).mean(1)
    ),
    "if(lambda, np, d = 2) = mean((lambda - np)^2 / d)": (
        "[3]", "identity", lambda y, t: ((y - t) ** 2 / 2).mean(axis=1)
    ),
}  # fmt: skip
"""Losses that the language has not: the definition, the target, the last layer, and the same in NumPy."""
OTHERS = ["part(u, v, f = 1) = sum(f * sin(u - v))"]
ACTIVATION = "activation swish(z) = z * sigmoid(z)\n"


def with_others(definition, loss, *more):
    used = definition.startswith("mixed")
    return (ACTIVATION if used else "") + spec_of([definition, *(OTHERS if used else [])], loss, *more)


@pytest.mark.parametrize("definition", LACKING)
@pytest.mark.parametrize("style", STYLES)
def test_defined(definition, style):
    target, stage, wanted = LACKING[definition]
    name = definition.partition("(")[0]
    for reduce in ("mean", "sum"):
        module = module_of(with_others(definition, f"{name}(y, t, reduce = {reduce})", target, stage), style)
        params, batch = generic_point(module, 2)
        y = module.forward(params, batch)[0]["y"]
        found = module.total_loss(params, batch, module.forward(params, batch)[1])
        np.testing.assert_allclose(found, getattr(wanted(y, batch["t"]), reduce)(), rtol=1e-12)
    module = module_of(with_others(definition, f"{name}(y, t)", target, stage), style, input_gradients=True)
    assert_gradients(module, params, batch)
    single = [{n: v if v.dtype.kind == "i" else np.float32(v) for n, v in table.items()} for table in (params, batch)]
    assert {g.dtype.name for g in gradients(module, *single).values()} == {"float32"}


def test_tensorflow_computes_the_same():
    """All definitions in one network."""
    texts = {text.partition("(")[0]: text for text in LACKING}
    again = {f"mine{i}": text.replace("mine", f"mine{i}") for i, (text, *_) in enumerate(AGAIN.values())}
    kinds = {name: case[0] for name, case in zip(texts, LACKING.values(), strict=True)}
    kinds |= {name: case[2] for name, case in zip(again, AGAIN.values(), strict=True)}
    stages = {name: case[1] for name, case in zip(texts, LACKING.values(), strict=True)}
    stages |= {name: case[3] for name, case in zip(again, AGAIN.values(), strict=True)}
    texts |= again
    lines = [f"      y_{name} = h -> dense(3) -> {stages[name]}" for name in texts]
    terms = [f"{name}(y_{name}, {'k' if kinds[name].startswith('class') else 't'})" for name in texts]
    spec = ACTIVATION + "\n".join(f"loss {text}" for text in (*texts.values(), *OTHERS))
    spec += f"""
    model M {{ input x: [4]  target t: [3]  target k: class[3]
      h = x -> dense(5, tanh)
      {chr(10).join(lines)}
      output y = h -> dense(1) }}
    train {{ loss = {" + ".join(terms)} + 0.5 * sse2(y)  optim = sgd(0.001) }}
    loss sse2(y) = y^2"""
    assert agrees(model_of(spec), 2) < 1e-9


SEVERAL = """
    loss kl(mu, lv) = -0.5 * sum(1 + lv - mu^2 - exp(lv))
    loss rebuilt(x, y, mu) = sum((x - y)^2) + mean(mu^2)
    loss real(y, is_real) = mean((y - is_real)^2)
    model M { input x: [2, 3]
      h = x -> flatten -> dense(4, tanh)
      mu = h -> dense(2)
      lv = h -> dense(2)
      d = mu -> dense(1, sigmoid)
      output y = mu -> dense(6) -> reshape([2, 3]) }
    train { loss = rebuilt(x, y, mu) + 0.1 * kl(mu, lv) + real(d, 0) + 0.5 * real(d, is_real = 2 / 4)
      optim = sgd(0.01) }"""


@pytest.mark.parametrize("style", STYLES)
def test_values_of_several_shapes_and_no_target_at_all(style):
    """The input is compared with its reconstruction, and a number stands where a target might."""
    module = module_of(SEVERAL, style, input_gradients=True)
    assert module.TARGETS == {}
    params, batch = generic_point(module, 4)
    outputs, cache = module.forward(params, batch)
    h = np.tanh(batch["x"].reshape(5, 6) @ params["h.W"] + params["h.b"])
    mu, lv = (h @ params[f"{name}.W"] + params[f"{name}.b"] for name in ("mu", "lv"))
    d = special.expit(mu @ params["d.W"] + params["d.b"])
    wanted = ((batch["x"] - outputs["y"]) ** 2).sum((1, 2)) + (mu**2).mean(1)
    wanted = wanted - 0.05 * (1 + lv - mu**2 - np.exp(lv)).sum(1) + (d**2 + 0.5 * (d - 0.5) ** 2)[:, 0]
    np.testing.assert_allclose(module.total_loss(params, batch, cache), wanted.mean(), rtol=1e-12)
    assert_gradients(module, params, batch)
    history = module.train({"x": np.float32(batch["x"])}, epochs=3, seed=1, dtype=np.float64)[1]
    assert history[-1]["loss"] < history[0]["loss"]


def test_tensorflow_needs_no_target_either():
    assert agrees(model_of(SEVERAL), 3) < 1e-9


@pytest.mark.parametrize("target", [[2, 3, 2], [4]])
def test_a_reduction_takes_the_whole_example_unless_an_axis_is_named(target):
    shape = ", ".join(map(str, target))
    made = f"""loss rows(y, t) = mean(sum((y - t)^2, axis = 0)) + max(y) - min(t, axis = -1)[{"0, " * len(target)}]
    model M {{ input x: [2]  target t: [{shape}]
      output y = x -> dense({math.prod(target)}) -> reshape([{shape}]) }} train {{ loss = rows(y, t) }}"""
    made = made.replace(", ]", "]")
    if len(target) > 1:
        made = made.replace("min(t, axis = -1)", "min(t, axis = 2)")
    module = module_of(made, input_gradients=True)
    params, batch = generic_point(module, 5)
    y, t = module.forward(params, batch)[0]["y"], batch["t"]
    others = tuple(range(1, y.ndim))
    first = t.min(axis=-1).reshape(5, -1)[:, 0]
    wanted = ((y - t) ** 2).sum(axis=1).reshape(5, -1).mean(axis=1) + y.max(axis=others) - first
    np.testing.assert_allclose(module.total_loss(params, batch, {"y": y}), wanted.mean(), rtol=1e-12)
    assert_gradients(module, params, batch)


METRICS = """
    # Symmetric error in percent.
    metric smape(y, t, percent = 100) = percent * mean(safe(2 * abs(y - t) / (abs(y) + abs(t))))
    # Higher is better.
    metric inside(y, t, width = 0.5 in 0..9) = mean(where(abs(y - t) < width, 1, 0))
    metric sure(p, k: class) = p[k] * sigmoid(p[k]) + softplus(p[k]) + sum(softmax(p) * p) + logsumexp(p)
    model M { input x: [4]  target t: [2]  target k: class[3]
      h = x -> dense(5, tanh)
      output y = h -> dense(2)
      output p = h -> dense(3, softmax) }
    data { source = npz("{path}", x = x, t = t, k = k)  scale = standard(t)  split = split(train = 50%, val = 50%) }
    train { loss = mse(y, t) + cross_entropy(p, k)  optim = sgd(0.1)  epochs = 2
      metrics = [smape, inside(width = 0.7), inside(y, t, width = 0.1), sure(p, k)]
      stop = early(val_inside_0.7, patience = 5) }"""


@pytest.mark.parametrize("style", STYLES)
def test_metrics(style, tmp_path):
    """In the own units of a scaled target, over the examples of a part."""
    rng = np.random.default_rng(1)
    data = {"x": rng.normal(size=(20, 4)), "t": rng.normal(3, 2, (20, 2)), "k": rng.integers(0, 3, 20)}
    np.savez(tmp_path / "d.npz", **data)
    text = METRICS.replace("{path}", "d.npz").replace("      stop = early(val_inside_0.7, patience = 5) }", "}")
    module = module_of(text, style)
    params, history = module.train(data, epochs=2, seed=1, dtype=np.float64)
    parts, scaling = module.prepare(data, np.float64)
    examples = parts["val"]
    found = module.evaluate(params, examples, scaling)
    outputs = module.forward(params, examples)[0]
    y, t = (v / scaling["t"]["scale"] + scaling["t"]["shift"] for v in (outputs["y"], examples["t"]))
    p, k = outputs["p"], examples["k"]
    picked = of_class(p, k)
    wanted = {
        "smape": 100 * np.mean(2 * np.abs(y - t) / (np.abs(y) + np.abs(t))),
        "inside_0.7": np.mean(np.abs(y - t) < 0.7),
        "inside_0.1_y": np.mean(np.abs(y - t) < 0.1),
        "sure_p": np.mean(
            picked * special.expit(picked)
            + np.logaddexp(0, picked)
            + (softmax(p) * p).sum(1)
            + special.logsumexp(p, axis=1)
        ),
    }
    assert {*found} == {"loss", *wanted}
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-12, err_msg=name)
    assert f"val_{next(iter(wanted))}" in history[-1]


PENALISED = """
    penalty group(w, s) = s * sum(sqrt(sum(w^2, axis = 0)))
    penalty elastic(v, s = 0.1, mix = 0.3 in 0..1) = s * (mix * sum(abs(v)) + (1 - mix) * mean(v^2)) + s * max(v)
    constraint simplex(w) = abs(w) / sum(abs(w), axis = 0)
    constraint soft(w, at = 0.01) = sign(w) * max(abs(w) - at, 0) + 0 * sigmoid(w)
    model M { input x: [6, 2]  target t: [2]
      h = x -> conv1d(3, 2, tanh, penalty = group(0.2)) -> flatten
      g = h -> dense(4, tanh, constraint = simplex)
      output y = g -> dense(2, constraint = soft(at = 0.05)) }
    train { loss = mse(y, t)  optim = sgd(0.1)  decay = elastic(mix = 0.6) }"""


def elastic(w, s=0.1, mix=0.6):
    return s * (mix * np.abs(w).sum() + (1 - mix) * np.mean(w**2)) + s * w.max()


@pytest.mark.parametrize("style", STYLES)
def test_penalties_and_constraints(style):
    module = module_of(PENALISED, style)
    params, batch = generic_point(module, 3)
    outputs, cache = module.forward(params, batch)
    (kernel,) = (name for name in params if params[name].ndim == 3)
    weights = [w for w in params.values() if w.ndim == 2]
    wanted = np.mean((outputs["y"] - batch["t"]) ** 2) + sum(map(elastic, weights))
    wanted += 0.2 * np.sqrt((params[kernel] ** 2).sum(axis=0)).sum()
    np.testing.assert_allclose(module.total_loss(params, batch, cache), wanted, rtol=1e-12)
    assert_gradients(module, params, batch)
    data = {name: np.float32(v) for name, v in batch.items()}
    trained = module.train(data, epochs=3, seed=1, dtype=np.float64)[0]
    np.testing.assert_allclose(np.abs(trained["g.W"]).sum(axis=0), 1, rtol=1e-12)


def test_tensorflow_has_the_same_penalties_and_constraints():
    assert agrees(model_of(PENALISED), 4) < 1e-9


def test_tensorflow_computes_the_same_metrics():
    text = "\n".join(line for line in METRICS.splitlines() if "npz(" not in line)
    text = text.replace("stop = early(val_inside_0.7, patience = 5)", "")
    begun = Compilation.of(model_of(text))
    ours = module_of(text)
    params, batch = generic_point(ours, 6)
    with begun.witness() as peer:
        peer.module.assign(peer.network, params)
        found = peer.module.evaluate(peer.network, batch, {})
    wanted = ours.evaluate(params, batch)
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-9, err_msg=name)


def test_what_is_defined_belongs_to_the_identity_of_a_training():
    bodies = ["mean((y - t)^2)", "mean((y-t)^2)  # a note\n", "mean((y - t)^4)", "f(y, t)"]
    others = ["loss f(y, t) = mean(abs(y - t))", "loss f(y, t) = mean(abs(y - t)) * 2"]
    texts = [spec_of([f"mine(y, t) = {body}"], "mine(y, t)") for body in bodies[:3]]
    texts += [f"{other}\n{spec_of(['mine(y, t) = f(y, t)'], 'mine(y, t)')}" for other in others]
    texts += [PENALISED, PENALISED.replace("s * sum(sqrt", "2 * s * sum(sqrt"), PENALISED.replace("abs(w) / ", "w / ")]
    found = [training_identity(model_of(text), "numpy", "explain") for text in texts]
    assert found[0] == found[1]
    assert len({*found}) == len(found) - 1


def test_one_that_nothing_uses_is_a_warning():
    unused = "metric m(y, t) = mean(y - t)\npenalty p(w) = sum(w^2)\nconstraint c(w) = w\n"
    text = unused + spec_of(["a(y, t) = mean((y - t)^2)", "b(y, t) = a(y, t) / 2"], "mse(y, t)")
    warnings = Compilation(Source("a.nn", text)).warnings
    found = [name for name in "mpcab" for warning in warnings if "NN607" in warning and f" {name} is" in warning]
    assert found == ["m", "p", "c", "b"]


LOGARITHMS = {
    "picked": ("mine(p, k: class) = -log(p[k])", "class[{}3]", "softmax"),
    "rows": ("mine(p, t) = -sum(t * log(p))", "[{}3]", "softmax"),
    "two": ("mine(p, t) = -sum(t * log(p) + (1 - t) * log(1 - p))", "[{}3]", "sigmoid"),
}
"""Cross-entropies written out: the definition, the target, the last layer."""


def cross_entropies(name, z, t):
    """The loss of each example or step, in the plainest form."""
    if name == "picked":
        return -np.take_along_axis(special.log_softmax(z, axis=-1), t[..., None], axis=-1)[..., 0]
    if name == "rows":
        return -(t * special.log_softmax(z, axis=-1)).sum(axis=-1)
    return -(t * special.log_expit(z) + (1 - t) * special.log_expit(-z)).sum(axis=-1)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", LOGARITHMS)
@pytest.mark.parametrize(("steps", "mask"), [("", ""), ("", "[]"), ("4, ", ""), ("4, ", "[]")])
@pytest.mark.parametrize("reduce", ["mean", "sum"])
def test_cross_entropies_written_out(name, steps, mask, reduce, style):
    """Of targets that sum to what they like, and with weights of the examples or the steps."""
    definition, target, stage = LOGARITHMS[name]
    more = f"{', mask = m' if mask else ''}, reduce = {reduce}"
    module = module_of(
        f"""loss {definition}
        model M {{ input x: [{steps}5]  target t: {target.format(steps)}  {f"target m: {mask}" if mask else ""}
          z = x -> dense(3)  output p = z -> {stage}  output z }}
        train {{ loss = mine(p, t{more}) }}""",
        style,
    )
    params, batch = generic_point(module, 2, examples=6)
    if name == "rows":
        batch["t"] = np.random.default_rng(1).uniform(-0.5, 2, batch["t"].shape)
    weights = batch.get("m", np.ones(6))
    losses = cross_entropies(name, module.forward(params, batch)[0]["z"], batch["t"])
    losses = losses.reshape(6, -1).sum(axis=-1) / (4 if steps and name == "picked" else 1)  # one number a step
    expected = (weights * losses).sum() / (weights.sum() if reduce == "mean" else 1)
    np.testing.assert_allclose(module.loss_and_grads(params, batch)[0], expected, rtol=1e-12)
    assert_gradients(module, params, batch)
