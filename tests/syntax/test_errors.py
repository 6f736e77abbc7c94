import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dotnn.core.diagnostics import CompileError, Source
from dotnn.syntax.diagnose import MAX_EXPECTED, expected_things
from dotnn.syntax.errors import SYNTAX_ERRORS, TEXT_ERRORS
from dotnn.syntax.parse import MAX_ERRORS, _parser, parse, parse_expression

BAD = [(case, text) for case in SYNTAX_ERRORS for text in case.bad]


def refused(text: str) -> CompileError:
    with pytest.raises(CompileError) as caught:
        parse(Source("bad.nn", text))
    return caught.value


@pytest.mark.parametrize(("case", "text"), BAD, ids=[f"{case.code}-{text[:40]!r}" for case, text in BAD])
def test_bad_example(case, text):
    (diagnostic,) = refused(text).diagnostics
    pattern = re.sub(r"\\{\w+\\}", ".+", re.escape(case.message.replace("{{", "{").replace("}}", "}")))
    assert diagnostic.code == case.code
    assert re.fullmatch(pattern, diagnostic.message)
    assert diagnostic.help
    assert 0 <= diagnostic.span.start < diagnostic.span.end <= len(text) + 1


@pytest.mark.parametrize("text", [text for _, text in BAD])
def test_messages_are_for_people(text):
    shown = refused(text).render()
    assert not re.search(r"[A-Z]{4,}|__ANON|``|None", re.sub(r"U\+\w+|NaN|UTF", "", shown))


def test_every_case_has_examples_and_every_code_one_place():
    assert all(case.bad for case in SYNTAX_ERRORS)
    assert not {case.code for case in SYNTAX_ERRORS} & set(TEXT_ERRORS)


RENDERED = {
    "modle XOR {\n  input x: [2]\n}\n": """\
error[NN120]: there is no section `modle`
  bad.nn:1:1 | modle XOR {
             | ^^^^^
  help: did you mean "model"?""",
    "model X {\n  input x: [2]\n  output p = x -> dense(3)\n": """\
error[NN110]: this `{` is never closed: the text ends first
  bad.nn:1:9 | model X {
             |         ^  opened here, still open in line 3
  help: add the missing `}`""",
    "model X {\n  input x: [2]\n  h = concat(x, x -> dense(3)\n  output p = h\n}\n": """\
error[NN111]: the `(` of line 3, column 13, is not closed before `output`
  bad.nn:4:3 |   output p = h
             |   ^^^^^^
  help: add the missing `)`""",
    "train {\n  optim = sgd(0.1 momentum = 0.9)\n}\n": """\
error[NN118]: expected `,` between `0.1` and `momentum`
  bad.nn:2:19 |   optim = sgd(0.1 momentum = 0.9)
              |                   ^^^^^^^^
  help: write a comma""",
    "model X { output p = (x -> f) (y -> g) }": """\
error[NN100]: unexpected `(` after `)`
  bad.nn:1:31 | model X { output p = (x -> f) (y -> g) }
              |                               ^
  help: expected here: a statement (name = value, input, target, layer, output), an operator, `}`""",
}


@pytest.mark.parametrize("text", RENDERED)
def test_rendered(text):
    assert refused(text).render() == RENDERED[text]


def codes(text: str) -> list[tuple[str, int]]:
    source = Source("bad.nn", text)
    return [(d.code, source.line_of(d.span)) for d in refused(text).diagnostics]


def test_one_error_per_section():
    text = "params {\n a 3\n b = }\nmodel X {\n p = x => f }\ndata { ok = 1 }\ntrain { a = .5 }\n"
    assert codes(text) == [("NN113", 2), ("NN117", 5), ("NN122", 7)]


def test_an_unclosed_section_does_not_hide_the_next():
    assert codes("params { a = 1\nmodel X { p = f(1 2) }\n") == [("NN111", 2), ("NN118", 2)]


def test_a_brace_left_over_from_the_first_error_is_no_second_one():
    assert codes("model X { params { a = 1 } }\ntrain { a = 1 }\n") == [("NN111", 1)]
    assert codes("model X { params { a = 1 } }\ntrain { a = }\n") == [("NN111", 1), ("NN114", 2)]


def test_a_section_in_a_comment_or_a_string_is_none():
    assert codes('params { a 3 # model X { p 3 }\n b = "data { c 3 }" }\n') == [("NN113", 1)]


def test_errors_are_counted():
    assert len(refused("params { a 3 }\n" * 50).diagnostics) == MAX_ERRORS


@given(st.frozensets(st.sampled_from([*sorted(t.name for t in _parser().terminals), "$END"]), min_size=1))
def test_expected_things_are_few(expected):
    assert len(expected_things(expected)) <= MAX_EXPECTED


def test_expected_things_are_summed_up():
    assert expected_things(frozenset(["NUMBER", "NAME", "STRING", "LPAR", "LSQB", "MINUS"])) == ["a value"]
    assert expected_things(frozenset(["COMMA", "RPAR", "PLUS", "ARROW"])) == ["an operator", "`,`", "`)`"]


@pytest.mark.parametrize("number", ["9" * 5000, "1e999", str(2**63), "[1, 1e400]", "1e999%"])
def test_numbers_that_fit_nowhere(number):
    assert codes(f"params {{ a = {number} }}") == [("NN107", 1)]


@pytest.mark.parametrize("text", ["", "  ", "1 2", "(", ")", "a b", "a = 3", "f(", "'a'", "\0"])
def test_bad_expression(text):
    with pytest.raises(CompileError) as caught:
        parse_expression(text)
    assert caught.value.render()


SPEC = """params { a = 4 in 2..64 }
model X { input x: int[2]  layer s = f(1, b = "c")  output p = (x -> s) + -x^2 }
data { x = [[0, 1], [1, .]] }
"""
JUNK = ["{", "}", "(", ")", "[", "]", "=", ":", ",", "->", "model", "in", '"', "'", "#", ".", "\n", "1", "a", "é", ";"]


@given(st.lists(st.tuples(st.integers(0, len(SPEC)), st.integers(0, 4), st.sampled_from(JUNK)), max_size=5))
def test_any_text_is_read_or_explained(edits):
    text = SPEC
    for place, cut, junk in edits:
        text = text[:place] + junk + text[place + cut :]
    try:
        parse(Source("fuzz.nn", text))
    except CompileError as error:
        assert error.render()
        assert all(d.help and d.span is not None for d in error.diagnostics)
        assert all(a.span.start <= b.span.start for a, b in pairwise(error.diagnostics))


@given(st.text(max_size=40))
def test_any_unicode_is_read_or_explained(text):
    try:
        parse(Source("fuzz.nn", text))
    except CompileError as error:
        assert error.render()
