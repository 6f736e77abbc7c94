"""A small network unit by unit: columns of units, and a line for every weight between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dotnn.core.diagnostics import CompileError, Diagnostic, Span
from dotnn.model.model import Model, Step

MOST_UNITS = 16
"""A layer of more units is not drawn."""
MOST_LINES = 600
Matrix = Sequence[Sequence[float]]


@dataclass(frozen=True)
class Column:
    """A layer: its name, how many units it has, how many layers lie before it; `values` of an example, if there is one.

    `kind` is input, hidden or output.
    """

    name: str
    units: int
    depth: int
    kind: str
    values: Sequence[float] = ()


@dataclass(frozen=True)
class Line:
    """A connection from a unit to a unit; `weight` is None where a number is handed on as it is."""

    tail: tuple[str, int]
    head: tuple[str, int]
    label: str = ""
    weight: float | None = None


@dataclass(frozen=True)
class Units:
    """A network as units and lines."""

    title: str
    columns: Sequence[Column]
    lines: Sequence[Line]


def units_of(model: Model, weights: Mapping[str, Matrix], values: Mapping[str, Sequence[float]]) -> Units:
    """Return the units of a network.

    `weights` are the parameters of two axes by name, `values` what an example has in inputs and layers. Raises
    `CompileError` for a network with a layer that is no row of few units.
    """
    sizes = {name: declared.type.example for name, declared in model.inputs.items()}
    depths = dict.fromkeys(model.inputs, 0)
    ends = set(model.outputs.values())
    columns = [_column(model, n, sizes[n], 0, "input", values, d.span) for n, d in model.inputs.items()]
    lines: list[Line] = []
    for step in model.steps:
        sizes[step.path] = step.type.example
        depths[step.path] = 1 + max((depths[name] for name in step.ins), default=0)
        kind = "output" if step.path in ends else "hidden"
        columns.append(_column(model, step.path, step.type.example, depths[step.path], kind, values, step.span))
        lines += _lines(model, step, {name: sizes[name][0] for name in step.ins if len(sizes[name]) == 1}, weights)
    if len(lines) > MOST_LINES:
        raise _refused(model, f"{len(lines)} lines are too many to be told apart, {MOST_LINES} are drawn at most")
    return Units(model.name, columns, lines)


def _column(
    model: Model,
    name: str,
    shape: tuple[int, ...],
    depth: int,
    kind: str,
    values: Mapping[str, Sequence[float]],
    span: Span,
) -> Column:
    if len(shape) != 1 or shape[0] > MOST_UNITS:
        why = f"{name} has the shape {list(shape)}, and only rows of {MOST_UNITS} units or fewer are drawn one by one"
        raise _refused(model, why, span)
    return Column(name, shape[0], depth, kind, values.get(name, ()))


def _lines(model: Model, step: Step, widths: Mapping[str, int], weights: Mapping[str, Matrix]) -> Iterator[Line]:
    """Yield the lines that end in a layer: by its weights, or from unit to unit where it has none."""
    units = step.type.example[0]
    for full in step.params.values():
        shape = model.params[full].shape
        if len(step.ins) == 1 and shape == (widths[step.ins[0]], units):
            matrix = weights[full]
            for i in range(shape[0]):
                for j in range(units):
                    yield Line((step.ins[0], i), (step.path, j), f"{full}[{i},{j}]", float(matrix[i][j]))
            return
    yield from _handed_on(model, step, widths, units)


def _handed_on(model: Model, step: Step, widths: Mapping[str, int], units: int) -> Iterator[Line]:
    if all(widths[name] == units for name in step.ins):
        for name in dict.fromkeys(step.ins):
            yield from (Line((name, j), (step.path, j)) for j in range(units))
    elif sum(widths[name] for name in step.ins) == units:
        places = iter(range(units))
        for name in step.ins:
            yield from (Line((name, i), (step.path, next(places))) for i in range(widths[name]))
    elif units == 1 or all(widths[name] == 1 for name in step.ins):
        for name in dict.fromkeys(step.ins):
            yield from (Line((name, i), (step.path, j)) for i in range(widths[name]) for j in range(units))
    else:
        raise _refused(model, f"{step.path} connects its units in a way that is not drawn", step.span)


def _refused(model: Model, why: str, span: Span | None = None) -> CompileError:
    help = "draw its layers instead: dotnn graph without --units"
    return CompileError([Diagnostic("NN513", f"the units cannot be drawn: {why}", span, help=help)], model.source)
