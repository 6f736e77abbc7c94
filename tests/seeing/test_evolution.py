"""Snapshots are the weights of a training's epochs, and the picture of them shows NumPy's percentiles of a loop."""

import copy
import re

import numpy as np
import pytest
from errors.runner import dotnn
from seeing.reading import SVG, Panel, root_of
from support import as_module

import dotnn as api
from dotnn.running.snapshots import chosen_epochs

SPEC = """
model Spread {
  input x: [3]  target kind: class[3]
  h = x -> dense(7, tanh)
  output p = h -> dense(3, softmax)
}
data { source = npz("d.npz", x = x, kind = kind) }
train { loss = cross_entropy(p, kind)  optim = adam(0.05)  batch = 16  epochs = 30  MORE }
"""
SHARES = [0, 5, 25, 50, 75, 95, 100]


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((90, 3))
    np.savez(tmp_path / "d.npz", x=x, kind=np.digitize(x[:, 0] * x[:, 1], [-0.3, 0.3]))
    return tmp_path


def train(folder, *options, more="", code=0, run="r"):
    (folder / "s.nn").write_text(SPEC.replace("MORE", more))
    done = dotnn("train", "s.nn", "--run", run, "--precision", "float64", *options, folder=folder)
    assert done.exit_code == code, done.stderr
    return done


def snapshots(folder, run="r"):
    numbers = {int(name.stem[5:]): name for name in (folder / run).glob("epoch*.npz")}
    return {epoch: dict(np.load(numbers[epoch])) for epoch in sorted(numbers)}


def every_epoch(folder, run="r", **options):
    """The weights after every epoch of the run's script, called as anybody may call it; those before it as epoch 0."""
    script = folder / run / "model.py"
    module, states = as_module(script.read_text(), script), []
    with np.load(folder / "d.npz") as data:
        keep = lambda record, state: states.append(copy.deepcopy(state["params"]))  # noqa: E731
        module.train(dict(data), dtype=np.float64, on_epoch=keep, **options)
    return [module.init_params(0, np.float64), *states]


def spread(folder, w):
    """The percentiles of w, z, a and δ of both layers, as a lecture computes them."""
    with np.load(folder / "d.npz") as data:
        x, kind = data["x"], data["kind"]
    zh = x @ w["h.W"] + w["h.b"]
    h = np.tanh(zh)
    scores = h @ w["p.W"] + w["p.b"]
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    d = (p - np.eye(3)[kind]) / len(x)
    found = {"w of h": w["h.W"], "z of h": zh, "a of h": h, "δ of h": d @ w["p.W"].T * (1 - h * h)}
    found |= {"w of p": w["p.W"], "z of p": scores, "a of p": p, "δ of p": d}
    return {name: np.array([np.quantile(values.ravel(), share / 100) for share in SHARES])
            for name, values in found.items()}  # fmt: skip


def drawn(group):
    """The percentiles that a panel shows, (epochs, 7), by its ticks, how much half a pixel is, and where they stand."""
    panel = Panel(group, group.findtext(f"{SVG}title")[0])
    powers = max(value for value, _ in panel.up) > 30 * max(min(value for value, _ in panel.up), 0)
    powers = powers and min(value for value, _ in panel.up) > 0
    ticks = [(np.log10(value) if powers else value, y) for value, y in panel.up]
    (low, first), (high, last) = ticks[0], ticks[-1]
    bands = [p.get("d") for p in group.iter(f"{SVG}path") if p.get("class").startswith("f0")]
    (line,) = [p.get("d") for p in group.iter(f"{SVG}path") if p.get("class") == "line s0"]
    pieces = [np.array(re.findall(r"M(\S+) (\S+)L(\S+) (\S+)V(\S+)L\S+ (\S+)z", d), float) for d in bands]
    tops = [np.append(of[:, 1], of[-1, 3]) for of in pieces]
    bottoms = [np.append(of[:, 5], of[-1, 4]) for of in pieces]
    median = np.array(re.findall(r"[ML](\S+?) ([-\d.]+)", line), float)
    y = np.stack([*bottoms, median[:, 1], *tops[::-1]], axis=1)
    values = low + (y - first) / (last - first) * (high - low)
    return (10**values if powers else values), abs(0.5 / (last - first) * (high - low)), median[:, 0], powers


def test_the_bands_are_the_percentiles_of_a_loop(folder):
    train(folder, "--snapshots", "6")
    svg = dotnn("graph", "--run", "r", "--show", "evolution", "-o", "-", folder=folder).stdout
    weights, epochs = every_epoch(folder), [0, *chosen_epochs(30, 6)]
    assert {*snapshots(folder)} == {*epochs} - {0}
    for epoch, kept in snapshots(folder).items():
        assert kept.keys() == weights[epoch].keys()
        for name, w in kept.items():
            np.testing.assert_array_equal(w, weights[epoch][name])
    groups = {of.findtext(f"{SVG}title").partition(":")[0]: of for of in root_of(svg).iter(f"{SVG}g")}
    wanted = [spread(folder, weights[epoch]) for epoch in epochs]
    assert groups.keys() == wanted[0].keys()
    for name, group in groups.items():
        values, pixel, across, powers = drawn(group)
        should = np.array([one[name] for one in wanted])
        found, should = (np.log10(values), np.log10(should)) if powers else (values, should)
        np.testing.assert_allclose(found, should, rtol=0, atol=pixel, err_msg=name)
        share = (across - across[0]) / (across[-1] - across[0])
        np.testing.assert_allclose(share, np.log(np.add(epochs, 1)) / np.log(31), atol=1e-3)


def test_a_run_without_snapshots_says_how_to_have_them(folder):
    train(folder)
    done = dotnn("graph", "--run", "r", "--show", "evolution", folder=folder)
    assert done.exit_code == 1 and "dotnn train --snapshots" in done.stderr
    assert snapshots(folder) == {}


@pytest.mark.parametrize("count", [1, 2, 5, 29, 30, 100])
def test_the_epochs_are_spread_and_the_last_is_one(count):
    chosen = chosen_epochs(30, count)
    assert len(chosen) == min(count, 30) and chosen[-1] == 30
    assert chosen == sorted({*chosen}) and (count == 1 or chosen[0] == 1)
    ideal = [30 ** (k / (count - 1)) for k in range(count)] if count == 5 else []
    assert all(abs(epoch - at) <= 1 for epoch, at in zip(chosen, ideal, strict=False))


def test_a_resumed_run_has_those_of_a_whole_one(folder):
    """Made longer, without naming the number again: the epochs of the shorter one stay, too."""
    more = "checkpoint = every(4)"
    train(folder, "--snapshots", "9", more=more)
    whole = {path.name: path.read_bytes() for path in (folder / "r").glob("*.npz")}
    train(folder, "--snapshots", "9", "--epochs", "11", more=more, run="again")
    assert max(snapshots(folder, "again")) == 11
    train(folder, "--resume", more=more, run="again")
    again = {path.name: path.read_bytes() for path in (folder / "again").glob("*.npz")}
    assert {name: again[name] for name in whole if name != "checkpoint.npz"} == {
        name: content for name, content in whole.items() if name != "checkpoint.npz"
    }
    train(folder, "--overwrite", more=more, run="again")
    assert snapshots(folder, "again") == {}


def test_each_member_of_an_ensemble_has_its_own(folder):
    train(folder, "--snapshots", "3", more="ensemble = bag(2)")
    first, second = snapshots(folder, "r/member1"), snapshots(folder, "r/member2")
    assert [*first] == [*second] == chosen_epochs(30, 3)
    assert not np.array_equal(first[30]["h.W"], second[30]["h.W"])


def test_averaged_weights_are_what_is_kept(folder):
    """The last snapshot of a training that averages is what the run ends with."""
    train(folder, "--snapshots", "4", more="average = ema(0.9)")
    with np.load(folder / "r/weights.npz") as kept:
        for name, w in kept.items():
            np.testing.assert_array_equal(snapshots(folder)[30][name], w)


def test_what_would_be_too_large_is_refused_before_anything_is_written(folder, monkeypatch):
    monkeypatch.setattr("dotnn.running.snapshots.LARGEST", 8 * 52 * 3)
    done = train(folder, "--snapshots", "4", code=1)
    assert "NN504" in done.stderr and "--snapshots 3" in done.stderr and not (folder / "r").exists()
    train(folder, "--snapshots", "3")


def test_a_damaged_one_is_named_and_a_deleted_one_is_not_missed(folder):
    train(folder, "--snapshots", "4")
    content = (folder / "r/epoch1.npz").read_bytes()
    (folder / "r/epoch1.npz").write_bytes(content[:200] + bytes([content[200] ^ 1]) + content[201:])
    done = dotnn("graph", "--run", "r", "--show", "evolution", "-o", "-", folder=folder)
    assert done.exit_code == 1 and "epoch1.npz" in done.stderr
    (folder / "r/epoch1.npz").unlink()
    assert dotnn("graph", "--run", "r", "--show", "evolution", "-o", "-", folder=folder).exit_code == 0


def test_a_training_in_memory_draws_the_same(folder, monkeypatch):
    train(folder, "--snapshots", "5")
    monkeypatch.chdir(folder)
    trained = api.train("s.nn", precision="float64", snapshots=5)
    file = dotnn("graph", "--run", "r", "--show", "evolution", "-o", "-", folder=folder).stdout
    assert trained.picture("evolution") == file


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_training_in_tensorflow_keeps_them_too(folder):
    """Its weights are Keras's variables, which go on: what is kept is a copy of each epoch's."""
    pytest.importorskip("tensorflow")
    train(folder, "--snapshots", "3", "--epochs", "4", "--target", "tensorflow")
    kept = snapshots(folder)
    assert [*kept] == chosen_epochs(4, 3)
    with np.load(folder / "r/weights.npz") as last:
        for name, w in last.items():
            np.testing.assert_array_equal(kept[4][name], w)
    assert not np.array_equal(kept[1]["h.W"], kept[4]["h.W"])
    done = dotnn("graph", "--run", "r", "--show", "evolution", "-o", "-", folder=folder)
    assert done.exit_code == 0, done.stderr
