"""A target of one class for each step: `target tags: class[12, 5]`."""

import csv
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from sklearn.metrics import accuracy_score, f1_score
from support import STYLES, assert_gradients, generic_point, module_of

from dotnn.cli import main
from dotnn_runtime.predict_io import read_inputs

TAGGER = """model Tagger {{
  input  words: int[7]
  target tags: class[7, 4]
  output p = words -> embedding(9, 5) -> rnn(6, returns = sequence) -> dense(4{act})
}}
train {{ loss = cross_entropy(p, tags{more})  batch = 3  metrics = [accuracy, f1(average = weighted)] }}"""
SIZES = [{"act": ", softmax", "more": ""}, {"act": ", softmax", "more": ", smoothing = 0.1, reduce = sum"}]
SIZES += [{"act": ", sigmoid", "more": ", class_weight = [2, 1, 0.5, 3]"}]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("given", SIZES)
def test_the_loss_is_that_of_a_loop_over_examples_and_steps(given, style):
    """The mean over the steps of an example, and then over the examples or their sum."""
    module = module_of(TAGGER.format(**given), style)
    assert module.TARGETS == {"tags": ("class:4", (7,))}
    params, batch = generic_point(module, 1, examples=4)
    p = module.forward(params, batch)[0]["p"]
    weights = [2, 1, 0.5, 3] if "class_weight" in given["more"] else [1] * 4
    smoothing = 0.1 if "smoothing" in given["more"] else 0.0
    total = 0.0
    for example, steps in enumerate(batch["tags"]):
        for step, tag in enumerate(steps):
            rows = [smoothing / 4 + (1 - smoothing) * (c == tag) for c in range(4)]
            total -= weights[tag] * sum(r * np.log(p[example, step, c]) for c, r in enumerate(rows))
    expected = total / 7 if "sum" in given["more"] else total / (7 * 4)
    np.testing.assert_allclose(module.loss_and_grads(params, batch)[0], expected, rtol=1e-12)
    assert_gradients(module, params, batch)


@pytest.mark.parametrize("style", STYLES)
def test_metrics_count_every_step(style):
    module = module_of(TAGGER.format(**SIZES[0]), style)
    params, batch = generic_point(module, 2, examples=6)
    figures = module.evaluate(params, batch, {})
    found = module.forward(params, batch)[0]["p"].argmax(axis=-1).ravel()
    assert figures["accuracy"] == pytest.approx(accuracy_score(batch["tags"].ravel(), found), rel=1e-12)
    expected = f1_score(batch["tags"].ravel(), found, average="weighted")
    assert figures["f1_weighted"] == pytest.approx(expected, rel=1e-12)


@pytest.fixture
def folder(tmp_path):
    """A folder with a table of 30 sentences of three words, each with its tag as a text, and a spec that reads it."""
    rng = np.random.default_rng(0)
    with open(tmp_path / "tags.csv", "w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["w0", "w1", "w2", "t0", "t1", "t2"])
        for words in rng.integers(0, 9, (30, 3)):
            rows.writerow([*words, *(("ADJ", "DET", "NOUN")[w % 3] for w in words)])
    (tmp_path / "tags.nn").write_text(
        """model Tagger {
  input  words: int[3]
  target tags: class[3, 3]
  output p = words -> one_hot(9) -> dense(3, softmax)
}
data { source = csv("tags.csv", words = [w0, w1, w2], tags = [t0, t1, t2]) }
train { loss = cross_entropy(p, tags)  optim = adam(0.1)  epochs = 30  batch = 5  metrics = accuracy }
""",
        encoding="utf-8",
    )
    return tmp_path


def run(*arguments: str | Path) -> str:
    result = CliRunner().invoke(main, [*map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result.output


def test_texts_of_all_steps_are_numbered_together(folder):
    """From a table, in training and in predictions, which name the likeliest tag of each step."""
    run("train", folder / "tags.nn", "--run", folder / "run")
    table = folder / "tags.csv"
    rows = list(csv.DictReader(run("predict", folder / "run", "--input", table).splitlines()))
    given = list(csv.DictReader(table.read_text().splitlines()))
    for row, sentence in zip(rows, given, strict=True):
        for step in range(3):
            tag = sentence[f"t{step}"]
            assert row[f"tags{step + 1}"] == tag
            likeliest = max(range(3), key=lambda place: float(row[f"p{step + 1}_{place + 1}"]))
            assert ("ADJ", "DET", "NOUN")[likeliest] == tag


def test_the_columns_of_the_textbook_script_are_the_same(folder):
    """Texts of several columns are numbered alike by the reader of the script that is to be read."""
    script = folder / "tags.py"
    run("compile", folder / "tags.nn", "-o", script)
    module = {"__file__": str(script), "__name__": "tags"}
    exec(compile(script.read_text(), str(script), "exec"), module)
    tags = module["prepare"](module["load_data"]())[0]["train"]["tags"]
    words = read_inputs(folder / "tags.csv", {"words": ("int:9", (3,))}, {"words": ["w0", "w1", "w2"]})["words"]
    np.testing.assert_array_equal(tags, words % 3)


OWN = """metric brier(p, k: class) = sum(p^2) - 2 * p[k] + 1
metric surprise(p, k: class) = -log(p[k])
loss spread_out(p, k: class) = sum((p - mean(p))^2) - log(p[k])
model M {{ input x: [4, 3]  {mask}  target k: class[4, 5]  output p = x -> dense(5, softmax) }}
train {{ loss = {loss}  metrics = [brier, surprise] }}"""


def by_steps(y, k, value):
    """What a formula of a step comes to, for every step of every example."""
    return np.array([[value(row, label) for row, label in zip(*one, strict=True)] for one in zip(y, k, strict=True)])


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("masked", [False, True])
def test_metrics_and_losses_of_the_spec_are_those_of_a_step(style, masked):
    """Also where a formula sums: it sums over a step's classes; a mask of the steps counts real steps alone."""
    loss = "cross_entropy(p, k, mask = m)" if masked else "spread_out(p, k)"
    module = module_of(OWN.format(loss=loss, mask="input m: int[4]" if masked else ""), style)
    params, batch = generic_point(module, 3, examples=6)
    y = module.predict(params, {name: batch[name] for name in module.INPUTS})["p"]
    counts = (batch["m"] != 0).astype(float) if masked else np.ones((len(y), 4))
    wanted = {
        "brier": lambda row, k: sum((value - (i == k)) ** 2 for i, value in enumerate(row)),
        "surprise": lambda row, k: -np.log(row[k]),
    }
    found = module.evaluate(params, batch, {})
    for name, value in wanted.items():
        expected = (counts * by_steps(y, batch["k"], value)).sum() / counts.sum()
        assert found[name] == pytest.approx(expected, rel=1e-13)
    if not masked:
        values = by_steps(y, batch["k"], lambda row, k: ((row - row.mean()) ** 2).sum() - np.log(row[k]))
        assert module.loss_and_grads(params, batch)[0] == pytest.approx(values.mean(), rel=1e-13)
        assert_gradients(module, params, batch)


@pytest.mark.parametrize("style", STYLES)
def test_a_loss_of_the_spec_picks_the_class_of_each_step(style):
    text = """loss focal(p, y: class, gamma = 2) = -(1 - p[y])^gamma * log(p[y])
    model M { input x: [4, 3]  target y: class[4, 5]  output p = x -> dense(5, softmax) }
    train { loss = focal(p, y, gamma = 1.5) }"""
    module = module_of(text, style)
    params, batch = generic_point(module, 3)
    z = batch["x"] @ params["p.W"] + params["p.b"]
    p = np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True)
    right = np.array([row[k] for row, k in zip(p.reshape(-1, 5), batch["y"].ravel(), strict=True)])
    expected = (-((1 - right) ** 1.5) * np.log(right)).mean()
    assert module.loss_and_grads(params, batch)[0] == pytest.approx(expected, rel=1e-13)
    assert_gradients(module, params, batch)
