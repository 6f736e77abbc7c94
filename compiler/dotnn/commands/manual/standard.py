"""The standard library: what it holds, read off its own files."""

from __future__ import annotations

from collections.abc import Callable

from dotnn.commands.manual.markdown import code, table
from dotnn.core.diagnostics import Source, Span
from dotnn.model.definitions.documentation import documentation
from dotnn.model.linking import libraries, library
from dotnn.syntax import nodes

Piece = nodes.Definition | nodes.BlockSection


def standard_library() -> str:
    """Return a table for each part of the standard library."""
    return "\n\n".join(f"**`use {name}`**\n\n{_table(*library(name))}" for name in libraries())


def _table(file: nodes.File, source: Source) -> str:
    rows = [_row(section, source) for section in file.sections if isinstance(section, Piece)]
    return table(("definition", "is", "computes", "source"), rows)


def _row(section: Piece, source: Source) -> tuple[str, str, str, str]:
    doc = documentation(source, section)
    head = Span(section.name.span.start, _end_of_head(section, source))
    call = source.words_at(head).replace("( ", "(").replace(" )", ")")
    return code(call), doc.text, _computes(section, source), doc.source


def _end_of_head(section: Piece, source: Source) -> int:
    """Return where the bracket behind the parameters ends."""
    last = section.params[-1].span.end if section.params else section.name.span.end
    return source.text.index(")", last) + 1


def _computes(section: Piece, source: Source) -> str:
    """Return the formula, or the statements, each on a line."""
    if not isinstance(section, nodes.Definition) or isinstance(section, nodes.Procedure):
        return "<br>".join(code(source.words_at(statement.span)) for statement in section.statements)
    return code(source.words_at(section.value.span))


STANDARD: dict[str, Callable[[], str]] = {"library": standard_library}
