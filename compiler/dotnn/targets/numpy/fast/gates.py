"""Gates that lie side by side in one array: one tanh for all of them, and gradients written where the gates were.

sigmoid(z) = tanh(z / 2) / 2 + 1/2, so columns under sigmoid and columns under tanh differ by factors of 1/2 only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dotnn.ir.node import Node, Value

if TYPE_CHECKING:
    from dotnn.targets.numpy.fast.places import LoopPlaces


def overwritten_gates(w: LoopPlaces) -> tuple[int, str]:
    """Return the number of a concatenation of gradients that may be written over the gates, and the gates' array.

    A gradient may take the place of its gate if no later line reads that gate; (-1, "") if there is none such.
    """
    for node in w.nodes:
        if not node.rule.joins or node.out.id in w.homes or node.out not in map(w.root, w.loop.collected):
            continue
        found = _array_over(w, node)
        if found:
            return node.out.id, found
    return -1, ""


def _array_over(w: LoopPlaces, concat: Node) -> str:
    gates = {v: w.e.gate_of[s.id] for v in w.loop.slices if (s := w.sliced[v.id]).id in w.e.gate_of}
    parts: dict[tuple[int, int], Node] = {}
    for value in map(w.root, concat.ins):
        base, start, stop = w.homes.get(value.id, (None, 0, 0))
        if base != concat.out or value.id not in w.made:
            return ""
        parts[start, stop] = w.made[value.id]
    arrays = {array for array, *_ in gates.values()}
    for array in sorted(arrays):
        inside = {v: place for v, place in gates.items() if place[0] == array}
        whole = {out for out, place in w.e.gate_of.items() if place[0] == array}
        width = next(iter(inside.values()))[3]
        only_here = all(w.e.readers.get(out, []) == [w.node] for out in whole)
        free = width == concat.out.type.example[-1] and only_here
        if free and all(_dead(w, gate, place[1], place[2], parts) for gate, place in inside.items()):
            return array
    return ""


def _dead(w: LoopPlaces, gate: Value, start: int, stop: int, parts: dict[tuple[int, int], Node]) -> bool:
    """Whether the gate at these columns is read for the last time before, or by, what overwrites it."""
    for (a, b), writer in parts.items():
        if a < stop and start < b:
            readers = [n for n in w.nodes if gate in map(w.root, n.ins)]
            late = [n for n in readers if w.nodes.index(n) > w.nodes.index(writer)]
            at = [n for n in readers if n is writer and not n.op.endswith("_derivative")]
            if late or at or (a, b) != (start, stop):
                return False
    return True
