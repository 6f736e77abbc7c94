"""Where a backward pass stopped with an exception."""

from __future__ import annotations

import traceback
from collections.abc import Collection
from dataclasses import replace

from ..tracing.follow import Follower
from ..tracing.run import Event, Place, Run
from ..tracing.weave import Site


def where_it_stopped(event: Event, run: Run, follower: Follower, shared: Collection[str]) -> Event:
    """Return the event of the innermost line that an exception passed through, outside of the `shared` functions."""
    lines = [line for name, line in _lines_of(event.stopped, follower.script.filename) if name not in shared]
    if not lines or lines[-1] == event.line:
        return event
    site = _site_at(lines[-1], follower)
    return _moved(event, site, run) if site is not None else event


def _site_at(line: int, follower: Follower) -> Site | None:
    return next((s for s in follower.sites if s.line == line and s.kind not in ("argument", "loop")), None)


def _moved(event: Event, site: Site, run: Run) -> Event:
    """Return an event as one of another site, in the last call of its function."""
    calls = [f.number for f in run.frames if f.function == site.function]
    frame, name = calls[-1] if calls else event.frame, site.names[0] if site.names else ""
    place = Place(site.number, 0, "", 0)
    return replace(event, site=site, line=site.line, name=name, place=place, deps=(), execution=0, frame=frame)


def _lines_of(error: BaseException | None, filename: str) -> list[tuple[str, int]]:
    """Return the functions and the lines of a script that an exception passed through, the innermost last."""
    frames = traceback.extract_tb(error.__traceback__) if error is not None else []
    return [(f.name, f.lineno or 0) for f in frames if f.filename == filename]
