"""The functions of metrics that a spec defines: NumPy alone, whatever the target."""

from __future__ import annotations

from dataclasses import replace

from dotnn.ir import expr as tree
from dotnn.ir.definition import HELPERS, Written
from dotnn.ir.expr import Expr
from dotnn.ir.expr.common import common_parts
from dotnn.ir.expr.derive import in_arrays
from dotnn.library.ops.whole import in_numpy
from dotnn.model.definitions.base import safe
from dotnn.model.definitions.metric import DefinedMetric


def weighted(written: Written) -> Written:
    """Return the same where examples count as often as their weights say."""
    names, doc = (*written.arguments, "weights"), written.doc.replace("mean", "weighted mean", 1)
    return replace(written, arguments=names, doc=doc, result="weighted_mean(values, weights)")


def function(metric: DefinedMetric, name: str, formula: Expr) -> Written:
    """Return the function that computes the mean of a metric over the examples."""
    names = tuple(safe(p.name.id) for p in metric.formula.operands)
    parts, body = common_parts(in_numpy(in_arrays(formula)), conditions=True)
    named = tuple((part, tree.spell(expr, helpers=HELPERS)) for part, expr in [*parts, ("values", body)])
    doc = f"Return the mean over the examples of {metric.equation}."
    return Written(name, names, doc, named, "float(np.mean(values))")
