import time

import pytest

from dotnn.core import limits
from dotnn.core.diagnostics import CompileError, Source
from dotnn.syntax.parse import parse, parse_expression

DEEP = 10**6
parse_expression("1")  # the tables are built once; the times below are without

TOO_DEEP = {
    "lists": ("NN105", "[" * DEEP),
    "closed lists": ("NN105", "[" * DEEP + "]" * DEEP),
    "calls": ("NN105", "f(" * DEEP),
    "groups": ("NN105", "(" * DEEP + "1" + ")" * DEEP),
    "just too many": ("NN105", "(" * 201 + "1" + ")" * 201),
    "signs": ("NN106", "-" * 20_000 + "x"),
    "sums": ("NN106", "+".join(["a"] * 10_000)),
    "powers": ("NN106", "^".join(["a"] * 10_000)),
    "just too deep": ("NN106", "+".join(["a"] * 201)),
}


def refused(text: str) -> CompileError:
    with pytest.raises(CompileError) as caught:
        parse_expression(text)
    return caught.value


@pytest.mark.parametrize(("code", "text"), TOO_DEEP.values(), ids=TOO_DEEP)
def test_too_deep_is_refused_at_once(code, text):
    start = time.perf_counter()
    error = refused(text)
    assert time.perf_counter() - start < 2
    assert [d.code for d in error.diagnostics] == [code]
    assert len(error.render()) < 1000


def test_the_limits_themselves_are_fine():
    parse_expression("(" * limits.MAX_NESTING + "1" + ")" * limits.MAX_NESTING)
    parse_expression("+".join(["a"] * limits.MAX_EXPRESSION_DEPTH))


def test_brackets_in_strings_and_comments_do_not_count():
    assert parse_expression(f'f("{"(" * 300}", # {"[" * 300}\n 1)').args[1].value.value == 1


def test_a_deep_sum_in_a_section_is_refused_with_its_place():
    with pytest.raises(CompileError) as caught:
        parse(Source("deep.nn", f"params {{\n  b = 1\n  a = {'1+' * 300}1\n}}"))
    assert "deep.nn:3:7" in caught.value.render()


def test_a_pipe_may_be_long():
    pipe = parse_expression("x" + " -> f" * 5000)
    assert len(pipe.stages) == 5000


def test_a_spec_may_not_be_larger_than_stated():
    text = "params { }\n" + "#" * limits.MAX_SOURCE_BYTES
    with pytest.raises(CompileError, match="NN101"):
        parse(Source("large.nn", text))


def test_inline_data_is_read_in_linear_time():
    row = "[5.1, 3.5, 1.4, -0.2], "
    rows = 256 * 1024 // len(row)
    start = time.perf_counter()
    file = parse(Source("data.nn", f"data {{ x = [{row * rows}] }}"))
    assert time.perf_counter() - start < 5
    assert len(file.sections[0].statements[0].value.items) == rows


@pytest.mark.parametrize("tail", ["", "x", "]", "1 2", "[[", "\n" * 1000 + "?"])
def test_numbers_that_end_badly_fail_fast(tail):
    start = time.perf_counter()
    refused("[" + "[1, 2], " * 4_000 + "[" + "1, " * 4_000 + " " * 50_000 + tail)
    assert time.perf_counter() - start < 4
