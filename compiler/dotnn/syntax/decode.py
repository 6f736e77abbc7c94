"""Bytes → Source: what a spec may be before its first token is looked at."""

from __future__ import annotations

from dotnn.core import limits
from dotnn.core.diagnostics import CompileError, Diagnostic, Source, Span
from dotnn.syntax import scan
from dotnn.syntax.errors import TEXT_ERRORS

_BOM = b"\xef\xbb\xbf"


def decode(path: str, data: bytes) -> Source:
    """Read the bytes of a spec as UTF-8 text (a byte order mark and CRLF line ends are fine)."""
    if len(data) > limits.MAX_SOURCE_BYTES:
        raise refusal("NN101", Source(path, ""), None, size=len(data), most=limits.MAX_SOURCE_BYTES)
    try:
        text = data.removeprefix(_BOM).decode("utf-8")
    except UnicodeDecodeError as error:
        raise _bad_byte("NN102", path, error.object, error.start) from None
    if "\0" in text:
        raise _bad_byte("NN103", path, data, data.index(b"\0"))
    return Source(path, text.replace("\r\n", "\n").replace("\r", "\n"))


def check_text(source: Source) -> None:
    """Refuse a text that is too long or nested too deep for the stages that follow."""
    if len(source.text) > limits.MAX_SOURCE_BYTES:
        raise refusal("NN101", source, None, size=len(source.text), most=limits.MAX_SOURCE_BYTES)
    opened = scan.open_brackets(source.text, len(source.text), limits.MAX_NESTING)
    if len(opened) > limits.MAX_NESTING:
        raise refusal("NN105", source, Span(opened[-1], opened[-1] + 1), most=limits.MAX_NESTING)
    if scan.has_more_tokens(source.text, limits.MAX_TOKENS):
        raise refusal("NN108", source, None, most=f"{limits.MAX_TOKENS:,}")


def _bad_byte(code: str, path: str, data: bytes, offset: int) -> CompileError:
    """Show the line of a byte that is not text, with every such byte as a replacement character."""
    before = data[:offset].removeprefix(_BOM).decode("utf-8", "replace")
    source = Source(path, before + data[offset:].decode("utf-8", "replace"))
    place = Span(len(before), len(before) + 1)
    return refusal(code, source, place, byte=f"0x{data[offset]:02x}", line=source.line_of(place))


def refusal(code: str, source: Source, span: Span | None = None, **words: object) -> CompileError:
    """Return the error of `TEXT_ERRORS` with this code, its words filled in."""
    message, help_ = TEXT_ERRORS[code]
    return CompileError([Diagnostic(code, message.format(**words), span, help=help_.format(**words))], source)
