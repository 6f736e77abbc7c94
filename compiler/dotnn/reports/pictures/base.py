"""What a picture of a run is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dotnn.reports.seen import Seen


@dataclass(frozen=True)
class Picture:
    """One picture: `draw` returns the text of an SVG file, "" where there is nothing to draw; it is `of` what is said.

    A report shows it under the title `heading`.
    """

    name: str
    doc: str
    of: str
    heading: str
    draw: Callable[[Seen], str]
