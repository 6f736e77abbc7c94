"""`accumulate = 4`: an update by the gradient of four batches, which are computed one after the other."""

from __future__ import annotations

from collections.abc import Iterator

from dotnn.core.arguments import POSITIVE_INT, Arg
from dotnn.model.masks import known_before
from dotnn.model.model import Model
from dotnn.model.settings import Clash, Setting, plain


def _clashes(model: Model, count: int) -> Iterator[Clash]:
    """Yield why the gradients of batches do not add up to that of all of them together."""
    summed = {term.attrs.get("reduce") == "sum" for term in model.train.losses}
    if not model.train.batch:
        yield "with batch = all an update is of all examples", "give the size of a batch: batch = 32"
    if any(p.renewed for p in model.params.values()):
        reason = "a layer takes statistics over the examples of a batch, and those of a large batch are others"
        yield reason, "use layernorm in place of batchnorm, or a larger batch"
    if summed != {True}:
        yield from _masks(model)
    if len(summed) > 1:
        yield "one loss is a mean over the batch, another a sum", "give all of them the same reduce"
    elif summed == {True} and any(p.penalty is not None for p in model.params.values()):
        reason = "a penalty would be added once for each of the batches, whose losses are sums"
        yield reason, "let the loss be a mean: reduce = mean; or use weight_decay"


def _masks(model: Model) -> Iterator[Clash]:
    """Yield why the batches have no common divisor: what they count must be known before the network is computed."""
    masks = {term.mask for term in model.train.losses}
    if len(masks) > 1:
        yield "the losses have different masks, and so each has another divisor", "use reduce = sum in all of them"
    elif any(mask.name and known_before(mask, model) is None for mask in masks):
        reason = "the network computes what the mask marks, and the divisor is that of all batches"
        yield reason, "make the mask an input, a target or the padding_mask of an input; or use reduce = sum"


ACCUMULATE = Setting(
    "accumulate",
    "how many batches an update is of: the gradient is that of a batch so many times as large, "
    "computed one batch after the other; default `1`",
    plain(Arg("accumulate", POSITIVE_INT, 1, "how many batches an update is of")),
    _clashes,
    turns="between two of its batches the other sections take their turns; use a larger batch",
)
