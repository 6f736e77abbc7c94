"""Pictures of a run show its numbers: read back from the SVG, they are those of loops, scikit-learn, predictions."""

import csv
import io
import itertools
import re

import numpy as np
import pytest
from errors.runner import dotnn
from seeing.reading import SVG, Panel, boxes_of, points_of, root_of, shade_at
from sklearn.calibration import calibration_curve
from sklearn.decomposition import PCA
from sklearn.metrics import confusion_matrix, roc_auc_score, roc_curve

from dotnn.core.registry import file_names
from dotnn.reports.pictures import PICTURES
from dotnn_runtime.pictures import style

SPEC = """
model Plane {
  input x: [2]  target kind: class[3]  target height: [1]
  h = x -> dense(2, tanh)
  g = x -> dense(5, sigmoid)
  output p = h -> dense(3, softmax)
  output y = g -> dense(1)
}
data {
  source = csv("d.csv", x = [a, b], kind = kind, height = height)
  split  = split(train = 70%, val = 15%, test = 15%)
}
train {
  loss = cross_entropy(p, kind) + mse(y, height)
  optim = adam(0.03)  batch = 16  epochs = 15  metrics = [accuracy, mae]
}
"""
IMAGES = """
model Look {
  input image: [4, 6]  target t: [1]
  output y = image -> flatten -> dense(3, relu) -> dense(1)
}
data { source = npz("i.npz", image = image, t = t) }
train { loss = mse(y, t)  epochs = 2 }
"""
FOLDING = """
model Fold {
  input image: [5, 4, 2]  target t: [1]
  output y = image -> conv2d(3, 3, tanh) -> flatten -> dense(1)
}
data { source = npz("f.npz", image = image, t = t) }
train { loss = mse(y, t)  epochs = 2 }
"""
HEAVY = """
model Heavy { input x: [2]  target t: [1]  output p = x -> dense(4, tanh) -> dense(1, sigmoid) }
data { source = csv("w.csv", x = [a, b], t = t)  weights = w }
train { loss = bce(p, t)  optim = adam(0.03)  batch = 16  epochs = 5 }
"""
READING = """
model Read {
  input x: [5, 3]  target t: [1]
  output y = attention(x, x, x) -> flatten -> dense(1)
}
data { source = npz("r.npz", x = x, t = t) }
train { loss = mse(y, t)  epochs = 2 }
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    x = rng.standard_normal((160, 2))
    kind = np.digitize(x[:, 0] * x[:, 1], [-0.3, 0.3])
    with open(made / "d.csv", "w", newline="") as file:
        csv.writer(file).writerows([("a", "b", "kind", "height"), *zip(*x.T, kind, x[:, 0] ** 2, strict=True)])
    w, t = rng.integers(0, 4, 160), (rng.random(160) < 1 / (1 + np.exp(-x[:, 0]))).astype(int)
    with open(made / "w.csv", "w", newline="") as file:
        csv.writer(file).writerows([("a", "b", "t", "w"), *zip(*x.T, t, w, strict=True)])
    np.savez(made / "i.npz", image=rng.standard_normal((20, 4, 6)), t=rng.standard_normal((20, 1)))
    np.savez(made / "f.npz", image=rng.standard_normal((20, 5, 4, 2)), t=rng.standard_normal((20, 1)))
    np.savez(made / "r.npz", x=rng.standard_normal((20, 5, 3)), t=rng.standard_normal((20, 1)))
    for name, text in (("plane", SPEC), ("look", IMAGES), ("fold", FOLDING), ("read", READING), ("heavy", HEAVY)):
        (made / f"{name}.nn").write_text(text)
        command = ["train", f"{name}.nn", "--run", name, "--precision", "float64"]
        outcome = dotnn(*command, folder=made)
        assert outcome.exit_code == 0, outcome.stderr
    return made


def shown(folder, run, name):
    outcome = dotnn("graph", "--run", run, "--show", name, "-o", "-", folder=folder)
    assert outcome.exit_code == 0, outcome.stderr
    return root_of(outcome.stdout)


def weights_of(folder, run):
    with np.load(folder / run / "weights.npz") as stored:
        return dict(stored)


def table(folder):
    with open(folder / "d.csv", newline="") as file:
        rows = [*csv.DictReader(file)]
    return {name: np.array([row[name] for row in rows], float) for name in rows[0]}


def part(folder, name):
    """Return the rows of a part: those of a permutation with the spec's seed, in ascending order."""
    order = np.random.default_rng(0).permutation(160)
    return np.sort(np.split(order, [112, 136])[("train", "val", "test").index(name)])


def predicted(folder, run, x):
    np.savez(folder / "x.npz", x=x)
    text = dotnn("predict", run, "--input", "x.npz", folder=folder).stdout
    return np.array(list(csv.reader(io.StringIO(text)))[1:], float)


def test_curves_are_the_history(folder):
    root = shown(folder, "plane", "curves")
    with open(folder / "plane/history.csv", newline="") as file:
        history = [*csv.DictReader(file)]
    for name in ("loss", "accuracy", "mae"):
        panel = Panel(root, name)
        for key, label in ((name, "training"), (f"val_{name}", "validation")):
            (path,) = [p for p in root.iter(f"{SVG}path") if p.findtext(f"{SVG}title") == f"{label} {name}"]
            places = np.array(re.findall(r"[ML]([-\d.]+) ([-\d.]+)", path.get("d")), float)
            read = [panel.value(*place) for place in places]
            np.testing.assert_allclose([x for x, _ in read], np.arange(1, 16), atol=0.05)
            wanted = np.array([float(record[key]) for record in history])
            np.testing.assert_allclose([y for _, y in read], wanted, atol=0.004 * np.ptp(wanted) + 1e-3)


def test_the_confusion_matrix_is_scikit_learn_s(folder):
    root, data, rows = shown(folder, "plane", "confusion"), table(folder), part(folder, "test")
    x = np.stack([data["a"], data["b"]], axis=1)[rows]
    guess = predicted(folder, "plane", x)[:, :3].argmax(axis=1)
    wanted = confusion_matrix(data["kind"][rows].astype(int), guess, labels=range(3))
    cells = [t for t in root.iter(f"{SVG}text") if t.get("class") == "cell" and float(t.get("y")) > 110]
    found = np.zeros((3, 3), int)
    xs, ys = (sorted({float(t.get(axis)) for t in cells}) for axis in "xy")
    step = 40.0
    for t in cells:
        left, top = (float(t.get("x")) - corner(root)[0]) / step, (float(t.get("y")) - corner(root)[1]) / step
        found[int(top), int(left)] = int(t.text)
    assert xs and ys
    np.testing.assert_array_equal(found, wanted)


def corner(root):
    """Return the left top of all shaded cells; the first is on the diagonal."""
    boxes = np.concatenate([boxes_of(p.get("d")) for p in root.iter(f"{SVG}path") if "a" in (p.get("class") or "")])
    labels = [t for t in root.iter(f"{SVG}text") if t.get("class") == "cell" and float(t.get("y")) < 120]
    return min(float(t.get("x")) for t in labels) - 20, boxes[:, 1].min()


def test_residuals_are_those_of_predictions(folder):
    root, data, rows = shown(folder, "plane", "residuals"), table(folder), part(folder, "test")
    y = predicted(folder, "plane", np.stack([data["a"], data["b"]], axis=1)[rows])[:, 3]
    t = data["height"][rows]
    panels = [p.get("d") for p in root.iter(f"{SVG}path") if p.get("class") == "point f0"]
    for panel, d, wanted in (
        (Panel(root, "predicted y"), panels[0], np.stack([t, y], axis=1)),
        (Panel(root, "predicted − true"), panels[1], np.stack([y, y - t], axis=1)),
    ):
        places = np.array(re.findall(r"M([-\d.]+) ([-\d.]+)m", d), float)
        found = np.array([panel.value(*place) for place in places])
        np.testing.assert_allclose(found, wanted, atol=0.01 * np.ptp(wanted))


def test_the_boundary_is_where_predictions_change(folder):
    root = shown(folder, "plane", "boundary")
    panel = Panel(root, "x[1]")
    rng = np.random.default_rng(1)
    boxes = np.concatenate(
        [boxes_of(p.get("d")) for p in root.iter(f"{SVG}path") if re.fullmatch(r"f\d a\d", p.get("class") or "")]
    )
    left, top = boxes[:, 0].min(), boxes[:, 1].min()
    right, bottom = (boxes[:, 0] + boxes[:, 2]).max(), (boxes[:, 1] + boxes[:, 3]).max()
    cells = rng.integers(0, 64, (60, 2)) + 0.5
    places = np.array([left, top]) + cells / 64 * np.array([right - left, bottom - top])
    x = np.array([panel.value(*place) for place in places])
    guess = predicted(folder, "plane", x)[:, :3]
    sure = np.sort(guess, axis=1)[:, -1] - np.sort(guess, axis=1)[:, -2] > 0.02  # ticks are read to a part of a pixel
    found = np.array([shade_at(root, *place)[0] for place in places])
    assert sure.sum() > 40 and len(set(found)) > 1
    np.testing.assert_array_equal(found[sure], guess[sure].argmax(axis=1))
    data, rows = table(folder), part(folder, "train")
    for c in range(3):
        wanted = np.stack([data["a"], data["b"]], axis=1)[rows][data["kind"][rows] == c]
        drawn = np.array([panel.value(*place) for place in points_of(root, c)])
        np.testing.assert_allclose(drawn, wanted, atol=0.02)


def test_hidden_layers_are_those_of_a_loop(folder):
    """Two units as they are, five by the components that scikit-learn finds, up to their signs."""
    root, data, rows = shown(folder, "plane", "hidden"), table(folder), part(folder, "train")
    w = weights_of(folder, "plane")
    x = np.stack([data["a"], data["b"]], axis=1)[rows]
    h = np.tanh(x @ w["h.W"] + w["h.b"])
    g = PCA(2).fit_transform(1 / (1 + np.exp(-(x @ w["g.W"] + w["g.b"]))))
    panels = (Panel(root, "h[1]"), h), (Panel(root, "second component"), g)
    groups = [of for of in root.iter(f"{SVG}g") if of.find(f"{SVG}path") is not None]
    for of, (panel, wanted) in zip(groups, panels, strict=True):
        for c in range(3):
            ours = wanted[data["kind"][rows] == c]
            drawn = np.array([panel.value(*place) for place in points_of(of, c)])
            signs = np.sign((drawn * ours).sum(axis=0)) if wanted is g else 1
            np.testing.assert_allclose(drawn * signs, ours, atol=0.01 * np.ptp(wanted))


def test_distributions_are_those_of_a_loop(folder):
    """Of every layer: the columns of w, z, a, and δ, the last by backpropagation as a lecture writes it."""
    root, data, rows = shown(folder, "plane", "distributions"), table(folder), part(folder, "train")
    w = weights_of(folder, "plane")
    x = np.stack([data["a"], data["b"]], axis=1)[rows]
    zh = x @ w["h.W"] + w["h.b"]
    h = np.tanh(zh)
    scores = np.exp(h @ w["p.W"] + w["p.b"])
    p = scores / scores.sum(axis=1, keepdims=True)
    d_p = (p - np.eye(3)[data["kind"][rows].astype(int)]) / len(x)
    d_h = d_p @ w["p.W"].T * (1 - h * h)
    wanted = {"w of h": w["h.W"], "z of h": zh, "a of h": h, "δ of h": d_h, "δ of p": d_p, "a of p": p}
    groups = {of.findtext(f"{SVG}title").partition(":")[0]: of for of in root.iter(f"{SVG}g")}
    for name, values in wanted.items():
        counts, _ = np.histogram(values, 24)
        (path,) = list(groups[name].iter(f"{SVG}path"))
        boxes = boxes_of(path.get("d"))
        at = np.rint((boxes[:, 0] - float(groups[name].find(f"{SVG}text").get("x"))) / 138 * 24).astype(int)
        found = np.zeros(24)
        found[at] = -boxes[:, 3] / 64 * counts.max()
        np.testing.assert_allclose(found, counts, atol=0.02 * counts.max() + 0.5)
        said = groups[name].findtext(f"{SVG}title")
        assert float(re.search(r"mean ([-\d.e]+)", said)[1]) == pytest.approx(values.mean(), rel=0.01, abs=1e-12)
        assert float(re.search(r"deviation ([-\d.e]+)", said)[1]) == pytest.approx(values.std(), rel=0.01)


def test_filters_are_the_weights(folder):
    root, w = shown(folder, "look", "filters"), weights_of(folder, "look")
    (name,) = [name for name, array in w.items() if array.shape == (24, 3)]
    largest = np.abs(w[name]).max()
    frames = [boxes_of(p.get("d"))[0] for p in root.iter(f"{SVG}path") if p.get("class") == "frame"]
    for unit, (left, top, width, height) in enumerate(frames):
        for i, j in np.ndindex(4, 6):
            weight = w[name][:, unit].reshape(4, 6)[i, j]
            shade = shade_at(root, left + (j + 0.5) * width / 6, top + (i + 0.5) * height / 4)
            assert shade == (int(weight < 0), int(np.ceil(abs(weight) / largest * 8)))


WORDED = """
model Worded { input x: [2]  target t: [1]  output p = x -> dense(1, sigmoid) }
data { source = csv("t.csv", x = [a, b], t = t) }
train { loss = bce(p, t)  optim = adam(0.1)  epochs = 30 }
"""


@pytest.mark.parametrize(("texts", "called"), [(("0", "1"), ("0", "1")), (("yes", "no"), ("no (0)", "yes (1)"))])
def test_a_single_unit_says_which_value_is_which_class(texts, called, tmp_path):
    """Beside the matrix, the diagram of calibration, ROC and boundary; and it is what a loop of the weights counts."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((80, 2))
    t = [texts[int(a + 0.3 * rng.standard_normal() > 0.5)] for a in x[:, 0]]
    with open(tmp_path / "t.csv", "w", newline="") as file:
        csv.writer(file).writerows([("a", "b", "t"), *zip(*x.T, t, strict=True)])
    (tmp_path / "s.nn").write_text(WORDED)
    done = dotnn("train", "s.nn", "--run", "r", "--precision", "float64", folder=tmp_path)
    assert done.exit_code == 0, done.stderr
    for name in ("confusion", "calibration", "roc", "boundary"):
        root = shown(tmp_path, "r", name)
        said = [m for m in (re.fullmatch(SAID, text.text) for text in root.iter(f"{SVG}text")) if m]
        assert [m.groups() for m in said] == [(called[1], called[0])], name
    root, w = shown(tmp_path, "r", "confusion"), weights_of(tmp_path, "r")
    above = (x @ w["p.W"] + w["p.b"])[:, 0] > 0
    cells = [(float(text.get("x")), float(text.get("y")), text.text) for text in root.iter(f"{SVG}text")
             if text.get("class") == "cell"]  # fmt: skip
    heads = min(y for _, y, _ in cells)
    columns = sorted({x for x, _, _ in cells})
    counts = [sum(int(words) for x, y, words in cells if x == at and y > heads) for at in columns]
    assert counts == [np.sum(~above), np.sum(above)]


SAID = r"p above 0\.5: t is (.*), else (.*)"


def scores_of(folder):
    """Return the probabilities of the test part's classes, and which are true."""
    data, rows = table(folder), part(folder, "test")
    x = np.stack([data["a"], data["b"]], axis=1)[rows]
    return predicted(folder, "plane", x)[:, :3], data["kind"][rows].astype(int)


def line_of(root, number):
    (path,) = [p for p in root.iter(f"{SVG}path") if p.get("class") == f"line s{number}"]
    return np.array(re.findall(r"[ML]([-\d.]+) ([-\d.]+)", path.get("d")), float), path.findtext(f"{SVG}title")


def test_roc_curves_are_scikit_learn_s(folder):
    root, (scores, actual) = shown(folder, "plane", "roc"), scores_of(folder)
    panel = Panel(root, "true positive rate")
    for c in range(3):
        false, true, _ = roc_curve(actual == c, scores[:, c], drop_intermediate=False)
        places, label = line_of(root, c)
        found = np.array([panel.value(*place) for place in places])
        np.testing.assert_allclose(found, np.stack([false, true], axis=1), atol=1e-3)
        area = float(re.fullmatch(r"(\d+): area ([\d.]+)", label)[2])
        assert area == pytest.approx(roc_auc_score(actual == c, scores[:, c]), rel=5e-3)


def test_calibration_is_scikit_learn_s(folder):
    root, (scores, actual) = shown(folder, "plane", "calibration"), scores_of(folder)
    panel = Panel(root, "share that were right")
    right = scores.argmax(axis=1) == actual
    observed, stated = calibration_curve(right, scores.max(axis=1), n_bins=10)
    places, _ = line_of(root, 0)
    found = np.array([panel.value(*place) for place in places])
    np.testing.assert_allclose(found, np.stack([stated, observed], axis=1), atol=1e-3)
    counts = np.histogram(scores.max(axis=1), 10, (0, 1))[0]
    assert counts_of(root) == [(n, f"{p:.2f}") for n, p in zip(counts[counts > 0], stated, strict=True)]
    (drawn,) = [p.get("d") for p in root.iter(f"{SVG}path") if p.get("class") == "line s0"]
    enough = counts[counts > 0] >= 5
    assert not enough.all()
    joined = ["L" if one and other else "M" for one, other in itertools.pairwise(enough)]
    assert re.findall("[ML]", drawn) == ["M", *joined]


def counts_of(root):
    """Return how many examples each point is said to be made of, and where it is."""
    told = re.search(r"number of examples per point, (\d+) in all: (.*)", root.findtext(f"{SVG}desc"))
    found = [(int(n), p) for n, p in re.findall(r"(\d+) at ([\d.]+)", told[2])]
    assert int(told[1]) == sum(n for n, _ in found)
    return found


def test_calibration_counts_what_weights_say(folder):
    """The curve is scikit-learn's of as many examples as each counts for; beside it stands how many there are."""
    root = shown(folder, "heavy", "calibration")
    with open(folder / "w.csv", newline="") as file:
        rows = [*csv.DictReader(file)]
    x, t, w = (np.array([[float(row[name]) for name in names] for row in rows]) for names in ("ab", "t", "w"))
    p, w = predicted(folder, "heavy", x)[:, 0], w[:, 0].astype(int)
    observed, stated = calibration_curve(np.repeat(t[:, 0], w), np.repeat(p, w), n_bins=10)
    panel = Panel(root, "share that were right")
    found = np.array([panel.value(*place) for place in line_of(root, 0)[0]])
    np.testing.assert_allclose(found, np.stack([stated, observed], axis=1), atol=1e-3)
    counts = np.histogram(p[w > 0], 10, (0, 1))[0]
    assert len(stated) > 2 and len(rows) > counts.sum()
    assert counts_of(root) == [(n, f"{p:.2f}") for n, p in zip(counts[counts > 0], stated, strict=True)]


def tiles_of(root, of, shape):
    """Return the colour and the shade of every place of every image in the groups that `of` accepts."""
    for group in root.iter(f"{SVG}g"):
        if of(group.findtext(f"{SVG}title")):
            (frame,) = [p for p in group.iter(f"{SVG}path") if p.get("class") == "frame"]
            left, top, width, height = boxes_of(frame.get("d"))[0]
            places = [
                (left + (j + 0.5) * width / shape[1], top + (i + 0.5) * height / shape[0]) for i, j in np.ndindex(shape)
            ]
            yield np.array([shade_at(root, *place) for place in places]).reshape(*shape, 2)


def assert_shades(found, values, largest):
    """Blue (0) above zero and orange (1) below, eighths of the largest; near the edge of an eighth either side."""
    sizes = np.abs(values) / largest * 8
    clear = np.abs(sizes - np.rint(sizes)) > 1e-6
    assert clear.sum() > values.size / 2
    np.testing.assert_array_equal(found[..., 1][clear], np.ceil(sizes).astype(int)[clear])
    np.testing.assert_array_equal(found[..., 0][clear], (values < 0).astype(int)[clear])


def test_feature_maps_are_those_of_a_loop(folder):
    root, w = shown(folder, "fold", "features"), weights_of(folder, "fold")
    with np.load(folder / "f.npz") as stored:
        image = stored["image"][0]
    (kernel,) = [a for a in w.values() if a.ndim == 4]
    (bias,) = [a for name, a in w.items() if a.shape == (3,)]
    maps = np.zeros((3, 2, 3))
    for i, j, c in np.ndindex(3, 2, 3):
        maps[i, j, c] = np.tanh(np.sum(image[i : i + 3, j : j + 3] * kernel[..., c]) + bias[c])
    drawn = [*tiles_of(root, lambda title: "channel" in title, (3, 2))]
    assert len(drawn) == 3
    for c, found in enumerate(drawn):
        assert_shades(found, maps[..., c], np.abs(maps).max())
    (example,) = tiles_of(root, lambda title: "example" in title, (5, 4))
    assert_shades(example, image.mean(axis=2), np.abs(image.mean(axis=2)).max())


def test_the_preferred_image_is_that_of_a_loop(folder):
    """Sixty steps up the gradient on a sphere, as a loop writes them for a hidden layer of relu."""
    root, w = shown(folder, "look", "preferred"), weights_of(folder, "look")
    with np.load(folder / "i.npz") as stored:
        images = stored["image"].reshape(20, 24)
    (w1,), (w2,) = ([a for a in w.values() if a.shape == shape] for shape in ((24, 3), (3, 1)))
    (b1,) = [a for a in w.values() if a.shape == (3,)]
    radius = np.mean([np.sqrt(image @ image) for image in images])
    x = images.mean(axis=0)
    for t in range(60):
        slope = w1 @ ((x @ w1 + b1 > 0) * w2[:, 0])
        x = x + radius * 0.2 * (1 - t / 60) * slope / np.sqrt(slope @ slope)
        x = np.clip(x * radius / np.sqrt(x @ x), images.min(), images.max())
    (found,) = tiles_of(root, lambda title: "score" in title, (4, 6))
    assert_shades(found, x.reshape(4, 6), np.abs(x).max())
    score = np.maximum(x @ w1 + b1, 0) @ w2[:, 0]
    assert score > np.max(np.maximum(images @ w1 + b1, 0) @ w2[:, 0])


def test_attention_is_that_of_a_loop(folder):
    root = shown(folder, "read", "attention")
    with np.load(folder / "r.npz") as stored:
        x = stored["x"][0]
    wanted = np.zeros((5, 5))
    for q in range(5):
        scores = np.array([np.exp(sum(x[q] * x[k]) / np.sqrt(3)) for k in range(5)])
        wanted[q] = scores / scores.sum()
    ((left, top, width, height),) = [
        boxes_of(p.get("d"))[0] for p in root.iter(f"{SVG}path") if p.get("class") == "frame"
    ]
    for q, k in np.ndindex(5, 5):
        colour, shade = shade_at(root, left + (k + 0.5) * width / 5, top + (q + 0.5) * height / 5)
        assert (colour, shade) == (0, int(np.ceil(wanted[q, k] / wanted.max() * 8)))


def test_what_every_picture_has(folder):
    """The same bytes each time, a title and a description for those who do not see it, nothing beyond its edge."""
    for run, name in (("plane", "curves"), ("plane", "hidden"), ("look", "filters"), ("plane", "distributions")):
        texts = [dotnn("graph", "--run", run, "--show", name, "-o", "-", folder=folder).stdout for _ in range(2)]
        assert texts[0] == texts[1]
        root = root_of(texts[0])
        assert root.findtext(f"{SVG}title") and root.findtext(f"{SVG}desc") and root.get("role") == "img"
        width, height = map(float, root.get("viewBox").split()[2:])
        assert all(
            0 <= float(t.get("x")) <= width and 0 <= float(t.get("y")) <= height for t in root.iter(f"{SVG}text")
        )


def test_what_cannot_be_drawn(folder):
    outcome = dotnn("graph", "--run", "look", "--show", "confusion", folder=folder)
    assert outcome.exit_code == 1 and "NN514" in outcome.stderr and not (folder / "confusion.svg").exists()
    other = dotnn("graph", "plane.nn", "--run", "look", folder=folder)
    assert other.exit_code == 1 and "another network" in other.stderr
    for wrong in (
        ["--show", "curves"],
        [],
        ["--run", "look", "--set", "a=1"],
        ["--run", "look", "--show", "curves", "--units"],
    ):
        assert dotnn("graph", *wrong, folder=folder).exit_code == 2


def test_the_units_of_a_run_have_its_weights(folder):
    root = root_of(dotnn("graph", "--run", "look", "-o", "-", folder=folder).stdout)
    assert root.findtext(f"{SVG}title") == "Look"
    (folder / "tiny.nn").write_text(
        "model T { input x: [2]  target t: [1]  output y = x -> dense(2, tanh) -> dense(1) }\n"
        "data { x = [[0, 1], [1, 0]]  t = [[1], [2]] }  train { loss = mse(y, t)  epochs = 30 }"
    )
    assert dotnn("train", "tiny.nn", "--run", "tiny", folder=folder).exit_code == 0
    w = weights_of(folder, "tiny")
    outcome = dotnn("graph", "tiny.nn", "--run", "tiny", "--units", "--example", "2", "-o", "-", folder=folder)
    root = root_of(outcome.stdout)
    hints = " ".join(t.text for t in root.iter(f"{SVG}title"))
    found = sorted(float(v) for v in re.findall(r"= ([-\d.e]+)", hints))
    np.testing.assert_allclose(found, sorted(np.concatenate([a.ravel() for a in w.values() if a.ndim == 2])), rtol=1e-3)
    (first,) = [name for name, a in w.items() if a.shape == (2, 2)]
    h = np.tanh(np.array([1.0, 0.0]) @ w[first] + w[first.replace(".W", ".b")])
    values = [t.text for t in root.iter(f"{SVG}text") if t.get("class") == "value"]
    assert {f"{v:.2f}" for v in h} <= {*values}
    beyond = dotnn("graph", "--run", "tiny", "--units", "--example", "3", folder=folder)
    assert beyond.exit_code == 1 and "NN511" in beyond.stderr


def test_a_picture_is_called_as_its_file():
    assert [*PICTURES] == file_names("dotnn.reports.pictures")


# ------------------------------------------------------------------------------------------------------ colours

PROTANOPIA = np.array(
    [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
)
DEUTERANOPIA = np.array(
    [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]]
)
"""How people without red or green cones see linear RGB (Machado, Oliveira and Fernandes 2009, Table 1)."""


def linear(colour):
    c = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def luminance(colour):
    return linear(colour) @ [0.2126, 0.7152, 0.0722]


def contrast(one, other):
    bright, dark = sorted([luminance(one), luminance(other)], reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def lab(rgb):
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ rgb
    f = np.cbrt(np.maximum(xyz / [0.9505, 1.0, 1.089], 1e-6))
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize(
    ("colours", "ground", "ink"), [(style.LIGHT, "#ffffff", "#1b1b1b"), (style.DARK, "#16181c", "#e8e8e8")]
)
def test_colours_can_be_told_apart(colours, ground, ink):
    """Text has the contrast of WCAG AA, lines of the first three that of graphics; four differ for all eyes."""
    assert contrast(ink, ground) >= 4.5
    assert all(contrast(colour, ground) >= 3 for colour in colours[:3])
    for view in (np.eye(3), PROTANOPIA, DEUTERANOPIA):
        seen = [lab(np.clip(view @ linear(colour), 0, 1)) for colour in colours[:4]]
        apart = [np.linalg.norm(a - b) for i, a in enumerate(seen) for b in seen[:i]]
        assert min(apart) > 12


DEAD = """
model Dead {
  input x: [2]  target kind: class[3]
  output p = x -> dense(3, tanh, init = zeros) -> dense(3, softmax, init = zeros)
}
data { source = csv("d.csv", x = [a, b], kind = kind) }
train { loss = cross_entropy(p, kind)  optim = sgd(0.1)  epochs = 3 }
"""


def test_the_curves_say_what_the_loss_was_before_the_training(folder):
    """Weights of 0 guess each of three classes alike: a loss of log 3 before the training."""
    (folder / "dead.nn").write_text(DEAD)
    assert dotnn("train", "dead.nn", "--run", "dead", folder=folder).exit_code == 0
    root = shown(folder, "dead", "curves")
    (path,) = [p for p in root.iter(f"{SVG}path") if (p.findtext(f"{SVG}title") or "").startswith("before")]
    places = np.array(re.findall(r"[ML]([-\d.]+) ([-\d.]+)", path.get("d")), float)
    panel = Panel(root, "loss")
    span = panel.up[-1][0] - panel.up[0][0]
    np.testing.assert_allclose([panel.value(*place)[1] for place in places], np.log(3), atol=0.01 * span)


def test_a_layer_that_tells_no_examples_apart_has_no_points(folder):
    """Its units stay at tanh(0) for every example: words, and neither axes nor points."""
    root = shown(folder, "dead", "hidden")
    assert [*root.iter(f"{SVG}path"), *root.iter(f"{SVG}line")] == []
    assert any((t.text or "").startswith("p.dense1:") for t in root.iter(f"{SVG}text"))


def test_of_many_hidden_layers_the_last_is_shown(folder):
    """Ten hidden layers: eight panels, one of them that of the tenth."""
    chain = " -> ".join(["dense(3, tanh)"] * 10)
    (folder / "deep.nn").write_text(DEAD.replace("dense(3, tanh, init = zeros)", chain).replace(", init = zeros", ""))
    assert dotnn("train", "deep.nn", "--run", "deep", folder=folder).exit_code == 0
    root = shown(folder, "deep", "hidden")
    heads = [t.text for t in root.iter(f"{SVG}text") if t.get("class") == "head"]
    assert heads == [*(f"p.dense{i}" for i in range(1, 8)), "p.dense10"]
