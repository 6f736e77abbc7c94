"""Reading the use of a loss or metric that the spec defines: what its formula is given, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from dotnn.ir import expr as tree
from dotnn.library.layers.base import shape_text
from dotnn.library.ops import whole
from dotnn.model import messages
from dotnn.model.bind import match
from dotnn.model.constants import evaluate, is_number
from dotnn.model.definitions.base import safe
from dotnn.model.definitions.whole import Formula, Label, Operands, used_in
from dotnn.model.formulas import Part, shape_or_number
from dotnn.model.messages.base import Fail
from dotnn.model.model import Declared, LossTerm, Read
from dotnn.model.network import NetworkReader
from dotnn.model.scope import Tensor
from dotnn.syntax import nodes


@dataclass
class Given:
    """What a use gives a formula: its operands with their shapes, and where each name is read from."""

    operands: Operands
    reads: dict[str, Read] = field(default_factory=dict)


def given(formula: Formula, call: nodes.Call, network: NetworkReader) -> tuple[Given, tuple[nodes.Arg, ...]]:
    """Return what a call gives the values of a definition, and its other arguments. Raises `Fail`."""
    names = [p.name.id for p in formula.operands]
    positional = [a for a in call.args if a.name is None]
    mine = [*positional[: len(names)], *(a for a in call.args if a.name is not None and a.name.id in names)]
    rest = tuple(a for a in call.args if a not in mine)
    found = Given(Operands({}, {}, {}))
    exprs = match(formula.name, names, mine)
    for p in formula.operands:
        if p.name.id not in exprs:
            raise Fail(messages.definitions.operand_missing(call.span, formula.name, p.name.id, formula.form))
        _take(formula, p, exprs[p.name.id], found, network)
    return found, rest


def _take(formula: Formula, param: nodes.BlockParam, expr: nodes.Expr, found: Given, network: NetworkReader) -> None:
    """Add one operand of a use to what is given."""
    name, called = param.name.id, safe(param.name.id)
    operands = found.operands
    assert isinstance(operands.parts, dict) and isinstance(operands.labels, dict)
    assert isinstance(operands.origins, dict)
    target = network.targets.get(expr.id) if isinstance(expr, nodes.Name) else None
    if target is not None:
        network.scope.used.add(target.name)
        place = network.source.place(target.span)
        operands.origins[called] = f"{target.name}: {shape_text(target.type)} ({place})"
    if param.kind is not None:
        if target is None or target.kind != "class":
            raise Fail(messages.definitions.no_label(expr.span, formula.name, name))
        operands.labels[name] = Label(called, target.bound, target.type.example)
        found.reads[called] = Read(target=target.name, kind=f"class:{target.bound}")
    elif target is not None:
        operands.parts[name] = _numbers(formula, name, target, expr)
        found.reads[called] = Read(target=target.name, kind="real")
    else:
        number = _number(expr, network)
        if number is not None:
            operands.parts[name] = Part(tree.number(number), expr.span)
            return
        value = _value(expr, network)
        if value.type.dtype != "real":
            message = f"{formula.name} needs real numbers, but {name} holds integers"
            origin = network.steps.origins((value,))
            raise Fail(messages.shapes.shape_mismatch(expr.span, message, origin, "use embedding or one_hot first"))
        operands.parts[name] = Part(tree.Name(called), expr.span, value.type.example)
        operands.origins[called] = network.steps.origins((value,))
        found.reads[called] = Read(value=value.path)


def take_known(
    formula: Formula, param: nodes.BlockParam, term: LossTerm, found: Given, network: NetworkReader, *, of_target: bool
) -> None:
    """Add the output or the target of a loss to what a metric is given that names neither."""
    names = network.scope.names
    named = next((n for n, t in names.items() if isinstance(t, Tensor) and t.path == term.output), "")
    _take(formula, param, nodes.Name(term.span, term.target if of_target else named), found, network)


def _numbers(formula: Formula, name: str, target: Declared, expr: nodes.Expr) -> Part:
    if target.kind == "class":
        raise Fail(messages.definitions.label_given(expr.span, formula.name, name, target.name, target.shown))
    return Part(tree.Name(safe(name)), expr.span, target.type.example)


def _value(expr: nodes.Expr, network: NetworkReader) -> Tensor:
    """Return the value of the network that is given. Raises `Fail`."""
    names = network.scope.names
    if isinstance(expr, nodes.Name) and expr.id not in names and "" not in names:
        known = [*network.outputs, *(n for n, b in names.items() if isinstance(b, Tensor)), *network.targets]
        raise Fail(messages.definitions.unknown_operand(expr.span, expr.id, dict.fromkeys(known)))
    return network.named_value(expr)


def _number(expr: nodes.Expr, network: NetworkReader) -> float | None:
    """Return the number that is given in the place of a value, None where it is none."""
    names = network.scope.names
    if isinstance(expr, nodes.Name) and (expr.id in names or expr.id not in network.scope.constants):
        return None
    if isinstance(expr, nodes.Call | nodes.Pipe):
        return None
    found = evaluate(expr, network.scope.constants)
    return found if is_number(found) else None


def body(formula: Formula, operands: Operands, numbers: Mapping[str, float], call: nodes.Call) -> tree.Expr:
    """Return what a formula computes of its operands: one number for each example. Raises `Fail`."""
    return _mean_over_steps(values(formula, operands, numbers, call), operands).tree


def values(formula: Formula, operands: Operands, numbers: Mapping[str, float], call: nodes.Call) -> Part:
    """Return the same, but one number for each step of what has a class for each step. Raises `Fail`."""
    plain = {name: Part(tree.number(value), call.span) for name, value in numbers.items()}
    section = formula.section
    with used_in(formula, call.span):
        part = formula.read(replace(operands, parts={**operands.parts, **plain}))
        if part.shape is None or not tree.reads(part.tree):
            raise Fail(messages.definitions.reads_nothing(section.value.span, section.keyword, formula.name))
        if any(size != 1 for size in _mean_over_steps(part, operands).shape or ()):
            origin = "; ".join(operands.origins.values())
            shape = shape_or_number(part)
            raise Fail(
                messages.definitions.several_numbers(section.value.span, section.keyword, formula.name, shape, origin)
            )
    return part


def _mean_over_steps(part: Part, operands: Operands) -> Part:
    """Return the mean over the steps of what is one number for each step that has a class; else what is there."""
    steps = {(*label.steps, 1) for label in operands.labels.values() if label.steps}
    if part.shape not in steps:
        return part
    made = whole.reduced(part.tree, "mean", range(1, len(part.shape or ()) + 1))
    return replace(part, tree=made, shape=(1,) * len(part.shape or ()))


def check_gradient(formula: Formula, made: tree.Expr, found: Given, call: nodes.Call) -> None:
    """Raise `Fail` where no gradient goes to any value that the model computes."""
    values = {name: read.value for name, read in found.reads.items() if read.value}
    if not whole.reaches(made, [*values]):
        raise Fail(messages.definitions.flat_in_values(call.span, formula.name, values.values()))
