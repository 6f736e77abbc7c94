r"""Equations and tables as a LaTeX document that needs amsmath, array, graphicx and longtable only."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dotnn.ir.maths.latex import LATEX, escaped
from dotnn.reports.equations.derivation import Derivation, Equation, Part, Statement, Table, index_sets
from dotnn.reports.equations.text import shown

HEAD = r"""\documentclass[11pt]{article}
\usepackage[utf8]{inputenc}
\usepackage[T1]{fontenc}
\usepackage[margin=2cm]{geometry}
\usepackage{amsmath,array,graphicx,longtable}
\setlength{\parindent}{0pt}
\sloppy
% an equation, made narrower where the line has no room for it, and what is said of it
\newcommand{\fit}[1]{\sbox0{$\displaystyle #1$}%
  \ifdim\wd0>\linewidth\resizebox{\linewidth}{!}{\usebox0}\else\usebox0\fi}
\newcommand{\eqsaid}[2]{\par\medskip\fit{#1}\par{\footnotesize #2}\par}
\begin{document}
"""
LONGEST, NARROW = 20, 0.11
"""Texts of more letters get several lines; a column of shorter ones, or of numbers, takes that part of a line."""
LETTERS = {
    "∂": r"$\partial$", "δ": r"$\delta$", "Δ": r"$\Delta$", "‖": r"$\Vert$", "⊙": r"$\odot$", "·": r"$\cdot$",
    "−": "$-$", "←": r"$\leftarrow$", "≤": r"$\le$", "≥": r"$\ge$", "×": r"$\times$", "…": r"\dots{}", "Σ": r"$\Sigma$",
    "ᵀ": r"$^{\top}$", "σ": r"$\sigma$", "<": r"$<$", ">": r"$>$", "|": r"$|$", "μ": r"$\mu$", "ρ": r"$\rho$",
}  # fmt: skip
"""What text may hold that is no ASCII, as LaTeX has it; of anything else a question mark is left."""


def as_tex(found: Derivation, digits: int) -> str:
    """Return a derivation as a document; numbers have so many digits behind the point."""
    lines = [rf"\section*{{{text(found.title)}}}"]
    for part in found.parts:
        lines += _part(found, part, digits)
    return HEAD + "\n".join(lines) + "\n\\end{document}\n"


def text(words: str) -> str:
    """Return words as LaTeX prints them."""
    return "".join(LETTERS.get(c) or (escaped(c) if c.isascii() else "?") for c in words)


def _part(found: Derivation, part: Part, digits: int) -> Iterator[str]:
    yield rf"\subsection*{{{text(part.title)}}}"
    yield from (f"{text(sentence)}\n" for sentence in part.sentences)
    for statement in part.statements:
        yield from _statement(found, statement)
    for table in part.tables:
        yield from _table(table, digits)


def _statement(found: Derivation, statement: Statement) -> Iterator[str]:
    place = rf"\hfill {{\footnotesize {text(statement.place)}}}" if statement.place else ""
    yield rf"\subsubsection*{{\texttt{{{text(statement.text)}}}}}{place}"
    for equation in statement.equations:
        yield rf"\eqsaid{{{_equation(found, equation)}}}{{{_said(equation)}}}"


def _equation(found: Derivation, equation: Equation) -> str:
    if equation.said:
        return rf"{found.sides(equation, LATEX)[0]}\text{{: {text(equation.said)}}}"
    return found.written(equation, LATEX)


def _said(equation: Equation) -> str:
    indices = ", ".join(index_sets(equation, LATEX))
    parts = [text(equation.rule), text(equation.occasion), text(equation.shape), f"${indices}$" if indices else ""]
    return r" $\cdot$ ".join(filter(None, [*parts, f"line {equation.line}" if equation.line else ""]))


def _columns(table: Table) -> str:
    """Return how the cells of each column stand: numbers to the right, texts to the left, long ones in a paragraph."""
    columns = [[row[i] for row in table.rows] for i in range(len(table.heads))]
    wide = [max(len(str(cell)) for cell in cells) > LONGEST for cells in columns]
    share = (0.94 - NARROW * wide.count(False)) / max(wide.count(True), 1)
    paragraph = rf">{{\raggedright\arraybackslash}}p{{{share:.2f}\linewidth}}"
    texts = [paragraph if is_wide else "l" for is_wide in wide]
    return "".join(
        "r" if all(isinstance(cell, float) for cell in cells) else text
        for cells, text in zip(columns, texts, strict=True)
    )


def _cell(words: str) -> str:
    """Return the text of a cell, which may be broken within a path or a name."""
    return re.sub(r"(?<=[a-z0-9])(\.|\\_)(?=[a-z])", r"\1\\allowbreak ", text(words))


def _table(table: Table, digits: int) -> Iterator[str]:
    if table.title:
        yield rf"\subsubsection*{{{text(table.title)}}}"
    yield rf"{{\footnotesize\begin{{longtable}}[l]{{{_columns(table)}}}"
    yield rf"{' & '.join(map(text, table.heads))} \\ \hline \endhead"
    for row in table.rows:
        yield rf"{' & '.join(_cell(shown(cell, digits)) for cell in row)} \\"
    yield r"\end{longtable}}"
