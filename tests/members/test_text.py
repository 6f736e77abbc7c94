"""Texts as series of characters or words: numbered by hand, read back, and predicted from again."""

import re

import numpy as np
import pytest
from errors.runner import dotnn

from dotnn.running.scripts import load_module
from dotnn.running.spec_files import load_examples
from dotnn.session import Options, compile_spec, front
from dotnn_runtime.script.errors import DataError
from dotnn_runtime.script.text_units import read_text

TARGETS = {"explain": Options("explain"), "fast": Options("fast"), "tensorflow": Options(target="tensorflow")}
TEXT = "The cat, the hat:\r\nà la carte — 100 % of it, the cat's!\n" * 3
SPEC = """
model Letters {
  input  seen: int[6]
  target unit: class[40]
  output p = seen -> embedding(40, 3) -> flatten -> dense(40, softmax)
}
data { source = text("t.txt"FIELDS)  split = split(val = 30%, order = file) }
train { loss = cross_entropy(p, unit)  optim = adam(0.02)  epochs = 2  batch = 16 }
"""
WAYS = {"char": "", "word": ", seen = past, unit = next, by = word, length = 6"}


def units(text, by):
    text = text.replace("\r\n", "\n")
    return list(text) if by == "char" else re.findall(r"\w+|[^\w\s]", text)


def by_hand(text, by):
    """The vocabulary, and for each place the six units before it, and itself."""
    found = units(text, by)
    known = sorted(set(found))
    numbers = [known.index(unit) for unit in found]
    pairs = [(numbers[i - 6 : i], numbers[i]) for i in range(6, len(numbers))]
    return known, np.array([before for before, _ in pairs]), np.array([after for _, after in pairs])


def write(folder, by, text=TEXT):
    (folder / "t.txt").write_bytes(text.encode())
    (folder / "s.nn").write_text(SPEC.replace("FIELDS", WAYS[by]))
    return folder / "s.nn"


@pytest.mark.parametrize("by", WAYS)
def test_a_text_is_numbered_in_sorted_order(by, tmp_path):
    arrays, labels = load_examples(front(str(write(tmp_path, by)))[0])
    known, seen, unit = by_hand(TEXT, by)
    np.testing.assert_array_equal(arrays["seen"], seen)
    np.testing.assert_array_equal(arrays["unit"], unit)
    assert labels == {"unit": known}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("by", WAYS)
def test_scripts_read_the_same(by, target, tmp_path):
    write(tmp_path, by)
    (tmp_path / "m.py").write_text(compile_spec(str(tmp_path / "s.nn"), TARGETS[target]).script)
    module = load_module(tmp_path / "m.py", None)
    raw = module.load_data()
    _, seen, unit = by_hand(TEXT, by)
    np.testing.assert_array_equal(raw["seen"], seen)
    np.testing.assert_array_equal(np.reshape(raw["unit"], -1), unit)
    parts, _ = module.prepare(raw)
    count = len(units(TEXT, by))
    first = int(np.floor(0.7 * count + 0.5))
    np.testing.assert_array_equal(np.asarray(parts["train"]["seen"]), seen[: first - 6])
    np.testing.assert_array_equal(np.asarray(parts["val"]["seen"]), seen[first:])


@pytest.mark.parametrize("style", ["explain", "fast"])
def test_a_part_with_a_text_of_its_own_has_the_same_numbers(style, tmp_path):
    path = write(tmp_path, "char")
    path.write_text(path.read_text().replace("split = split(val = 30%, order = file)", 'val = text("v.txt")'))
    (tmp_path / "v.txt").write_text("the hat, it")
    (tmp_path / "m.py").write_text(compile_spec(str(path), TARGETS[style]).script)
    known = by_hand(TEXT, "char")[0]
    numbers = [known.index(unit) for unit in "the hat, it"]
    for arrays in (load_module(tmp_path / "m.py", None).load_data(), load_examples(front(str(path))[0])[0]):
        val = np.asarray(arrays["part"]) == "val"
        np.testing.assert_array_equal(arrays["seen"][val], [numbers[i : i + 6] for i in range(5)])
        np.testing.assert_array_equal(np.reshape(arrays["unit"][val], -1), numbers[6:])


@pytest.mark.parametrize("style", ["explain", "fast"])
def test_a_prediction_takes_a_text_by_the_vocabulary_of_the_run(style, tmp_path):
    write(tmp_path, "char")
    assert dotnn("train", "s.nn", "--style", style, "--run", "run", folder=tmp_path).exit_code == 0
    (tmp_path / "q.txt").write_text("the hat")
    known = by_hand(TEXT, "char")[0]
    np.savez(tmp_path / "x.npz", seen=[[known.index(c) for c in "the ha"], [known.index(c) for c in "he hat"]])
    found = dotnn("predict", "run", "--input", "q.txt", folder=tmp_path)
    assert found.exit_code == 0 and found.stdout == dotnn("predict", "run", "--input", "x.npz", folder=tmp_path).stdout
    (tmp_path / "q.txt").write_text("the hat\nXYZ")
    wrong = dotnn("predict", "run", "--input", "q.txt", folder=tmp_path)
    assert wrong.exit_code == 1 and "q.txt:2:1" in wrong.stderr and "3 faults" in wrong.stderr


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"", "empty"), (b"a\xff", "UTF-8"), (b"a\0b", "zero byte"), (b"abcdef", "6 different units"), (b" \n", "empty")],
)
def test_what_is_no_text_is_named(content, told, tmp_path):
    (tmp_path / "t.txt").write_bytes(content)
    with pytest.raises(DataError, match=told) as caught:
        read_text(
            tmp_path / "t.txt",
            {"x": ["past"], "y": ["next"]},
            {"y": "class:5"},
            by="word" if b" " in content else "char",
        )
    assert caught.value.path == tmp_path / "t.txt"
