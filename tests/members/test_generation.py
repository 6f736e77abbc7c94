"""Text that a run writes, against a loop of NumPy that shares nothing with it."""

import json
import re

import numpy as np
import pytest
from errors.runner import dotnn

from dotnn.running.generation import Choice
from dotnn.running.scripts import load_module
from dotnn_runtime.script.text_units import joined_units

pytestmark = pytest.mark.usefixtures("step_by_step")

TEXT = "The cat, the hat: à la carte - 100 % of it, the cat's!\n" * 3
SPEC = """
model Letters {
  input  seen: int[4]
  target unit: class[30]
  output p = seen -> embedding(30, 3) -> flatten -> dense(30, softmax)
}
data { source = text("t.txt"FIELDS) }
train { loss = cross_entropy(p, unit)  optim = adam(0.05)  epochs = EPOCHS  batch = 16  seed = 5 }
"""
WAYS = {"char": "", "word": ", by = word"}


def units(text, by):
    return list(text) if by == "char" else re.findall(r"\w+|[^\w\s]", text)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder with a run of characters and a run of words."""
    folder = tmp_path_factory.mktemp("texts")
    (folder / "t.txt").write_text(TEXT, encoding="utf-8")
    for by, fields in WAYS.items():
        (folder / f"{by}.nn").write_text(SPEC.replace("FIELDS", fields).replace("EPOCHS", "6"))
        assert dotnn("train", f"{by}.nn", "--run", by, folder=folder).exit_code == 0
    return folder


def said(folder, *args):
    found = dotnn("generate", *args, "--json", folder=folder)
    assert found.exit_code == 0, found.stderr
    return json.loads(found.stdout)


def by_hand(folder, run, by, prompt, length, temperature, top_k, seed):
    """The units of a prompt and those behind it, by the equations of the network and of the draws."""
    params = {name: w.astype(float) for name, w in np.load(folder / run / "weights.npz").items()}
    known = sorted(set(units(TEXT, by)))
    found, rng = [known.index(unit) for unit in units(prompt, by)], np.random.default_rng(seed)
    for _ in range(length):
        x = np.concatenate([params["p.embedding1.W"][i] for i in found[-4:]])
        z = (x @ params["p.dense1.W"] + params["p.dense1.b"])[: len(known)]
        if temperature == 0:
            found.append(int(z.argmax()))
            continue
        kept = sorted(range(len(z)), key=lambda i: (-z[i], i))[:top_k]
        e = np.array([np.exp((z[i] - z.max()) / temperature) if i in kept else 0.0 for i in range(len(z))])
        cumulated = np.cumsum(e) / e.sum()
        found.append(int((cumulated <= rng.random()).sum()))
    return [known[i] for i in found]


@pytest.mark.parametrize("by", WAYS)
@pytest.mark.parametrize(("temperature", "top_k", "seed"), [(0, None, 1), (1, None, 5), (0.6, 3, 7), (2.5, 9, 0)])
def test_what_follows_is_what_the_equations_say(by, temperature, top_k, seed, runs):
    prompt = "the cat, the hat" if by == "word" else "the cat"
    more = ["--top-k", str(top_k)] if top_k else []
    found = said(
        runs, by, "--prompt", prompt, "--length", "25", "--temperature", str(temperature), "--seed", str(seed), *more
    )
    expected = by_hand(runs, by, by, prompt, 25, temperature, top_k, seed)
    assert units(found["text"], by) == expected and found["seed"] == seed
    assert found["text"].startswith(prompt)


@pytest.mark.parametrize("by", WAYS)
def test_the_script_has_the_same_loop(by, runs):
    (runs / f"{by}_script.py").write_text(dotnn("compile", f"{by}.nn", "-o", "-", folder=runs).stdout)
    module = load_module(runs / f"{by}_script.py", None)
    params = dict(np.load(runs / by / "weights.npz"))
    for options in ({"temperature": 0}, {"seed": 3}, {"seed": 4, "temperature": 0.5, "top_k": 4}):
        words = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", str(value))]
        found = said(runs, by, "--prompt", "the cat, the hat", "--length", "20", *words)
        assert module.generate(params, "the cat, the hat", 20, **options) == found["text"]


def test_without_a_prompt_it_goes_on_from_the_beginning_of_the_text(runs):
    assert said(runs, "char", "--length", "1")["prompt"] == TEXT[:4]
    assert said(runs, "word", "--length", "1", "--seed", "1")["prompt"] == "The cat, the"
    default, seeded = said(runs, "char"), said(runs, "char", "--seed", "5")
    assert default == seeded and len(default["text"]) == 204
    assert said(runs, "char", "--seed", "6") != default


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_run_of_tensorflow_writes_what_its_weights_say(runs):
    pytest.importorskip("tensorflow")
    assert dotnn("train", "char.nn", "--run", "tf", "--target", "tensorflow", folder=runs).exit_code == 0
    found = said(runs, "tf", "--prompt", "the hat", "--length", "20", "--seed", "2")
    assert list(found["text"]) == by_hand(runs, "tf", "char", "the hat", 20, 1, None, 2)


@pytest.mark.parametrize(
    ("prompt", "place"), [("the bat", "--prompt:1:5"), ("the\ncat\nfür", "--prompt:3:2"), ("cat", "4 characters")]
)
def test_what_it_cannot_go_on_from_is_named(prompt, place, runs):
    found = dotnn("generate", "char", "--prompt", prompt, folder=runs)
    assert found.exit_code == 1 and "NN531" in found.stderr and place in found.stderr


def test_a_network_that_says_nothing_of_what_comes_next_is_refused(runs):
    (runs / "xor.nn").write_text("""
    model XOR { input x: [2]  target t: [1]  output p = x -> dense(1, sigmoid) }
    data { x = [[0, 0], [0, 1]]  t = [[0], [1]] }
    train { loss = bce(p, t) }
    """)
    assert dotnn("train", "xor.nn", "--run", "xor", folder=runs).exit_code == 0
    found = dotnn("generate", "xor", folder=runs)
    assert found.exit_code == 1 and "NN531" in found.stderr
    hinge = SPEC.replace("FIELDS", "").replace("EPOCHS", "1").replace("dense(30, softmax)", "dense(30)")
    (runs / "hinge.nn").write_text("use std.losses\n" + hinge.replace("cross_entropy", "multi_hinge"))
    assert dotnn("train", "hinge.nn", "--run", "hinge", folder=runs).exit_code == 0
    found = dotnn("generate", "hinge", folder=runs)
    assert found.exit_code == 1 and "no probabilities" in found.stderr


def test_draws_have_the_probabilities_that_they_are_said_to_have():
    p, rng = np.array([0.1, 0.4, 0.0, 0.3, 0.2]), np.random.default_rng(0)
    for temperature, top_k in ((1.0, None), (0.5, None), (3.0, 3), (1e-300, None)):
        with np.errstate(divide="ignore"):
            z = np.log(p) / max(temperature, 1e-3)
        z[np.argsort(-p)[top_k or 5 :]] = -np.inf
        expected = np.exp(z - z.max()) / np.exp(z - z.max()).sum()
        drawn = np.bincount([Choice(temperature, top_k).of(p, rng) for _ in range(4000)], minlength=5) / 4000
        np.testing.assert_allclose(drawn, expected, atol=4 * np.sqrt(0.25 / 4000))
    assert Choice(1.0, 2).of(np.array([0.25] * 4), rng) in (0, 1)


@pytest.mark.parametrize(
    "text", ["one, two (three's well-known) end!", "a: b; c.", "\N{RIGHT SINGLE QUOTATION MARK}twas"]
)
def test_words_are_put_together_as_they_are_written(text):
    assert joined_units(units(text, "word"), "word") == text


ANSWERS = """
model Back {
  input  x: [4, 2]
  input  before: int[4]
  target y: class[4, 3]
  read = x -> gru(4)
  said = gru(before -> embedding(3, 2), 4, returns = sequence, initial = read SIDES)
  output p = said -> dense(3, softmax)
}
data { source = npz("d.npz", x = x, before = before, y = y) }
train { loss = cross_entropy(p, y)  optim = adam(0.02)  epochs = 3  batch = 8 }
"""


@pytest.fixture(scope="module")
def answering(tmp_path_factory):
    """A folder with a run that was taught with the right step before, and one that reads from both ends."""
    folder = tmp_path_factory.mktemp("answers")
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=(24, 4))
    before = np.concatenate([np.full((24, 1), 2), y[:, :-1]], axis=1)
    np.savez(folder / "d.npz", x=rng.normal(size=(24, 4, 2)), before=before, y=y)
    np.savez(folder / "new.npz", x=rng.normal(size=(3, 4, 2)))
    for name, sides in (("on", ""), ("back", ", reverse = true")):
        (folder / f"{name}.nn").write_text(ANSWERS.replace(" SIDES", sides))
        assert dotnn("train", f"{name}.nn", "--run", name, folder=folder).exit_code == 0
    return folder


@pytest.mark.parametrize(("temperature", "seed"), [(0, 0), (0.7, 3)])
def test_answers_are_fed_back_one_step_after_the_other(temperature, seed, answering):
    """The script's own forward pass, of one example and the steps that there are."""
    module = load_module(answering / "on" / "model.py", None)
    params, x = dict(np.load(answering / "on" / "weights.npz")), np.load(answering / "new.npz")["x"]
    rng, expected = np.random.default_rng(seed), np.full((3, 5), 2)
    for step in range(4):
        for row in range(3):
            before = np.zeros((1, 4), int)
            before[0, : step + 1] = expected[row, : step + 1]
            p = module.predict(params, {"x": x[row : row + 1], "before": before})["p"][0, step].astype(float)
            q = np.cumsum((p / p.max()) ** (1 / (temperature or 1)))
            expected[row, step + 1] = (q <= rng.random() * q[-1]).sum() if temperature else p.argmax()
    words = ["--temperature", str(temperature), "--seed", str(seed), "--json"]
    found = dotnn("generate", "on", "--input", "new.npz", *words, folder=answering)
    assert json.loads(found.stdout) == {"y": expected[:, 1:].tolist()}
    (answering / "d.npz").rename(answering / "away.npz")  # the run knows what is fed back
    again = dotnn("generate", "on", "--input", "new.npz", *words, folder=answering)
    (answering / "away.npz").rename(answering / "d.npz")
    assert again.stdout == found.stdout


def test_what_cannot_be_answered_step_by_step_is_refused(answering, runs):
    found = dotnn("generate", "back", "--input", "new.npz", folder=answering)
    assert found.exit_code == 1 and "NN531" in found.stderr and "later" in found.stderr
    found = dotnn("generate", "char", "--input", "t.txt", folder=runs)
    assert found.exit_code == 1 and "NN531" in found.stderr
    assert dotnn("generate", "on", "--input", "new.npz", "--length", "3", folder=answering).exit_code == 2
    assert dotnn("generate", "on", folder=answering).exit_code == 1
    np.savez(answering / "wrong.npz", x=np.zeros((2, 3, 2)))
    found = dotnn("generate", "on", "--input", "wrong.npz", folder=answering)
    assert found.exit_code == 1 and "x" in found.stderr
