"""Metrics that a spec defines: `metric smape(y, t) = mean(safe(2 * abs(y - t) / (abs(y) + abs(t))))`."""

from __future__ import annotations

from dataclasses import dataclass, field

from dotnn.library.metrics import METRICS, Metric
from dotnn.model import messages
from dotnn.model.definitions.base import DefinitionKind, Definitions
from dotnn.model.definitions.whole import Formula, formula_of, said
from dotnn.model.messages.base import Fail
from dotnn.syntax import nodes

HIGHER = "higher is better"
"""What the comment above a metric says where early stopping is to look for its largest value, not its smallest."""


@dataclass(frozen=True)
class DefinedMetric(Metric):
    """A metric with a formula of an output and its target, which is read again with their shapes at each use."""

    formula: Formula = field(kw_only=True)
    equation: str = ""

    @property
    def of_classes(self) -> bool:
        """Whether its target holds classes."""
        return any(p.kind is not None for p in self.formula.operands)


def _read(section: nodes.Definition, known: Definitions) -> DefinedMetric:
    formula = formula_of(section, known, kinds=("class",))
    if len(formula.operands) != 2:
        raise Fail(messages.definitions.metric_operands(section.name.span, formula.name))
    formula.read(formula.unread(), shapes=False)
    doc = known.documentation(section).text
    better = "max" if HIGHER in doc.lower() else "min"
    classes = any(p.kind is not None for p in formula.operands)
    functions = dict.fromkeys(("class",) if classes else ("real", "unit", "sign", "distribution"), formula.name)
    kinds = tuple(functions)
    return DefinedMetric(
        formula.name, doc, functions, better, formula.args, kinds, formula=formula, equation=said(formula)
    )


METRIC = DefinitionKind("metric", _read, ("metric",), METRICS, "metrics = [{name}]")
