"""Whether a value can be written into a piece of an array: what NumPy asks where no report hears of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def must_fit(value: Any, into: Callable[[], Any], *, adds: bool) -> None:
    """Raise `ValueError` where a value cannot be written into, or added to, a piece of an array.

    `into` gives the array and the piece; what is no array, such as an entry of a dict, takes everything.
    """
    try:
        owner, piece = into()
    except Exception:  # the statement itself will stop at it
        return
    if not (isinstance(owner, np.ndarray) and isinstance(piece, np.ndarray | np.generic)):
        return
    given, room = np.shape(value), np.shape(piece)
    while not adds and len(given) > len(room) and given[0] == 1:
        given = given[1:]
    if not _spreads(given, room):
        raise ValueError(f"an array of shape {np.shape(value)} does not fit into one of shape {room}")


def _spreads(given: tuple[int, ...], room: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(given, room) == room
    except ValueError:
        return False
