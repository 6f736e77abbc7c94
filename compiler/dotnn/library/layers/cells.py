"""Recurrent layers whose step a spec writes down: `cell mgu(units) { … }`.

The step is a small network of layers. What the states do not reach is computed for all steps at once, before the loop.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from dotnn.core.diagnostics import Span
from dotnn.ir.expr import Name
from dotnn.ir.node import Value
from dotnn.ir.op import Builder
from dotnn.ir.tensor import Attrs, TensorType, Types
from dotnn.library import values as expressions
from dotnn.library.layers.base import Layer, Lowering, ParamSpec
from dotnn.library.layers.loop import LoopOverTime, by_role, carried, check_parts, silenced

BODY = "body"
"""The attribute of a cell's layer that holds its `Recurrence`."""


@dataclass(frozen=True)
class CellStep:
    """One layer in the step of a cell, in the statement `span`.

    `params` maps its short names to names of the cell, `weights` are operands.
    """

    path: str
    layer: Layer
    attrs: Attrs
    ins: tuple[str, ...]
    params: Mapping[str, str]
    weights: tuple[str, ...]
    span: Span

    @property
    def reads_states_kept(self) -> bool:
        """Whether it is a product with parameters, which sees a part of the states where they have dropout."""
        return bool(self.weights and not self.attrs) or self.layer is expressions.AFFINE_OF_FORMULA


@dataclass(frozen=True)
class CellState:
    """A state of `units` numbers, each `start` before the first step; `after` is the path of its value after a step.

    The value before the step has the path `before`.
    """

    name: str
    units: int
    start: float
    after: str = ""

    @property
    def before(self) -> str:
        """The path of the value that a step begins with; no statement can be called so."""
        return f"{self.name} before"


@dataclass(frozen=True)
class Recurrence:
    """The step of a cell for operands of certain shapes.

    inputs   the names of its inputs, each cut from a sequence
    output   the path of what it hands out, or the name of a state
    whole    the paths of what is computed for all steps at once
    declared where it is in the spec
    """

    inputs: tuple[str, ...]
    states: tuple[CellState, ...]
    steps: tuple[CellStep, ...]
    specs: tuple[ParamSpec, ...]
    output: str
    width: int
    whole: tuple[str, ...]
    declared: Span

    @property
    def carried(self) -> tuple[CellState, ...]:
        """The states, and the output where it is none: the last one is what a masked step hands out again."""
        if any(state.name == self.output for state in self.states):
            return self.states
        return (*self.states, CellState(self.output, self.width, 0, self.output))


def recurrence_of(attrs: Attrs) -> Recurrence:
    """Return the step of a cell that a layer is made of."""
    found = attrs[BODY]
    assert isinstance(found, Recurrence)
    return found


def carried_by(attrs: Attrs) -> tuple[ParamSpec, ...]:
    """Return what a stateful layer of a cell carries from batch to batch."""
    return carried({state.name: (state.units, state.start) for state in recurrence_of(attrs).carried}, attrs)


def infer_cell(types: Types, attrs: Attrs) -> TensorType:
    """Return the type of a cell's output, of all steps or of the last; its operands have been checked."""
    check_parts(types[0], attrs)
    steps = types[0].shape[1:2] if attrs["returns"] == "sequence" else ()
    return TensorType((types[0].shape[0], *steps, recurrence_of(attrs).width))


def lower_cell(b: Builder, low: Lowering) -> Value:
    """Write what is computed for all steps at once, then the loop."""
    body, roles = recurrence_of(low.attrs), by_role(low)
    whole = {name: silenced(b, low, roles[name], name) for name in body.inputs}
    for step in body.steps:
        if step.path in body.whole:
            whole[step.path] = _written(b, low, step, whole)
    inside = [step for step in body.steps if step.path not in body.whole]
    read = {path for step in inside for path in step.ins} | {state.after for state in body.carried}
    sequences = {path: value for path, value in whole.items() if path in read}
    masked = {state.after for state in body.carried} if "mask" in roles else set()
    alike = {step.path: _of_parameters(b, low, step) for step in inside if step.layer is expressions.AFFINE_OF_FORMULA}

    def one_step(b: Builder, at: Mapping[str, Value]) -> dict[str, Value]:
        return _one_step(b, low, at, inside, masked, alike)

    widths = {state.name: (state.units, state.start) for state in body.carried}
    any_sequence = next(iter(whole.values()))
    return LoopOverTime(low, sequences, any_sequence, widths, one_step, body.output).write(b)


def _one_step(
    b: Builder,
    low: Lowering,
    at: Mapping[str, Value],
    inside: Iterable[CellStep],
    masked: Collection[str],
    alike: Mapping[str, Value],
) -> dict[str, Value]:
    """Write a step of the loop, given what there is `at` it; return the states after it.

    `inside` are the layers of the step, `masked` the paths of those that leave what was there before a padded step,
    `alike` the matrices of products that are the same in all steps.
    """
    body = recurrence_of(low.attrs)
    values = {**at, **{state.before: at[state.name] for state in body.states}}
    kept = values | {state.before: at[f"{state.name}_in"] for state in body.states}
    for step in inside:
        new = "_new" if step.path in masked else ""  # what a masked step computes is not what it leaves
        seen = kept if step.reads_states_kept else values
        values[step.path] = _written(b, low, step, seen, new, alike.get(step.path))
        kept[step.path] = values[step.path]
    return {state.name: _own(b, values, state, body) for state in body.carried}


def _of_parameters(b: Builder, low: Lowering, step: CellStep) -> Value:
    """Write what a product in the step makes of parameters alone: it is the same in all steps."""
    weights = (low.params[name] for name in step.weights)
    with b.within(step.path.replace(".", "_"), step.span):
        return b.emit("expression", *weights, name="W", formula=step.attrs["formula"])


def _written(
    b: Builder,
    low: Lowering,
    step: CellStep,
    values: Mapping[str, Value],
    new: str = "",
    matrix: Value | None = None,
) -> Value:
    """Write one layer of the step; `new` is added to its name, `matrix` is there already."""
    if matrix is not None:
        with b.within(step.path.replace(".", "_") + new, step.span):
            return b.emit("affine", values[step.ins[0]], matrix)
    weights = (low.params[name] for name in step.weights)
    ins = (*(values[path] for path in step.ins), *weights)
    params = {short: low.params[name] for short, name in step.params.items()}
    with b.within(step.path.replace(".", "_") + new, step.span):
        return step.layer.lower(b, Lowering(ins, params, step.attrs))


def _own(b: Builder, values: Mapping[str, Value], state: CellState, body: Recurrence) -> Value:
    """Return what a state is after the step, as a value that nothing else is called after."""
    after = values[state.after]
    made = {step.path for step in body.steps} - {*body.whole}
    shared = sum(other.after == state.after for other in body.carried) > 1
    return (
        after
        if state.after in made and not shared
        else b.emit("expression", after, name=state.name, formula=Name("x0"))
    )
