"""From the place where the parser stopped to a diagnostic: a case of `SYNTAX_ERRORS` with its words filled in."""

from __future__ import annotations

import unicodedata

from dotnn.core.diagnostics import Diagnostic, Source, did_you_mean
from dotnn.syntax.errors import SYNTAX_ERRORS
from dotnn.syntax.parse_context import ParseContext
from dotnn.syntax.scan import CLOSER_OF, DEFINITIONS, SECTION_WORDS, STATEMENT_WORDS, Piece, open_brackets, scan

MAX_SHOWN = 30

# What a set of expected terminals is called: the first terminal of a line that is expected represents all of them.
_CALLED = (
    (("MODEL",), "a section (params, model, block, data, train, check)"),
    (("INPUT",), "a statement (name = value, input, target, layer, output)"),
    (("NUMBER",), "a value"),
    (("NAME",), "a name"),
    (("EQUAL",), "`=`"),
    (("COLON",), "`:`"),
    (("PLUS", "ARROW"), "an operator"),
    (("COMMA",), "`,`"),
    (("LBRACE",), "`{`"),
    (("RBRACE",), "`}`"),
    (("RPAR",), "`)`"),
    (("RSQB",), "`]`"),
    (("LSQB",), "`[`"),
    (("LPAR",), "`(`"),
    (("$END",), "the end"),
)
_IMPLIED = {"INPUT": {"a name"}, "PLUS": {"`[`"}, "NUMBER": {"a name", "`[`", "`(`"}}
MAX_EXPECTED = 5


def diagnose(source: Source, offset: int, expected: frozenset[str]) -> Diagnostic:
    """Say in words what is wrong at `offset`, where one of the terminals `expected` would have fitted."""
    context = _surroundings(source, offset, expected)
    case = next(case for case in SYNTAX_ERRORS if case.applies(context))
    words = _words(context)
    marked: Piece | None = getattr(context, case.mark)
    return Diagnostic(
        case.code,
        case.message.format_map(words),
        (marked or context.found).span,
        case.note.format_map(words),
        case.help.format_map(words),
    )


def _surroundings(source: Source, offset: int, expected: frozenset[str]) -> ParseContext:
    text_end = len(source.text.rstrip())
    pieces = [piece for piece in scan(source.text) if piece.kind != "comment"]
    pieces.append(Piece("end", "", text_end, text_end + 1))
    index = next((i for i, piece in enumerate(pieces) if piece.end > offset), len(pieces) - 1)
    opened = open_brackets(source.text, offset)
    opener = Piece("mark", source.text[opened[-1]], opened[-1], opened[-1] + 1) if opened else None
    return ParseContext(source, pieces, index, expected, opener)


def _words(context: ParseContext) -> dict[str, str]:
    """Return all that a message may mention."""
    source, opener = context.source, context.opener or context.found
    line, column = source.line_column(opener.start)
    return {
        "found": _short(context.found.text),
        "before": _short(context.before.text),
        "after": _short(context.after.text),
        "digits": _short(context.digits),
        "earlier": _short(context.earlier.text),
        "found_words": _in_words(context.found),
        "found_name": _character(context.found.text),
        "before_words": _in_words(context.before),
        "closes": {closer: opener for opener, closer in CLOSER_OF.items()}.get(context.found.text, ""),
        "opener": opener.text,
        "opener_line": str(line),
        "opener_column": str(column),
        "opener_closer": CLOSER_OF.get(opener.text, ""),
        "last_line": str(source.line_column(len(source.text.rstrip()))[0]),
        "header": _short(" ".join(context.header.split())),
        "definition": DEFINITIONS.get(context.found.text, ""),
        "declared": _short(context.declared),
        "did_you_mean_section": did_you_mean(context.found.text, SECTION_WORDS),
        "did_you_mean_statement": did_you_mean(context.before.text, STATEMENT_WORDS),
        "expected": ", ".join(expected_things(context.expected)),
    }


def expected_things(expected: frozenset[str]) -> list[str]:
    """Name what could have followed, at most five things."""
    implied = {word for terminal in expected for word in _IMPLIED.get(terminal, ())}
    called = [word for terminals, word in _CALLED if expected.intersection(terminals) and word not in implied]
    return called[:MAX_EXPECTED]


def _in_words(piece: Piece) -> str:
    if piece.kind in ("start", "end"):
        return f"the {piece.kind} of the text"
    return f"`{_short(piece.text)}`"


def _short(text: str) -> str:
    shown = "".join(char if char.isprintable() else "?" for char in text[: MAX_SHOWN + 1])
    return shown if len(shown) <= MAX_SHOWN else shown[: MAX_SHOWN - 1] + "…"


def _character(text: str) -> str:
    """Show a character that a screen may not: by its name and number, if it is not plain ASCII."""
    char = text[:1]
    if char.isascii() and char.isprintable():
        return f"`{char}`"
    called = unicodedata.name(char, "a control character").lower() if char else "nothing"
    return f"{f'`{char}`' if char.isprintable() else 'the character'} ({called}, U+{ord(char or ' '):04X})"
