"""Reading `loss = 0.3 * mse(a, t1) + bce(p, t2)`."""

from __future__ import annotations

from collections.abc import Iterator

from dotnn.core.arguments import NON_NEGATIVE, Member
from dotnn.library.layers.base import shape_text
from dotnn.library.losses import LOSSES, Loss
from dotnn.model import messages
from dotnn.model.bind import bind, defined_members
from dotnn.model.constants import Poison, Poisoned, describe, evaluate, is_number
from dotnn.model.defined_terms import body, check_gradient, given
from dotnn.model.definitions.loss import DefinedLoss
from dotnn.model.masks import read_mask, taken_out, tensor_at
from dotnn.model.messages.base import Fail
from dotnn.model.model import Declared, LossTerm, Read
from dotnn.model.network import NetworkReader
from dotnn.model.number_targets import number_target, term_of_number
from dotnn.model.scope import Tensor
from dotnn.model.section import SectionReader
from dotnn.syntax import nodes

SUM = "a loss is one term, or a sum of terms with weights"


def loss_terms(expr: nodes.Expr, section: SectionReader, network: NetworkReader) -> tuple[LossTerm, ...]:
    """Return the terms of a loss. Every wrong term is reported."""
    terms = []
    for call, weight in _weighted(expr, 1, section, network):
        with section.reporting("loss"):
            terms.append(_loss_term(call, weight, section, network))
    return tuple(terms)


def _weighted(
    expr: nodes.Expr, weight: float, section: SectionReader, network: NetworkReader
) -> Iterator[tuple[nodes.Call, float]]:
    match expr:
        case nodes.Call():
            yield expr, weight
        case nodes.Binary(op="+", left=left, right=right):
            yield from _weighted(left, weight, section, network)
            yield from _weighted(right, weight, section, network)
        case nodes.Binary(op="*", left=left, right=right):
            factor, term = (right, left) if isinstance(left, nodes.Call) else (left, right)
            value = evaluate(factor, section.constants)
            if not is_number(value) or NON_NEGATIVE.accept(value) is None:
                message = f"the weight of a loss must be a number that is not negative, not {describe(value)}"
                raise Fail(
                    messages.training.loss_form(
                        factor.span, message, f"for instance: loss = 0.3 * {_example('mse', network, section)}"
                    )
                )
            yield from _weighted(term, weight * value, section, network)
        case nodes.Binary(op="/", left=left):
            help = f"multiply instead: 0.5 * {network.source.words_at(left.span)}"
            raise Fail(messages.training.loss_form(expr.span, "a loss cannot be divided", help))
        case nodes.Name(id=name) if name in _losses(section):
            help = f"write {_example(name, network, section)}"
            raise Fail(
                messages.training.loss_form(
                    expr.span, f"{name} compares an output with a target, and none are given", help
                )
            )
        case _:
            help = f"for instance: loss = {_example('mse', network, section)}; or 0.3 * mse(a, s) + bce(p, t)"
            raise Fail(messages.training.loss_form(expr.span, SUM, help))


def _losses(section: SectionReader) -> dict[str, Member]:
    """Return all losses by name, those of the spec, too."""
    return {**LOSSES, **defined_members("loss", section.constants)}


def _example(loss: str, network: NetworkReader, section: SectionReader) -> str:
    """Return a call of the loss with the model's own names where there is no doubt about them."""
    own = _losses(section)[loss]
    if isinstance(own, DefinedLoss):
        return own.formula.form
    output = next(iter(network.outputs)) if len(network.outputs) == 1 else "y"
    target = next(iter(network.targets)) if len(network.targets) == 1 else "t"
    return f"{loss}({output}, {target})"


def _loss_term(call: nodes.Call, weight: float, section: SectionReader, network: NetworkReader) -> LossTerm:
    losses, name = _losses(section), call.func.id
    if isinstance(section.constants.get(name), Poison):
        raise Poisoned
    loss = losses.get(name)
    if isinstance(loss, DefinedLoss):
        return _defined_term(loss, call, weight, section, network)
    if not isinstance(loss, Loss):
        raise Fail(messages.calls.unknown_entry(call.func.span, "loss", name, losses))
    call, masked = taken_out(call)
    operands = [a.value for a in call.args[:2] if a.name is None]
    if len(operands) != 2:
        help = f"write {_example(loss.name, network, section)}"
        raise Fail(
            messages.training.loss_form(call.span, f"{loss.name} compares an output with a target: it needs both", help)
        )
    number = number_target(operands[1], network)
    if number is not None:
        return term_of_number(loss, call, number, weight, masked, network)
    output, target = output_and_target(operands[0], operands[1], section, network, "loss")
    attrs = bind(loss.name, loss.args, call.args[2:], call.span, section.constants)
    kind = _target_kind(loss, output, target, call, network)
    _check_weights(attrs.get("class_weight"), (2,) if loss.target == "unit" else output.type.example[-1:], call)
    most = len(output.type.example) - (loss.target == "class")
    mask = Read() if masked is None else read_mask(masked, output, most, loss.name, network)
    return LossTerm(loss, attrs, weight, output.path, target.name, kind, call.span, mask=mask)


def _defined_term(
    loss: DefinedLoss, call: nodes.Call, weight: float, section: SectionReader, network: NetworkReader
) -> LossTerm:
    """Return the term of a loss that the spec defines."""
    plain, masked = taken_out(call, [p.name.id for p in loss.formula.section.params])
    found, rest = given(loss.formula, plain, network)
    attrs = bind(loss.name, loss.args, rest, call.span, section.constants)
    numbers = {arg.name: attrs[arg.name] for arg in loss.formula.args}
    formula = body(loss.formula, found.operands, numbers, call)
    check_gradient(loss.formula, formula, found, call)
    read = [*found.reads.values()]
    output = next((r.value for r in read if r.value), "")
    target = next((r for r in read if r.target), Read())
    mask = Read() if masked is None else read_mask(masked, tensor_at(output, network), 0, loss.name, network)
    return LossTerm(loss, attrs, weight, output, target.target, target.kind, call.span, formula, found.reads, mask)


def _check_weights(weights: tuple[float, ...] | None, classes: tuple[int, ...], call: nodes.Call) -> None:
    if weights is not None and classes != (len(weights),):
        place = next((a.value.span for a in call.args if isinstance(a.value, nodes.List)), call.span)
        raise Fail(messages.training.class_weights(place, len(weights), classes[0]))


def output_and_target(
    output: nodes.Expr, target: nodes.Expr, section: SectionReader, network: NetworkReader, key: str
) -> tuple[Tensor, Declared]:
    """Return what the operands of a loss or metric (`key` says which) name; where both are wrong, both are reported."""
    if isinstance(output, nodes.Name) and isinstance(target, nodes.Name):
        swapped = output.id in network.targets and target.id not in network.targets
        if swapped and isinstance(network.scope.names.get(target.id), Tensor):
            raise Fail(messages.training.loss_swapped(output.span, output.id, target.id))
    found: list[Tensor | Declared] = []
    with section.reporting(key):
        found.append(_target_named(target, network))
    with section.reporting(key):
        found.append(network.named_value(output))
    if len(found) != 2:
        raise Poisoned
    declared, tensor = found
    assert isinstance(declared, Declared) and isinstance(tensor, Tensor)
    return tensor, declared


def _target_named(expr: nodes.Expr, network: NetworkReader) -> Declared:
    if not isinstance(expr, nodes.Name):
        raise Fail(
            messages.training.loss_form(expr.span, "the name of a target is needed here", "declare it: target t: [1]")
        )
    target = network.targets.get(expr.id)
    network.scope.used.add(expr.id)
    if target is not None:
        return target
    if isinstance(network.scope.names.get(expr.id), Poison):
        raise Poisoned
    raise Fail(messages.training.loss_target_name(expr.span, expr.id, list(network.targets)))


def _target_kind(loss: Loss, output: Tensor, target: Declared, call: nodes.Call, network: NetworkReader) -> str:
    """Return what the target holds; an error where output and target do not fit. Nothing is broadcast."""
    fault = misfit(loss.name, output, target, classes=loss.target == "class")
    if fault is not None:
        line = network.source.line_of(target.span)
        note = f"{network.steps.origins((output,))};  {target.name}: {_declared(target)} (line {line})"
        raise Fail(messages.training.loss_target(call.span, fault[0], note, fault[1]))
    if target.kind == "class":
        return f"class:{target.bound}"
    return "distribution" if loss.target == "class" else loss.target


def _declared(target: Declared) -> str:
    return target.shown if target.kind == "class" else shape_text(target.type)


def _steps_differ(name: str, output: Tensor, target: Declared) -> tuple[str, str]:
    """Return why an output with a row for each step, say, does not suit a target that has others, and the fix."""
    count, steps, given = target.bound, target.type.example, output.type.example[:-1]
    wanted = f"each of {' x '.join(map(str, steps))} steps" if steps else "each example"
    layer = f"returns = {'sequence' if steps else 'last'} in a recurrent layer"
    help = f"one row of {count} for {wanted} is needed: {layer}{'' if steps else ', or -> flatten'}"
    if given:
        help += f"; for one class for each step declare target {target.name}: class{[*given, count]}"
    return f"{name}: the output has shape {shape_text(output.type)}, but the target is one class for {wanted}", help


def misfit(name: str, output: Tensor, target: Declared, *, classes: bool) -> tuple[str, str] | None:
    """Return why the loss or metric `name` cannot compare output and target, and the fix; None where it can."""
    shape, count = shape_text(output.type), target.bound
    if target.kind == "class" and not classes:
        help = f"use cross_entropy for classes; only if it holds numbers, declare target {target.name}: {shape}"
        return f"{name} needs numbers, but the target {target.name} is {target.shown}", help
    if target.kind == "class":
        if output.type.shape == (*target.type.shape, count):
            return None
        if output.type.shape[-1:] == (count,):
            return _steps_differ(name, output, target)
        return (
            f"{name}: the output has shape {shape}, but the target has {count} classes",
            f"one probability for each class is needed: make the last layer dense({count}, softmax)",
        )
    if output.type == target.type:
        return None
    help = f"nothing is broadcast: declare target {target.name}: {shape}, or make the last layer fit"
    if classes:
        help = f"for class numbers declare target {target.name}: class[{(output.type.example or (2,))[-1]}]"
    return f"{name}: the output has shape {shape}, but the target has {shape_text(target.type)}", help
