"""A placement as text, for `dotnn dump --stage placement`: one line a value, in the order in which they are made."""

from __future__ import annotations

import math
from collections.abc import Iterator

from dotnn.ir.node import Node, Value
from dotnn.targets.numpy.fast.placement.batch import Placement
from dotnn.targets.numpy.fast.placement.places import Piece, Place, StepPlace
from dotnn.targets.numpy.fast.placement.steps import LoopPlacement

ORDERS = {"features": "features first", "planes": "planes of images", "rows": "examples first"}


def describe(placed: Placement) -> str:
    """Return where every value lives, and how many numbers the arrays hold for each example."""
    lines = [line for node in placed.graph.nodes for line in _of_node(placed, node)]
    sizes = [*_of_batch(placed), *(size for loop in placed.loops.values() for size in _of_loop(loop))]
    return "\n".join([*lines, "", f"{len(sizes)} arrays, {sum(sizes)} numbers for each example"]) + "\n"


def _of_batch(placed: Placement) -> list[int]:
    """Return how many numbers of an example each array outside of loops holds."""
    buffers = {p.buffer for p in placed.places.values() if p.buffer and p.how in ("new", "zeros", "carrier")}
    return [math.prod(b.first.type.example) for b in buffers if b.first.type.batched]


def _of_loop(loop: LoopPlacement) -> list[int]:
    """Return the same for the arrays that a loop makes."""
    rows = {p.piece.rows for p in loop.places.values() if p.piece}
    steps = {p.first for p in loop.places.values() if p.reused}
    return [r.steps * r.width for r in rows if r.steps and r.over is None] + [math.prod(v.type.example) for v in steps]


def _of_node(placed: Placement, node: Node) -> Iterator[str]:
    for value in node.outs:
        yield _line(value, _place(placed.places[value.id]))
    if id(node) in placed.loops:
        loop = placed.loops[id(node)]
        steps = (v for v in (*loop.loop.slices, *loop.loop.entering, *(n.out for n in loop.loop.nodes)))
        yield from (f"    {_line(v, _step(v, loop.place(v)))}" for v in steps if v.type.dtype == "real")


def _line(value: Value, place: str) -> str:
    return f"{f'{value.name}: {value.type}':40} {place}"


def _place(place: Place) -> str:
    """Return where a value of the batch lives."""
    of = place.of.name if place.of else ""
    order = ORDERS[place.buffer.layout[0]] if place.buffer else ""
    columns = f"{of}[{place.start}:{place.stop}]"
    return {
        "new": f"new array, {order}",
        "over": f"over {of}",
        "same": f"is {of}",
        "columns": columns,
        "part": columns if place.stop else f"{of}[{place.start}]",
        "reshaped": f"view of {of}",
        "repeated": f"repeats {of}",
        "zeros": "new array of zeros",
        "gradient": f"gradient of {', '.join(place.paths)}",
        "parameters": f"block of {', '.join(place.paths)}",
        "carrier": "new array, with a row of ones",
        "rows": _piece(place.piece) if place.piece else "",
        "within": f"gradient of {', '.join(place.paths)}, written with others",
        "kernel": "made by its kernel",
    }[place.how]


def _step(value: Value, place: StepPlace) -> str:
    """Return where a value of a step lives."""
    if place.piece is not None:
        return f"step of {_piece(place.piece)}"
    if place.base is not None:
        return f"{place.base.name}[{place.columns[0]}:{place.columns[1]}]"
    return "new array" if place.first.id == value.id else f"over {place.first.name}"


def _piece(piece: Piece) -> str:
    columns = f", columns {piece.columns[0]}:{piece.columns[1]}" if piece.columns else ""
    stop = "" if piece.stop is None else piece.stop
    rows = f"[{piece.start}]" if piece.single else f"[{piece.start or ''}:{stop}]" if piece.start or stop else ""
    over = f", over {piece.rows.over.name}" if piece.rows.over else ""
    return f"{piece.rows.sequence.name if piece.rows.sequence else piece.rows.name}{rows}{columns}{over}"
