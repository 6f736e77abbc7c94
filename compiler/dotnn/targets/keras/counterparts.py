"""What Keras calls the members of the library, read off the rules; and what becomes of a member that has none."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from dotnn.core.arguments import REQUIRED, Arg
from dotnn.ir.expr import Unspellable
from dotnn.ir.tensor import BATCH, TensorType
from dotnn.library.layers import LAYERS
from dotnn.library.layers.base import Attrs, Layer, ShapeError
from dotnn.library.ops import OPS
from dotnn.library.optimizers import OPTIMIZERS
from dotnn.model.bind import default_of
from dotnn.targets.keras import rules
from dotnn.targets.keras.lowered import function, spelt
from dotnn.targets.keras.optimizer import in_tensorflow

_RULES: Mapping[str, Mapping[str, rules.Rule]] = {
    "layer": rules.LAYERS,
    "optimizer": rules.OPTIMIZERS,
    "penalty": rules.PENALTIES,
    "clip": rules.CLIPS,
    "constraint": rules.CONSTRAINTS,
}
SHAPES = ((4,), (6, 4), (6, 6, 4))
"""Examples that a layer is tried on: features, a sequence, an image."""


def says(family: str, member: str) -> str:
    """Return what Keras calls a member of the library; of one that it has no name for, how it is written."""
    rule = _RULES.get(family, {}).get(member) or rules.NOTES.get(f"{family} {member}")
    if rule and rule.says:
        return rule.says
    return f"none: {_without(family, member)}" if family in _WRITERS else "none"


def _without(family: str, member: str) -> str:
    try:
        _WRITERS[family](member)
    except Unspellable:
        return "refused"
    return "written from its formula"


def _layer(name: str) -> None:
    """Write a layer as the function of its ops. Raises `Unspellable`."""
    layer = LAYERS[name]
    attrs = _defaults(layer.args)
    if None in attrs.values():
        raise Unspellable("it has no counterpart in Keras")
    function(layer, name, (_operand(layer, attrs),), attrs)


def _operand(layer: Layer, attrs: Attrs) -> TensorType:
    """Return the type of an operand that fits a layer. Raises `Unspellable` where it takes several, or none fits."""
    for shape in SHAPES if layer.arity == (1, 1) else ():
        operand = TensorType((BATCH, *shape))
        try:
            layer.infer((operand,), attrs)
        except ShapeError:
            continue
        return operand
    raise Unspellable("it has no counterpart in Keras")


def _defaults(args: tuple[Arg, ...]) -> Attrs:
    """Return the default of each argument; of one that must be given some number, None if it is no number."""
    return {arg.name: _some(arg) if arg.default is REQUIRED else default_of(arg) for arg in args}


def _some(arg: Arg) -> object:
    return next((value for value in map(arg.kind.accept, (2, 0.5)) if value is not None), None)


def _loss(op: str) -> None:
    """Write what a loss sums. Raises `Unspellable`."""
    if op not in rules.LOSSES:
        spelt(OPS[op])


def _optimizer(name: str) -> None:
    """Write the equations of an optimizer. Raises `Unspellable`."""
    attrs = _defaults(OPTIMIZERS[name].args)
    for line in OPTIMIZERS[name].equations(attrs):
        in_tensorflow(line, attrs)


_WRITERS: Mapping[str, Callable[[str], None]] = {"layer": _layer, "loss": _loss, "optimizer": _optimizer}
"""How a member without a rule is written."""
