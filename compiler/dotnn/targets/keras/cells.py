"""Cells of a spec as cells of `keras.layers.RNN`: a class with the step, written from the formulas of its layers."""

from __future__ import annotations

import keyword
from collections.abc import Iterable, Sequence
from dataclasses import replace

from dotnn.codegen import paste
from dotnn.codegen.lines import literal
from dotnn.ir.builder import GraphBuilder
from dotnn.ir.node import Node, Value
from dotnn.ir.tensor import BATCH, TensorType
from dotnn.library.layers.base import Attrs, Layer, Lowering, ShapeError, Types
from dotnn.library.layers.cells import CellState, Recurrence, recurrence_of
from dotnn.library.layers.loop import ROLES, ROWS
from dotnn.library.ops import OPS
from dotnn.targets.keras.call import Keras, only_set
from dotnn.targets.keras.lowered import PACKAGES, class_name, line_of, numbered
from dotnn.targets.keras.rules.recurrent import HELD, carried_variables, is_held, order_and_mask

BASE = "SpecCell"
"""The class that those of all cells extend."""
WORDS = ("self", "tf", "keras", "np", "math")
"""Names that a step has another meaning for."""


def cell(layer: Layer, types: Types, attrs: Attrs, functions: dict[str, str]) -> Keras:
    """Return the call of a recurrent layer around a cell, whose class joins `functions`, by name.

    Raises `Unspellable` and `ShapeError`.
    """
    text = cell_class("{}", layer, types, attrs)
    for name in numbered(f"{class_name(layer.name)}Cell"):
        written = text.replace("{}", name, 1)
        if name not in paste.library(PACKAGES) and functions.setdefault(name, written) == written:
            return recurrent_call(name, attrs)
    raise AssertionError(layer.name)


def recurrent_call(name: str, attrs: Attrs) -> Keras:
    """Return the call of a recurrent layer around the cell class `name`. Raises `ShapeError` for what Keras has not."""
    body, roles = recurrence_of(attrs), attrs[ROLES]
    _refuse_what_keras_has_not(body, attrs)
    around, options = _around(attrs)
    masked = "mask" in roles
    own = {spec.name: f'cell.own("{spec.name}")' for spec in body.specs}
    carried = carried_variables(state.name for state in _output_first(body)) if attrs["stateful"] else {}
    return Keras(
        around,
        options=options,
        cell=Keras(name, by_name=True),
        then=order_and_mask(attrs, masked=masked) if attrs["returns"] == "sequence" else None,
        operands=_operands(body, roles),
        variables={**own, **carried},
        xla=False,
    )


def _refuse_what_keras_has_not(body: Recurrence, attrs: Attrs) -> None:
    """Raise `ShapeError` for a dropout within the cell, and for a state that is carried but not handed out."""
    for rate in ("dropout", "recurrent_dropout"):
        if attrs[rate]:
            help = "put sequence_dropout in front of it instead, or use --target numpy"
            raise ShapeError(f"{rate} of a cell is not written for Keras", help)
    carries = "truncate" if attrs["truncate"] else "stateful" if attrs["stateful"] else ""
    if carries and body.output not in {state.name for state in body.states}:
        raise ShapeError(f"{carries} needs an output that is a state, on this target", "use --target numpy")


def _around(attrs: Attrs) -> tuple[str, dict[str, object]]:
    """Return the recurrent layer around a cell, and its options."""
    options: dict[str, object] = {
        **only_set(return_sequences=attrs["returns"] == "sequence", go_backwards=attrs["reverse"])
    }
    if attrs["truncate"] or attrs["stateful"]:
        options = {"truncate": attrs["truncate"], **options}
    if attrs["stateful"]:
        return "CarriedRNN", {"rows": attrs[ROWS], **options}
    if attrs["truncate"]:
        return "TruncatedRNN", options
    return ("HeldRNN" if HELD in attrs or is_held(attrs) else "keras.layers.RNN"), options


def _operands(body: Recurrence, roles: Sequence[str]) -> str:
    """Return how the operands are passed: sequences side by side, the mask and the first states by name."""
    at = {role: f"{{{i}}}" for i, role in enumerate(roles)}
    inputs = [at[name] for name in body.inputs]
    given = [inputs[0] if len(inputs) == 1 else f"keras.layers.concatenate([{', '.join(inputs)}])"]
    given += [f"mask={at['mask']}"] if "mask" in at else []
    first = [role for role in roles if role.startswith("initial ")]
    if first:
        like = at[first[0]]
        states = [at.get(f"initial {s.name}") or _start(s, like) for s in _output_first(body)]
        given.append(f"initial_state=[{', '.join(states)}]")
    return ", ".join(given)


def _start(state: CellState, like: str) -> str:
    """Return what stands for a state that is given no value where another one is."""
    return f"keras.ops.full_like(keras.ops.repeat({like}[:, :1], {state.units}, axis=1), {state.start})"


def _output_first(body: Recurrence) -> list[CellState]:
    """Return the states, the one that is handed out before the others."""
    return sorted(body.states, key=lambda state: state.name != body.output)


def cell_class(name: str, layer: Layer, types: Types, attrs: Attrs) -> str:
    """Return the class of a cell. Raises `Unspellable` for a layer without a formula that TensorFlow differentiates."""
    body = recurrence_of(attrs)
    step_types = [TensorType((BATCH, *t.shape[2:])) for t in types]
    step = _Step(body, step_types)
    sizes = {s.name: (s.units, s.start) for s in _output_first(body)}
    return "\n".join(
        [
            '@keras.saving.register_keras_serializable("dotnn")',
            f"class {name}({BASE}):",
            f'    """One step of {layer.name}, a cell of the spec."""',
            "",
            f"    inputs = {literal([t.example[0] for t in step_types[: len(body.inputs)]])}",
            f"    states = {literal(sizes)}",
            f"    shapes = {literal({spec.name: spec.shape for spec in body.specs})}",
            f"    output_size = {body.width}",
            "",
            *(f"    {line}" for line in step.method()),
        ]
    )


class _Step:
    """The method of a step: it takes inputs, states and parameters, and returns the output and the new states."""

    def __init__(self, body: Recurrence, types: Types) -> None:
        self.body, self.builder, self.names = body, GraphBuilder(OPS), _Names()
        inputs = {n: self._given(n, t) for n, t in zip(body.inputs, types, strict=False)}
        states = {s.before: self._given(s.name, TensorType((BATCH, s.units))) for s in _output_first(body)}
        self.params = {spec.name: self._given(spec.name, TensorType(spec.shape)) for spec in body.specs}
        self.values: dict[str, Value] = {**inputs, **states}
        self.given = [*self.values.values(), *self.params.values()]

    def _given(self, name: str, type: TensorType) -> Value:
        return self.builder.value(self.names.new(name), type)

    def method(self) -> list[str]:
        """Return the lines of the method."""
        self._lower()
        known = {v.id: v.name for v in self.given}
        lines = [f"    {line}" for line in _lines(self.builder.nodes, known, self.names)]
        after = {s.name: known[self.values[s.after].id] for s in self.body.states}
        output = after.get(self.body.output) or known[self.values[self.body.output].id]
        new = ", ".join(after[s.name] for s in _output_first(self.body))
        arguments = ", ".join(["self", *(v.name for v in self.given)])
        return [f"def step({arguments}):", *lines, f"    return {output}, [{new}]"]

    def _lower(self) -> None:
        """Write the layers of the step as ops."""
        for step in self.body.steps:
            ins = (*(self.values[path] for path in step.ins), *(self.params[n] for n in step.weights))
            own = {short: self.params[full] for short, full in step.params.items()}
            with self.builder.within(step.path.replace(".", "_")):
                self.values[step.path] = step.layer.lower(self.builder, Lowering(ins, own, step.attrs))


def _lines(nodes: Iterable[Node], known: dict[int, str], names: _Names) -> Iterable[str]:
    """Yield the assignments of a step, whose results get names that nothing else has."""
    for node in nodes:
        known[node.out.id] = names.new(node.out.name)
        renamed = node.map_values(lambda v: replace(v, name=known[v.id]))
        yield f"{renamed.out.name} = {line_of(renamed)}"


class _Names:
    """Names of Python that are taken once."""

    def __init__(self) -> None:
        self.taken = set(WORDS)

    def new(self, wanted: str) -> str:
        """Return a name like the one that is wanted."""
        name = wanted = wanted.replace(".", "_")
        number = 1
        while name in self.taken or keyword.iskeyword(name):
            number += 1
            name = f"{wanted}_{number}"
        self.taken.add(name)
        return name
