"""Mutilated specs compile to valid Python or are refused with errors inside the text: nothing else may happen."""

import ast
import re
from dataclasses import replace
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support import ROOT, SPECS

from dotnn.diagnostics import CompileError, Source
from dotnn.driver import Options, compile_model
from dotnn.model.resolve import resolve
from dotnn.syntax.parse import parse

FILES = [*SPECS.glob("*.nn"), *(ROOT / "tests" / "errors" / "cases").glob("*.nn")]
TEXTS = [p.read_text(encoding="utf-8", errors="replace") for p in sorted(FILES) if p.stat().st_size < 3000]
WHOLE = [p.read_text(encoding="utf-8") for p in sorted(SPECS.glob("*.nn")) if p.stat().st_size < 3000]
TOKEN = re.compile(r'"[^"\n]*"|\w+|\s+|->|\.\.|[^\w\s]')
PIECES = sorted({piece for text in TEXTS for piece in TOKEN.findall(text) if not piece.isspace() and len(piece) < 20})
ODD = [
    "0",
    "-1",
    "1e308",
    "10**9",
    "10**400",
    "[]",
    "()",
    "{",
    "}",
    '"',
    '""',
    "in 1..2",
    "-> repeat(3, dense(2))",
    "true",
    "none",
]


@st.composite
def mutilated(draw, texts):
    """A spec with a few of its tokens lost, doubled, replaced or swapped, or of its lines swapped."""
    pieces = TOKEN.findall(texts[draw(st.integers(0, len(texts) - 1))]) or [""]
    for _ in range(draw(st.integers(1, 4))):
        here = draw(st.integers(0, len(pieces) - 1))
        there = draw(st.integers(0, len(pieces) - 1))
        match draw(st.sampled_from(["lose", "insert", "replace", "swap", "move", "lose many"])):
            case "lose":
                pieces[here] = ""
            case "insert":
                pieces[here] += f" {draw(st.sampled_from(PIECES + ODD))} "
            case "replace":
                pieces[here] = draw(st.sampled_from(PIECES + ODD))
            case "swap":
                pieces[here], pieces[there] = pieces[there], pieces[here]
            case "move":
                pieces.insert(here, pieces[there])
            case "lose many":
                pieces[here : here + draw(st.integers(1, 20))] = []
        pieces = pieces or [""]
    return "".join(pieces)


def check(text: str) -> None:
    source = Source(str(SPECS / "fuzz.nn"), text)
    try:
        model, _ = resolve(parse(source), source)
        # What the compiler must survive is the spec; how long a network of a million layers takes is another matter.
        if model.size < 10**6 and len(model.steps) < 200:
            ast.parse(compile_model(model, Options()).script)
    except CompileError as error:
        assert error.diagnostics
        for d in error.diagnostics:
            where = d.source or error.source
            assert d.span is None or (where is not None and 0 <= d.span.start <= d.span.end <= len(where.text) + 1)
            assert re.fullmatch(r"NN\d{3}", d.code)
        assert "error[" in error.render()


SHORT = settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))


@SHORT
@given(mutilated(WHOLE))
@example("model M { input x: [1]  target t: [1]  output p = -x }\ntrain { loss = mse(p, t) }")
@example("model M { input x: []  target t: []  output p = x }\ntrain { loss = mse(p, t)  metrics = [accuracy, mae] }")
def test_mutilated_specs(text):
    check(text)


@SHORT
@given(mutilated(TEXTS))
def test_mutilated_malformed_specs(text):
    check(text)


@SHORT
@given(st.lists(st.sampled_from(PIECES + ODD), max_size=40).map(" ".join))
def test_heaps_of_tokens(text):
    check("model M { input x: [2]  target t: [1]\n" + text + "\n}\ntrain { loss = mse(p, t) }")


@SHORT
@given(st.text(max_size=80))
def test_any_text(text):
    check(text)


@SHORT
@given(st.binary(max_size=80) | st.text(max_size=40).map(str.encode))
def test_any_setting(content):
    text = content.decode("utf-8", "replace")
    source = Source("a.nn", WHOLE[0])
    spec = "params { lr = 0.1 in 0..1 }\nmodel M { input x: [1]  target t: [1]  output p = x -> dense(1) }\n"
    source = replace(source, text=spec + "train { loss = mse(p, t)  optim = sgd(lr) }\n")
    try:
        resolve(parse(source), source, [f"lr={text}"])
    except CompileError as error:
        assert error.render()


def test_there_is_something_to_mutilate():
    assert len(WHOLE) > 5 and len(TEXTS) > 60
    assert all(isinstance(p, Path) for p in FILES)
