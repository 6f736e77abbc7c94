"""The derivatives of the outputs with respect to one value, for one example, as a matrix.

Column by column: the value is moved by a step of 1e-20 i along one of its elements, and the script is run as it is; the
imaginary parts of the outputs are their derivatives (Squire and Trapp 1998).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from dotnn.commands.explaining.example import Array, Worked
from dotnn.commands.explaining.script import Explanation
from dotnn.core.diagnostics import CompileError, Diagnostic, Source, Span, closest
from dotnn.ir.node import Value
from dotnn.reports.equations.derivation import Part, Table
from dotnn.running.displaced import displaced
from dotnn.running.scripts import run_script

STEP = 1e-20
FEW = 16
"""A matrix with more rows or columns is shown by its norm and its singular values."""


@dataclass(frozen=True)
class Jacobian:
    """∂output/∂value of an example: a row for each element of the output, a column for each of the value."""

    output: str
    value: str
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    matrix: Array


def jacobian_part(found: Explanation, example: Worked, name: str) -> Part:
    """Return the derivatives of all outputs with respect to a value, by its name in the spec. Raises `CompileError`."""
    tables = [table for jacobian in jacobians(found, example, name) for table in _tables(jacobian)]
    sentence = f"Of example {example.number}; every column by a complex step of 1e-20 through the script."
    return Part(f"The derivatives with respect to {name}", [sentence], tables=tables)


def jacobians(found: Explanation, example: Worked, name: str) -> list[Jacobian]:
    """Return the Jacobian of each output. Raises `CompileError` for a name that is no value of real numbers."""
    value = _value(found, name)
    forward = _forward(found, example, name, value)
    base: Array = np.asarray(example.values.whole[value.name], float)
    row: Array = base[example.row]
    columns = []
    for at in np.ndindex(row.shape):
        push = np.zeros(base.shape, complex)
        push[(example.row, *at)] = 1j * STEP
        columns.append(forward(push))
    made = []
    for output, v in found.graph.outputs.items():
        rows = [np.ravel(np.imag(outputs[output][example.row])) / STEP for outputs in columns]
        made.append(Jacobian(output, name, v.type.example, row.shape, np.stack(rows, axis=1)))
    return made


Forward = Callable[[Array], dict[str, Array]]


def _forward(found: Explanation, example: Worked, name: str, value: Value) -> Forward:
    """Return the outputs as a function of what is added to a value."""

    def outputs(module: object, batch: dict[str, Array]) -> dict[str, Array]:
        rng = np.random.default_rng(found.model.train.seed)
        result: dict[str, Array] = module.forward(dict(example.before), batch, training=True, rng=rng)[0]  # type: ignore[attr-defined]
        return result

    if name in found.graph.inputs:
        script = run_script(found.text, "dotnn_explained")
        return lambda push: outputs(script, {**example.batch, name: example.batch[name] + push})
    site, turn = found.sites[value.name], example.values.turns[value.name]
    return lambda push: outputs(displaced(found.text, site, turn, lambda v: v + push), dict(example.batch))


def _value(found: Explanation, name: str) -> Value:
    """Return a value of the model by its name. Raises `CompileError`."""
    known = {**found.graph.inputs, **found.graph.steps}
    value = known.get(name)
    is_known = value is not None and (name in found.graph.inputs or value.name in found.sites)
    if value is not None and is_known and value.type.dtype == "real":
        return value
    usable = [
        n for n, v in known.items() if v.type.dtype == "real" and (n in found.graph.inputs or v.name in found.sites)
    ]
    near = closest(name, usable)
    help = f'did you mean "{near}"?' if near else f"values of this network: {', '.join(usable[:12])}"
    message = f'there is no value "{name}"' if value is None else f'"{name}" is not computed as real numbers of its own'
    place = Source("--jacobian", name)
    raise CompileError([Diagnostic("NN512", message, Span(0, len(name)), help=help, source=place)])


def _tables(jacobian: Jacobian) -> Iterator[Table]:
    """Yield the matrix, or what is said of a large one."""
    title = f"∂{jacobian.output}/∂{jacobian.value}"
    rows, columns = jacobian.matrix.shape
    if max(rows, columns) <= FEW:
        heads = (title, *(_name(jacobian.value, at) for at in np.ndindex(jacobian.columns)))
        names = [_name(jacobian.output, at) for at in np.ndindex(jacobian.rows)]
        cells: list[Sequence[str | float]] = [
            (name, *map(float, row)) for name, row in zip(names, jacobian.matrix, strict=True)
        ]
        yield Table(title, heads, cells)
        return
    singular = np.linalg.svd(jacobian.matrix, compute_uv=False)
    norm = float(np.sqrt(np.sum(np.square(jacobian.matrix))))
    heads = ("", "rows", "columns", "norm", "largest singular value", "smallest")
    yield Table(title, heads, [(title, str(rows), str(columns), norm, float(singular[0]), float(singular[-1]))])


def _name(name: str, at: Sequence[int]) -> str:
    return f"{name}[{','.join(map(str, at))}]" if at else name
