"""Reading `metrics = [accuracy, mae(y, t)]`."""

from __future__ import annotations

from collections.abc import Sequence

from dotnn.core.arguments import Attrs
from dotnn.core.diagnostics import Diagnostic
from dotnn.library.metrics import METRICS, Metric
from dotnn.model import messages
from dotnn.model.bind import bind
from dotnn.model.loss_terms import misfit, output_and_target
from dotnn.model.messages.base import Fail
from dotnn.model.model import Declared, LossTerm, MetricTerm
from dotnn.model.network import NetworkReader
from dotnn.model.section import SectionReader
from dotnn.syntax import nodes


def metric_terms(
    expr: nodes.Expr, losses: Sequence[LossTerm], section: SectionReader, network: NetworkReader
) -> tuple[MetricTerm, ...]:
    """Return one term for every loss that the metric fits, or for the output and target it names. Raises `Fail`."""
    metric, call = _metric(expr)
    attrs = _attrs(metric, call, section)
    if any(a.name is None for a in call.args):
        return (_named(metric, call, attrs, losses, section, network),)
    fitting = _fitting(metric, losses)
    if not fitting and losses:
        raise Fail(_no_fit(metric, losses[0].target, _base(losses[0].target_kind), call))
    alone = len(fitting) == 1
    return tuple(_term(metric, attrs, call, t.output, t.target, t.target_kind, alone=alone) for t in fitting)


def _metric(expr: nodes.Expr) -> tuple[Metric, nodes.Call]:
    call = nodes.Call(expr.span, expr, ()) if isinstance(expr, nodes.Name) else expr
    if not isinstance(call, nodes.Call):
        raise Fail(messages.calls.needs_entry(expr.span, "metric", "an expression", "", METRICS))
    metric = METRICS.get(call.func.id)
    if metric is None:
        raise Fail(messages.calls.unknown_entry(call.func.span, "metric", call.func.id, METRICS))
    return metric, call


def _fitting(metric: Metric, losses: Sequence[LossTerm]) -> list[LossTerm]:
    """Return the losses whose targets the metric takes; numbers as classes only where it takes no other target."""
    plainly = [t for t in losses if _base(t.target_kind) in metric.functions]
    return plainly or [t for t in losses if _fitted(metric, t.target_kind) in metric.functions]


def _attrs(metric: Metric, call: nodes.Call, section: SectionReader) -> Attrs:
    """Return the arguments that have a name; those without are the output and the target."""
    named = [a for a in call.args if a.name is not None]
    return bind(metric.name, metric.args, named, call.span, section.constants)


def _named(
    metric: Metric,
    call: nodes.Call,
    attrs: Attrs,
    losses: Sequence[LossTerm],
    section: SectionReader,
    network: NetworkReader,
) -> MetricTerm:
    operands = [a.value for a in call.args if a.name is None]
    if len(operands) != 2:
        raise Fail(messages.calls.too_many_arguments(call.span, metric.name, ["an output", "a target"]))
    output, target = output_and_target(operands[0], operands[1], section, network, "metrics")
    kind = _kind(target, losses)
    if _fitted(metric, kind) not in metric.functions:
        raise Fail(_no_fit(metric, target.name, _base(kind), call))
    fault = misfit(metric.name, output, target, classes=_base(kind) == "class")
    if fault is not None:
        raise Fail(messages.training.loss_target(call.span, fault[0], network.steps.origins((output,)), fault[1]))
    return _term(metric, attrs, call, output.path, target.name, kind, alone=len(losses) == 1)


def _kind(target: Declared, losses: Sequence[LossTerm]) -> str:
    """Return what a target holds: what its loss says, else what it was declared to hold."""
    declared = f"class:{target.bound}" if target.kind == "class" else "real"
    return next((t.target_kind for t in losses if t.target == target.name), declared)


def _base(kind: str) -> str:
    return kind.partition(":")[0]


def _fitted(metric: Metric, kind: str) -> str:
    """Return the kind under which a metric takes a target: real numbers as 0 and 1 where it knows classes only."""
    base = _base(kind)
    return "binary" if base == "real" and base not in metric.functions else base


def _no_fit(metric: Metric, target: str, kind: str, call: nodes.Call) -> Diagnostic:
    others = [m.name for m in METRICS.values() if kind in m.functions]
    return messages.training.metric_target(call.span, metric.name, target, kind, list(metric.functions), others)


def _term(
    metric: Metric, attrs: Attrs, call: nodes.Call, output: str, target: str, kind: str, *, alone: bool
) -> MetricTerm:
    """Return the term; its key identifies it among those of the same metric."""
    if _base(kind) not in metric.args_for:
        given = next((a.name for a in call.args if a.name is not None), None)
        if given is not None:
            raise Fail(messages.training.metric_argument(given.span, metric.name, given.id, target, _base(kind)))
        attrs = {}
    special = [str(attrs[a.name]) for a in metric.args if a.name in attrs and attrs[a.name] != a.default]
    key = "_".join([metric.name, *special, *([] if alone else [output.replace(".", "_")])])
    return MetricTerm(key, metric, output, target, metric.functions[_fitted(metric, kind)], attrs)
