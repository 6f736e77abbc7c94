"""Text → AST. `Lark` does the work; here are its set-up, the limits, and what happens when a text does not fit."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path
from textwrap import indent
from typing import Any, cast

import lark
from lark import Lark, UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from dotnn.core import kept, limits
from dotnn.core.diagnostics import CompileError, Diagnostic, Source
from dotnn.syntax import nodes
from dotnn.syntax.build import NumberTooLarge, TreeBuilder
from dotnn.syntax.decode import check_text, refusal
from dotnn.syntax.diagnose import diagnose
from dotnn.syntax.errors import MINIMAL_SPEC
from dotnn.syntax.grammar_file import grammar_path
from dotnn.syntax.scan import DEFINITIONS, SECTION_WORDS, SOFT_SECTION_WORDS, Piece, scan
from dotnn.syntax.walk import expressions, is_deeper

MAX_ERRORS = 10
_CLOSES_NOTHING = "NN112"
_OPTIONS: dict[str, Any] = {
    "parser": "lalr",
    "start": ["file", "expr"],
    "keep_all_tokens": True,
    "maybe_placeholders": False,
}


def parse(source: Source) -> nodes.File:
    """Read a whole spec, or raise `CompileError` with the first error of each section."""
    check_text(source)
    try:
        file = cast(nodes.File, _run(source, "file"))
    except _Stopped as stop:
        raise CompileError(_first_errors(source, stop), source) from None
    if not file.sections:
        raise refusal("NN104", source, minimal=indent(MINIMAL_SPEC, "    "))
    _check_depth(expressions(file), source)
    return file


def parse_expression(text: str, source: Source | None = None) -> nodes.Expr:
    """Read one expression, such as the value of `--set name=value`; `source` only names where it comes from."""
    origin = Source(source.path if source else "<expression>", text)
    check_text(origin)
    try:
        expression = cast(nodes.Expr, _run(origin, "expr"))
    except _Stopped as stop:
        raise CompileError([stop.diagnostic], origin) from None
    _check_depth([expression], origin)
    return expression


@cache
def _parser() -> Lark:
    """Return the parser: its tables take 90 ms to build and 8 to read, so they are kept."""
    grammar = grammar_path().read_text(encoding="utf-8")
    made_of = f"{lark.__version__}\n{_OPTIONS}\n{grammar}"
    tables = kept.read(Path(__file__), "tables", made_of)
    if tables is not None:
        return Lark.load(io.BytesIO(tables))
    built, file = Lark(grammar, transformer=TreeBuilder(), **_OPTIONS), io.BytesIO()
    built.save(file)
    kept.write(Path(__file__), "tables", made_of, file.getvalue())
    return built


class _Stopped(Exception):
    """The parser could not go on at `offset`."""

    def __init__(self, diagnostic: Diagnostic, offset: int) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic
        self.offset = offset


def _run(source: Source, start: str) -> object:
    try:
        return _parser().parse(source.text, start=start)
    except UnexpectedInput as error:
        offset = _offset(error, source)
        diagnostic = diagnose(source, offset, _expected(error, source, offset, start))
    except NumberTooLarge as error:
        offset = error.span.start
        (diagnostic,) = refusal("NN107", source, error.span).diagnostics
    raise _Stopped(diagnostic, offset)


def _offset(error: UnexpectedInput, source: Source) -> int:
    at_end = isinstance(error, UnexpectedToken) and error.token.type == "$END"
    return len(source.text) if at_end or error.pos_in_stream is None else error.pos_in_stream


def _expected(error: UnexpectedInput, source: Source, offset: int, start: str) -> frozenset[str]:
    """Return the terminals that could have stood at `offset`."""
    interactive = error.interactive_parser
    if not isinstance(error, UnexpectedCharacters):
        # The token may have made the parser reduce before it was refused; ask again in front of it. The text stays
        # whole: some words are known by what follows them.
        interactive = _parser().parse_interactive(source.text, start=start)
        with suppress(UnexpectedInput):  # the token itself, for the lexer looks one ahead
            for token in interactive.lexer_thread.lex(interactive.parser_state):  # type: ignore[no-untyped-call]
                if token.start_pos is None or token.start_pos >= offset:
                    break
                interactive.feed_token(token)
    return frozenset(interactive.accepts())  # type: ignore[no-untyped-call]


def _first_errors(source: Source, stop: _Stopped) -> list[Diagnostic]:
    """Go on with the next section after an error, as if the text began there, until the text ends."""
    found = [stop.diagnostic]
    while len(found) < MAX_ERRORS:
        start = _next_section(source.text, stop.offset)
        if start is None:
            break
        rest = Source(source.path, re.sub(r"[^\n]", " ", source.text[:start]) + source.text[start:])
        try:
            _run(rest, "file")
            break
        except _Stopped as next_stop:
            stop = next_stop
            if stop.diagnostic.code != _CLOSES_NOTHING:  # else it may well close what was skipped
                found.append(stop.diagnostic)
    return found


def _next_section(text: str, offset: int) -> int | None:
    """Return where the next `data {`, `model Name {`, `block Name(` or definition begins, if there is one."""
    pieces = [piece for piece in scan(text, offset) if piece.kind != "comment"]
    for i, (piece, second, third) in enumerate(zip(pieces, pieces[1:], pieces[2:], strict=False)):
        named = second.kind == "name" and third.text in ("{", "(")
        if piece.text in SECTION_WORDS and (second.text == "{" or named):
            return piece.start
        if piece.text in SOFT_SECTION_WORDS and named:
            return piece.start
        if piece.text in DEFINITIONS and second.kind == "name" and _is_defined(pieces[i + 2 :]):
            return piece.start
    return None


def _is_defined(pieces: Iterable[Piece]) -> bool:
    """Tell whether a text begins with something in brackets and then a `=`."""
    depth = 0
    for count, piece in enumerate(pieces):
        depth += (piece.text == "(") - (piece.text == ")")
        if depth == 0 and piece.text != ")":
            return count > 0 and piece.text == "="
    return False


def _check_depth(found: Iterable[nodes.Expr], source: Source) -> None:
    for expression in found:
        if is_deeper(expression, limits.MAX_EXPRESSION_DEPTH):
            raise refusal("NN106", source, expression.span, most=limits.MAX_EXPRESSION_DEPTH)
