"""The script of a spec, and its equations with the lines in which it computes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dotnn.codegen.site import Site
from dotnn.ir.graph import Graph
from dotnn.model.model import Model
from dotnn.reports.equations.derivation import Derivation
from dotnn.reports.equations.network import derivation
from dotnn.session import Compilation, Options
from dotnn.targets import PROVEN
from dotnn.targets.numpy.explain.script import explain_script


@dataclass(frozen=True)
class Explanation:
    """A model, its graph, its script, where that computes each value, and the equations."""

    model: Model
    graph: Graph
    text: str
    sites: Mapping[str, Site]
    derivation: Derivation


def explanation(begun: Compilation) -> Explanation:
    """Return the equations of a spec. Raises `CompileError`."""
    draft = begun.of_one("dotnn explain").draft(Options(PROVEN.styles[0].name, begun.sets))
    script = explain_script(draft)

    def line_of(name: str) -> int:
        return script.sites[name].line if name in script.sites else 0

    found = derivation(draft.model, draft.graph, line_of)
    return Explanation(draft.model, draft.graph, script.text, script.sites, found)
