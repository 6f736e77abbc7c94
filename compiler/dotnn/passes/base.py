"""What a pass is: a graph in, a graph out that gives the same numbers. It may take arguments, which have types."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Concatenate, Generic, ParamSpec

from dotnn.ir.graph import Graph

P = ParamSpec("P")


@dataclass(frozen=True)
class Pass(Generic[P]):
    """A pass by its name. Equal ones do the same: what one has made of a graph need not be made again."""

    name: str
    run: Callable[..., Graph]
    arguments: tuple[tuple[str, object], ...] = ()

    def __call__(self, graph: Graph, *args: P.args, **kwargs: P.kwargs) -> Graph:
        """Return the graph that the pass makes of `graph`, which stays as it is."""
        return self.run(graph, *args, **dict(self.arguments), **kwargs)

    def given(self, *args: P.args, **kwargs: P.kwargs) -> Pass[[]]:
        """Return the pass with its arguments, which are hashable."""
        assert not args, "arguments have names"
        return Pass(self.name, self.run, tuple(sorted(kwargs.items())))


Pipeline = Sequence[Pass[[]]]
"""Passes in the order in which they run."""


def as_pass(run: Callable[Concatenate[Graph, P], Graph]) -> Pass[P]:
    """Return a function of a graph as the pass of its name."""
    return Pass(run.__name__, run)
