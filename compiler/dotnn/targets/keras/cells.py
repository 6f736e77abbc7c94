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
from dotnn.library.layers.base import Attrs, Layer, Lowering, Types
from dotnn.library.layers.cells import CellState, Recurrence, recurrence_of
from dotnn.library.layers.loop import ROLES, ROWS
from dotnn.library.ops import OPS
from dotnn.targets.keras.call import Keras, only_set
from dotnn.targets.keras.lowered import PACKAGES, class_name, line_of, numbered
from dotnn.targets.keras.rules.recurrent import HELD, carried_variables, is_held, order_and_mask

BASE, SILENCED = "SpecCell", "SilencedCell"
"""The classes that those of cells extend: without dropout, and with it."""
RATES = ("dropout", "recurrent_dropout")
WORDS = ("self", "tf", "keras", "np", "math")
"""Names that a step has another meaning for."""


def cell(layer: Layer, types: Types, attrs: Attrs, functions: dict[str, str]) -> Keras:
    """Return the call of a recurrent layer around a cell, whose class joins `functions`, by name.

    Raises `Unspellable`.
    """
    text = cell_class("{}", layer, types, attrs)
    for name in numbered(f"{class_name(layer.name)}Cell"):
        written = text.replace("{}", name, 1)
        if name not in paste.library(PACKAGES) and functions.setdefault(name, written) == written:
            return recurrent_call(name, attrs)
    raise AssertionError(layer.name)


def recurrent_call(name: str, attrs: Attrs) -> Keras:
    """Return the call of a recurrent layer around the cell class `name`."""
    body, roles = recurrence_of(attrs), attrs[ROLES]
    around, options = _around(attrs)
    masked = "mask" in roles
    own = {spec.name: f'cell.own("{spec.name}")' for spec in body.specs}
    carried = carried_variables(state.name for state in _states(attrs)) if attrs["stateful"] else {}
    return Keras(
        around,
        options=options,
        cell=Keras(name, options={rate: attrs[rate] for rate in RATES if attrs[rate]}, by_name=True),
        then=order_and_mask(attrs, masked=masked) if attrs["returns"] == "sequence" else None,
        operands=_operands(body, attrs),
        variables={**own, **carried},
        xla=False,
    )


def base_of(attrs: Attrs) -> str:
    """Return the class that that of a cell extends."""
    return SILENCED if any(attrs[rate] for rate in RATES) else BASE


def _is_scanned(attrs: Attrs) -> bool:
    """Whether its loop is one of ours, which hands out its first state, and none of Keras's."""
    return bool(attrs["truncate"] or attrs["stateful"] or base_of(attrs) == SILENCED)


def _states(attrs: Attrs) -> list[CellState]:
    """Return the states, the one that is handed out before the others; in a loop of ours the output is always one."""
    body = recurrence_of(attrs)
    return sorted(body.carried if _is_scanned(attrs) else body.states, key=lambda state: state.name != body.output)


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
    held = HELD in attrs or is_held(attrs) or _is_scanned(attrs)
    return ("HeldRNN" if held else "keras.layers.RNN"), options


def _operands(body: Recurrence, attrs: Attrs) -> str:
    """Return how the operands are passed: sequences side by side, the mask and the first states by name."""
    roles: Sequence[str] = attrs[ROLES]
    at = {role: f"{{{i}}}" for i, role in enumerate(roles)}
    inputs = [at[name] for name in body.inputs]
    given = [inputs[0] if len(inputs) == 1 else f"keras.layers.concatenate([{', '.join(inputs)}])"]
    given += [f"mask={at['mask']}"] if "mask" in at else []
    first = [role for role in roles if role.startswith("initial ")]
    if first:
        like = at[first[0]]
        states = [at.get(f"initial {s.name}") or _start(s, like) for s in _states(attrs)]
        given.append(f"initial_state=[{', '.join(states)}]")
    return ", ".join(given)


def _start(state: CellState, like: str) -> str:
    """Return what stands for a state that is given no value where another one is."""
    return f"keras.ops.full_like(keras.ops.repeat({like}[:, :1], {state.units}, axis=1), {state.start})"


def cell_class(name: str, layer: Layer, types: Types, attrs: Attrs) -> str:
    """Return the class of a cell. Raises `Unspellable` for a layer without a formula that TensorFlow differentiates."""
    body = recurrence_of(attrs)
    step_types = [TensorType((BATCH, *t.shape[2:])) for t in types]
    step = _Step(body, step_types, _states(attrs), silenced=bool(attrs["recurrent_dropout"]))
    sizes = {s.name: (s.units, s.start) for s in _states(attrs)}
    return "\n".join(
        [
            '@keras.saving.register_keras_serializable("dotnn")',
            f"class {name}({base_of(attrs)}):",
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
    """The method of a step: it takes inputs, states and parameters, and returns the output and the new states.

    A `silenced` one takes, last, the state that is handed out as products with parameters see it.
    """

    def __init__(self, body: Recurrence, types: Types, states: Sequence[CellState], *, silenced: bool) -> None:
        self.body, self.states, self.builder, self.names = body, states, GraphBuilder(OPS), _Names()
        inputs = {n: self._given(n, t) for n, t in zip(body.inputs, types, strict=False)}
        before = {s.before: self._given(s.name, TensorType((BATCH, s.units))) for s in states}
        self.params = {spec.name: self._given(spec.name, TensorType(spec.shape)) for spec in body.specs}
        self.values: dict[str, Value] = {**inputs, **before}
        kept = {states[0].before: self._given(f"{states[0].name}_kept", TensorType((BATCH, states[0].units)))}
        self.kept = kept if silenced else {}
        self.given = [*self.values.values(), *self.params.values(), *self.kept.values()]

    def _given(self, name: str, type: TensorType) -> Value:
        return self.builder.value(self.names.new(name), type)

    def method(self) -> list[str]:
        """Return the lines of the method."""
        self._lower()
        known = {v.id: v.name for v in self.given}
        lines = [f"    {line}" for line in _lines(self.builder.nodes, known, self.names)]
        after = {s.name: known[self.values[s.after].id] for s in self.states}
        output = after.get(self.body.output) or known[self.values[self.body.output].id]
        new = ", ".join(after[s.name] for s in self.states)
        arguments = ", ".join(["self", *(v.name for v in self.given)])
        return [f"def step({arguments}):", *lines, f"    return {output}, [{new}]"]

    def _lower(self) -> None:
        """Write the layers of the step as ops."""
        for step in self.body.steps:
            seen = {**self.values, **self.kept} if step.reads_states_kept else self.values
            ins = (*(seen[path] for path in step.ins), *(self.params[n] for n in step.weights))
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
