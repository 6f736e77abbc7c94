"""Gates that lie side by side in one array: one tanh for all of them, and gradients written where the gates were.

sigmoid(z) = tanh(z / 2) / 2 + 1/2, so columns under sigmoid and columns under tanh differ by factors of 1/2 only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dotnn.ir.node import Node, Value

if TYPE_CHECKING:
    from dotnn.targets.numpy.fast.places import LoopPlaces


@dataclass(frozen=True)
class Gates:
    """The activations that together cover the columns of z, in the order of the columns."""

    z: Value
    nodes: Sequence[Node]
    widths: Sequence[int]
    first: Node

    def factors(self, w: LoopPlaces) -> str:
        """Return the name of a row that holds 1/2 for columns under sigmoid and 1 for those under tanh."""
        return w.e.bind("half_of_sigmoid", self._row("0.5", "1"))

    def shifts(self, w: LoopPlaces) -> str:
        """Return the name of a row that holds 1/2 for columns under sigmoid and 0 for those under tanh."""
        return w.e.bind("half_or_zero", self._row("0.5", "0"))

    def _row(self, of_sigmoid: str, of_tanh: str) -> str:
        values = ", ".join(of_sigmoid if n.op == "sigmoid" else of_tanh for n in self.nodes)
        widths = str(self.widths[0]) if len(set(self.widths)) == 1 else str(list(self.widths))
        return f"np.repeat(np.array([{values}], dtype), {widths})"


def find_gates(w: LoopPlaces) -> Gates | None:
    """Return the first value of which every column goes through one sigmoid or tanh, some through each or all."""
    for z in (n.out for n in w.nodes):
        cuts = w.readers.get(z.id, [])
        if len(cuts) < 2 or any(n.op != "columns" for n in cuts) or z in w.loop.collected:
            continue
        cuts = sorted(cuts, key=lambda n: int(n.attrs["start"]))
        ends = [0, *(n.attrs["stop"] for n in cuts)]
        users = [w.readers.get(n.out.id, []) for n in cuts]
        tiled = [n.attrs["start"] for n in cuts] == ends[:-1] and ends[-1] == z.type.example[-1]
        if tiled and all(len(u) == 1 and u[0].op in ("sigmoid", "tanh") for u in users):
            acts = [u[0] for u in users]
            plain = any(n.op == "sigmoid" for n in acts) and not any(n.out.id in w.leaving for n in acts)
            if plain and not any(n.out in w.loop.collected for n in cuts):
                widths = [n.attrs["stop"] - n.attrs["start"] for n in cuts]
                return Gates(z, acts, widths, next(n for n in w.nodes if n in acts))
    return None


def overwritten_gates(w: LoopPlaces) -> tuple[int, str]:
    """Return the number of a concatenation of gradients that may be written over the gates, and the gates' array.

    A gradient may take the place of its gate if no later line reads that gate; (-1, "") if there is none such.
    """
    for node in w.nodes:
        if node.op != "concat" or node.out.id in w.homes or node.out not in map(w.root, w.loop.collected):
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
        if base != concat.out:
            return ""
        parts[start, stop] = w.made[value.id]
    arrays = {array for array, *_ in gates.values()}
    for array in sorted(arrays):
        inside = {v: place for v, place in gates.items() if place[0] == array}
        whole = {out for out, place in w.e.gate_of.items() if place[0] == array}
        width = next(iter(inside.values()))[3]
        only_here = all(w.e.readers.get(out, []) == [w.node] for out in whole)
        summed = {w.root(v) for n, _ in w.hoisted for v in n.ins}
        free = width == concat.out.type.example[-1] and only_here and not summed & set(inside)
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
