"""Small images side by side, in rows with a heading: what several pictures are made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from dotnn.reports.drawing.marks import Array, draw_shades, figure, signed_shades
from dotnn_runtime.pictures.draw import Element, box, group, path, text
from dotnn_runtime.pictures.style import STYLE
from dotnn_runtime.pictures.svg import frame, text_of

SIDE, GAP, NAME, HEAD, TOP, ACROSS = 56.0, 14.0, 14.0, 22.0, 44.0, 8
LETTERS = 10
"""So many letters of a name fit above a tile."""


@dataclass(frozen=True)
class Tile:
    """An image, (height, width), its name above it, and what is said of it to a pointer or a screen reader."""

    name: str
    image: Array
    hint: str


@dataclass(frozen=True)
class Tiles:
    """Tiles on one scale of colour, with a heading, "" for none."""

    heading: str
    tiles: Sequence[Tile]


def draw_tiles(title: str, described: str, groups: Sequence[Tiles]) -> str:
    """Return a picture of images: blue above 0, orange below, full colour at the largest value of each group."""
    width = 32 + ACROSS * (SIDE + GAP)
    height = TOP + sum(map(_height, groups))
    root = frame(f"{width:.0f}", f"{height:.0f}", title=title, description=described, style=STYLE)
    text(root, 16, 24, title, "title")
    top = TOP
    for one in groups:
        _draw_group(root, one, top)
        top += _height(one)
    return text_of(root)


def gray(images: Array) -> Array:
    """Return images of several channels, (n, height, width, channels), as the means of these."""
    return np.asarray(images.mean(axis=-1))


def _rows_height(one: Tiles) -> float:
    return -(-len(one.tiles) // ACROSS) * (SIDE + GAP + NAME)


def _height(one: Tiles) -> float:
    return HEAD * bool(one.heading) + _rows_height(one) + 20


def _places(top: float, count: int) -> Iterator[tuple[float, float]]:
    for number in range(count):
        yield 16 + (SIDE + GAP) * (number % ACROSS), top + (SIDE + GAP + NAME) * (number // ACROSS)


def _draw_group(root: Element, one: Tiles, top: float) -> None:
    if one.heading:
        text(root, 16, top + 10, one.heading, "head")
        top += HEAD
    largest = float(max(np.abs(tile.image).max() for tile in one.tiles))
    for tile, (left, up) in zip(one.tiles, _places(top, len(one.tiles)), strict=True):
        of = group(root, tile.hint)
        text(of, left, up + 10, tile.name if len(tile.name) <= LETTERS else f"{tile.name[: LETTERS - 1]}…", "small")
        draw_shades(of, left, up + NAME, (SIDE, SIDE), *signed_shades(tile.image, largest))
        path(of, box(left, up + NAME, SIDE, SIDE), "frame")
    said = f"blue above 0, orange below; full colour at ±{figure(largest)}"
    text(root, 16, top + _rows_height(one) + 2, said, "small")
