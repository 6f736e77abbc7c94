"""What should be handed in for a statement that has stopped, so that the pass can go on behind it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

from ..tracing.run import Event, Place
from .assess import Assessment, Wrong
from .truth import Target


def outputs(state: Assessment, wrong: Wrong) -> dict[Place, Target]:
    """Return the right values of what a stopped statement makes, of the innermost one of which all are known.

    What stops inside a function has stopped its caller as well, which may make several values at once.
    """
    for event in state.run.backward[wrong.event.number - state.run.start_of_backward :]:
        if event.stopped is not wrong.event.stopped or event.site.kind in ("do", "loop"):
            continue
        found = dict(_of(state, event))
        if len(found) == max(1, len(event.site.names)):
            return found
    return {}


def _of(state: Assessment, event: Event) -> Iterator[tuple[Place, Target]]:
    """Yield the right values of a statement that are known."""
    if len(event.site.names) < 2:
        target = state.best_target(event, state.expected.of(event))
        if target is not None:
            yield event.place, target
        return
    for part, name in enumerate(event.site.names):
        place = event.place._replace(part=part)
        target = _named(state, replace(event, name=name, place=place))
        if target is not None:
            yield place, target


def _named(state: Assessment, event: Event) -> Target | None:
    """Return what one of several names stands for: a gradient by its key, or the cotangent of a value."""
    key = _key(event.name)
    node = state.run.asked_for.get(key)
    if node is not None:
        return Target(node) if node.total is not None else None
    own, others = state.expected.promises.of(event)
    found = own or (others if len(others) == 1 else ())
    return found[0] if found else None


def _key(name: str) -> str:
    """Return the text in the last brackets of a target, `grads["h.W"]`, "" where there is none."""
    with suppress(SyntaxError, ValueError):
        node = ast.parse(name, mode="eval").body
        if isinstance(node, ast.Subscript):
            return str(ast.literal_eval(node.slice))
    return ""
