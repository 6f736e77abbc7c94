"""Gradients of all steps may be written where the gates were, if no later line reads a gate that is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dotnn.ir.node import Node, Value
from dotnn.targets.numpy.fast.kernels import overwritable
from dotnn.targets.numpy.fast.placement.places import Piece, Rows

if TYPE_CHECKING:
    from dotnn.targets.numpy.fast.placement.steps import LoopPlacement

Columns = tuple[int, int]


def overwritten(loop: LoopPlacement) -> tuple[Value, Rows | None]:
    """Return a join that may be written over an array that the loop goes through, and that array: None for none."""
    body = loop.body
    handed_out = body.handed_out - body.parts.keys()
    for node in (n for n in body.nodes if n.rule.joins and n.out.id in handed_out):
        parts = _written_in_place(loop, node)
        rows = _array(loop, node.out, parts) if parts else None
        if rows is not None:
            return node.out, rows
    return body.nodes[0].out, None


def _written_in_place(loop: LoopPlacement, join: Node) -> dict[Columns, Node]:
    """Return the nodes that write each part of a join where it belongs; none, if one of them is copied."""
    body = loop.body
    found: dict[Columns, Node] = {}
    for value in map(body.root, join.ins):
        base, start, stop = body.parts.get(value.id, (None, 0, 0))
        if base != join.out or value.id not in body.made:
            return {}
        found[start, stop] = body.made[value.id]
    return found


def _array(loop: LoopPlacement, join: Value, parts: dict[Columns, Node]) -> Rows | None:
    """Return an array of gates as wide as the join whose gates this loop alone reads, none of them too late."""
    known, sequences = loop.placer.gates, loop.body.sequences
    gates = {v: known[sequences[v.id].id] for v in loop.loop.slices if sequences[v.id].id in known}
    wide = (piece.rows for piece in gates.values() if piece.rows.width == join.type.example[-1])
    return next((rows for rows in dict.fromkeys(wide) if _free(loop, rows, gates, parts)), None)


def _free(loop: LoopPlacement, rows: Rows, gates: dict[Value, Piece], parts: dict[Columns, Node]) -> bool:
    """Whether only this loop reads an array's gates, each of them before its columns are overwritten."""
    holders = [number for number, piece in loop.placer.gates.items() if piece.rows is rows]
    here = all(loop.placer.readers.get(number, []) == [loop.node] for number in holders)
    return here and all(_dead(loop, v, piece, parts) for v, piece in gates.items() if piece.rows is rows)


def _dead(loop: LoopPlacement, gate: Value, piece: Piece, parts: dict[Columns, Node]) -> bool:
    """Whether the gate is read for the last time before, or by, what overwrites its columns."""
    start, stop = piece.columns or (0, 0)
    over = [(columns, writer) for columns, writer in parts.items() if columns[0] < stop and start < columns[1]]
    return all(columns == (start, stop) and _not_later(loop, gate, writer) for columns, writer in over)


def _not_later(loop: LoopPlacement, gate: Value, writer: Node) -> bool:
    nodes = loop.body.nodes
    reading = [n for n in nodes if gate in map(loop.body.root, n.ins)]
    last = nodes.index(writer)
    safe = gate in overwritable(writer) or writer not in reading
    return safe and all(nodes.index(n) <= last for n in reading)
