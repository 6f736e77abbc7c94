"""Reading `metrics = [accuracy, mae(y, t)]`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from dotnn.core.arguments import Attrs
from dotnn.core.diagnostics import Diagnostic
from dotnn.library.metrics import METRICS, Metric
from dotnn.model import messages
from dotnn.model.bind import bind, defined_members
from dotnn.model.constants import Poison, Poisoned
from dotnn.model.defined_metrics import function, weighted
from dotnn.model.defined_terms import Given, given, take_known, values
from dotnn.model.definitions.metric import DefinedMetric
from dotnn.model.definitions.whole import Operands
from dotnn.model.loss_terms import misfit, output_and_target
from dotnn.model.masks import check_mask, read_mask, taken_out, tensor_at
from dotnn.model.messages.base import Fail
from dotnn.model.model import Declared, LossTerm, MetricTerm, Read
from dotnn.model.network import NetworkReader
from dotnn.model.section import SectionReader
from dotnn.syntax import nodes


def metric_terms(
    expr: nodes.Expr, losses: Sequence[LossTerm], section: SectionReader, network: NetworkReader, weights: str = ""
) -> tuple[MetricTerm, ...]:
    """Return one term for every loss that the metric fits, or for the output and target it names. Raises `Fail`.

    It counts what its own mask marks, or else that of the loss of the same output; `weights` is the target that says
    how much each example counts.
    """
    metric, call = _metric(expr, section)
    own = [p.name.id for p in metric.formula.section.params] if isinstance(metric, DefinedMetric) else []
    call, masked = taken_out(call, own)
    terms = _terms(metric, call, losses, section, network)
    return tuple(_counted(term, call, masked, losses, network, weights) for term in terms)


def _counted(
    term: MetricTerm,
    call: nodes.Call,
    masked: nodes.Expr | None,
    losses: Sequence[LossTerm],
    network: NetworkReader,
    weights: str,
) -> MetricTerm:
    """Return a metric that counts only what a mask marks, and examples as often as their weights say."""
    mask = next((loss.mask for loss in losses if term.output in loss.outputs and loss.mask.name), Read())
    output = tensor_at(term.output, network)
    if masked is not None:
        rows = term.function.endswith(("_class", "_onehot"))
        most = term.written.steps if term.written else len(output.type.example) - rows
        mask = read_mask(masked, output, most, term.metric.name, network)
    elif mask.name and term.written:
        check_mask(mask, call, output, term.written.steps, term.metric.name, network)
    if not mask.name and not weights:
        return term
    written = weighted(term.written) if term.written else None
    function = written.name if written else f"weighted_{term.function}"
    return replace(term, function=function, written=written, mask=mask, counts=weights)


def _terms(
    metric: Metric, call: nodes.Call, losses: Sequence[LossTerm], section: SectionReader, network: NetworkReader
) -> tuple[MetricTerm, ...]:
    """Return one term for every loss that the metric fits, or for the output and target it names. Raises `Fail`."""
    if isinstance(metric, DefinedMetric):
        return _defined(metric, call, losses, section, network)
    attrs = _attrs(metric, call, section)
    if any(a.name is None for a in call.args):
        return (_named(metric, call, attrs, losses, section, network),)
    fitting = _fitting(metric, losses)
    if not fitting and losses:
        raise Fail(_no_fit_of_any(metric, losses, call))
    alone = len(fitting) == 1
    return tuple(_term(metric, attrs, call, t.output, t.target, t.target_kind, alone=alone) for t in fitting)


def _metric(expr: nodes.Expr, section: SectionReader) -> tuple[Metric, nodes.Call]:
    call = nodes.Call(expr.span, expr, ()) if isinstance(expr, nodes.Name) else expr
    known = {**METRICS, **defined_members("metric", section.constants)}
    if not isinstance(call, nodes.Call):
        raise Fail(messages.calls.needs_entry(expr.span, "metric", "an expression", "", known))
    if isinstance(section.constants.get(call.func.id), Poison):
        raise Poisoned
    metric = known.get(call.func.id)
    if not isinstance(metric, Metric):
        raise Fail(messages.calls.unknown_entry(call.func.span, "metric", call.func.id, known))
    return metric, call


def _defined(
    metric: DefinedMetric,
    call: nodes.Call,
    losses: Sequence[LossTerm],
    section: SectionReader,
    network: NetworkReader,
) -> tuple[MetricTerm, ...]:
    """Return the terms of a metric that the spec defines: of what it names, or of every loss that it fits."""
    operands = [p.name.id for p in metric.formula.operands]
    named = [a for a in call.args if a.name is not None and a.name.id not in operands]
    attrs = bind(metric.name, metric.args, named, call.span, section.constants)
    plain = replace(call, args=tuple(a for a in call.args if a not in named))
    if plain.args:
        return (_defined_term(metric, call, plain, attrs, network, alone=len(losses) == 1),)
    fitting = [t for t in losses if t.output and t.target and (_base(t.target_kind) == "class") == metric.of_classes]
    if not fitting:
        if losses:
            raise Fail(messages.definitions.metric_without_values(call.span, metric.name, metric.formula.form))
        return ()
    made = []
    for term in fitting:
        found = Given(Operands({}, {}, {}))
        for p, of_target in zip(metric.formula.operands, (False, True), strict=True):
            take_known(metric.formula, p, term, found, network, of_target=of_target)
        made.append(_finished(metric, call, found, attrs, alone=len(fitting) == 1))
    return tuple(made)


def _defined_term(
    metric: DefinedMetric, call: nodes.Call, plain: nodes.Call, attrs: Attrs, network: NetworkReader, *, alone: bool
) -> MetricTerm:
    found, _ = given(metric.formula, plain, network)
    return _finished(metric, call, found, attrs, alone=alone)


def _finished(metric: DefinedMetric, call: nodes.Call, found: Given, attrs: Attrs, *, alone: bool) -> MetricTerm:
    """Return the term of a metric that the spec defines, with its function."""
    output, target = (next((r for r in found.reads.values() if getattr(r, of)), None) for of in ("value", "target"))
    if output is None or target is None:
        raise Fail(messages.definitions.metric_without_values(call.span, metric.name, metric.formula.form))
    made = values(metric.formula, found.operands, {n: float(v) for n, v in attrs.items()}, call)
    special = [str(attrs[a.name]) for a in metric.args if attrs[a.name] != a.default]
    key = "_".join([metric.name, *special, *([] if alone else [output.value.replace(".", "_")])])
    name = re.sub(r"\W", "_", f"mean_{key}")
    steps = sum(size != 1 for size in made.shape or ())
    written = replace(function(metric, name, made.tree), steps=steps)
    return MetricTerm(key, metric, output.value, target.target, name, {}, written)


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


def _no_fit_of_any(metric: Metric, losses: Sequence[LossTerm], call: nodes.Call) -> Diagnostic:
    """Return why a metric that names nothing fits no loss: what the first target holds, or that there is none."""
    of_data = next((loss for loss in losses if loss.target), None)  # a loss may compare with a number
    if of_data is None:
        return messages.definitions.metric_without_values(call.span, metric.name, f"{metric.name}(output, target)")
    return _no_fit(metric, of_data.target, _base(of_data.target_kind), call)


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
