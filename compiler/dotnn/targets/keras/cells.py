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
    for rate in ("dropout", "recurrent_dropout"):
        if attrs[rate]:
            help = "put sequence_dropout in front of it instead, or use --target numpy"
            raise ShapeError(f"{rate} of a cell is not written for Keras", help)
    body = recurrence_of(attrs)
    sequence, roles = attrs["returns"] == "sequence", attrs[ROLES]
    options = only_set(return_sequences=sequence, go_backwards=attrs["reverse"])
    around = "HeldRNN" if HELD in attrs or is_held(attrs) else "keras.layers.RNN"
    if attrs["truncate"] or attrs["stateful"]:
        if body.output not in {state.name for state in body.states}:
            what = "truncate" if attrs["truncate"] else "stateful"
            raise ShapeError(f"{what} needs an output that is a state, on this target", "use --target numpy")
        around, options = "TruncatedRNN", {"truncate": attrs["truncate"], **options}
    carried: dict[str, str] = {}
    if attrs["stateful"]:
        around, options = "CarriedRNN", {"rows": attrs[ROWS], **options}
        carried = carried_variables(state.name for state in _output_first(body))
    return Keras(
        around,
        options=options,
        cell=Keras(name, by_name=True),
        then=order_and_mask(attrs, masked="mask" in roles) if sequence else None,
        operands=_operands(body, roles),
        variables={**{spec.name: f'cell.own("{spec.name}")' for spec in body.specs}, **carried},
        xla=False,
    )


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
    builder, names = GraphBuilder(OPS), _Names()
    step_types = [TensorType((BATCH, *t.shape[2:])) for t in types]
    inputs = {n: builder.value(names.new(n), t) for n, t in zip(body.inputs, step_types, strict=False)}
    states = {s.before: builder.value(names.new(s.name), TensorType((BATCH, s.units))) for s in _output_first(body)}
    params = {spec.name: builder.value(names.new(spec.name), TensorType(spec.shape)) for spec in body.specs}
    values: dict[str, Value] = {**inputs, **states}
    for step in body.steps:
        ins = (*(values[path] for path in step.ins), *(params[n] for n in step.weights))
        own = {short: params[full] for short, full in step.params.items()}
        with builder.within(step.path.replace(".", "_")):
            values[step.path] = step.layer.lower(builder, Lowering(ins, own, step.attrs))
    known = {v.id: v.name for v in (*inputs.values(), *states.values(), *params.values())}
    lines = [f"        {line}" for line in _lines(builder.nodes, known, names)]
    after = {s.name: known[values[s.after].id] for s in body.states}
    output = after.get(body.output) or known[values[body.output].id]
    new = ", ".join(after[s.name] for s in _output_first(body))
    sizes = {s.name: (s.units, s.start) for s in _output_first(body)}
    arguments = ", ".join(["self", *(v.name for v in (*inputs.values(), *states.values(), *params.values()))])
    return "\n".join(
        [
            '@keras.saving.register_keras_serializable("dotnn")',
            f"class {name}({BASE}):",
            f'    """One step of {layer.name}, a cell of the spec."""',
            "",
            f"    inputs = {literal([t.example[0] for t in step_types[: len(inputs)]])}",
            f"    states = {literal(sizes)}",
            f"    shapes = {literal({spec.name: spec.shape for spec in body.specs})}",
            f"    output_size = {body.width}",
            "",
            f"    def step({arguments}):",
            *lines,
            f"        return {output}, [{new}]",
        ]
    )


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
