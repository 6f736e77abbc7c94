"""Reading `metrics = [accuracy, mae(y, t)]`."""

from __future__ import annotations

from collections.abc import Sequence

from dotnn.diagnostics import Diagnostic
from dotnn.metrics import METRICS, Metric
from dotnn.model import messages
from dotnn.model.keys import Keys
from dotnn.model.loss_terms import misfit, output_and_target
from dotnn.model.messages import Fail
from dotnn.model.model import Declared, LossTerm, MetricTerm
from dotnn.model.network import Network
from dotnn.syntax import nodes


def metric_terms(expr: nodes.Expr, losses: Sequence[LossTerm], keys: Keys, network: Network) -> list[MetricTerm]:
    """Return one term for every loss that the metric fits, or for the output and target it names. Raises `Fail`."""
    call = nodes.Call(expr.span, expr, ()) if isinstance(expr, nodes.Name) else expr
    if not isinstance(call, nodes.Call):
        raise Fail(messages.needs_entry(expr.span, "metric", "an expression", "", METRICS))
    metric = METRICS.get(call.func.id)
    if metric is None:
        raise Fail(messages.unknown_entry(call.func.span, "metric", call.func.id, METRICS))
    if call.args:
        return [_named(metric, call, losses, keys, network)]
    fitting = [t for t in losses if _base(t.target_kind) in metric.functions]
    if not fitting and losses:
        raise Fail(_no_fit(metric, losses[0].target, _base(losses[0].target_kind), call))
    return [_term(metric, t.output, t.target, t.target_kind, alone=len(fitting) == 1) for t in fitting]


def _named(metric: Metric, call: nodes.Call, losses: Sequence[LossTerm], keys: Keys, network: Network) -> MetricTerm:
    if len(call.args) != 2 or any(a.name for a in call.args):
        raise Fail(messages.too_many_arguments(call.span, metric.name, ["an output", "a target"]))
    output, target = output_and_target(call.args[0].value, call.args[1].value, keys, network, "metrics")
    kind = _kind(target, losses)
    if _base(kind) not in metric.functions:
        raise Fail(_no_fit(metric, target.name, _base(kind), call))
    fault = misfit(metric.name, output, target, classes=_base(kind) == "class")
    if fault is not None:
        raise Fail(messages.loss_target(call.span, fault[0], network.origins((output,)), fault[1]))
    return _term(metric, output.place.path, target.name, kind, alone=len(losses) == 1)


def _kind(target: Declared, losses: Sequence[LossTerm]) -> str:
    """Return what a target holds: what its loss says, else what it was declared to hold."""
    declared = f"class:{target.bound}" if target.kind == "class" else "real"
    return next((t.target_kind for t in losses if t.target == target.name), declared)


def _base(kind: str) -> str:
    return kind.partition(":")[0]


def _no_fit(metric: Metric, target: str, kind: str, call: nodes.Call) -> Diagnostic:
    others = [m.name for m in METRICS.values() if kind in m.functions]
    return messages.metric_target(call.span, metric.name, target, kind, list(metric.functions), others)


def _term(metric: Metric, output: str, target: str, kind: str, *, alone: bool) -> MetricTerm:
    key = metric.name if alone else f"{metric.name}_{output.replace('.', '_')}"
    return MetricTerm(key, metric, output, target, metric.functions[_base(kind)])
