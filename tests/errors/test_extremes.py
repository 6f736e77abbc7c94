"""Specs that are too much of something: generated, because nobody wants to store them."""

import pytest
from errors.runner import dotnn

from dotnn.core.diagnostics import MAX_ERRORS
from dotnn.core.limits import MAX_BLOCKS, MAX_LAYERS, MAX_SOURCE_BYTES

HEAD = "input x: [2]  target t: [1]"
TRAIN = "train { loss = mse(p, t) }\n"
SECONDS = 4  # of processor time on a slow machine; the longest is the parser with its 60,000 tokens


def model(body: str) -> str:
    return f"model M {{ {HEAD}\n{body}\n}}\n{TRAIN}"


def blocks_in_blocks(depth: int) -> str:
    text = "block B0 { input x: [n]  output x -> tanh }\n"
    text += "".join(f"block B{i} {{ input x: [n]  output x -> B{i - 1} }}\n" for i in range(1, depth))
    return text + model(f"output p = x -> B{depth - 1} -> dense(1)")


def doubling_blocks(depth: int) -> str:
    text = "block B0 { input x: [n]  output x }\n"
    text += "".join(f"block B{i} {{ input x: [n]  output x -> B{i - 1} -> B{i - 1} }}\n" for i in range(1, depth))
    return text + model(f"output p = x -> B{depth - 1} -> dense(1)")


def many(count: int, line: str, last: str = "output p = x -> dense(1)") -> str:
    """A model with `count` lines, `{i}` their number and `{next}` the next one's, round in a circle."""
    return model("".join(line.format(i=i, next=(i + 1) % count) + "\n" for i in range(count)) + last)


def with_train(keys: str) -> str:
    return model("output p = x -> dense(1)").replace("mse(p, t)", f"mse(p, t)  {keys}")


PLAIN = model("output p = x -> dense(1)")
NAME = "n" * 1_000_000
LINES = MAX_LAYERS // 20
TWENTY = " -> tanh" * 20
FULL = "repeat(10000, tanh) -> repeat(10000, tanh)"
SHARED = "layer s = dense(2)\nh = x -> repeat(10000, s) -> repeat(10000, s) -> s\noutput p = h -> dense(1)"
EMPTY = "block B { input x: [n]  output x }\nblock C { input x: [n]  output x -> repeat(10000, B) }\n"
RAGGED = "data { x = [" + "[1, 2], " * 20_000 + "[3]]  t = [[1]] }\n"
UNDEFINED = "params { " + "".join(f"a{i} = b{i} + 1\n" for i in range(5000)) + "}\n"

EXTREMES = {
    "nested brackets": ("params { a = " + "(" * 10**6 + "1" + ")" * 10**6 + " }", "NN105"),
    "open brackets": ("params { a = " + "[" * 10**6, "NN105"),
    "nested calls": (model("output p = " + "tanh(" * 190 + "x" + ")" * 190), "NN305"),
    "too deeply nested calls": (model("output p = " + "tanh(" * 250 + "x" + ")" * 250), "NN105"),
    "many minus signs": ("params { a = " + "-" * 10**4 + "1 }", "NN106"),
    "a long sum": (model("output p = " + " + ".join(["x"] * 10**4)), "NN106"),
    "a long sum of numbers": ("params { a = " + " + ".join(["1"] * 10**4) + " }", "NN106"),
    "a long pipe": (model("output p = x" + " -> tanh" * (MAX_LAYERS + 1)), "NN231"),
    "layers in a file": (many(LINES, "g{i} = x" + TWENTY, "output p = g0 -> dense(1)"), "NN231"),
    "layers by repeat": (model(f"output p = x -> {FULL} -> dense(1)"), "NN231"),
    "a shared layer by repeat": (model(SHARED), "NN231"),
    "deep blocks": (blocks_in_blocks(400), "NN231"),
    "blocks without layers": (doubling_blocks(30), "NN231"),
    "repeat of an empty block": (EMPTY + model("output p = x -> repeat(10000, C) -> dense(1)"), "NN231"),
    "an enormous input": (PLAIN.replace("x: [2]", "x: [10**9, 10**9]"), "NN231"),
    "an enormous value": (model("output p = x -> dense(1) -> spread(10**12) -> dense(1)"), "NN231"),
    "a name of a megabyte": (model(f"output p = {NAME} -> dense(1)"), "NN201"),
    "a layer of a megabyte": (model(f"output p = x -> {NAME}(1)"), "NN202"),
    "a text of a megabyte": (with_train(f'optim = "{NAME}"'), "NN303"),
    "thousands of errors": (many(5000, "h{i} = x -> densse(3)"), "NN202"),
    "thousands of unknown names": (many(5000, "h{i} = y{i} -> tanh"), "NN201"),
    "thousands of unused values": (many(5000, "h{i} = x -> tanh"), "NN207"),
    "thousands of circles": (many(2000, "h{i} = h{i} -> tanh"), "NN206"),
    "a circle of thousands": (many(5000, "h{i} = h{next} -> tanh"), "NN206"),
    "thousands of wrong keys": (with_train("  ".join(f"k{i} = 1" for i in range(5000))), "NN302"),
    "thousands of sections": (PLAIN + "check { seed = 1 }\n" * 5000, "NN220"),
    "thousands of parameters": (UNDEFINED + PLAIN, "NN201"),
    "a megabyte of nothing": (" \n" * 500_000, "NN104"),
    "a megabyte of one comment": ("#" * 1_000_000, "NN104"),
    "a line of a megabyte": (model("output p = x -> dense(1" + " " * 1_000_000 + " 2)"), "NN118"),
    "too large a file": ("#" * (MAX_SOURCE_BYTES + 1), "NN101"),
    "ragged data at the end": (PLAIN + RAGGED, "NN327"),
}


@pytest.fixture(scope="module", autouse=True)
def warm(tmp_path_factory):
    folder = tmp_path_factory.mktemp("warm")
    (folder / "a.nn").write_text("model")
    dotnn("compile", "a.nn", folder=folder)


@pytest.mark.parametrize("name", EXTREMES)
def test_it_is_refused_at_once(name, tmp_path):
    text, code = EXTREMES[name]
    (tmp_path / "a.nn").write_text(text)
    outcome = dotnn("compile", "a.nn", "-o", "-", folder=tmp_path)
    assert outcome.exit_code == 1
    assert f"error[{code}]" in outcome.stderr
    assert len(outcome.stderr) < 20_000
    assert outcome.stderr.count("error[") <= MAX_ERRORS
    assert outcome.seconds < SECONDS


def test_many_errors_say_that_there_are_more(tmp_path):
    (tmp_path / "a.nn").write_text(EXTREMES["thousands of errors"][0])
    outcome = dotnn("compile", "a.nn", folder=tmp_path)
    assert outcome.stderr.endswith(
        f"There may be more: dotnn stops after {MAX_ERRORS} errors.\n\n{MAX_ERRORS} errors\n"
    )


def test_the_limits_themselves_are_allowed(tmp_path):
    assert MAX_BLOCKS >= 10_000
    (tmp_path / "a.nn").write_text(blocks_in_blocks(20))
    assert dotnn("dump", "a.nn", "--stage", "model", folder=tmp_path).exit_code == 0
    sum_of_many = " + ".join(["x"] * 150)
    (tmp_path / "b.nn").write_text(model(f"h = {sum_of_many}\noutput p = h -> dense(1)"))
    assert dotnn("dump", "b.nn", "--stage", "model", folder=tmp_path).exit_code == 0


def test_a_caret_far_to_the_right_stands_below_its_culprit(tmp_path):
    (tmp_path / "a.nn").write_text(model("output p = x" + " -> tanh" * 300 + " -> thanh -> dense(1)"))
    outcome = dotnn("compile", "a.nn", folder=tmp_path)
    line, caret = outcome.stderr.split("\n")[1:3]
    start = caret.index("^")
    assert line[start : start + 5] == "thanh" and caret.count("^") == 5


def test_a_caret_behind_wide_characters_stands_below_its_culprit(tmp_path):
    spec = PLAIN + 'data { source = csv("気温.csv", xx = [a], t = [t]) }\n'
    (tmp_path / "a.nn").write_text(spec, encoding="utf-8")
    line, caret = dotnn("compile", "a.nn", folder=tmp_path).stderr.split("\n")[1:3]
    assert caret.index("^") == line.index("xx") + len("気温")
