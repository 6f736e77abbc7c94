"""The derivatives of the outputs with respect to one value, for one example, as a matrix.

Column by column: the value is moved by a step of 1e-20 i along one of its elements, and the script is run as it is; the
imaginary parts of the outputs are their derivatives (Squire and Trapp 1998).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import ModuleType

import numpy as np

from dotnn.codegen.site import Site
from dotnn.commands.explaining.example import Array, Worked
from dotnn.commands.explaining.loop_outputs import loop_output
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
    value = value_of(found, example, name, "--jacobian")
    run = moved_runs(found, example, name, "--jacobian")
    base: Array = np.asarray(example.values.whole[value.name], float)
    row: Array = base[example.row]
    columns = []
    for at in np.ndindex(row.shape):
        push = np.zeros(base.shape, complex)
        push[(example.row, *at)] = 1j * STEP
        columns.append(_outputs(found, example, *run(push)))
    made = []
    for output, v in found.graph.outputs.items():
        rows = [np.ravel(np.imag(outputs[output][example.row])) / STEP for outputs in columns]
        made.append(Jacobian(output, name, v.type.example, row.shape, np.stack(rows, axis=1)))
    return made


MovedRun = Callable[[Array], tuple[ModuleType, dict[str, Array]]]
"""What is added to a value -> the script and the batch with which it is so."""


def moved_runs(found: Explanation, example: Worked, name: str, option: str) -> MovedRun:
    """Return how the script is run with something added to a value: to an input in the batch, else on its way."""
    value = value_of(found, example, name, option)
    if name in found.graph.inputs:
        script = run_script(found.text, "dotnn_explained", found.model.source.path)
        return lambda push: (script, {**example.batch, name: example.batch[name] + push})
    place = _place(found, example, value)
    assert place is not None
    site, turn = place
    return lambda push: (displaced(found.text, site, turn, lambda v: v + push), dict(example.batch))


def _outputs(found: Explanation, example: Worked, module: ModuleType, batch: dict[str, Array]) -> dict[str, Array]:
    rng = np.random.default_rng(found.model.train.seed)
    outputs: dict[str, Array] = module.forward(dict(example.before), batch, training=True, rng=rng)[0]
    return outputs


def _place(found: Explanation, example: Worked, value: Value) -> tuple[Site, int] | None:
    """Return where the script has a value, and how many executions of that statement come before; None if nowhere."""
    site = found.sites.get(value.name)
    if site is not None and not site.in_loop:
        return site, example.values.turns[value.name]
    return loop_output(found, example, value)


def value_of(found: Explanation, example: Worked, name: str, option: str) -> Value:
    """Return a value of the model by its name, which an option gave. Raises `CompileError`."""
    known = {**found.graph.inputs, **found.graph.steps}
    problems = {n: _why_not(found, example, n, v) for n, v in known.items()}
    if problems.get(name) == "":
        return known[name]
    usable = [n for n, problem in problems.items() if not problem]
    near = closest(name, usable)
    help = f'did you mean "{near}"?' if near else f"values of this network: {', '.join(usable[:12])}"
    message = problems.get(name) or f'there is no value "{name}"'
    raise CompileError([Diagnostic("NN512", message, Span(0, len(name)), help=help, source=Source(option, name))])


def _why_not(found: Explanation, example: Worked, name: str, value: Value) -> str:
    """Return why nothing can be differentiated with respect to a value, "" where it can."""
    if value.type.dtype != "real":
        return f'"{name}" holds no real numbers: nothing is differentiated with respect to it'
    if name not in found.graph.inputs and _place(found, example, value) is None:
        return f'"{name}" is in a loop over time: no function of the script returns it'
    return ""


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
