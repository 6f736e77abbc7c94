"""An explanation as a page of one kind or another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from dotnn.codegen.data import declarations
from dotnn.commands.explaining.script import Explanation, explanation
from dotnn.core.diagnostics import CompileError
from dotnn.model import messages
from dotnn.model.model import Model
from dotnn.reports.equations.derivation import Part
from dotnn.session import Compilation
from dotnn.targets.numpy.explain.command_line import drawn


@dataclass(frozen=True)
class Numbers:
    """What is asked for: of which example, from which data, the derivatives by which value; of which section."""

    example: int | None
    data: str | None
    jacobian: str | None
    forward: str | None
    digits: int
    section: str | None = None


def written(begun: Compilation, ending: str, asked: Numbers) -> str:
    """Return the text of a file with this ending, "" for a terminal. Raises `CompileError`."""
    found, digits = explanation(begun, asked.section), asked.digits
    whole = found.derivation
    if (asked.example, asked.jacobian, asked.forward) != (None, None, None):
        _refuse_handed(begun, asked.section)
        whole = replace(whole, parts=[*whole.parts, *_worked_parts(found, asked)])
    if ending == ".md":
        from dotnn.reports.equations.markdown import as_markdown

        return as_markdown(whole, digits)
    if ending == ".html":
        from dotnn.reports.equations.html import as_html

        return as_html(whole, digits)
    if ending == ".tex":
        from dotnn.reports.equations.tex import as_tex

        return as_tex(whole, digits)
    if ending == ".ipynb":
        from dotnn.reports.equations.notebook import as_notebook

        return as_notebook(whole, found.script, begun.source.path, batch_lines(found.model), digits)
    from dotnn.reports.equations.text import as_text

    return as_text(whole, digits)


def _refuse_handed(begun: Compilation, section: str | None) -> None:
    """Raise `CompileError` for a section that learns what another one hands on: no example has it."""
    turn = next((turn for turn in begun.model.turns if section in (None, turn.name)), None)
    if turn is not None and turn.handed:
        of = f"gradient({turn.handed[0].of})"
        raise CompileError([messages.turns.no_numbers_of(turn.span, turn.name, of)], begun.source)


def _worked_parts(found: Explanation, asked: Numbers) -> Iterator[Part]:
    """Yield the numbers of an example: its tables where one is named, and the derivatives that are asked for."""
    from dotnn.commands.explaining.example import worked
    from dotnn.commands.explaining.forward_mode import forward_part
    from dotnn.commands.explaining.jacobian import jacobian_part
    from dotnn.commands.explaining.tables import worked_part

    example = worked(found, asked.example or 1, asked.data)
    if asked.example is not None:
        yield worked_part(found, example)
    if asked.jacobian is not None:
        yield jacobian_part(found, example, asked.jacobian)
    if asked.forward is not None:
        yield forward_part(found, example, asked.forward)


FEW = 8
"""How many examples a notebook looks at."""


def batch_lines(model: Model) -> list[str]:
    """Return the lines of a notebook that make parameters and a batch: of the spec's own data, else drawn."""
    params = f"params = network.init_params({model.train.seed}, np.float64)"
    lines = ["rng = np.random.default_rng(0)", params]
    if model.data is not None:
        parts = "parts, scaling = network.prepare(network.load_data(), np.float64)"
        return [*lines, parts, f'batch = {{name: rows[:{FEW}] for name, rows in parts["train"].items()}}']
    inputs, targets = declarations(model)
    arrays = (f'    "{name}": {drawn(kind, shape)},' for name, (kind, shape) in {**inputs, **targets}.items())
    return [*lines, f"examples = {FEW}", "batch = {", *arrays, "}"]
