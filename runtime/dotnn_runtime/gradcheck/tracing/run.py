"""What a followed run holds: its events, the calls and turns in which they happened, and how it is replayed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from ..reading.types import Array, Key
from .values import Node
from .weave import Site

BUFFERS = 100
"""From this part on a place is one of the arrays that a statement has written into."""


class Place(NamedTuple):
    """Identifies an event in every run: the site, which of its values, and the how manieth time."""

    site: int
    part: int
    key: str
    turn: int

    @property
    def is_buffer(self) -> bool:
        """Whether a statement has written into an array that there was before."""
        return self.part >= BUFFERS

    @property
    def line_of_code(self) -> tuple[int, int, str]:
        """The same in every turn."""
        return self.site, self.part, self.key


@dataclass(frozen=True)
class Frame:
    """A call: the function, the call and the site that it was made from, and the loops around that."""

    number: int
    function: str
    caller: int = -1
    site: int = -1
    loops: tuple[str, ...] = ()


@dataclass
class Event:
    """A value that a statement made: `name` is what it was assigned to, `value` a copy, `loops` where loops stood.

    `deps` are the events it was made from, the next ones before it. `seeded`: it comes from the seed d_loss.
    `stopped` is the exception that the statement ended with, `execution` counts how often its statement was executed.
    """

    number: int
    place: Place
    site: Site
    execution: int
    name: str
    line: int
    frame: int
    loops: tuple[str, ...]
    value: Array | None
    node: Node | None = None
    deps: tuple[int, ...] = ()
    seeded: bool = False
    stopped: BaseException | None = None


@dataclass
class Run:
    """What was followed: the events in order, the calls by number, what the backward pass returned.

    `params`, `inputs` and `values` are the tensors that can be displaced. Of a replay that keeps some events only,
    `length` counts them all.
    """

    events: list[Event] = field(default_factory=list)
    length: int = 0
    frames: list[Frame] = field(default_factory=lambda: [Frame(0, "")])
    start_of_backward: int = 0
    loss: Node | None = None
    nodes: list[Node] = field(default_factory=list)
    params: dict[str, Node] = field(default_factory=dict)
    inputs: dict[str, Node] = field(default_factory=dict)
    values: dict[Key, Node] = field(default_factory=dict)
    grads: dict[str, Any] = field(default_factory=dict)
    error: BaseException | None = None

    def at(self, place: Place) -> Event | None:
        """Return the event of a place, None where the run did not come to it."""
        return next((event for event in self.events if event.place == place), None)

    @property
    def backward(self) -> list[Event]:
        """The events of the backward pass."""
        return self.events[self.start_of_backward :]

    @property
    def forward(self) -> list[Event]:
        """The events before it."""
        return self.events[: self.start_of_backward]

    @property
    def asked_for(self) -> dict[str, Node]:
        """The tensors whose gradients are to be returned: all parameters, and the inputs that the pass has answered."""
        return self.params | self.answered(self.grads)

    def answered(self, grads: Any) -> dict[str, Node]:
        """Return the inputs of which a pass, this one or a replay, has returned the gradients."""
        return {name: node for name, node in self.inputs.items() if isinstance(grads, dict) and name in grads}

    def link(self) -> None:
        """Give every event those that it was made from."""
        for event in self.events:
            event.deps = _nearest_events(event.node)

    def path(self, event: Event) -> tuple[str, ...]:
        """Return where calls and loops stood, from the outermost."""
        found, number = list(event.loops), event.frame
        while number > 0:
            frame = self.frames[number]
            found = [*frame.loops, *found]
            number = frame.caller
        return tuple(found)


Overrides = Mapping[Place, Array]
Patch = Callable[[dict[str, Any]], Any]
"""What a site makes instead, from the names that its statement knows."""
Watch = Callable[[dict[str, Any]], None]
"""Is shown the names that a statement knows."""


class Enough(Exception):
    """A replay has come as far as it should."""


class Replay(Protocol):
    """Runs the backward pass alone."""

    def __call__(
        self,
        overrides: Overrides,
        until: Place | None = None,
        seed: float = 1.0,
        kept: Collection[Place] | None = None,
    ) -> Run:
        """Run it with values handed in, as far as an event, with a seed d_loss; keep the values of some events only."""


def _nearest_events(node: Node | None) -> tuple[int, ...]:
    """Return the events that a value comes from directly."""
    if node is None:
        return ()
    found: dict[int, None] = {}
    unread, seen = [p for p in node.parents if p is not None], set()
    while unread:
        n = unread.pop()
        if n.order in seen:
            continue
        seen.add(n.order)
        if n.event is not None:
            found[n.event] = None
        else:
            unread += [p for p in n.parents if p is not None]
    return tuple(sorted(found))
