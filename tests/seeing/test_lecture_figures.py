"""The figures of lecture 002 that show a training, each by one command; beside them the same numbers by plain loops."""

import re

import numpy as np
import pytest
from errors.runner import dotnn
from seeing.reading import SVG, Panel, boxes_of, read, root_of
from support import SPECS, as_module

ACTIVATIONS = {
    "sigmoid": (lambda z: 1 / (1 + np.exp(-z)), lambda a: a * (1 - a)),
    "relu": (lambda z: np.maximum(z, 0), lambda a: (a > 0) * 1.0),
    "identity": (lambda z: z, np.ones_like),
}


def passes(weights, x, act):
    """What a network of equal layers computes: z and a of each."""
    z, a = [], [x]
    for w, b in weights:
        z.append(a[-1] @ w + b)
        a.append(ACTIVATIONS[act][0](z[-1]))
    return z, a


def deltas(weights, a, act, d):
    """The derivative of the loss by z of each layer, given that by the last activation."""
    found = []
    for (w, _), after in zip(reversed(weights), reversed(a[1:]), strict=True):
        d = d * ACTIVATIONS[act][1](after)
        found.insert(0, d)
        d = d @ w.T
    return found


def errors_of_the_power_plant(act, rate, epochs):
    """Half the sum of the squared errors after each update of the lecture's network, on all four examples."""
    table = np.loadtxt(SPECS / "data/power_plant_scaled.csv", delimiter=",", skiprows=1)
    x, t = table[:, :2], table[:, 2:]
    with np.load(SPECS / "data/power_plant_weights.npz") as stored:
        weights = [(stored[f"{n}.W"].copy(), stored[f"{n}.b"].copy()) for n in ("hidden1", "hidden2", "y")]
    found = []
    for _ in range(epochs):
        _, a = passes(weights, x, act)
        for (w, b), before, d in zip(weights, a, deltas(weights, a, act, a[-1] - t), strict=False):
            w -= rate * before.T @ d
            b -= rate * d.sum(axis=0)
        found.append(0.5 * np.sum((passes(weights, x, act)[1][-1] - t) ** 2))
    return np.array(found)


@pytest.mark.parametrize(
    ("figure", "spec", "act", "rate", "epochs"),
    [
        (17, "power_plant_by_hand", "sigmoid", 0.2, 7609),
        (21, "power_plant_relu", "relu", 0.2, 429),
        (22, "power_plant_relu", "relu", 0.1, 412),
    ],
)
def test_the_error_during_training(figure, spec, act, rate, epochs, tmp_path):
    """Figure 21 is unstable from about epoch 150 on, Figure 22 is not."""
    command = ["train", str(SPECS / f"{spec}.nn"), "--set", f"lr={rate}", "--run", "r", "--precision", "float64"]
    assert dotnn(*command, folder=tmp_path).exit_code == 0
    root = root_of(dotnn("graph", "--run", "r", "--show", "curves", "-o", "-", folder=tmp_path).stdout)
    panel = Panel(root, "loss")
    (path,) = [p for p in root.iter(f"{SVG}path") if p.findtext(f"{SVG}title") == "training loss"]
    places = np.array(re.findall(r"[ML]([-\d.]+) ([-\d.]+)", path.get("d")), float)
    powers = [(np.log10(value), y) for value, y in panel.up]
    drawn = 10 ** np.array([read(powers, y) for _, y in places])
    at = np.array([read(panel.across, x) for x, _ in places])
    wanted = errors_of_the_power_plant(act, rate, epochs)
    assert abs(at[-1] - epochs) < 0.1 + epochs / 1000
    span = np.arange(1, epochs + 1)
    stable = span[:-1][np.diff(wanted) > 0].min(initial=epochs) if figure == 21 else epochs
    for epoch, value in zip(at, drawn, strict=True):
        near = wanted[np.abs(span - epoch) < 0.6 + epochs / 1000]
        assert near.min() * 0.99 < value < near.max() * 1.01, epoch
    rises = [np.sum(np.diff(values[after > 150]) > 0) for values, after in ((wanted, span), (drawn, at))]
    assert (rises == [rises[0]] * 2 and rises[0] > 50 and 100 < stable < 200) if figure == 21 else rises[0] == 0


@pytest.mark.parametrize(
    ("figure", "init", "act", "grows"),
    [
        (24, "normal(0.01)", "identity", 0.1),
        (25, "normal(0.2)", "identity", 2),
        (26, "xavier", "identity", 1),
        (27, "he", "relu", 1),
    ],
)
def test_the_first_pass(figure, init, act, grows, tmp_path):
    """A hundred units a layer: small weights let all fade, large ones let it grow, from layer to layer σ √100 times.

    Drawn are the histograms of w, z, a and δ of every layer, in the first iteration of the training.
    """
    layers = " ".join(f"h{i} = {'x' if i == 1 else f'h{i - 1}'} -> dense(100, {act})\n" for i in range(1, 6))
    (tmp_path / "s.nn").write_text(f"""model Figure {{ input x: [100]  target t: [100]
      {layers} output y = h5 -> dense(100, {act}) }}
    data {{ source = npz("d.npz", x = x, t = t) }}
    train {{ loss = half_sse(y, t)  init = {init}  epochs = 1  optim = sgd(1e-6)  batch = all }}""")
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(100, 100)), rng.normal(size=(100, 100))
    np.savez(tmp_path / "d.npz", x=x, t=t)
    assert dotnn("train", "s.nn", "--run", "r", "--precision", "float64", folder=tmp_path).exit_code == 0
    root = root_of(dotnn("graph", "--run", "r", "--show", "initial", "-o", "-", folder=tmp_path).stdout)
    module = as_module((tmp_path / "r/model.py").read_text(), tmp_path / "r/model.py")
    params, names = module.init_params(0, np.float64), ["h1", "h2", "h3", "h4", "h5", "y"]
    weights = [(params[f"{n}.W"], params[f"{n}.b"]) for n in names]
    z, a = passes(weights, x, act)
    d = deltas(weights, a, act, a[-1] - t)
    groups = {of.findtext(f"{SVG}title").partition(":")[0]: of for of in root.iter(f"{SVG}g")}
    for name, (w, _), *rest in zip(names, weights, z, a[1:], d, strict=True):
        assert_histogram(groups[f"w of {name}"], w, exact=False)  # that of the biases, which are 0, is with it
        for symbol, values in zip("zaδ", rest, strict=True):
            if symbol == "z" and act == "identity":  # that is a
                continue
            assert_histogram(groups[f"{symbol} of {name}"], values)
    for values in (a[1:], d[::-1]):
        spread = np.std(values[4]) / np.std(values[0])
        assert 0.3 < spread / grows**4 < 3, figure


def assert_histogram(group, values, *, exact=True):
    """The bars are as high as NumPy counts, the words beside them say mean and deviation."""
    said = group.findtext(f"{SVG}title")
    mean, deviation = (float(re.search(rf"{what} ([-\d.e+]+)", said)[1]) for what in ("mean", "deviation"))
    assert deviation == pytest.approx(values.std(), rel=0.01)
    assert mean == pytest.approx(values.mean(), rel=0.01, abs=1e-3 * values.std())
    if exact:
        counts, _ = np.histogram(values, 24)
        (path,) = group.iter(f"{SVG}path")
        boxes = boxes_of(path.get("d"))
        at = np.rint((boxes[:, 0] - float(group.find(f"{SVG}text").get("x"))) / 138 * 24).astype(int)
        found = np.zeros(24)
        found[at] = -boxes[:, 3] / 64 * counts.max()
        np.testing.assert_allclose(found, counts, atol=0.02 * counts.max() + 0.5)
