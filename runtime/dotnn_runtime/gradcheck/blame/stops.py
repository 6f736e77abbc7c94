"""Where a backward pass stopped with an exception."""

from __future__ import annotations

import traceback
from collections.abc import Collection
from dataclasses import replace

from ..tracing.follow import Follower
from ..tracing.run import Event, Place, Run


def where_it_stopped(event: Event, run: Run, follower: Follower, shared: Collection[str]) -> Event:
    """Return the event of the innermost line that an exception passed through, outside of the `shared` functions."""
    lines = [line for name, line in _lines_of(event.stopped, follower.script.filename) if name not in shared]
    if not lines or lines[-1] == event.line:
        return event
    site = next((s for s in follower.sites if s.line == lines[-1] and s.kind not in ("argument", "loop")), None)
    if site is None:
        return event
    calls = [f.number for f in run.frames if f.function == site.function]
    place = Place(site.number, 0, "", 0)
    name = site.names[0] if site.names else ""
    return replace(
        event, site=site, line=site.line, name=name, place=place, deps=(), execution=0,
        frame=calls[-1] if calls else event.frame,
    )  # fmt: skip


def _lines_of(error: BaseException | None, filename: str) -> list[tuple[str, int]]:
    """Return the functions and the lines of a script that an exception passed through, the innermost last."""
    frames = traceback.extract_tb(error.__traceback__) if error is not None else []
    return [(f.name, f.lineno or 0) for f in frames if f.filename == filename]
