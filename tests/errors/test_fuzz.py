"""Mutilated specs compile to valid Python or are refused with errors inside the text: nothing else may happen."""

from dataclasses import replace

import pytest
from errors.mutilate import compiles, front, mutilated, texts, whole
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dotnn.core.diagnostics import CompileError, Source
from dotnn.model.resolve import resolve
from dotnn.syntax.parse import parse

SHORT = settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
ONCE_WRONG = [
    "model M { input x: [1]  target t: [1]  output p = -x }\ntrain { loss = mse(p, t) }",
    "model M { input x: []  target t: []  output p = x }\ntrain { loss = mse(p, t)  metrics = [accuracy, mae] }",
]


@pytest.mark.parametrize("first", range(0, 400, 40))
def test_mutilated_specs(first: int):
    for text in map(mutilated, range(first, first + 40)):
        model = front(text)
        if model is not None:
            compiles(model)


@pytest.mark.parametrize("text", ONCE_WRONG)
def test_what_once_was_wrong(text: str):
    model = front(text)
    if model is not None:
        compiles(model)


@SHORT
@given(st.text(max_size=80))
def test_any_text(text: str):
    front(text)


@SHORT
@given(st.binary(max_size=80) | st.text(max_size=40).map(str.encode))
def test_any_setting(content: bytes):
    text = content.decode("utf-8", "replace")
    source = Source("a.nn", whole()[0])
    spec = "params { lr = 0.1 in 0..1 }\nmodel M { input x: [1]  target t: [1]  output p = x -> dense(1) }\n"
    source = replace(source, text=spec + "train { loss = mse(p, t)  optim = sgd(lr) }\n")
    try:
        resolve(parse(source), source, [f"lr={text}"])
    except CompileError as error:
        assert error.render()


def test_there_is_something_to_mutilate():
    assert len(whole()) > 5 and len(texts()) > 60
