"""Reading `mask = m` of a loss or a metric: which examples, or which of their steps, count."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from dotnn.library.layers.base import shape_text
from dotnn.library.layers.recurrent import PADDING_MASK
from dotnn.model import messages
from dotnn.model.messages.base import Fail
from dotnn.model.model import Declared, Model, Read
from dotnn.model.network import NetworkReader
from dotnn.model.scope import Tensor
from dotnn.syntax import nodes

MASK = "mask"


def taken_out(call: nodes.Call, taken: Collection[str] = ()) -> tuple[nodes.Call, nodes.Expr | None]:
    """Return a call without its mask, and the mask; `taken` are arguments that a definition has of its own."""
    mask = next((a for a in call.args if a.name is not None and a.name.id == MASK), None)
    if mask is None or MASK in taken:
        return call, None
    return replace(call, args=tuple(a for a in call.args if a is not mask)), mask.value


def read_mask(expr: nodes.Expr, output: Tensor, most: int, name: str, network: NetworkReader) -> Read:
    """Return what a mask is, for an output whose first `most` axes it may have. Raises `Fail`.

    A value of the model marks with whole numbers what is not 0, as for recurrent layers; a target may hold any weights.
    """
    target = network.targets.get(expr.id) if isinstance(expr, nodes.Name) else None
    if target is not None:
        network.scope.used.add(target.name)
        if target.kind != "real":
            message = f"the mask of {name} must hold 0 and 1, or weights, but {target.name} is {target.shown}"
            places = list(output.type.example[: min(most, 1)] or (1,))
            raise Fail(messages.training.mask_form(expr.span, message, f"declare target {target.name}: {places}"))
        _check_shape(expr, target, output, most, name)
        return Read(target=target.name, kind="weight")
    value = network.named_value(expr)
    if value.type.dtype == "real":
        message = f"the mask of {name} must hold whole numbers, but {value.label or value.path} holds real ones"
        help = "padding_mask makes one from tokens; what is known of the examples alone is a target: target m: [1]"
        raise Fail(messages.training.mask_form(expr.span, message, help))
    _check_shape(expr, value, output, most, name)
    return Read(value=value.path)


def check_mask(mask: Read, use: nodes.Expr, output: Tensor, most: int, name: str, network: NetworkReader) -> None:
    """Raise `Fail` where a metric, used here, cannot tell apart what the mask of its loss does."""
    found = network.targets[mask.target] if mask.target else tensor_at(mask.value, network)
    _check_shape(use, found, output, most, name)


def tensor_at(path: str, network: NetworkReader) -> Tensor:
    """Return the value of the network at a path that a loss or a metric has named."""
    return next(t for t in network.scope.names.values() if isinstance(t, Tensor) and t.path == path)


def known_before(mask: Read, model: Model) -> tuple[str, int | None] | None:
    """Return the input or target that tells a mask before the network is computed, None where that does not.

    With it the whole number that marks what does not count, None where the numbers are weights.
    """
    if mask.target:
        return mask.target, None
    if mask.value in model.inputs:
        return mask.value, 0
    made = next((step for step in model.steps if step.path == mask.value), None)
    if made is None or made.layer.name != PADDING_MASK.name or made.ins[0] not in model.inputs:
        return None
    return made.ins[0], int(made.attrs["padding"])


def _check_shape(expr: nodes.Expr, mask: Tensor | Declared, output: Tensor, most: int, name: str) -> None:
    """Raise `Fail` where a mask has neither a number for each example nor one for each of its first places."""
    given, places = mask.type.example, output.type.example[:most]
    if given in ((), (1,)) or given == places[: len(given)]:
        return
    message = (
        f"the mask of {name} has shape {shape_text(mask.type)}, but the output has shape {shape_text(output.type)}"
    )
    alone = "" if places else f": that is all that {name} can tell apart"
    forms = [f"one number for each example, [1]{alone}"]
    forms += [f"one for each of its {places[0]} steps, [{places[0]}]"] if places else []
    raise Fail(messages.training.mask_form(expr.span, message, f"give it {' or '.join(forms)}"))
