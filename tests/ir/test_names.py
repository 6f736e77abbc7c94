"""Whatever a spec calls its values, it trains to the same numbers: what words a script has is found by reading it."""

import ast
import builtins
import keyword
from functools import cache
from itertools import cycle

import numpy as np
import pytest
from samples import LAYERS_TOGETHER
from support import ROOT, STYLES, as_module, generic_point, model_of, module_of, names_among

from dotnn.codegen.hygiene import ALPHABETS
from dotnn.session import Options, compile_model

PLAIN = """model M {{ {inputs}  {targets}
  x = {first} -> dense(4)
  {statements}
  output y = concat(x, {last}) -> dense(1)
}}
train {{ loss = {loss}  epochs = 2  optim = adam(0.1)  clip = global_norm(1.0)  metrics = rmse  stop = minutes(9)
  checkpoint = every(1) }}"""


def words_of(script: str) -> set[str]:
    """Every name that a script defines, binds or reads, anywhere: by Python's own parser."""
    found = set()
    for node in ast.walk(ast.parse(script)):
        match node:
            case ast.Name(id=word) | ast.arg(arg=word):
                found.add(word)
            case ast.FunctionDef(name=word) | ast.ClassDef(name=word) | ast.alias(name=word):
                found.add(word)
    return {word for word in found if word.isidentifier()}


def common(names: list[str], role: str) -> str:
    """A network of all that a training can have, with values of these names in one role."""
    inputs = [f"input {n}: [4]" for n in names] if role == "input" else ["input raw: [4]"]
    targets = [f"target {n}: [1]" for n in names] if role == "target" else ["target t: [1]"]
    made = [f"{n} = x -> tanh" for n in names] if role == "statement" else []
    return PLAIN.format(
        inputs="  ".join(inputs), targets="  ".join(targets), statements="\n".join(made),
        first=names[0] if role == "input" else "raw", last=", ".join(names if role != "target" else ["x"]),
        loss=" + ".join(f"mse(y, {n})" for n in (names if role == "target" else ["t"])),
    )  # fmt: skip


@cache
def common_words() -> list[str]:
    """The words of the script of any spec, with Python's own."""
    scripts = [compile_model(model_of(common(["n0"], "statement")), Options(style)).script for style in STYLES]
    words = {word for script in scripts for word in words_of(script)}
    python = [*keyword.kwlist[::4], *dir(builtins)[::8], "print", "len", "lambda"]
    return names_among(words | {*python, "d_loss", "loss", "_", "__1"})


@cache
def trained(spec: str, style: str) -> list[np.ndarray]:
    """The gradients, the trained weights, the reported numbers and the predictions of a spec, in their order."""
    script = compile_model(model_of(spec), Options(style, input_gradients=True)).script
    module = as_module(script, ROOT / "test.nn")
    params, batch = generic_point(module)
    loss, grads = module.loss_and_grads(params, batch, rng=np.random.default_rng(1))
    after, history = module.train(batch, epochs=2, params=params, dtype=np.float64)
    predicted = module.predict(after, {name: batch[name] for name in module.INPUTS})
    records = [np.array([*record.values()], float) for record in history]
    return [np.array(loss), *grads.values(), *after.values(), *records, *predicted.values()]


def assert_equal(spec: str, neutral: str, style: str) -> None:
    """But for rounding: names decide nothing but the order in which arrays lie."""
    ours, theirs = trained(spec, style), trained(neutral, style)
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("role", ["statement", "input", "target"])
def test_values_called_like_words_of_every_script(role, style):
    words = [word for word in common_words() if word not in ("x", "y", "t", "raw")]
    assert len(words) > 200
    for start in range(0, len(words), 150):  # a sum of more losses is too deep
        some = words[start : start + 150]
        assert_equal(common(some, role), common([f"n{i}" for i in range(len(some))], role), style)


SOURCES, MOST = ("raw", "x", "u", "v"), 90
"""What values read, and how many of them may read the same: a sum of more gradients is too deep."""
GROUPS = 12


@pytest.mark.parametrize("spec", LAYERS_TOGETHER.values(), ids=LAYERS_TOGETHER)
@pytest.mark.parametrize("style", STYLES)
def test_values_called_like_words_that_layers_bring(spec, style):
    """A new layer joins with whatever its lines bind or call."""
    model = model_of(spec)
    script = compile_model(model, Options(style, input_gradients=True)).script
    known = {*common_words(), *model.inputs, *model.targets, *(step.path for step in model.steps)}
    words = names_among(words_of(script) - known)

    def with_values(names):
        made = "\n".join(f"{n} = {source} -> scale(0.5)" for n, source in zip(names, cycle(SOURCES), strict=False))
        joined = ", ".join(f"concat({', '.join(names[first::GROUPS])})" for first in range(min(GROUPS, len(names))))
        return spec.replace("all  =", f"{made}\nall  =").replace("-> flatten)", f"-> flatten, {joined})")

    parts = -(-len(words) // (MOST * len(SOURCES)))
    size = -(-len(words) // parts)  # of all parts, the last one filled up: they are compared with one network
    neutral = [f"n{i}" for i in range(size)]
    for start in range(0, len(words), size):
        some = words[start : start + size]
        assert_equal(with_values([*some, *neutral[len(some) :]]), with_values(neutral), style)


def test_texts_in_letters_of_the_mark_stay_what_they_are():
    """A spec may be written in any letters: those that mark its names are others then."""
    letters = "".join(chr(first) for first in ALPHABETS[:-1])
    spec = f"""model M {{ input x: [1]  target t: [1]  output y = x -> dense(1) }}
    data {{ source = csv("d.csv", x = "{letters}", t = b) }}  train {{ loss = mse(y, t) }}"""
    assert {"x": [letters]} == module_of(spec).INPUT_COLUMNS
