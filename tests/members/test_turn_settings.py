"""Settings of sections that take turns, beside a training that is written out in plain NumPy."""

import numpy as np
import pytest
from support import STYLES, module_of

SPEC = """model M {{ input x: [3]  target t: [2]
  output h = x -> dense(4, tanh)
  output y = h -> dense(2) }}
data {{ x = [[0, 1, 2]]  t = [[1, 2]]  split = split(train = 70%, val = 30%, order = file) {data} }}
train {{ epochs = 5  batch = 4  shuffle = false  optim = sgd(0.3)  {both} }}
train upper {{ loss = mse(y, t)  updates = [y]  {upper} }}
train lower {{ loss = mse(y, t)  updates = [h]  steps = 2  {lower} }}
"""
OWN = {"upper": ("y.W", "y.b"), "lower": ("h.W", "h.b")}


def data(count=20):
    rng = np.random.default_rng(7)
    return {"x": rng.standard_normal((count, 3)), "t": rng.standard_normal((count, 2))}


class ByHand:
    """Two sections of y = tanh(x W1 + b1) W2 + b2 under the mean of (y - t)²: `upper` once and `lower` twice a batch.

    Settings are given by section. `seen` are the weights, or their averages, after each epoch.
    """

    def __init__(self, first, *, noise=None, at=None, rates=None, average=None, plateau=None):
        self.p = {name: w.copy() for name, w in first.items()}
        self.noise, self.at, self.rates, self.average = noise or {}, at or {}, rates or {}, average or {}
        self.plateau = {name: {"lr": 0.3, "best": np.inf, "waited": 0} for name in plateau or ()}
        self.rng, self.done = np.random.default_rng([0, 1]), {"upper": 0, "lower": 0}
        self.means, self.kept, self.seen, self.ended = {}, {"upper": [], "lower": []}, [], set()

    def loss(self, p, x, t):
        return np.mean((np.tanh(x @ p["h.W"] + p["h.b"]) @ p["y.W"] + p["y.b"] - t) ** 2)

    def gradient(self, p, x, t):
        h = np.tanh(x @ p["h.W"] + p["h.b"])
        d_y = 2 * (h @ p["y.W"] + p["y.b"] - t) / t.size
        d_z = d_y @ p["y.W"].T * (1 - h**2)
        return {"h.W": x.T @ d_z, "h.b": d_z.sum(0), "y.W": h.T @ d_y, "y.b": d_y.sum(0)}

    def normal(self, sigma, names):
        return {name: sigma * self.rng.standard_normal(self.p[name].shape) for name in names}

    def update(self, section, x, t):
        at = self.normal(self.at[section], OWN[section]) if section in self.at else {}
        g = self.gradient({n: w + at.get(n, 0) for n, w in self.p.items()}, x, t)
        if section in self.noise:
            sigma, fade = self.noise[section]
            more = self.normal(sigma * (1 + self.done[section]) ** (-fade / 2), OWN[section])
            g |= {name: g[name] + more[name] for name in more}
        for name in OWN[section]:
            rate = self.plateau.get(section, {"lr": 0.3})["lr"] * self.rates.get(name, 1)
            self.p[name] = self.p[name] - rate * g[name]
        self.done[section] += 1
        self.kept[section].append({name: self.p[name] for name in OWN[section]})
        how = self.average.get(section)
        if isinstance(how, float):
            for name in OWN[section]:
                self.means[name] = how * self.means.get(name, self.p[name]) + (1 - how) * self.p[name]
        elif how:
            last = self.kept[section][-how:]
            self.means |= {name: np.mean([w[name] for w in last], axis=0) for name in OWN[section]}

    def train(self, examples, epochs=5):
        for _ in range(epochs):
            losses = {"upper": 0.0, "lower": 0.0}
            for start in range(0, 14, 4):
                x, t = (examples[name][:14][start : start + 4] for name in ("x", "t"))
                for section, steps in (("upper", 1), ("lower", 2)):
                    for _ in range(steps):
                        losses[section] += self.loss(self.p, x, t) * len(x) / 14 / steps
                        self.update(section, x, t)
            for section, state in self.plateau.items():  # Plateau: patience 1, factor 0.5, min_delta 9
                better = losses[section] < state["best"] - 9
                state["best"] = losses[section] if better else state["best"]
                state["waited"] = 0 if better else state["waited"] + 1
                if state["waited"] == 1:
                    state["lr"], state["waited"] = state["lr"] * 0.5, 0
            self.seen.append({**self.p, **self.means})
        return self

    def held(self, p, examples):
        return self.loss(p, examples["x"][14:], examples["t"][14:])


REDUCED = "optim = sgd(plateau(0.3, loss, patience = 1, factor = 0.5, min_delta = 9))"
CASES = {
    "noise on gradients": ({"both": "noise = gradient(0.1, fade = 0.5)"}, {"noise": dict.fromkeys(OWN, (0.1, 0.5))}),
    "noise of one": ({"lower": "noise = gradient(0.1)"}, {"noise": {"lower": (0.1, 0)}}),
    "noise on weights": ({"both": "noise = weights(0.1)"}, {"at": dict.fromkeys(OWN, 0.1)}),
    "rates": ({"both": "rates = [rate(h, 0.2), rate(y.b, 3)]"}, {"rates": {"h.W": 0.2, "h.b": 0.2, "y.b": 3}}),
    "ema": ({"both": "average = ema(0.7)"}, {"average": {"upper": 0.7, "lower": 0.7}}),
    "ema of one": ({"upper": "average = ema(0.7)"}, {"average": {"upper": 0.7}}),
    "last updates": ({"both": "average = last(updates = 5)"}, {"average": {"upper": 5, "lower": 5}}),
    "last epochs": ({"lower": "average = last(2)"}, {}),
    "plateau": ({"upper": REDUCED, "lower": REDUCED}, {"plateau": ("upper", "lower")}),
    "plateau of one": ({"lower": REDUCED}, {"plateau": ("lower",)}),
}


def trained(style, says, epochs=5):
    text = SPEC.format(**({"data": "", "both": "", "upper": "", "lower": ""} | says))
    module = module_of(text, style)
    return *module.train(data(), dtype=np.float64, epochs=epochs), module.init_params(0, np.float64)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", CASES)
def test_a_setting_acts_on_the_updates_of_its_section(name, style):
    says, options = CASES[name]
    params, history, first = trained(style, says)
    right = ByHand(first, **options).train(data())
    if name == "last epochs":
        ends = [right.kept["lower"][8 * k - 1] for k in range(1, 6)]
        for k, seen in enumerate(right.seen):
            seen |= {n: np.mean([e[n] for e in ends[max(0, k - 1) : k + 1]], axis=0) for n in OWN["lower"]}
    for key, w in right.seen[-1].items():
        np.testing.assert_allclose(params[key], w, rtol=1e-10, atol=1e-13)
    values = [right.held(seen, data()) for seen in right.seen]
    np.testing.assert_allclose([r["val_upper.loss"] for r in history], values, rtol=1e-10)


@pytest.mark.parametrize("style", STYLES)
def test_early_stopping_goes_by_the_average_and_returns_it(style):
    """The best average of a section comes back, to the others and in the end."""
    says = {"upper": "average = ema(0.7)  stop = early(val_loss, patience = 1)  optim = sgd(2)"}
    params, history, first = trained(style, says, epochs=9)
    losses = [record["val_upper.loss"] for record in history]
    stopped = next(k for k in range(1, 9) if losses[k] > min(losses[:k]))
    assert stopped < 8 and "upper.loss" not in history[stopped + 1]

    class Other(ByHand):
        def update(self, section, x, t):
            if section == "upper" and "upper" in self.ended:
                return
            before = dict(self.p)
            super().update(section, x, t)
            if section == "upper":  # its own rate
                for n in OWN["upper"]:
                    g = (before[n] - self.p[n]) / 0.3
                    self.p[n] = before[n] - 2 * g
                    old = self.kept["upper"][-2]["mean"][n] if len(self.kept["upper"]) > 1 else self.p[n]
                    self.means[n] = 0.7 * old + 0.3 * self.p[n]
                self.kept["upper"][-1]["mean"] = {n: self.means[n] for n in OWN["upper"]}

    right = Other(first, average={"upper": 0.7})
    for epoch in range(9):
        right.train(data(), epochs=1)
        if epoch == stopped:
            best = {n: right.seen[stopped - 1][n] for n in OWN["upper"]}
            right.p, right.means = {**right.p, **best}, best
            right.ended.add("upper")
    for key, w in {**right.p, **right.means}.items():
        np.testing.assert_allclose(params[key], w, rtol=1e-10, atol=1e-13)
