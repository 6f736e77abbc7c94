"""The worked tables of one example: units by layer, weights with their gradients and updates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dotnn.commands.explaining.example import Array, Worked
from dotnn.commands.explaining.script import Explanation
from dotnn.ir.maths.symbol import Symbol
from dotnn.ir.node import Node, Value
from dotnn.model.model import Step
from dotnn.reports.equations.derivation import Part, Table
from dotnn.reports.slopes import slope

FEW_UNITS = 16
"""A layer of more units is shown by norms."""
FEW_WEIGHTS = 64
"""So is a parameter of more numbers."""
Cell = str | float


def worked_part(found: Explanation, example: Worked) -> Part:
    """Return what is said of one example: what it is, its way through the layers, every weight, the update."""
    return _Tables(found, example).part()


@dataclass(frozen=True)
class _Layer:
    """What a layer computes: a pre-activation z and a result a, where it has them, each with its derivative."""

    step: Step
    z: Value | None
    a: Value | None
    slope: Array | None


class _Tables:
    def __init__(self, found: Explanation, example: Worked) -> None:
        self.found, self.example, self.graph = found, example, found.graph
        self.symbols = {symbol: name[1:] for name, symbol in found.derivation.symbols.items()}
        self.producers = {v.id: node for node in self.graph.nodes for v in node.outs}
        self.results = {v.id for v in self.graph.steps.values()}
        self.number = {step.path: str(n) for n, step in enumerate(found.model.steps, 1)}

    def part(self) -> Part:
        """Return the part."""
        example = self.example
        batch = f"all {example.size} examples" if example.size > 1 else "this example alone"
        script = "the script" if self.found.text == self.found.script else "the script without recompute"
        sentences = [
            f"One update with {batch}: the loss is E = {example.values.loss:.10g}, "
            f"the seed {self.found.model.train.seed}, in double precision. Every number is computed by {script}."
        ]
        layers = [self._layer(step) for step in self.found.model.steps]
        tables = [self._given(), *self._units(layers), *self._norms(layers), *self._weights(), *self._large_weights()]
        return Part(f"Example {example.number}", sentences, tables=tables)

    # ------------------------------------------------------------------------------------------------------ inputs

    def _given(self) -> Table:
        rows: list[Sequence[Cell]] = []
        for name, rows_of in self.example.batch.items():
            row = rows_of[self.example.row]
            if row.size > FEW_UNITS:
                rows.append((f"‖{name}‖", _norm(row)))
                continue
            rows += [(name + _place(at), _cell(row[at])) for at in np.ndindex(row.shape)]
        return Table("What it is", ("", "value"), rows)

    # ------------------------------------------------------------------------------------------------------ layers

    def _layer(self, step: Step) -> _Layer:
        """Return the values of a layer; the slope is that of its activation, where it acts on each unit by itself."""
        number = self.number[step.path]
        z, a = (self._value(Symbol(base, number)) for base in "za")
        node = self.producers.get(a.id) if a is not None else None
        is_activation = node is not None and z is not None and [v.id for v in node.ins] == [z.id]
        slope = self._slope(node) if node is not None and is_activation and node.rule.elementwise else None
        return _Layer(step, z, a, slope)

    def _value(self, symbol: Symbol) -> Value | None:
        """Return the value of a symbol; what the steps of a loop keep, such as the gate z of a GRU, is no layer's."""
        name = self.symbols.get(symbol)
        made = (v for node in self.graph.nodes for v in node.outs if not node.loop or v.id in self.results)
        return next((v for v in made if v.name == name), None)

    def _slope(self, node: Node) -> Array | None:
        """Return the derivative of an activation: what its rule sends back for 1."""
        (z,), a = node.ins, node.out
        found = slope(node, *(np.asarray(self.example.values.whole[v.name]) for v in (z, a)))
        return None if found is None else found[self.example.row]

    def _array(self, v: Value) -> Array:
        """Return what the script computes for the example."""
        array: Array = self.example.values.whole[v.name]
        return array[self.example.row] if v.type.batched else array

    def _columns(self, layer: _Layer) -> Iterator[Array | None]:
        """Yield z, a, ∂a/∂z, ∂E/∂a and δ of a layer."""
        yield self._array(layer.z) if layer.z is not None else None
        yield self._array(layer.a) if layer.a is not None else None
        yield layer.slope
        for base in "az":
            sent = self._value(Symbol(base, self.number[layer.step.path], is_slope=True))
            yield self._array(sent) if sent is not None else None

    def _units(self, layers: Sequence[_Layer]) -> Iterator[Table]:
        """Yield the table of small layers, unit by unit."""
        rows: list[Sequence[Cell]] = []
        for layer in layers:
            shape = layer.step.type.example
            if np.prod(shape) > FEW_UNITS:
                continue
            columns = [*self._columns(layer)]
            for at in np.ndindex(shape):
                cells = ["" if array is None else _cell(array[at]) for array in columns]
                rows.append((self.number[layer.step.path], layer.step.path, _place(at), *cells))
        if rows:
            heads = ("l", "value", "unit", "z", "a", "∂a/∂z", "∂E/∂a", "δ")
            yield Table("Units", heads, rows)

    def _norms(self, layers: Sequence[_Layer]) -> Iterator[Table]:
        """Yield the table of large layers, by norm."""
        rows: list[Sequence[Cell]] = [
            (
                self.number[layer.step.path],
                layer.step.path,
                str(layer.step.type),
                *("" if array is None else _norm(array) for array in self._columns(layer)),
            )
            for layer in layers
            if np.prod(layer.step.type.example) > FEW_UNITS
        ]
        if rows:
            heads = ("l", "value", "shape", "‖z‖", "‖a‖", "‖∂a/∂z‖", "‖∂E/∂a‖", "‖δ‖")
            yield Table("Large layers, by norm", heads, rows)

    # ----------------------------------------------------------------------------------------------------- weights

    def _gradients(self) -> list[tuple[str, Mapping[str, Array]]]:
        """Return the gradients to show, each under its head: the example's share, and the whole."""
        example = self.example
        whole = ("∂E/∂w", example.values.grads)
        if example.size == 1 or example.shares is None:
            return [whole]
        return [(f"∂E/∂w of example {example.number}", example.shares), ("∂E/∂w of all", whole[1])]

    def _trained(self, *, large: bool) -> list[str]:
        params = self.found.model.params
        return [name for name, p in params.items() if p.trained and (p.size > FEW_WEIGHTS) is large]

    def _weights(self) -> Iterator[Table]:
        """Yield the table of small parameters, number by number."""
        gradients, before, after = self._gradients(), self.example.before, self.example.after
        rows: list[Sequence[Cell]] = []
        for name in self._trained(large=False):
            factors = self._factors(name)
            for at in np.ndindex(before[name].shape):
                cells = [float(table[name][at]) for _, table in gradients]
                old, new = float(before[name][at]), float(after[name][at])
                rows.append((name, _place(at), old, *factors(at), *cells, new - old, new))
        if rows:
            heads = ("parameter", "place", "w", "a", "δ", *(head for head, _ in gradients), "Δw", "w after")
            yield Table("Weights and their update", heads, rows)

    def _factors(self, name: str) -> Callable[[tuple[int, ...]], tuple[Cell, Cell]]:
        """Return what the example's share of a gradient is the product of: what came in, and δ. Nothing for others."""
        node = self.producers.get(self.graph.grads[name].id)
        ins = [v for v in node.ins if v.type.batched] if node is not None and node.rule.sums_rows else []
        if not ins or any(len(v.type.shape) != 2 for v in ins):
            return lambda at: ("", "")
        arrays = [self._array(v) for v in ins]
        if len(arrays) == 1:
            return lambda at: (1.0, float(arrays[0][at]))
        return lambda at: (float(arrays[0][at[0]]), float(arrays[1][at[1]]))

    def _large_weights(self) -> Iterator[Table]:
        """Yield the table of large parameters, by norm."""
        gradients, before, after = self._gradients(), self.example.before, self.example.after
        rows: list[Sequence[Cell]] = [
            (
                name,
                str(list(before[name].shape)),
                _norm(before[name]),
                *(_norm(table[name]) for _, table in gradients),
                _norm(after[name] - before[name]),
            )
            for name in self._trained(large=True)
        ]
        if rows:
            heads = ("parameter", "shape", "‖w‖", *(f"‖{head}‖" for head, _ in gradients), "‖Δw‖")
            yield Table("Large parameters, by norm", heads, rows)


def _norm(array: Array) -> float:
    return float(np.sqrt(np.sum(np.square(np.asarray(array, float)))))


def _cell(number: object) -> Cell:
    """Return a number of an array as a cell: whole numbers as they are."""
    return str(number) if isinstance(number, np.integer | np.bool_) else float(number)  # type: ignore[arg-type]


def _place(at: Sequence[int]) -> str:
    return f"[{','.join(map(str, at))}]" if at else ""
