"""Equations and cells that run as a Jupyter notebook: the script is in it, and each part of it is called once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import PurePath

from dotnn.ir.maths.latex import LATEX
from dotnn.reports.equations.derivation import Derivation, Equation, Part, Statement, index_sets
from dotnn.reports.equations.markdown import escaped, table_of

LOAD = """
from pathlib import Path
from types import ModuleType

import numpy as np

network = ModuleType("network")
network.__file__ = str(Path.cwd() / {file})  # the script looks for data beside its file
exec(compile(SCRIPT, network.__file__, "exec"), vars(network))
"""
CHECK = """
# The derivative of the loss along a random direction: what the backward pass says, and the complex step beside it.
# A little beside the parameters: a bias of 0 puts units to where a relu has a corner, and no derivative.
def cache_at(moved):
    return network.forward(moved, batch, training=True, rng=np.random.default_rng(1))[1]

near = {name: w + 0.01 * rng.standard_normal(np.shape(w)) for name, w in params.items()}
said, slopes = network.backward(near, batch, cache_at(near)), {}
for name in said:
    v = rng.standard_normal(np.shape(near[name]))
    moved = near | {name: near[name] + 1e-20j * v}
    slope = np.imag(network.total_loss(moved, batch, cache_at(moved))) / 1e-20
    slopes[name] = np.sum(said[name] * v), slope
slopes
"""
CELLS = {
    "Forward": "outputs, cache = network.forward(params, batch, training=True, rng=np.random.default_rng(1))\noutputs",
    "The loss": "network.total_loss(params, batch, cache)",
    "Backward": "grads = network.backward(params, batch, cache)\ngrads",
}
"""What is run below a part."""


def as_notebook(found: Derivation, script: str, spec: str, batch: Sequence[str], digits: int) -> str:
    """Return a notebook; `batch` are the lines that make `params` and a batch of examples."""
    cells = [_text(f"# {found.title}")]
    for number, part in enumerate(found.parts):
        cells.append(_text("\n\n".join(_part(found, part, digits))))
        if number == 0:
            file = repr(f"{PurePath(spec).stem}.py")
            cells += [_code(_literal(script), hidden=True), _code(LOAD.format(file=file)), _code("\n".join(batch))]
        if part.title in CELLS:
            cells.append(_code(CELLS[part.title]))
        if part.title == "Backward":
            cells.append(_code(CHECK))
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    whole = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def _part(found: Derivation, part: Part, digits: int) -> Iterator[str]:
    yield f"## {part.title}"
    yield from (escaped(sentence) for sentence in part.sentences)
    for statement in part.statements:
        yield from _statement(found, statement)
    for table in part.tables:
        yield table_of(table, digits)


def _statement(found: Derivation, statement: Statement) -> Iterator[str]:
    yield f"### {escaped(statement.text)}" + (f" ({escaped(statement.place)})" if statement.place else "")
    for equation in statement.equations:
        left = found.sides(equation, LATEX)[0]
        yield f"${left}$: {escaped(equation.said)}" if equation.said else f"$${found.written(equation, LATEX)}$$"
        yield _said(equation)


def _said(equation: Equation) -> str:
    indices = ", ".join(index_sets(equation, LATEX))
    parts = [*map(escaped, (equation.rule, equation.occasion, equation.shape)), f"${indices}$" if indices else ""]
    return " · ".join(filter(None, [*parts, f"line {equation.line}" if equation.line else ""]))


Cell = dict[str, object]


def _text(source: str) -> Cell:
    return {"cell_type": "markdown", "metadata": {}, "source": source.strip("\n")}


def _code(source: str, *, hidden: bool = False) -> Cell:
    metadata = {"jupyter": {"source_hidden": True}} if hidden else {}
    made: Cell = {"cell_type": "code", "execution_count": None, "metadata": metadata, "outputs": []}
    return made | {"source": source.strip("\n")}


def _literal(script: str) -> str:
    """Return the assignment of a script as a text, line by line."""
    lines = "\n".join(f"    {line!r}" for line in script.splitlines(keepends=True))
    return f"SCRIPT = (\n{lines}\n)"
