"""The script of a spec, and its equations with the lines in which it computes them.

A layer with `recompute` has the equations of the plain one, whose steps are not in parts. They are derived from the
graph of the plain layer, and its script computes their numbers; the lines are those of the spec's own script.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

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
    """A model, the graph of its equations, the script of that, where that computes each value, and the equations.

    `script` is that of the spec: another one where layers compute states again.
    """

    model: Model
    graph: Graph
    text: str
    sites: Mapping[str, Site]
    derivation: Derivation
    script: str


def explanation(begun: Compilation, section: str | None = None) -> Explanation:
    """Return the equations of a spec; where sections take turns, of one of them, the first if none is named.

    They have no lines then: a script of one section is another than that of all. Raises `CompileError`.
    """
    options = Options(PROVEN.styles[0].name, begun.sets)
    turn = (section or begun.model.turns[0].name) if begun.model.turns else None
    begun = begun.section(section)
    own, plain = (one.draft(options) for one in (begun, begun.in_one()))
    script = explain_script(own)
    whole = script if plain is own else explain_script(plain)
    kinds, plain_kinds = _kinds(own.graph), _kinds(plain.graph)

    def line_of(name: str) -> int:
        is_same = name in script.sites and kinds.get(name) == plain_kinds.get(name)
        return script.sites[name].line if is_same and turn is None else 0

    found = derivation(plain.model, plain.graph, line_of)
    if turn is not None:
        found = replace(found, title=f"{found.title}: {turn}")
    return Explanation(plain.model, plain.graph, whole.text, whole.sites, found, script.text)


def _kinds(graph: Graph) -> dict[str, tuple[str, str, bool]]:
    """Return which op makes each value of a graph, in which phase, and whether that is a share of a sum over parts.

    Values of one name that have this in common are the same.
    """
    whole = {v.id for node in graph.nodes for v in node.outs}
    return {
        v.name: (node.op, node.phase, v.id not in whole and not v.type.batched)
        for node in graph.all_nodes()
        for v in node.outs
    }
