"""What values are called in a function: without the path of the function that they are in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from dotnn.codegen.derivatives import Derivatives
from dotnn.ir.graph import Graph
from dotnn.ir.node import Value
from dotnn.passes.build import identifier
from dotnn.targets.numpy.explain.calls import Call

NUMBER = re.compile(r"\d+$")
STEP_SUFFIX = re.compile(r"_t(_\d+)?$")
TERM = re.compile(r"penalty of (\S+)|\w+\(([\w.]+)[,)]")
LATER = "next"
NEXT = f"_{LATER}"
"""Ends the name of what the next time step sends back to a state: its cotangent but for other uses of the state."""


class Words(Derivatives):
    """What the names in a graph say within a function."""

    def __init__(self, graph: Graph) -> None:
        super().__init__(graph)
        self.params = {v.id: name for t in (graph.params, graph.state) for name, v in t.items()}

    def of_cotangent(self, v: Value) -> tuple[Value | None, str]:
        """Return the value whose derivative a cotangent is, and through what it came back, "" for all of it."""
        carried = v.name.removeprefix("d_").removesuffix(NEXT)
        primal = self.forward.get(f"{carried}_t") or self.forward.get(carried)
        return (primal, LATER) if primal is not None and v.name.endswith(NEXT) else super().of_cotangent(v)

    def parts(self, v: Value, call: Call) -> tuple[list[str], str]:
        """Return the path of a value within a call, and what its name says beyond."""
        if v.id in self.params:
            return inside(self.params[v.id], call.params), ""
        layer = self.layers.get(v.id, "")
        prefix = identifier(layer)
        beyond = v.name.removeprefix("d_") if v.role == "cotangent" else v.name
        if layer and (beyond == prefix or beyond.startswith(f"{prefix}_")):
            return inside(layer, call.path), beyond[len(prefix) + 1 :]
        return [], beyond

    def _term(self, v: Value) -> str:
        """Return the path of what a term of the loss is of, "" for what is no term."""
        found = TERM.match(self.layers.get(v.id, ""))
        is_whole = v.id in self.inner or v.name in ("loss", "total") or bool(v.type.shape)
        return "" if found is None or is_whole else found[1] or found[2]

    def candidates(self, v: Value, call: Call) -> list[str]:
        """Return what a value of the forward pass may be called in a function, the shortest first."""
        term = self._term(v)
        if term:
            return [f"{v.name.partition('_')[0]}_{name}" for name in suffixes(term.split("."), "")] + [v.name]
        parts, hint = self.parts(v, call)
        if v.id in self.params:
            return suffixes(parts, "", least=1 if call.step else 2)
        if v.id in self.inner and STEP_SUFFIX.search(hint):
            return [STEP_SUFFIX.sub("", hint), hint, *suffixes(parts, hint)]
        said = hint and parts and NUMBER.sub("", parts[-1]).endswith(f"_{hint}")  # gaussian_noise1: its noise
        return [*([hint] if said else []), *suffixes(parts, hint)] or [hint or "y"]


def inside(path: str, around: str) -> list[str]:
    """Return the parts of a path, without those of what is around it."""
    if around and (path == around or path.startswith(f"{around}.")):
        path = path[len(around) + 1 :]
    return path.split(".") if path else []


def suffixes(parts: Sequence[str], hint: str, least: int = 1) -> list[str]:
    """Return `dense1_z`, `p_dense1_z` for the parts p, dense1 and the hint z."""
    return [
        "_".join([*parts[-k:], *([hint] if hint else [])]) for k in range(min(least, len(parts)), len(parts) + 1) if k
    ]


Names = Iterable[str]
