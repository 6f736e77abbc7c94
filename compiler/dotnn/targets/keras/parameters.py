"""Parameters that stand in expressions: what a block owns, and what is borrowed from a layer, as Keras tensors."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from dotnn.codegen import paste
from dotnn.codegen.lines import literal
from dotnn.core.arguments import Bound, Member
from dotnn.ir.expr import Unspellable
from dotnn.ir.node import Value
from dotnn.library.constraints import Constraint
from dotnn.library.penalties import Penalty
from dotnn.model.definitions.base import safe
from dotnn.model.definitions.penalty import DefinedConstraint, DefinedPenalty
from dotnn.model.model import Model, Parameter, Step
from dotnn.targets.keras import rules
from dotnn.targets.keras.lowered import PACKAGES, numbered, refusal
from dotnn.targets.keras.weights import function_of

if TYPE_CHECKING:
    from dotnn.targets.keras.network import Network


def lenders(steps: Iterable[Step]) -> list[str]:
    """Return what owns the parameters that other steps read, once for every step: the steps must find the layer."""
    steps = list(steps)
    owners = {full: full.removesuffix(f".{short}") for step in steps for short, full in step.params.items()}
    return [owners[full] for step in steps for full in step.weights if full in owners]


def operands(network: Network, step: Step) -> list[Value]:
    """Return the parameters that a step reads as values, and write the lines that make them tensors."""
    values = [network.graph.weights[full] for full in step.weights]
    for full, value in zip(step.weights, values, strict=True):
        if value.id not in network.loose:
            operand = network.values[step.ins[0]].name
            made = [full] if full in network.variables else _declared_with(network.model, full)
            network.loose.update(network.graph.weights[name].id for name in made)
            if full in network.variables:
                _borrow(network, full, value, operand)
            else:
                _declare(network, made, operand)
    return values


def _declared_with(model: Model, full: str) -> list[str]:
    """Return the parameters that a block declares, given one of them."""
    owned = {name for step in model.steps for name in step.params.values()}
    read = {name for step in model.steps for name in step.weights} - owned
    owner = full.rpartition(".")[0]
    return [name for name in model.params if name in read and name.rpartition(".")[0] == owner]


def _borrow(network: Network, full: str, value: Value, operand: str) -> None:
    layer, attribute = network.variables[full]
    variable, _, row = attribute.rstrip("]").partition("[")
    arguments = [network.word_of_layer(layer), literal(variable), *([f"row={row}"] if row else [])]
    arguments.append(f'name="{network.free_name(f"{full}.value")}"')
    network.line(f"{value.name} = Borrowed(", arguments, f")({operand})", f"{value.type}")


def _declare(network: Network, names: list[str], operand: str) -> None:
    owner = names[0].rpartition(".")[0]
    params = {name.rpartition(".")[2]: network.model.params[name] for name in names}
    layer = network.free_name(f"{owner}.parameters")
    arguments = [literal({short: p.shape for short, p in params.items()})]
    arguments += tables(network, params)
    values = [network.graph.weights[name].name for name in names]
    target = ", ".join(values) if len(values) > 1 else f"({values[0]},)"
    network.line(f"{target} = Parameters(", [*arguments, f'name="{layer}"'], f")({operand})", "")
    network.variables |= {name: (layer, f'own("{short}")') for name, short in zip(names, params, strict=True)}


def tables(network: Network, params: dict[str, Parameter]) -> list[str]:
    """Return the penalties and constraints of parameters as arguments: tables by names."""
    penalties = [f'"{n}": {of_weight(network, p.penalty, p)}' for n, p in params.items() if p.penalty]
    constraints = [f'"{n}": {of_weight(network, p.constraint, p)}' for n, p in params.items() if p.constraint]
    kinds = {"regularizers": penalties, "constraints": constraints}
    return [f"{word}={{{', '.join(items)}}}" for word, items in kinds.items() if items]


def freezing(network: Network) -> list[str]:
    """Return the lines that keep from training what the spec freezes: whole layers, else single variables.

    Raises `CompileError` for a part of what is one variable in Keras.
    """
    model, variables = network.model, network.variables
    whole = {full for step in model.steps if step.frozen for full in step.params.values()}
    owned: dict[str, list[str]] = {}
    for full, (layer, _) in variables.items():
        owned.setdefault(layer, []).append(full)
    lines: dict[str, None] = {}
    for full, (layer, attribute) in variables.items():
        if not model.params[full].frozen:
            continue
        if whole.issuperset(owned[layer]):
            lines[f'model.get_layer("{layer}").trainable = False'] = None
            continue
        rows = [name for name in owned[layer] if variables[name][1].partition("[")[0] == attribute.partition("[")[0]]
        free = next((name for name in rows if not model.params[name].frozen), None)
        if free is not None:
            message = f"{full} cannot be frozen without {free}: for Keras they are one variable"
            raise refusal(model, model.params[full].span, message, f"freeze {free}, too, or use --target numpy")
        lines[f'variables(model)["{rows[0]}"].trainable = False'] = None
    return list(lines)


def numbers(bound: Bound[Member]) -> str:
    """Return the numbers that a penalty or a constraint is given."""
    return ", ".join(literal(v) for v in bound.attrs.values())


def of_weight(network: Network, bound: Bound[Penalty] | Bound[Constraint], p: Parameter) -> str:
    """Return the penalty or constraint of a weight: the name of a function where the spec defines it."""
    if not isinstance(bound.entry, DefinedPenalty | DefinedConstraint):
        is_penalty = isinstance(bound.entry, Penalty)
        kind = f"keras.regularizers.{rules.PENALTIES[bound.name].keras}" if is_penalty else ""
        return f"{kind or rules.CONSTRAINTS[bound.name].keras}({numbers(bound)})"
    free = (name for name in numbered(safe(bound.name)) if name not in paste.library(PACKAGES))
    try:
        texts = ((name, function_of(bound.entry, bound.attrs, p, name)) for name in free)
        return next(name for name, text in texts if network.functions.setdefault(name, text) == text)
    except Unspellable as error:
        message = f"{bound.name} cannot be written for TensorFlow: {error}"
        raise refusal(network.model, p.span, message) from None
