"""Who reads a value: the uses of a node as statements of the script, and what each sends back."""

from __future__ import annotations

from collections.abc import Collection

from ..reading.statements import loads
from ..reading.types import Array
from ..tracing.run import Run
from ..tracing.values import Node

Reader = tuple[str, int]
"""What a statement computes, and the number of its event."""
THE_LOSS = ("the loss", 0)


def shares_by_reader(run: Run, node: Node) -> list[tuple[str, Array]]:
    """Return what each reading of a value contributes to its cotangent, with what is computed from it there."""
    return [(name, share) for (name, _), share in _by_reader(run, node)]


def shares_by_statement(run: Run, node: Node) -> list[tuple[str, Array]]:
    """Return the same for whole statements, where there are several."""
    found: dict[Reader, Array] = {}
    for reader, share in _by_reader(run, node):
        found[reader] = found[reader] + share if reader in found else share
    return [(name, share) for (name, _), share in found.items()] if len(found) > 1 else []


def _by_reader(run: Run, node: Node) -> list[tuple[Reader, Array]]:
    while len(node.uses) == 1 and _names(run, node.uses[0][0]):
        node = node.uses[0][0]
    owners, found = _owners(run, node), []
    for user, share in node.uses:
        if _names(run, user) and loads(run.events[user.event or 0].site.node):  # W = params["W"]
            found += _by_reader(run, user)
        else:
            found.append((owners.get(_renamed(user).order, THE_LOSS), share))
    return found


def _names(run: Run, node: Node) -> bool:
    """Whether a node is another name of a value, in the same call."""
    return node.event is not None and run.events[node.event].site.kind != "argument"


def _renamed(node: Node) -> Node:
    """Return what is made of a node that is only another name."""
    while node.event is not None and len({user.order for user, _ in node.uses}) == 1:
        node = node.uses[0][0]
    return node


def _owners(run: Run, node: Node) -> dict[int, Reader]:
    """Return which assignment every node behind this one is a part of: one of the call that makes it.

    What a function computes is a part of the statement that calls it.
    """
    events = {e.node.order: e for e in run.forward if e.node is not None and e.frame == node.frame}
    found: dict[int, Reader] = {}
    for order, event in events.items():
        for part in _parts(event.node, events.keys() - {order}, node.order):
            found.setdefault(part, (event.name, event.number))
    return found


def _parts(whole: Node | None, others: Collection[int], start: int) -> set[int]:
    """Return what a node is computed from, itself among it, as far as others and what is before the start."""
    found: set[int] = set()
    unread = [whole]
    while unread:
        node = unread.pop()
        if node is not None and node.order > start and node.order not in found and node.order not in others:
            found.add(node.order)
            unread += node.parents
    return found
