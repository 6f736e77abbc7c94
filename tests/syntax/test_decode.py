import pytest

from dotnn.core import limits
from dotnn.core.diagnostics import CompileError, Source
from dotnn.syntax.decode import decode
from dotnn.syntax.errors import MINIMAL_SPEC
from dotnn.syntax.parse import parse


def test_text_is_text():
    assert decode("a.nn", "# größe\nparams { }".encode()) == Source("a.nn", "# größe\nparams { }")


def test_byte_order_mark_and_line_ends():
    assert decode("a.nn", b"\xef\xbb\xbfparams {\r\n a = 1 # one\r}").text == "params {\n a = 1 # one\n}"


@pytest.mark.parametrize(
    ("data", "code", "place"),
    [
        (b"params {\n a = \xff 1 }", "NN102", "a.nn:2:6"),
        (b"\xef\xbb\xbf# ok\n# caf\xe9\n", "NN102", "a.nn:2:6"),
        ("params { }".encode("utf-16"), "NN102", "a.nn:1:1"),
        (b"params {\n\0 }", "NN103", "a.nn:2:1"),
        (bytes(range(256)), "NN102", "a.nn:"),
    ],
)
def test_what_is_no_text(data, code, place):
    with pytest.raises(CompileError) as caught:
        decode("a.nn", data)
    assert [d.code for d in caught.value.diagnostics] == [code]
    assert place in caught.value.render()


def test_too_large():
    decode("a.nn", b"#" * limits.MAX_SOURCE_BYTES)
    with pytest.raises(CompileError, match="NN101"):
        decode("a.nn", b"#" * (limits.MAX_SOURCE_BYTES + 1))


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment", " # a\n\t# b\n"])
def test_an_empty_spec_is_shown_what_a_spec_is(text):
    with pytest.raises(CompileError) as caught:
        parse(Source("a.nn", text))
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "NN104"
    shown = "\n".join(line.strip() for line in diagnostic.help.splitlines()[1:])
    assert parse(Source("help.nn", shown)).sections == parse(Source("a.nn", MINIMAL_SPEC)).sections
