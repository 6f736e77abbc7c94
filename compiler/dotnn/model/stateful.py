"""Layers that carry their state from batch to batch: row k of a batch must go on where row k of the one before ends."""

from __future__ import annotations

from collections.abc import Iterator

from dotnn.model import messages
from dotnn.model.model import Data, Train
from dotnn.model.network import NetworkReader
from dotnn.model.scope import Draft


def check_stateful(network: NetworkReader, data: Data | None, train: Train) -> None:
    """Report what would take the examples out of their order, or leaves nothing to carry."""
    seen: set[str] = set()
    for draft in network.steps.drafts:
        if draft.attrs.get("stateful"):
            for message, help in _faults(draft, data, train, seen):
                network.report(
                    messages.timesteps.stateful(draft.span, f"{draft.layer.name} is stateful: {message}", help)
                )
            seen.add(draft.params.path)


def _faults(draft: Draft, data: Data | None, train: Train, seen: set[str]) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with one use of a stateful layer, and the fix."""
    split = data.split if data else None
    if train.shuffle:
        yield (
            "row k of a batch goes on where row k of the batch before ends, but the examples are shuffled",
            ("write train { shuffle = false }"),
        )
    if not train.batch:
        yield "a batch of all examples has none before it in its epoch", "give train { batch } the number of the rows"
    if split is not None and split.order != "file":
        yield "the examples must stay in their order, but the split draws them", "write split(…, order = file)"
    if draft.attrs["reverse"]:
        yield "what is read backwards has nothing to go on from", "leave reverse or stateful out"
    if any(role.startswith("initial ") for role in draft.attrs.get("roles", ())):
        yield "its first state is what the batch before has left, and no other value", "leave initial or stateful out"
    if draft.params.path in seen:
        yield "a shared layer has one state, but is used several times", "give each use a layer of its own"
