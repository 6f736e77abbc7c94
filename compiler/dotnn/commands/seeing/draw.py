"""`dotnn graph --run`: pictures of a finished run."""

from __future__ import annotations

import numpy as np

from dotnn.commands.seeing.look import seen_of
from dotnn.commands.seeing.run import Run
from dotnn.core.diagnostics import CompileError, Diagnostic, Source, Span
from dotnn.ir.interpret import run as interpreted
from dotnn.model.identity import network_identity
from dotnn.reports.diagram.units import Units, units_of
from dotnn.reports.pictures import PICTURES
from dotnn.reports.seen import Seen
from dotnn.session import Compilation


def drawn(run: Run, name: str, data: str | None) -> str:
    """Return a picture of a run as the text of an SVG file. Raises `CompileError` where there is nothing to draw."""
    picture = PICTURES[name]
    svg = picture.draw(seen_of(run, data))
    if not svg:
        raise CompileError([_nothing(run, name)])
    return svg


def _nothing(run: Run, name: str) -> Diagnostic:
    model = run.model
    reads, learns = (
        ", ".join(f"{n}: {declared.shown}" for n, declared in some.items()) for some in (model.inputs, model.targets)
    )
    message = f"there is nothing to draw: --show {name} needs {PICTURES[name].of}; {run.name} reads {reads}"
    message += f", and its target is {learns}" * bool(learns)
    help = f"others: {', '.join(n for n in PICTURES if n != name)}"
    return Diagnostic("NN514", message, Span(0, len(name)), help=help, source=Source("--show", name))


def check_spec(run: Run, begun: Compilation) -> None:
    """Raise `CompileError` where a run is one of another network than that of a spec."""
    if network_identity(begun.model) != network_identity(Compilation.read(str(run.folder.path / "spec.nn")).model):
        message = f"{run.name} is a run of another network than {begun.source.path}"
        raise CompileError([Diagnostic("NN406", message, help="leave the spec out: the run holds its own")])


def trained_units(run: Run, example: int | None, data: str | None) -> Units:
    """Return the units of a trained network; with an example of the training part, each with its value."""
    weights = {name: w.astype(float).tolist() for name, w in run.kept.params.items() if w.ndim == 2}
    values = {} if example is None else _values(seen_of(run, data), example)
    return units_of(run.model, weights, values)


def _values(seen: Seen, example: int) -> dict[str, list[float]]:
    """Return what inputs and layers hold for an example, those that are rows."""
    part = seen.parts["train"]
    count = len(next(iter(part.values())))
    if example > count:
        message, place = (
            f"there is no example {example}: the training part has {count}",
            Source("--example", str(example)),
        )
        help = f"examples count from 1: name one of 1 to {count}"
        raise CompileError([Diagnostic("NN511", message, Span(0, len(place.text)), help=help, source=place)])
    batch = {name: a[example - 1 : example] for name, a in part.items()}
    found = interpreted(seen.graph, {**seen.params, **batch}, training=False)
    rows = {name: a[0] for name, a in batch.items() if name in seen.model.inputs}
    rows |= {path: np.asarray(found[v.id])[0] for path, v in seen.graph.steps.items() if v.type.batched}
    return {name: [float(number) for number in row] for name, row in rows.items() if np.ndim(row) == 1}
