"""Where the boxes stand: in rows from top to bottom, so that arrows point down and no arrow runs through a box.

The four steps of Sugiyama, Tagawa and Toda (1981): rows by the longest way; a narrow slot in every row that an arrow
passes; the order in a row by the mean place of the neighbours; the places in that order by least squares.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

from dotnn.reports.diagram.boxes import Arrow, Box, Diagram

Point = tuple[float, float]

LETTER = 7.2
"""About the width of a letter of 12 pixels, in pixels."""

LINE, PADDING = 17.0, 12.0
BETWEEN, ROW_GAP, SLOT, LOOP = 24.0, 44.0, 14.0, 26.0
LONGEST = 44
"""More letters of a line are not shown."""

SWEEPS = 8


@dataclass
class Spot:
    """A box, or a slot that an arrow passes (`box` is None): its row, its middle, its size, its top."""

    row: int
    width: float
    height: float
    box: Box | None = None
    middle: float = 0.0
    top: float = 0.0

    @property
    def right(self) -> float:
        """Where it ends, with the loop beside it."""
        return self.middle + self.width / 2


@dataclass(frozen=True)
class Layout:
    """Boxes with their places, and arrows as the points that they pass, each between two rows or beside a row."""

    spots: Mapping[str, Spot]
    routes: Mapping[Arrow, Sequence[Point]]
    width: float
    height: float


def lay_out(diagram: Diagram) -> Layout:
    """Return where boxes and arrows are drawn, in pixels from the upper left corner."""
    spots = {box.name: _spot(box, row) for box, row in zip(diagram.boxes, _rows(diagram), strict=True)}
    ways = _ways(diagram, spots)
    rows = _in_rows(spots, ways)
    above, below = _neighbours(ways)
    _order(rows, above, below)
    _place(rows, above, below)
    height = _set_tops(rows)
    return Layout(spots, _routes(ways, rows), max(spot.right for row in rows for spot in row) + PADDING, height)


def shown(line: str) -> str:
    """Return a line of a box, cut where it is too long."""
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"


def _spot(box: Box, row: int) -> Spot:
    letters = max(len(shown(line)) for line in box.lines)
    return Spot(row, LETTER * letters + 2 * PADDING + 2 * LOOP * box.loops, LINE * len(box.lines) + PADDING, box)


def _rows(diagram: Diagram) -> list[int]:
    """Return the row of each box: one below all that it reads, or right above its reader if it reads nothing."""
    rows: dict[str, int] = {}
    before, after = _ends(diagram, 1), _ends(diagram, 0)
    for box in diagram.boxes:
        rows[box.name] = 1 + max((rows[tail] for tail in before.get(box.name, ())), default=-1)
    for box in diagram.boxes:
        if box.name not in before and box.name in after:
            rows[box.name] = min(rows[head] for head in after[box.name]) - 1
    return [rows[box.name] for box in diagram.boxes]


def _ends(diagram: Diagram, end: int) -> dict[str, list[str]]:
    """Return by the box at one end of its arrows the boxes at their other ends."""
    found: dict[str, list[str]] = {}
    for arrow in diagram.arrows:
        ends = arrow[:2]
        found.setdefault(ends[end], []).append(ends[1 - end])
    return found


def _ways(diagram: Diagram, spots: Mapping[str, Spot]) -> dict[Arrow, list[Spot]]:
    """Return what each arrow passes, row by row. Arrows from one box share their slots as far as they go together."""
    slots: dict[tuple[str, int, int], Spot] = {}
    ways = {}
    for tail, head, number in diagram.arrows:
        between = range(spots[tail].row + 1, spots[head].row)
        passed = [slots.setdefault((tail, number, row), Spot(row, SLOT, 0.0)) for row in between]
        ways[tail, head, number] = [spots[tail], *passed, spots[head]]
    return ways


def _in_rows(spots: Mapping[str, Spot], ways: Mapping[Arrow, Sequence[Spot]]) -> list[list[Spot]]:
    everything = {id(spot): spot for spot in spots.values()} | {id(s): s for way in ways.values() for s in way}
    rows: list[list[Spot]] = [[] for _ in range(1 + max(spot.row for spot in everything.values()))]
    for spot in everything.values():
        rows[spot.row].append(spot)
    return rows


Neighbours = Mapping[int, Sequence[Spot]]
"""The neighbours of a spot in the row above, or in the row below, by its `id`."""


def _neighbours(ways: Mapping[Arrow, Sequence[Spot]]) -> tuple[Neighbours, Neighbours]:
    above: dict[int, dict[int, Spot]] = {}
    below: dict[int, dict[int, Spot]] = {}
    for way in ways.values():
        for upper, lower in pairwise(way):
            above.setdefault(id(lower), {})[id(upper)] = upper
            below.setdefault(id(upper), {})[id(lower)] = lower
    return tuple({key: list(found.values()) for key, found in side.items()} for side in (above, below))  # type: ignore


def _order(rows: Sequence[list[Spot]], above: Neighbours, below: Neighbours) -> None:
    """Sort every row by the mean place of the neighbours, down and up in turn: few arrows cross then."""
    for row in rows:
        for place, spot in enumerate(row):
            spot.middle = place
    for row, near in _sweeps(rows, above, below):
        row.sort(key=partial(_mean, near=near))
        for place, spot in enumerate(row):
            spot.middle = place / max(len(row) - 1, 1) if len(row) > 1 else 0.5


def _sweeps(
    rows: Sequence[list[Spot]], above: Neighbours, below: Neighbours
) -> Iterator[tuple[list[Spot], Neighbours]]:
    """Yield every row with the neighbours that have just been visited: down and up in turn."""
    for _ in range(SWEEPS // 2):
        yield from ((row, above) for row in rows)
        yield from ((row, below) for row in reversed(rows))


def _mean(spot: Spot, near: Neighbours) -> float:
    """Return the mean place of the neighbours of a spot, its own where it has none."""
    neighbours = near.get(id(spot), ())
    return sum(other.middle for other in neighbours) / len(neighbours) if neighbours else spot.middle


def _place(rows: Sequence[list[Spot]], above: Neighbours, below: Neighbours) -> None:
    """Set the middles: as near to the neighbours as the order and the sizes allow."""
    for row in rows:
        _spread(row, [0.0] * len(row))
    for row, near in _sweeps(rows, above, below):
        _spread(row, [_mean(spot, near) for spot in row])
    least = min(spot.middle - spot.width / 2 for row in rows for spot in row)
    for row in rows:
        for spot in row:
            spot.middle += PADDING - least


def _spread(row: Sequence[Spot], wanted: Sequence[float]) -> None:
    """Put the spots of a row as near to where they are wanted as they fit side by side, in the sense of least squares.

    Less the room that they need, the middles must not decrease: a problem of isotonic regression, which pooling
    adjacent violators solves (Ayer et al. 1955).
    """
    needed = [0.0]
    for left, right in pairwise(row):
        needed.append(needed[-1] + (left.width + right.width) / 2 + BETWEEN)
    pools: list[tuple[float, int]] = []
    for want, need in zip(wanted, needed, strict=False):
        total, count = want - need, 1
        while pools and pools[-1][0] / pools[-1][1] > total / count:
            other = pools.pop()
            total, count = total + other[0], count + other[1]
        pools.append((total, count))
    means = [total / count for total, count in pools for _ in range(count)]
    for spot, mean, need in zip(row, means, needed, strict=False):
        spot.middle = mean + need


def _set_tops(rows: Sequence[Sequence[Spot]]) -> float:
    """Set the tops, row by row; return the height of the picture."""
    top = PADDING
    for row in rows:
        height = max(spot.height for spot in row)
        for spot in row:
            spot.top = top + (height - spot.height) / 2 if spot.box else top
            spot.height = spot.height if spot.box else height
        top += height + ROW_GAP
    return top - ROW_GAP + PADDING


def _routes(ways: Mapping[Arrow, Sequence[Spot]], rows: Sequence[Sequence[Spot]]) -> dict[Arrow, Sequence[Point]]:
    """Return the points of the arrows: they cross a row straight down, and go sideways only between two rows."""
    bands = [(min(s.top for s in row), max(s.top + s.height for s in row)) for row in rows]
    out, into = _ports(ways, 0), _ports(ways, -1)
    return {arrow: tuple(_points(way, bands, out[arrow], into[arrow])) for arrow, way in ways.items()}


def _points(way: Sequence[Spot], bands: Sequence[tuple[float, float]], out: float, into: float) -> Iterator[Point]:
    first, last = way[0], way[-1]
    yield out, first.top + first.height
    yield out, bands[first.row][1]
    for slot in way[1:-1]:
        yield slot.middle, bands[slot.row][0]
        yield slot.middle, bands[slot.row][1]
    yield into, bands[last.row][0]
    yield into, last.top


def _ports(ways: Mapping[Arrow, Sequence[Spot]], end: int) -> dict[Arrow, float]:
    """Return where each arrow touches the box at one of its ends: side by side, from left to right as they come."""
    near = 1 if end == 0 else -2
    at: dict[int, list[Arrow]] = {}
    for arrow, way in ways.items():
        at.setdefault(id(way[end]), []).append(arrow)
    ports: dict[Arrow, float] = {}
    for arrows in at.values():
        spot = ways[arrows[0]][end]
        lane_of = {arrow: (ways[arrow][near].middle, arrow[2]) for arrow in arrows}
        lanes = {lane: number for number, lane in enumerate(sorted(set(lane_of.values())), 1)}
        room = (spot.width - 2 * LOOP * (spot.box is not None and spot.box.loops)) / (len(lanes) + 1)
        left = spot.middle - room * (len(lanes) + 1) / 2
        ports |= {arrow: left + room * lanes[lane] for arrow, lane in lane_of.items()}
    return ports
