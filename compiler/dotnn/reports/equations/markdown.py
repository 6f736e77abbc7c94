"""Equations and tables as Markdown: every equation in Unicode, in a table with what is said of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dotnn.ir.maths.plain import PLAIN
from dotnn.reports.equations.derivation import Derivation, Equation, Part, Statement, Table, index_sets
from dotnn.reports.equations.text import equation_text, shown

HEADS = ("equation", "rule", "shape", "indices", "line")


def as_markdown(found: Derivation, digits: int) -> str:
    """Return a derivation as Markdown; numbers have so many digits behind the point."""
    blocks = [f"# {found.title}"]
    for part in found.parts:
        blocks += _part(found, part, digits)
    return "\n\n".join(blocks) + "\n"


def _part(found: Derivation, part: Part, digits: int) -> Iterator[str]:
    yield f"## {part.title}"
    if part.sentences:
        yield "\n".join(f"- {escaped(sentence)}" for sentence in part.sentences)
    for statement in part.statements:
        yield _heading(statement)
        yield "\n".join(_rows(HEADS, [_cells(found, equation) for equation in statement.equations]))
    for table in part.tables:
        yield table_of(table, digits)


def _heading(statement: Statement) -> str:
    return f"### {_code(statement.text)}" + (f" ({escaped(statement.place)})" if statement.place else "")


def _cells(found: Derivation, equation: Equation) -> list[str]:
    indices = ", ".join(index_sets(equation, PLAIN))
    return [
        _code(equation_text(found, equation)),
        escaped(", ".join(filter(None, [equation.rule, equation.occasion]))),
        escaped(equation.shape),
        _code(indices) if indices else "",
        str(equation.line or ""),
    ]


def table_of(table: Table, digits: int) -> str:
    """Return a table under its title."""
    rows = [[escaped(shown(cell, digits)) for cell in row] for row in table.rows]
    numeric = [all(isinstance(row[i], float) for row in table.rows) for i in range(len(table.heads))]
    lines = _rows([escaped(head) for head in table.heads], rows, numeric)
    return "\n".join([*([f"### {escaped(table.title)}", ""] if table.title else []), *lines])


def _rows(heads: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[bool] = ()) -> Iterator[str]:
    rule = ["---:" if i < len(numeric) and numeric[i] else "---" for i in range(len(heads))]
    for cells in (heads, rule, *rows):
        yield f"| {' | '.join(cells)} |"


def _code(text: str) -> str:
    """Return a text in which Markdown finds no marks."""
    fence = "``" if "`" in text else "`"
    return f"{fence}{text}{fence}".replace("|", r"\|")


def escaped(text: str) -> str:
    """Return a text without marks of Markdown's or HTML's."""
    for mark in "\\`*_[]<>|":
        text = text.replace(mark, f"\\{mark}")
    return text
