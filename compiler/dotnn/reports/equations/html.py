"""Equations and tables as one HTML file with MathML: no script, no font and nothing from a network."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from dotnn.ir.maths.mathml import MATHML
from dotnn.reports.equations.derivation import Derivation, Equation, Part, Statement, Table, index_sets
from dotnn.reports.equations.text import shown

STYLE = """
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem }
h2 { border-bottom: 1px solid #8886 } h3 { font: 600 1rem ui-monospace, Menlo, Consolas, monospace }
h3 small { font-weight: 400; opacity: .75 }
.scroll { overflow-x: auto; overflow-y: hidden; padding-block: .25rem }
.loop { border-left: 3px solid #8886; padding-left: 1rem }
math { font-size: 1.1em; text-align: left } .said { font-size: .875rem; opacity: .8; margin: 0 0 .75rem }
table { border-collapse: collapse; font-size: .875rem } th, td { padding: .2rem .6rem; text-align: left }
th { border-bottom: 1px solid #8888 } td.number { text-align: right; font-variant-numeric: tabular-nums }
"""


def as_html(found: Derivation, digits: int) -> str:
    """Return a derivation as a page; numbers have so many digits behind the point."""
    title, body = escape(found.title), equations_html(found, digits)
    head = f'<meta charset="utf-8">\n<meta name="viewport" content="width=device-width">\n<title>{title}</title>'
    page = f"<body>\n<main>\n<h1>{title}</h1>\n{body}\n</main>\n</body>"
    return f'<!DOCTYPE html>\n<html lang="en">\n<head>\n{head}\n<style>{STYLE}</style>\n</head>\n{page}\n</html>\n'


def equations_html(found: Derivation, digits: int, *, level: int = 2) -> str:
    """Return the parts of a derivation, under headings of a level and the one below."""
    return "\n".join(line for part in found.parts for line in _part(found, part, digits, level))


def _part(found: Derivation, part: Part, digits: int, level: int) -> Iterator[str]:
    yield f"<h{level}>{escape(part.title)}</h{level}>"
    if part.sentences:
        yield f"<ul>{''.join(f'<li>{escape(sentence)}</li>' for sentence in part.sentences)}</ul>"
    for statement in part.statements:
        yield from _statement(found, statement, level + 1)
    for table in part.tables:
        yield from _table(table, digits, level + 1)


def _statement(found: Derivation, statement: Statement, level: int) -> Iterator[str]:
    place = f" <small>{escape(statement.place)}</small>" if statement.place else ""
    yield f"<h{level}>{escape(statement.text)}{place}</h{level}>"
    for equation in statement.equations:
        kind = ' class="loop"' if equation.in_loop else ""
        yield f'<div{kind}><div class="scroll" tabindex="0">{_equation(found, equation)}</div>'
        yield f'<p class="said">{_said(equation)}</p></div>'


def _equation(found: Derivation, equation: Equation) -> str:
    if equation.said:
        left = found.sides(equation, MATHML)[0]
        return f"<math>{left}</math>: {escape(equation.said)}"
    return found.written(equation, MATHML)


def _said(equation: Equation) -> str:
    indices = ", ".join(f"<math>{one}</math>" for one in index_sets(equation, MATHML))
    line = f"line {equation.line}" if equation.line else ""
    parts = [
        escape(equation.rule),
        escape(equation.occasion),
        escape(equation.shape),
        indices,
    ]
    return " · ".join(filter(None, [*parts, line]))


def _table(table: Table, digits: int, level: int) -> Iterator[str]:
    title = f"<h{level}>{escape(table.title)}</h{level}>\n" if table.title else ""
    yield f'{title}<div class="scroll" tabindex="0"><table>'
    heads = "".join(f'<th scope="col">{escape(head)}</th>' for head in table.heads)
    yield f"<thead><tr>{heads}</tr></thead>"
    for row in table.rows:
        yield f"<tr>{''.join(_cell(cell, digits) for cell in row)}</tr>"
    yield "</table></div>"


def _cell(cell: str | float, digits: int) -> str:
    kind = ' class="number"' if isinstance(cell, float) else ""
    return f"<td{kind}>{escape(shown(cell, digits))}</td>"
