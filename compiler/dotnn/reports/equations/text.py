"""Equations and tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dotnn.ir.maths.plain import PLAIN
from dotnn.reports.equations.derivation import Derivation, Equation, Part, Statement, Table, index_sets

INDENT, STEP = "  ", "    "
MARGIN = 60
"""Where what is said of an equation begins, if the equation leaves room."""


def as_text(found: Derivation, digits: int) -> str:
    """Return a derivation as text; numbers have so many digits behind the point."""
    lines = [found.title, "=" * len(found.title)]
    for part in found.parts:
        lines += ["", *_part(found, part, digits)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _part(found: Derivation, part: Part, digits: int) -> Iterator[str]:
    yield part.title
    yield "-" * len(part.title)
    yield from part.sentences
    for statement in part.statements:
        yield ""
        yield from _statement(found, statement)
    for table in part.tables:
        yield ""
        yield from text_table(table, digits)


def _statement(found: Derivation, statement: Statement) -> Iterator[str]:
    yield f"{statement.text}   {statement.place}".rstrip()
    was_in_loop = False
    for equation in statement.equations:
        if equation.in_loop and not was_in_loop:
            yield f"{INDENT}at every step {found.now}:"
        was_in_loop = equation.in_loop
        indent = STEP if equation.in_loop else INDENT
        text, said = indent + equation_text(found, equation), " · ".join(about(equation))
        if len(text) > MARGIN:
            yield text
            text = f"{indent}      "
        yield f"{text:<{MARGIN}}  {said}" if text.strip() else text + said


def equation_text(found: Derivation, equation: Equation) -> str:
    """Return an equation on one line."""
    if equation.said:
        return f"{found.sides(equation, PLAIN)[0]}: {equation.said}"
    return found.written(equation, PLAIN)


def about(equation: Equation) -> Iterator[str]:
    """Yield what is said of an equation: its rule, when it holds, its shape and indices, the line of the script."""
    indices = ", ".join(index_sets(equation, PLAIN))
    said = (equation.rule, equation.when, equation.shape.replace("[]", "a number"), indices)
    yield from filter(None, said)
    if equation.line:
        yield f"line {equation.line}"


def text_table(table: Table, digits: int) -> Iterator[str]:
    """Yield the lines of a table, numbers at the right."""
    rows = [[shown(cell, digits) for cell in row] for row in table.rows]
    widths = [max(map(len, column)) for column in zip(table.heads, *rows, strict=True)]
    numeric = [all(isinstance(row[i], float) for row in table.rows) for i in range(len(table.heads))]
    if table.title:
        yield table.title
    yield _row(table.heads, widths, numeric)
    yield "  ".join("-" * width for width in widths)
    for row in rows:
        yield _row(row, widths, numeric)
    if table.note:
        yield table.note


def _row(cells: Sequence[str], widths: Sequence[int], numeric: Sequence[bool]) -> str:
    pairs = zip(cells, widths, numeric, strict=True)
    return "  ".join(f"{cell:>{width}}" if right else f"{cell:<{width}}" for cell, width, right in pairs)


def shown(cell: str | float, digits: int) -> str:
    """Return a cell of a table; a number with so many digits behind the point."""
    if isinstance(cell, str):
        return cell
    text = f"{cell:.{digits}f}"
    if cell and not float(text):
        return f"{cell:.{max(digits - 1, 0)}e}"
    return text.removeprefix("-") if not float(text) else text
