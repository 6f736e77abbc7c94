"""Sections of `train` that take turns: beside trainings written out in plain NumPy, and in every regime."""

import copy
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from errors.runner import dotnn
from members.test_resume import assert_same_run, keeping
from members.test_settings import CALLS
from support import SPECS, STYLES, module_of

from dotnn.cli import main
from dotnn.commands.checking import turns as checking
from dotnn.core.diagnostics import CompileError, Source
from dotnn.model.settings import ALL, EACH, SETTINGS
from dotnn.session import Compilation
from dotnn_runtime.gradcheck import Verdict

GAN = """
block Critic { input x: [2]  output x -> dense(5, tanh) -> dense(1, sigmoid) }
model Gan {
  input x: [2]
  z = noise([3], normal)
  layer D = Critic()
  output sample = z -> dense(4, tanh) -> dense(2)
  real = x -> D
  fake = sample -> D
}
train { epochs = 4  batch = 4  optim = adam(0.01, beta1 = 0.5)  checkpoint = every(1) }
train critic    { loss = bce(real, 1) + bce(fake, 0)  updates = [D]  steps = 2  clip = global_norm(0.3) }
train generator { loss = bce(fake, 1)  updates = [sample]  optim = adam(cosine(0.02)) }
"""
DECOUPLED = """
loss along(h, g) = sum(h * g)
model Decoupled {
  input x: [3]  target t: [2]
  output h = x -> dense(4, tanh)
  output y = h -> dense(2)
  guess = h -> stop_gradient -> dense(4)
  told = guess -> stop_gradient
}
train { epochs = 3  batch = 3  optim = sgd(0.1) }
train lower { loss = along(h, told, reduce = sum)  updates = [h] }
train upper { loss = half_sse(y, t)  updates = [y] }
train synthetic { loss = mse(guess, gradient(h))  updates = [guess]  steps = 2 }
"""


def points(count=10):
    rng = np.random.default_rng(3)
    return {"x": rng.standard_normal((count, 2))}


def compilation(text):
    begun = Compilation(Source("turns.nn", text), check=True)
    assert not begun.warnings
    return begun


# ------------------------------------------------------------------------------------------------- by hand, in NumPy


class Adam:
    """Kingma and Ba 2015, Algorithm 1."""

    def __init__(self, names, beta1):
        self.names, self.beta1, self.t, self.m, self.v = names, beta1, 0, {}, {}

    def update(self, params, grads, lr):
        self.t += 1
        for n in self.names:
            self.m[n] = self.beta1 * self.m.get(n, 0) + (1 - self.beta1) * grads[n]
            self.v[n] = 0.999 * self.v.get(n, 0) + 0.001 * grads[n] ** 2
            m, v = self.m[n] / (1 - self.beta1**self.t), self.v[n] / (1 - 0.999**self.t)
            params[n] = params[n] - lr * m / (np.sqrt(v) + 1e-7)


def critic(p, x):
    a = np.tanh(x @ p["D.dense1.W"] + p["D.dense1.b"])
    return a, 1 / (1 + np.exp(-(a @ p["D.dense2.W"] + p["D.dense2.b"])))


def critic_back(p, x, a, d_z):
    """The gradients of the critic, and of what it is shown, by the derivative at its logit."""
    d_a = d_z @ p["D.dense2.W"].T * (1 - a * a)
    own = {"D.dense2.W": a.T @ d_z, "D.dense2.b": d_z.sum(0), "D.dense1.W": x.T @ d_a, "D.dense1.b": d_a.sum(0)}
    return own, d_a @ p["D.dense1.W"].T


def gan_by_hand(p, x, epochs, size):
    """The weights and the losses after each epoch."""
    p, rng, losses, done = dict(p), np.random.default_rng([0, 1]), [], 0
    first = [n for n in p if n.startswith("sample.")]
    memory = {"critic": Adam([n for n in p if n.startswith("D.")], 0.5), "generator": Adam(first, 0.9)}
    for _ in range(epochs):
        order, total = rng.permutation(len(x)), {"critic": 0.0, "generator": 0.0}
        for start in range(0, len(x), size):
            batch = x[order[start : start + size]]
            n = len(batch)

            def made():
                z = rng.normal(0, 1, (n, 3))  # noqa: B023
                a = np.tanh(z @ p["sample.dense1.W"] + p["sample.dense1.b"])
                return z, a, a @ p["sample.dense2.W"] + p["sample.dense2.b"]

            for _ in range(2):
                sample = made()[2]
                (a, real), (b, fake) = critic(p, batch), critic(p, sample)
                total["critic"] -= n / len(x) / 2 * (np.log(real).mean() + np.log(1 - fake).mean())
                one, _ = critic_back(p, batch, a, (real - 1) / n)
                other, _ = critic_back(p, sample, b, fake / n)
                grads = {name: one[name] + other[name] for name in one}
                norm = np.sqrt(sum((g**2).sum() for g in grads.values()))
                memory["critic"].update(p, {k: g * 0.3 / max(norm, 0.3) for k, g in grads.items()}, 0.01)
            z, a, sample = made()
            b, fake = critic(p, sample)
            total["generator"] -= n / len(x) * np.log(fake).mean()
            _, d_sample = critic_back(p, sample, b, (fake - 1) / n)
            d_a = d_sample @ p["sample.dense2.W"].T * (1 - a * a)
            grads = {"sample.dense2.W": a.T @ d_sample, "sample.dense2.b": d_sample.sum(0)}
            grads |= {"sample.dense1.W": z.T @ d_a, "sample.dense1.b": d_a.sum(0)}
            steps = epochs * -(-len(x) // size)
            memory["generator"].update(p, grads, 0.02 * (1 + np.cos(np.pi * done / steps)) / 2)
            done += 1
        losses.append(total)
    return p, losses


@pytest.mark.parametrize("style", STYLES)
def test_a_gan_trains_as_by_hand(style):
    module = module_of(GAN, style)
    expected, losses = gan_by_hand(module.init_params(0, np.float64), points()["x"], 4, 4)
    found, history = module.train(points(), dtype=np.float64)
    for name, w in expected.items():
        np.testing.assert_allclose(found[name], w, rtol=1e-10, atol=1e-13)
    for record, total in zip(history, losses, strict=True):
        assert record["critic.loss"] == pytest.approx(total["critic"], rel=1e-10)
        assert record["generator.loss"] == pytest.approx(total["generator"], rel=1e-10)


def decoupled_by_hand(p, x, t, epochs, size):
    p, rng = dict(p), np.random.default_rng([0, 1])
    for _ in range(epochs):
        order = rng.permutation(len(x))
        for start in range(0, len(x), size):
            rows = order[start : start + size]
            h = np.tanh(x[rows] @ p["h.W"] + p["h.b"])
            d_z = (h @ p["guess.W"] + p["guess.b"]) * (1 - h * h)  # the guess is taken for the gradient
            p["h.W"], p["h.b"] = p["h.W"] - 0.1 * x[rows].T @ d_z, p["h.b"] - 0.1 * d_z.sum(0)
            h = np.tanh(x[rows] @ p["h.W"] + p["h.b"])
            d_y = h @ p["y.W"] + p["y.b"] - t[rows]
            d_h = d_y @ p["y.W"].T
            p["y.W"], p["y.b"] = p["y.W"] - 0.1 * h.T @ d_y, p["y.b"] - 0.1 * d_y.sum(0)
            for _ in range(2):
                d_g = 2 * (h @ p["guess.W"] + p["guess.b"] - d_h) / d_h.size
                p["guess.W"], p["guess.b"] = p["guess.W"] - 0.1 * h.T @ d_g, p["guess.b"] - 0.1 * d_g.sum(0)
    return p


@pytest.mark.parametrize("style", STYLES)
def test_synthetic_gradients_are_learnt_as_by_hand(style):
    module = module_of(DECOUPLED, style)
    rng = np.random.default_rng(3)
    data = {"x": rng.standard_normal((7, 3)), "t": rng.standard_normal((7, 2))}
    found, _ = module.train(data, dtype=np.float64)
    expected = decoupled_by_hand(module.init_params(0, np.float64), data["x"], data["t"], 3, 3)
    for name, w in expected.items():
        np.testing.assert_allclose(found[name], w, rtol=1e-10, atol=1e-13)


# ------------------------------------------------------------------------------------------------------ the regimes

HEAD = """model M { input x: [3]  target t: [2]
  output h = x -> dense(4, tanh) MORE
  output y = h -> dense(2)
  guess = h -> stop_gradient -> dense(4) }
"""
REGIMES = {
    "plain": ("", "", ""),
    "all at once": ("", "batch = all", ""),
    "in order": ("", "shuffle = false", ""),
    "fixed batches": ("", "shuffle = batches", ""),
    "dropout": ("-> dropout(0.3) -> dense(4)", "", ""),
    "batch norm": ("-> batchnorm", "", ""),
    "noise": ("-> gaussian_noise(0.2) -> dense(4)", "", ""),
    "decay": ("", "decay = l2(0.01)", ""),
    "weight decay": ("", "decay = weight_decay(0.01)", ""),
    "constraint": ("", "constraint = max_norm(0.5)", ""),
    "clipping": ("", "clip = norm(0.1)", ""),
    "momentum": ("", "optim = sgd(0.1, momentum = 0.9)", ""),
    "a schedule": ("", "optim = adam(cosine(0.01, warmup = 2))", ""),
    "a plateau": ("", "optim = sgd(plateau(0.1, patience = 1, min_delta = 9))", ""),
    "a plateau of its own": ("", "", "optim = adam(rise(0.01, mae, patience = 1, min_delta = 9))"),
    "augmented": ("", "", "augment = noise(0.1, x)"),
    "noise on gradients": ("", "noise = gradient(0.1, fade = 0.55)", ""),
    "noise on weights": ("-> batchnorm", "noise = weights(0.05)", ""),
    "noise in one": ("-> dropout(0.3) -> dense(4)", "", "noise = gradient(0.1)"),
    "an average": ("", "average = ema(0.8)", ""),
    "an average of one": ("", "", "average = ema(0.8)"),
    "the mean of epochs": ("-> batchnorm", "average = last(2)", ""),
    "the mean of updates": ("", "average = last(updates = 5)", ""),
    "rates": ("", "rates = [rate(h, 0.5), rate(y.W, 2)]  decay = weight_decay(0.1)", ""),
    "frozen": ("-> dense(4, tanh, trainable = false)", "", ""),
    "weights": ("", "", "weights = [1, 2, 0.5, 1, 3, 0, 1]"),
    "a mask": ("", "", "input m: int[1]"),
}


def regime(name):
    """A spec of two sections and one that learns the gradient of the second, with data, in a regime."""
    more, keys, special = REGIMES[name]
    head, data, loss = HEAD.replace("MORE", more), "", "mse(y, t)"
    if special.startswith("input"):
        head, loss = head.replace("target t", f"{special}  target t"), "mse(y, t, mask = m)"
    if special.startswith(("weights", "augment")):
        data = special
    own = special if special.startswith(("optim", "average", "noise")) else ""
    optim = "" if "optim" in keys else "optim = adam(0.02)"
    return f"""{head}data {{ {rows(special)} {data} }}
train {{ epochs = 4  batch = 3  {optim}  {keys} }}
train upper {{ loss = {loss}  updates = [y]  metrics = [mae]  {own} }}
train lower {{ loss = {loss}  updates = [h]  steps = 2 }}
train synthetic {{ loss = mse(guess, gradient(h))  updates = [guess] }}
""".replace("batch = 3", "" if "batch = all" in keys else "batch = 3")


def rows(special):
    rng = np.random.default_rng(5)
    made = {"x": (7, 3), "t": (7, 2)} | ({"m": (7, 1)} if special.startswith("input") else {})
    arrays = {name: np.abs(rng.standard_normal(shape)).round(2).tolist() for name, shape in made.items()}
    arrays |= {"m": [[1], [0], [1], [1], [0], [1], [1]]} if "m" in made else {}
    return "  ".join(f"{name} = {values}" for name, values in arrays.items())


@pytest.mark.parametrize("name", REGIMES)
def test_a_regime_of_turns(name):
    """Both styles train alike, as the interpreter does, and go on from a state as if nothing had been."""
    begun = compilation(regime(name))
    checks = checking.check_together(begun, 0)
    assert {check.verdict for check in checks} == {Verdict.PASS}, [c for c in checks if c.verdict is not Verdict.PASS]
    modules = [module_of(regime(name), style) for style in STYLES]
    runs = []
    for module in modules:
        states = []
        whole = module.train(dtype=np.float64, on_epoch=keeping(states))
        assert_same_run(whole, module.train(dtype=np.float64, resume=copy.deepcopy(states[1])))
        runs.append(whole)
    for n, w in runs[0][0].items():
        np.testing.assert_allclose(runs[1][0][n], w, rtol=1e-9, atol=1e-12)
    assert {"upper.loss", "upper.mae", "lower.loss", "synthetic.loss"} <= runs[0][1][-1].keys()


@pytest.mark.parametrize("section", ["train", "train upper"])
@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_is_for_each_section_or_for_all_or_refused_for_its_reason(name, section):
    """Whatever the registry knows; what is accepted is trained above."""
    text = regime("plain").replace(f"{section} {{", f"{section} {{ {CALLS[name][0].partition('  ')[0]} ", 1)
    turns = SETTINGS[name].turns
    if turns == EACH or (turns == ALL and section == "train"):
        compilation(text)
        assert any(f"{name} = " in " ".join(parts) for parts in REGIMES.values())
        return
    with pytest.raises(CompileError) as refused:
        compilation(text)
    (found,) = refused.value.diagnostics
    assert found.code == "NN337" and (turns in found.message or turns == ALL)


@pytest.mark.parametrize("name", ["noise on gradients", "noise in one", "an average of one", "the mean of epochs"])
def test_what_tensorflow_cannot_do_in_turn_is_refused(name):
    with pytest.raises(CompileError) as refused:
        compilation(regime(name)).script("tensorflow")
    assert [d.code for d in refused.value.diagnostics] == ["NN337"]
    assert "one graph" in refused.value.diagnostics[0].message


@pytest.mark.parametrize(
    "words",
    [
        ["overfit", "gan.nn"],
        ["explain", "gan.nn", "--section", "critics"],
        ["explain", "decoupled.nn", "--section", "synthetic", "--example", "1"],
    ],
)
def test_what_a_command_cannot_say_of_sections_is_an_error(words, tmp_path):
    """No output of the GAN has a target; no example has a gradient that is handed on."""
    (tmp_path / "gan.nn").write_text(GAN)
    (tmp_path / "decoupled.nn").write_text(DECOUPLED)
    asked = dotnn(*words, folder=tmp_path)
    assert asked.exit_code == 1 and "NN337" in asked.stderr


def test_a_few_examples_are_learned_by_heart(tmp_path):
    """By the sections in turn, all examples at once; the targets of outputs say how well."""
    (tmp_path / "s.nn").write_text(regime("plain").replace("dense(4", "dense(16"))
    found = dotnn("overfit", "s.nn", "--json", folder=tmp_path)
    assert found.exit_code == 0, found.stdout
    said = json.loads(found.stdout)
    assert said["learned"] and said["examples"] == 7 and set(said["outputs"]) == {"y against t"}, said
    assert dotnn("overfit", "s.nn", "--epochs", "2", folder=tmp_path).exit_code == 1


STOPS = """model M { input x: [3]  target t: [2]
  h = x -> dense(4, tanh)
  output y = h -> dense(2) }
train { epochs = 9  batch = 3  optim = adam(0.02) }
train upper { loss = mse(y, t)  updates = [y]  optim = adam(0.9)  metrics = [mae]  stop = early(mae, patience = 1) }
train once { loss = mse(y, t)  updates = [h.b]  stop = when(loss < 1e9) }
train lower { loss = mse(y, t)  updates = [h.W] }
"""


@pytest.mark.parametrize("style", STYLES)
def test_a_section_stops_alone(style):
    """One after its best epoch, whose parameters come back; one at a threshold; the last goes on."""
    module, states = module_of(STOPS, style), []
    rng = np.random.default_rng(3)
    data = {"x": rng.standard_normal((7, 3)), "t": rng.standard_normal((7, 2))}
    params, history = module.train(data, dtype=np.float64, on_epoch=keeping(states))
    ended = next(i for i, state in enumerate(states) if state["ended"]["upper"])
    figures = [record["upper.mae"] for record in history[: ended + 1]]
    assert states[ended]["ended"] == {"upper": "no better mae for 1 epochs", "once": "loss < 1000000000.0"}
    assert figures[ended] > min(figures) == figures[ended - 1] and ended < 8
    np.testing.assert_array_equal(params["y.W"], states[ended - 1]["params"]["y.W"])
    assert all((state["params"]["h.b"] == states[0]["params"]["h.b"]).all() for state in states)
    assert not (states[-1]["params"]["h.W"] == states[-2]["params"]["h.W"]).all()
    assert len(history) == 9 and history.stopped_by == "epochs"
    assert "once.loss" not in {key for record in history[1:] for key in record} - history[-1].keys()
    for state in (states[0], states[ended]):
        resumed = module.train(data, dtype=np.float64, resume=copy.deepcopy(state))
        assert_same_run((params, history), resumed)


CLOCK = STOPS.replace("optim = adam(0.02)", "optim = adam(0.02)  stop = minutes(2)", 1)


class Time:
    """A clock of which half a minute passes from one look to the next."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        self.now += 30.0
        return self.now


@pytest.mark.parametrize("text", [CLOCK, re.sub("  stop = (early|when).*", " }", CLOCK)], ids=["with rules", "alone"])
@pytest.mark.parametrize("style", STYLES)
def test_all_sections_end_by_one_clock(style, text, monkeypatch):
    """After the epoch that ends later; until then all is as without it. A resumed training has its time anew."""
    module, plain, states = module_of(text, style), module_of(text.replace("  stop = minutes(2)", ""), style), []
    monkeypatch.setattr(module, "time", Time())
    rng = np.random.default_rng(3)
    data = {"x": rng.standard_normal((7, 3)), "t": rng.standard_normal((7, 2))}
    _, history = module.train(data, dtype=np.float64, on_epoch=keeping(states))
    _, whole = plain.train(data, dtype=np.float64)
    assert history.stopped_by == "2 minutes" and len(history) == 5
    assert list(history) == list(whole)[:5]
    monkeypatch.setattr(module, "time", Time())
    found, resumed = module.train(data, dtype=np.float64, resume=copy.deepcopy(states[-1]))
    assert list(resumed) == list(whole) and resumed.stopped_by == "epochs"
    for name, w in plain.train(data, dtype=np.float64)[0].items():
        np.testing.assert_array_equal(found[name], w)


def test_what_hands_a_gradient_on_takes_its_turn_on_every_batch():
    with pytest.raises(CompileError) as refused:
        compilation(DECOUPLED.replace("updates = [y]", "updates = [y]  stop = when(loss < 1)"))
    assert [d.code for d in refused.value.diagnostics] == ["NN337"]


# --------------------------------------------------------------------------------------------------------- the check


def test_the_check_proves_every_section_and_says_which(tmp_path):
    (tmp_path / "gan.nn").write_text(GAN)
    report = json.loads(CliRunner().invoke(main, ["check", str(tmp_path / "gan.nn"), "--json"]).stdout)
    assert report["verdict"] == "PASS"
    named = {(row["section"], row["name"].partition(": ")[2]) for row in report["tensors"]}
    assert {("critic", "D.dense1.W"), ("generator", "sample.dense2.W")} <= named
    assert ("generator", "D.dense1.W") not in named
    assert {check["section"] for check in report["checks"] if "section" in check} == {"critic", "generator"}


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("for _ in range(2)", "for _ in range(3)"),
        ('update_critic(params, grads, memory["critic"])', 'update_critic(params, grads, dict(memory["critic"]))'),
        ("d_sample = ", "d_sample = 2 * "),
        ("(forward_generator, total_loss_generator", "(forward_generator, total_loss_critic"),
    ],
)
def test_a_script_that_takes_other_turns_fails(wrong, right, monkeypatch):
    written = Compilation.script

    def sabotaged(self, *args, **options):
        script = written(self, *args, **options)
        assert right not in script
        return script.replace(wrong, right) if self.model.turns else script

    monkeypatch.setattr(Compilation, "script", sabotaged)
    begun = compilation(GAN)
    assert any(check.verdict is Verdict.FAIL for check in checking.check_together(begun, 0))


def test_the_gradient_behind_a_softmax_is_proven():
    begun = Compilation.read(str(SPECS / "decoupled.nn"))
    (handed,) = begun.model.turns[2].handed
    assert checking._handed(begun.model, checking.parts_of(begun), handed, 0).verdict is Verdict.PASS


def test_a_gradient_that_is_handed_on_is_proven():
    begun = compilation(DECOUPLED)
    parts = checking.parts_of(begun)
    (handed,) = begun.model.turns[2].handed
    assert checking._handed(begun.model, parts, handed, 0).verdict is Verdict.PASS
    upper = next(part for part in parts if part.section.name == "upper")
    swapped = replace(upper.graph, grads={**upper.graph.grads, handed.name: upper.graph.outputs["h"]})
    wrong = tuple(replace(part, graph=swapped) if part is upper else part for part in parts)
    assert checking._handed(begun.model, wrong, handed, 0).verdict is Verdict.FAIL
