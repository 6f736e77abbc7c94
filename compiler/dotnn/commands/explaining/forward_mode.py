"""Forward mode: the derivative of every value behind a chosen one with respect to it, element by element.

The script is run with the chosen value moved by 1e-20 i along one of its elements; the imaginary part of every value
that it computes from there on is the derivative of that value.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from dotnn.commands.explaining.example import Array, Worked
from dotnn.commands.explaining.jacobian import STEP, moved_runs, value_of
from dotnn.commands.explaining.script import Explanation
from dotnn.ir.maths.plain import PLAIN
from dotnn.ir.node import Value
from dotnn.reports.equations.derivation import Part, Table
from dotnn.running.observing import Observer

FEW_ELEMENTS = 8
"""So many elements of the chosen value are moved, one after the other; of more, the first ones."""
FEW_UNITS = 16
"""A value of more elements is shown by norm."""


def forward_part(found: Explanation, example: Worked, name: str) -> Part:
    """Return the derivatives of all values with respect to one, by its name in the spec. Raises `CompileError`."""
    shape = example.values.whole[value_of(found, example, name, "--forward").name].shape[1:]
    places = [*np.ndindex(shape)][:FEW_ELEMENTS]
    runs = [_run(found, example, name, at) for at in places]
    heads = ("value", "unit", *(f"∂/∂{name}[{','.join(map(str, at))}]" for at in places))
    rows = [row for v in _shown(found) for row in _rows(found, example, v, [run.get(v.name) for run in runs])]
    sentence = (
        f"Of example {example.number}: what every value of the forward pass does when one element of {name} moves."
    )
    return Part(f"Forward mode from {name}", [sentence], tables=[Table("", heads, rows)])


def _shown(found: Explanation) -> Iterator[Value]:
    """Yield the values of real numbers that nodes outside of loops make, up to the loss."""
    for node in found.graph.phase("forward", "loss"):
        if node.loop is None and not node.rule.random and node.out.type.dtype == "real":
            yield node.out


def _run(found: Explanation, example: Worked, name: str, at: tuple[int, ...]) -> dict[str, Array]:
    """Return the derivatives with respect to one element, by the names of values."""
    push = np.zeros(example.values.whole[value_of(found, example, name, "--forward").name].shape, complex)
    push[(example.row, *at)] = 1j * STEP
    module, batch = moved_runs(found, example, name, "--forward")(push)
    observer = Observer(module, found.text, found.sites)
    params, rng = dict(example.before), np.random.default_rng(found.model.train.seed)
    _, cache = observer.run(lambda: module.forward(params, batch, training=True, rng=rng))
    observer.run(lambda: module.total_loss(params, batch, cache))
    return {name: np.imag(value) / STEP for name, value in observer.observed.whole.items()}


def _rows(
    found: Explanation, example: Worked, v: Value, slopes: Sequence[Array | None]
) -> Iterator[tuple[str | float, ...]]:
    """Yield a row for each element of a value, or one of norms; none for what does not move."""
    known = [s for s in slopes if s is not None]
    if len(known) < len(slopes) or not any(np.any(s) for s in known):
        return
    rows = [s[example.row] if v.type.batched else s for s in known]
    symbol = PLAIN.symbol(found.derivation.symbols[f"@{v.name}"], [])
    if rows[0].size > FEW_UNITS:
        yield (f"‖{symbol}‖", "", *(float(np.sqrt(np.sum(row * row))) for row in rows))
        return
    for at in np.ndindex(rows[0].shape):
        yield (symbol, f"[{','.join(map(str, at))}]" if at else "", *(float(row[at]) for row in rows))
