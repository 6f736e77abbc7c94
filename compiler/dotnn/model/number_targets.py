"""Losses of the language whose target is one number for all examples: `bce(d_fake, 0)`."""

from __future__ import annotations

from dataclasses import replace

from dotnn.core import decimals
from dotnn.core.arguments import NUMBER, Arg
from dotnn.core.diagnostics import Span
from dotnn.ir import expr as tree
from dotnn.ir.expr import Binary, Call, Expr, Name, Number
from dotnn.ir.expr.simplify import without_units
from dotnn.ir.expr.visit import map_children
from dotnn.library.losses import Loss
from dotnn.library.ops import whole
from dotnn.model import messages
from dotnn.model.bind import bind
from dotnn.model.constants import evaluate, is_number
from dotnn.model.masks import read_mask
from dotnn.model.messages.base import Fail
from dotnn.model.model import LossTerm, Read
from dotnn.model.network import NetworkReader
from dotnn.model.scope import names_read
from dotnn.syntax import nodes

RANGES = {"unit": ("from 0 to 1", lambda t: 0 <= t <= 1), "sign": ("-1 or 1", lambda t: t in (-1, 1))}
"""What a number must be in the place of a target, by what the targets of a loss hold."""
OUTPUT, TARGET = "y", "t"


def number_target(expr: nodes.Expr, network: NetworkReader) -> float | None:
    """Return the number that stands where the target of a loss is named, None where none does."""
    names, constants = network.scope.names, network.scope.constants
    if isinstance(expr, nodes.Name) and (expr.id in names or expr.id in network.targets or expr.id not in constants):
        return None
    if not isinstance(expr, nodes.Name | nodes.Number | nodes.Unary | nodes.Binary):
        return None
    if network.is_value(expr, network.scope) or _reads_target(expr, network):
        return None
    found = evaluate(expr, constants)
    return found if is_number(found) else None


def _reads_target(expr: nodes.Expr, network: NetworkReader) -> bool:
    return any(name in network.targets or name in network.scope.names for name in names_read(expr))


def term_of_number(
    loss: Loss, call: nodes.Call, number: float, weight: float, masked: nodes.Expr | None, network: NetworkReader
) -> LossTerm:
    """Return the term of a loss that compares all outputs with one number. Raises `Fail`."""
    place = call.args[1].value.span
    if not loss.term:
        help = "declare a target, which says how many there are: target y: class[3]"
        message = f"{loss.name} compares classes: one number for all examples is no target of it"
        raise Fail(messages.training.loss_form(place, message, help))
    _check_range(loss, number, place)
    output = network.named_value(call.args[0].value)
    args = tuple(arg for arg in loss.args if arg.name != "class_weight")
    attrs = bind(loss.name, args, call.args[2:], call.span, network.scope.constants)
    known = {name: tree.number(value) for name, value in attrs.items() if is_number(value)}
    each = _folded(tree.substitute(tree.parse(loss.term), {**known, TARGET: tree.number(number)}))
    axes = range(1, len(output.type.shape))
    formula = whole.reduced(each, "mean" if loss.averages else "sum", axes) if axes else each
    mask = Read() if masked is None else read_mask(masked, output, 0, loss.name, network)
    told = replace(loss, args=(Arg(TARGET, NUMBER), *args))
    return LossTerm(
        told,
        {TARGET: number, **attrs},
        weight,
        output.path,
        "",
        "",
        call.span,
        formula,
        {OUTPUT: Read(value=output.path)},
        mask,
    )


def _check_range(loss: Loss, number: float, place: Span) -> None:
    expected, holds = RANGES.get(loss.target, ("", lambda t: True))
    if not holds(number):
        message = f"{loss.name} compares with targets that are {expected}, not {number:g}"
        raise Fail(messages.training.loss_form(place, message, f"write a number {expected}, or the name of a target"))


def _folded(expr: Expr) -> Expr:
    """Return a formula without what a number has made 0, or another number."""
    expr = map_children(expr, _folded)
    match expr:
        case Binary("*", Number(0), Name() | Call() | Binary()) | Binary("*", Name() | Call() | Binary(), Number(0)):
            return Number(0)
        case Binary("-", Number(a), Number(b)):
            return tree.number(decimals.minus(a, b))
    return without_units(expr)
