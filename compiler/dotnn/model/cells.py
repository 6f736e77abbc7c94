"""Cells: `cell mgu(units) { input x: [n]  state h: [units] = 0 … }` is read into a recurrent layer.

A cell is read anew for every use, since the shapes of its operands belong to it; what it is then is an attribute of the
layer's step, and the layer itself is one like `rnn`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from dotnn.core.arguments import REQUIRED, Arg, Kind
from dotnn.core.diagnostics import Span
from dotnn.core.limits import MAX_SIZE
from dotnn.ir.builder import GraphBuilder
from dotnn.ir.node import Value
from dotnn.ir.tensor import BATCH, Attrs, TensorType, Types
from dotnn.library.layers.base import Layer, Lowering, ParamSpec, shape_text
from dotnn.library.layers.cells import (
    BODY,
    CellState,
    CellStep,
    Recurrence,
    carried_by,
    infer_cell,
    lower_cell,
    recurrence_of,
)
from dotnn.library.layers.loop import ROLES
from dotnn.library.layers.recurrent import LOOP, RETURNS
from dotnn.library.ops import OPS
from dotnn.model import messages
from dotnn.model.blocks import declared_text, unified
from dotnn.model.constants import Constant, Poisoned, covers, evaluate, integer, is_number, limits_of
from dotnn.model.messages.base import Fail
from dotnn.model.paths import PathPart
from dotnn.model.scope import Draft, Scope, Tensor, Weight, names_read, next_key
from dotnn.model.steps import Steps
from dotnn.model.unused import unused_names
from dotnn.syntax import nodes

if TYPE_CHECKING:
    from dotnn.model.network import NetworkReader

S = TypeVar("S", bound=nodes.Stmt)
WHOLE = (
    "affine",
    "tied",
    "step_affine",
    "dense",
    "scale",
    "sum",
    "subtract",
    "multiply",
    "sum_features",
    "mean_features",
)
"""Layers that compute the same for a whole sequence as for each of its steps, besides formulas and activations."""


def cell_layer(section: nodes.CellSection, reader: NetworkReader) -> Layer:
    """Return the recurrent layer of a cell. Raises `Fail` for wrong arguments."""
    inputs = [s for s in section.statements if isinstance(s, nodes.TensorDecl)]
    states = [s for s in section.statements if isinstance(s, nodes.ArrayDecl) and s.role == "state"]
    for decl in inputs:
        if decl.role != "input":
            help = "declare it in the model; a cell only computes"
            raise Fail(messages.sections.statement_not_allowed(decl.span, "a target", "cell", help))
    if not inputs:
        raise Fail(messages.timesteps.no_input(section.name.span, section.name.id))
    own = tuple(_argument(param, reader) for param in section.params)
    place = reader.source.place(section.span)
    return Layer(
        section.name.id,
        f"A cell of the spec, {place}.",
        lower_cell,
        (*own, RETURNS, *LOOP),
        infer_cell,
        lambda types, attrs: (*recurrence_of(attrs).specs, *carried_by(attrs)),
        arity=(len(inputs), len(inputs) + 1 + len(states)),
        optional=("mask", *(f"initial {s.name.id}" for s in states)),
        inputs=tuple(s.name.id for s in inputs),
        expand=lambda types, attrs, span: {BODY: _CellReader(section, reader, attrs, span).read(types)},
    )


def _argument(param: nodes.BlockParam, reader: NetworkReader) -> Arg:
    """Return a parameter of a cell as an argument of its layer: any constant, within its limits."""
    constants, name = reader.scope.constants, param.name
    if any(name.id == arg.name for arg in (RETURNS, *LOOP)) or name.id in ("mask", "initial"):
        raise Fail(messages.names.reserved_name(name.span, name.id))
    kind: Kind[object] = Kind("a value", lambda value: value)
    if param.limits is not None:
        limits, text = limits_of(param.limits, constants)
        kind = Kind(f"in {text}", lambda value: value if covers(limits, value) else None)  # type: ignore[arg-type]
    default = REQUIRED if param.default is None else evaluate(param.default, constants)
    return Arg(name.id, kind, default, f"see the cell in {reader.source.place(param.span)}")


class _CellReader:
    """Reads the step of a cell for operands of given types."""

    def __init__(self, section: nodes.CellSection, reader: NetworkReader, attrs: Attrs, at: Span) -> None:
        self.section, self.reader, self.at = section, reader, at
        self.name = section.name
        own: dict[str, Constant] = {p.name.id: attrs[p.name.id] for p in section.params}
        self.constants: dict[str, Constant] = {**reader.scope.constants, **own}
        self.roles: Sequence[str] = attrs[ROLES]
        self.scope = Scope(self.constants, None, PathPart(None))

    def of(self, kind: type[S]) -> list[S]:
        """Return the statements of a kind."""
        return [s for s in self.section.statements if isinstance(s, kind)]

    def read(self, types: Types) -> Recurrence:
        """Return the step. Raises `Fail` and `Poisoned`; errors inside are reported."""
        reader, outer = self.reader, self.reader.steps
        if self.name.id in reader.cells_open:
            raise Fail(messages.sections.recursive_block(self.name.span, [self.name.id], "cell"))
        reader.cells_open.append(self.name.id)
        reader.steps, errors = Steps(reader.source), len(reader.reporter.errors)
        try:
            return self._read(types, errors)
        finally:
            reader.steps = outer
            reader.cells_open.pop()

    def _read(self, types: Types, errors: int) -> Recurrence:
        self._bind_inputs(types)
        weights = list(self.reader.declare_weights(self.section, self.scope))
        states = list(self._states())
        self._check_operands(types, states)
        self.scope.states = frozenset(state.name for state in states)
        self.scope.changing = self._changing(set(self.scope.states))
        statements = [s for s in self.section.statements if not isinstance(s, nodes.Output) or s.name is not None]
        self.reader.body(statements, self.scope)
        states = [replace(state, after=self._after(state)) for state in states]
        output, width = self._output(states)
        if len(self.reader.reporter.errors) > errors:
            raise Poisoned
        for diagnostic in unused_names(self.scope, self.section.statements):
            self.reader.report(diagnostic)
        drafts = self.reader.steps.drafts
        for draft in drafts:
            self._check_step(draft)
        specs = {w.spec.name: w.spec for w in weights} | dict(self._specs(drafts))
        inputs = tuple(d.name.id for d in self.of(nodes.TensorDecl))
        steps = tuple(map(_step, drafts))
        return Recurrence(
            inputs, tuple(states), steps, tuple(specs.values()), output, width, _whole(inputs, steps), self.name.span
        )

    # ---------------------------------------------------------------------------------------------- declarations

    def _bind_inputs(self, types: Types) -> None:
        """Let the names of the inputs denote one step of each operand, free names in their shapes its sizes."""
        length: int | None = None
        for decl, type in zip(self.of(nodes.TensorDecl), types, strict=False):
            self.reader.check_new_name(decl.name, self.scope)
            declared = declared_text(decl)
            found = shape_text(type)
            if len(decl.dims) != 1:
                help = "an input of a cell is one step of a sequence: input x: [n]"
                raise Fail(messages.shapes.bad_declaration(decl.span, f"{decl.name.id} is declared {declared}", help))
            if type.dtype != "real" or len(type.example) != 2 or (length or type.example[0]) != type.example[0]:
                raise Fail(messages.timesteps.no_sequence(self.at, self.name.id, decl.name.id, declared, found))
            length = type.example[0]
            problems = unified(decl, type.example[1:], self.constants)
            if problems:
                args = (self.name.id, decl.name.id, f"[time, {declared[1:]}", found, problems[0])
                raise Fail(messages.shapes.block_shape(self.at, *args, what="cell"))
            part = PathPart(None, decl.name.id)
            step = TensorType((BATCH, *type.example[1:]))
            self.scope.names[decl.name.id] = Tensor(part, step, decl.span, label=decl.name.id)

    def _states(self) -> Iterator[CellState]:
        for decl in self.of(nodes.ArrayDecl):
            if decl.role == "state":
                self.reader.attempt(decl.name, self.scope, partial(self._declare_state, decl))
                bound = self.scope.names[decl.name.id]
                if isinstance(bound, Tensor) and bound.span == decl.span:
                    yield CellState(decl.name.id, bound.type.example[0], self._start(decl))
        if not any(decl.role == "state" for decl in self.of(nodes.ArrayDecl)):
            raise Fail(messages.timesteps.no_state(self.name.span, self.name.id))

    def _declare_state(self, decl: nodes.ArrayDecl) -> None:
        name = decl.name.id
        self.reader.check_new_name(decl.name, self.scope)
        sizes = [integer(dim, self.constants, "a size", MAX_SIZE) for dim in decl.dims]
        if len(sizes) != 1 or decl.kind is not None:
            help = f"for instance: state {name}: [units] = 0"
            raise Fail(messages.shapes.bad_declaration(decl.span, "a state is one row of numbers", help))
        self._start(decl)
        before = PathPart(None, CellState(name, 0, 0).before)
        self.scope.names[name] = Tensor(before, TensorType((BATCH, *sizes)), decl.span, label=name)

    def _start(self, decl: nodes.ArrayDecl) -> float:
        """Return the number that a state starts from. Raises `Fail`."""
        value = evaluate(decl.start, self.constants) if decl.start else 0
        if decl.start is None or is_number(value):
            return float(value) if is_number(value) else 0.0
        help = "for instance 0; a value of the network is given at the call: initial = h"
        message = f"the state {decl.name.id} starts from a number"
        raise Fail(messages.constants.bad_constant(decl.start.span, message, help))

    def _check_operands(self, types: Types, states: Sequence[CellState]) -> None:
        """Raise `Fail` for a mask or an initial state that does not fit."""
        length = types[0].example[0]
        widths = {f"initial {s.name}": s.units for s in states}
        for role, type in zip(self.roles, types, strict=True):
            if role == "mask" and (type.dtype == "real" or type.example != (length,)):
                raise Fail(
                    messages.timesteps.bad_mask(self.at, self.name.id, length, f"{shape_text(type)} {type.dtype}")
                )
            if role in widths and (type.dtype != "real" or type.example != (widths[role],)):
                state = role.removeprefix("initial ")
                args = (self.name.id, state, f"[{widths[role]}]", shape_text(type))
                raise Fail(messages.timesteps.bad_initial(self.at, *args))

    def _changing(self, names: set[str]) -> frozenset[str]:
        """Return the names that depend on the states, directly or through other lines."""
        lines = self.of(nodes.Assign)
        while True:
            more = {s.name.id for s in lines if names_read(s.value) & names} - names
            if not more:
                return frozenset(names)
            names |= more

    # ---------------------------------------------------------------------------------------------------- results

    def _after(self, state: CellState) -> str:
        """Return the path of what a state is after the step. Raises `Fail` where no line says it."""
        given = [s for s in self.of(nodes.Next) if s.name.id == state.name]
        if not given:
            decl = next(s for s in self.of(nodes.ArrayDecl) if s.name.id == state.name)
            raise Fail(messages.timesteps.no_next(decl.name.span, state.name))
        bound = self.scope.names.get(next_key(state.name))
        if not isinstance(bound, Tensor):
            raise Poisoned
        if bound.type != TensorType((BATCH, state.units)):
            line = self.reader.source.place(next(s for s in self.of(nodes.ArrayDecl) if s.name.id == state.name).span)
            places = self.reader.steps.origins([bound])
            args = (state.name, f"[{state.units}]", line, shape_text(bound.type), places)
            raise Fail(messages.timesteps.next_shape(given[0].span, *args))
        return bound.path

    def _output(self, states: Sequence[CellState]) -> tuple[str, int]:
        """Return the path of the output, or the name of a state, and its width. Raises `Fail`."""
        outputs = self.of(nodes.Output)
        if len(outputs) != 1:
            span = outputs[1].span if outputs else self.name.span
            raise Fail(messages.timesteps.one_output(span, self.name.id, len(outputs)))
        named = outputs[0].name or outputs[0].value
        if not isinstance(named, nodes.Name):
            raise Fail(messages.timesteps.output_is_a_name(outputs[0].value.span))
        state = next((s for s in states if s.name == named.id), None)
        self.scope.used.add(named.id)
        if state is not None:
            return state.name, state.units
        bound = self.reader.value(named, self.scope)
        if len(bound.type.example) != 1:
            raise Fail(messages.timesteps.output_shape(named.span, named.id, self.reader.steps.origins([bound])))
        return bound.path, bound.type.example[0]

    def _specs(self, drafts: Sequence[Draft]) -> Iterator[tuple[str, ParamSpec]]:
        """Yield the parameters of the layers and blocks in the step, by their names in the cell."""
        for draft in drafts:
            for spec in draft.specs:
                name = _joined(draft.params.path, spec.name)
                yield name, replace(spec, name=name)
            for weight in (*(w for use in draft.uses for w in use.weights), *draft.weights):
                yield weight.path, replace(weight.spec, name=weight.path)

    def _check_step(self, draft: Draft) -> None:
        """Raise `Fail` for a layer that cannot stand in a step: it has a loop or state of its own, or draws numbers."""
        builder = GraphBuilder(OPS)
        ins = (*(builder.value("x", t.type) for t in draft.ins), *(_array(builder, w) for w in draft.weights))
        params = {spec.name: builder.value("p", TensorType(spec.shape)) for spec in draft.specs}
        draft.layer.lower(builder, Lowering(ins, params, draft.attrs))
        why = ""
        if any(node.loop for node in builder.nodes):
            why = "it is a loop over time itself"
        elif builder.state_updates or not all(spec.trained for spec in draft.specs):
            why = "it keeps statistics from batch to batch"
        elif any(node.rule.random for node in builder.nodes):
            why = "it draws numbers anew in every step"
        if why:
            raise Fail(messages.timesteps.not_in_a_step(draft.span, draft.layer.name, why))


def _array(builder: GraphBuilder, weight: Weight) -> Value:
    return builder.value("w", TensorType(weight.spec.shape))


def _joined(owner: str, name: str) -> str:
    return f"{owner}.{name}" if owner else name


def _step(draft: Draft) -> CellStep:
    params = {spec.name: _joined(draft.params.path, spec.name) for spec in draft.specs}
    ins, weights = tuple(t.path for t in draft.ins), tuple(w.path for w in draft.weights)
    return CellStep(draft.out.path, draft.layer, draft.attrs, ins, params, weights, draft.statement or draft.span)


def _whole(inputs: Sequence[str], steps: Sequence[CellStep]) -> tuple[str, ...]:
    """Return what no state reaches, of what computes the same for all steps at once."""
    known = set(inputs)
    for step in steps:
        alike = step.layer.name in WHOLE or step.layer.family == "activation" or "formula" in step.attrs
        if alike and known.issuperset(step.ins):
            known.add(step.path)
    return tuple(sorted(known - set(inputs)))
