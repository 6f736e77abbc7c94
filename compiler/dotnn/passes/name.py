"""Give every value a distinct identifier that no word of Python, of the script or of the spec can collide with.

Before:  two values both called `d_x_from_y` (y = x * x), an input called `np`
After:   `d_x_from_y`, `d_x_from_y_2`; `np_`

Which words a script has of its own is known once it is written (`codegen.hygiene`): those that a spec uses come then.

It runs twice: before differentiation, so that `d_v` is the derivative by what is called `v` in the end (a spec may
call one value `h` and another `h_z` or `d_h`), and at the end, for the names that were made since.
"""

from __future__ import annotations

import builtins
import itertools
import keyword
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace

from dotnn.ir.graph import Graph
from dotnn.ir.node import Value
from dotnn.passes.base import as_pass

LOSS_NAME = "loss"
SEED_NAME = "d_loss"
LONGEST = 72
"""No name is longer, but for a number at its end; what is derived of a name of the spec, of 60 letters, is not."""


def reserved() -> set[str]:
    """Return the words of Python, which no value may be called."""
    return {*keyword.kwlist, *keyword.softkwlist, *dir(builtins)}


@as_pass
def name(graph: Graph, *, words: Collection[str] = ()) -> Graph:
    """Rename values; sources and results keep their names where they can, because they are named first.

    `words` are names of the spec that the script itself uses.
    """
    taken = reserved() | set(words)
    cotangents: set[str] = set()
    names: dict[int, str] = {}
    if graph.seed:
        names[graph.seed.id] = SEED_NAME
    if graph.loss:
        names[graph.loss.id] = LOSS_NAME
        taken |= {LOSS_NAME, SEED_NAME}

    def clashes(word: str) -> bool:
        return word in taken or word in cotangents or f"d_{word}" in taken

    for value in [*graph.sources(), *graph.outputs.values(), *_assigned(graph)]:
        if value.id in names:
            continue
        if value.role == "cotangent":
            names[value.id] = _free(value.name, taken.__contains__)
        else:
            names[value.id] = _free(value.name, clashes)
            cotangents.add(f"d_{names[value.id]}")
        taken.add(names[value.id])

    def rename(value: Value) -> Value:
        return replace(value, name=names[value.id])

    return graph.map_values(rename)


def _assigned(graph: Graph) -> Iterator[Value]:
    """Yield what nodes assign, and what the steps of loops start with."""
    for node in graph.all_nodes():
        yield from node.outs
        if node.loop is not None:
            yield from (*node.loop.slices, *node.loop.entering)


def _free(wanted: str, clashes: Callable[[str], bool]) -> str:
    """Return `wanted` if it is free, else with `_`, else with a number; a name without a letter gets one.

    Of a long one the beginning and the end are kept: a line of a script has to hold it.
    """
    if not any(map(str.isalpha, wanted)):
        wanted = f"v{wanted}"
    if len(wanted) > LONGEST:
        wanted = f"{wanted[: LONGEST // 2].rstrip('_')}_{wanted[-LONGEST // 3 :].lstrip('_')}"
    if not clashes(wanted):
        return wanted
    if not wanted.startswith("d_") and not clashes(f"{wanted}_"):
        return f"{wanted}_"
    return next(c for n in itertools.count(2) if not clashes(c := f"{wanted}_{n}"))
