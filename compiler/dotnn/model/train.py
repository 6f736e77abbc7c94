"""Reading the `train` section."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dotnn.layers.base import INIT, PENALTY, shape_text
from dotnn.losses import LOSSES, Loss
from dotnn.metrics import METRICS
from dotnn.model import messages
from dotnn.model.bind import bind, bind_entry, entry_default
from dotnn.model.constants import describe, evaluate
from dotnn.model.keys import Keys, items
from dotnn.model.messages import Fail
from dotnn.model.model import Declared, EarlyStop, LossTerm, MetricTerm, StopWhen, Train
from dotnn.model.network import Network
from dotnn.model.scope import Poison, Poisoned, Tensor
from dotnn.optimizers import OPTIMIZERS
from dotnn.schema import BOOL, INTEGER, NON_NEGATIVE, POSITIVE_INT, Arg, Kind, Symbol
from dotnn.syntax import nodes


def _batch(value: Any) -> Any:
    if isinstance(value, Symbol):
        return {"all": 0, "online": 1}.get(value.id)
    return POSITIVE_INT.accept(value)


TRAIN_KEYS = (
    Arg("epochs", POSITIVE_INT, 1, "passes over the training examples"),
    Arg("batch", Kind('a positive whole number, "all" or "online"', _batch, choices=("all", "online")), 32,
        "examples per update; `all`: one update an epoch, `online`: one example an update"),
    Arg("shuffle", BOOL, True, "draw a new order of the examples every epoch"),
    Arg("seed", INTEGER, 0, "seed of every random draw: same seed, same result"),
)  # fmt: skip
DEFAULT_KEYS = (
    Arg("init", INIT, Symbol("xavier"), "initialiser of all weights that name none"),
    Arg("bias_init", INIT, Symbol("zeros"), "initialiser of all biases that name none"),
    Arg("decay", PENALTY, Symbol("none"), "penalty on all weights (not biases) that name none"),
)
OTHER_KEYS = ("loss", "optim", "stop", "metrics")
TRAIN_KEY_NAMES = ("loss", "optim", *(a.name for a in (*TRAIN_KEYS, *DEFAULT_KEYS)), "stop", "metrics")

EARLY = (
    Arg("quantity", Kind("a reported quantity", lambda v: v.id if isinstance(v, Symbol) else None), doc="what to watch"),
    Arg("patience", POSITIVE_INT, 10, "epochs without improvement that are tolerated"),
    Arg("min_delta", NON_NEGATIVE, 0.0, "a smaller change is no improvement"),
)


def read_train(keys: Keys, network: Network, has_validation: bool, decay: Any) -> Train:
    """Return the training regime; errors go to the reporter of `keys`."""
    plain = {arg.name: keys.take(arg) for arg in TRAIN_KEYS}
    losses: tuple[LossTerm, ...] = ()
    if "loss" in keys.values:
        losses = keys.read("loss", lambda e: tuple(_loss_terms(e, 1, keys, network)), ())
    elif keys.section is not None:
        keys.reporter.add(messages.missing_key(keys.section.span, "train", "loss", "loss = mse(y, t)"))
    metrics = keys.read("metrics", lambda e: tuple(_metrics(e, losses, network)), ())
    quantities = ["loss", *(m.key for m in metrics)]
    quantities += [f"val_{q}" for q in quantities] if has_validation else []
    optimizer = keys.read(
        "optim",
        lambda e: bind_entry("optimizer", evaluate(e, keys.constants), e.span, keys.constants),
        entry_default(OPTIMIZERS["sgd"]),
    )
    stops = keys.read("stop", lambda e: tuple(_stop(i, quantities, metrics, keys) for i in items(e)), ())
    decoupled = decay.attrs["strength"] if decay is not None and not decay.entry.op else 0.0
    return Train(losses, optimizer, decoupled, stops=stops, metrics=metrics, **plain)


# ------------------------------------------------------------------------------------------------------- losses


def _loss_terms(expr: nodes.Expr, weight: float, keys: Keys, network: Network) -> list[LossTerm]:
    """Return the terms of `w1 * loss1(…) + w2 * loss2(…)`."""
    if isinstance(expr, nodes.Binary) and expr.op == "+":
        return [t for side in (expr.left, expr.right) for t in _loss_terms(side, weight, keys, network)]
    if isinstance(expr, nodes.Binary) and expr.op == "*":
        factor, term = (expr.left, expr.right) if not isinstance(expr.left, nodes.Call) else (expr.right, expr.left)
        value = evaluate(factor, keys.constants)
        if NON_NEGATIVE.accept(value) is None:
            raise Fail(messages.loss_form(expr.span))
        return _loss_terms(term, weight * value, keys, network)
    if not isinstance(expr, nodes.Call):
        raise Fail(messages.loss_form(expr.span))
    return [_loss_term(expr, weight, keys, network)]


def _loss_term(call: nodes.Call, weight: float, keys: Keys, network: Network) -> LossTerm:
    loss = LOSSES.get(call.func.id)
    if loss is None:
        raise Fail(messages.unknown_entry(call.func.span, "loss", call.func.id, LOSSES))
    operands = [a.value for a in call.args[:2] if a.name is None]
    if len(operands) != 2 or not all(isinstance(o, nodes.Name) for o in operands):
        raise Fail(messages.loss_form(call.span))
    y, t = operands
    output, target = _output_named(y, network), _target_named(t, network)
    attrs = bind(loss.name, loss.args, call.args[2:], call.span, keys.constants)
    kind = _target_kind(loss, output, target, call)
    return LossTerm(loss, attrs, weight, output.place.path, target.name, kind, call.span)


def _output_named(expr: nodes.Expr, network: Network) -> Tensor:
    assert isinstance(expr, nodes.Name)
    bound = network.scope.names.get(expr.id)
    network.scope.used.add(expr.id)
    if isinstance(bound, Tensor):
        return bound
    if isinstance(bound, Poison):
        raise Poisoned
    known = [n for n, b in network.scope.names.items() if isinstance(b, Tensor)]
    raise Fail(messages.loss_output(expr.span, expr.id, known))


def _target_named(expr: nodes.Expr, network: Network) -> Declared:
    assert isinstance(expr, nodes.Name)
    target = network.targets.get(expr.id)
    network.scope.used.add(expr.id)
    if target is None:
        raise Fail(messages.loss_target_name(expr.span, expr.id, list(network.targets)))
    return target


def _target_kind(loss: Loss, output: Tensor, target: Declared, call: nodes.Call) -> str:
    """Return what the target holds; an error where output and target do not fit. Nothing is broadcast."""
    shape = shape_text(output.type)
    if loss.target == "class" and target.kind == "class":
        if not output.type.example or output.type.example[-1] != target.bound:
            raise Fail(
                messages.loss_target(
                    call.span, f"{loss.name}: the output has shape {shape}, but the target has {target.bound} classes",
                    f"make the last layer dense({target.bound})",
                )
            )  # fmt: skip
        return f"class:{target.bound}"
    if target.kind == "class":
        raise Fail(
            messages.loss_target(
                call.span, f"{loss.name} needs numbers, but the target {target.name} is class[{target.bound}]",
                f"use cross_entropy, or declare target {target.name}: {shape}",
            )
        )  # fmt: skip
    if output.type != target.type:
        raise Fail(
            messages.loss_target(
                call.span, f"{loss.name}: the output has shape {shape}, but the target has {shape_text(target.type)}",
                f"make both equal: target {target.name}: {shape} (nothing is broadcast)",
            )
        )  # fmt: skip
    return "distribution" if loss.target == "class" else loss.target


# ------------------------------------------------------------------------------------------------------ metrics


def _metrics(expr: nodes.Expr, losses: tuple[LossTerm, ...], network: Network) -> list[MetricTerm]:
    terms: list[MetricTerm] = []
    for item in items(expr):
        call = nodes.Call(item.span, item, ()) if isinstance(item, nodes.Name) else item
        if not isinstance(call, nodes.Call):
            raise Fail(messages.unknown_entry(item.span, "metric", "this", METRICS))
        if call.func.id not in METRICS:
            raise Fail(messages.unknown_entry(call.func.span, "metric", call.func.id, METRICS))
        terms += _metric(call, losses, network)
    return terms


def _metric(call: nodes.Call, losses: tuple[LossTerm, ...], network: Network) -> list[MetricTerm]:
    """Return one term for every loss that the metric fits, or for the output and target it names."""
    metric = METRICS[call.func.id]
    wanted = losses
    if call.args:
        operands = [a.value for a in call.args]
        if len(operands) != 2 or not all(isinstance(o, nodes.Name) for o in operands):
            raise Fail(messages.too_many_arguments(call.span, metric.name, ["an output", "a target"]))
        output, target = _output_named(operands[0], network), _target_named(operands[1], network)
        wanted = tuple(t for t in losses if t.target == target.name)
        wanted = tuple(LossTerm(t.loss, t.attrs, t.weight, output.place.path, t.target, t.target_kind, t.span) for t in wanted)
    fitting = [t for t in wanted if t.target_kind.split(":")[0] in metric.functions]
    if not fitting and wanted:
        kind = wanted[0].target_kind
        raise Fail(messages.metric_target(call.span, metric.name, wanted[0].target, kind, list(metric.functions)))
    return [
        MetricTerm(
            metric.name if len(fitting) == 1 else f"{metric.name}_{t.output.replace('.', '_')}",
            metric, t.output, t.target, metric.functions[t.target_kind.split(":")[0]],
        )
        for t in fitting
    ]  # fmt: skip


# -------------------------------------------------------------------------------------------------- stop rules


def _stop(expr: nodes.Expr, quantities: list[str], metrics: tuple[MetricTerm, ...], keys: Keys) -> StopWhen | EarlyStop:
    if isinstance(expr, nodes.Call) and expr.func.id == "when" and len(expr.args) == 1:
        return _when(expr.args[0].value, quantities, keys)
    if isinstance(expr, nodes.Call) and expr.func.id == "early":
        attrs = bind("early", EARLY, expr.args, expr.span, keys.constants)
        _known(attrs["quantity"], expr, quantities)
        base = attrs["quantity"].removeprefix("val_")
        better = next((m.metric.better for m in metrics if m.key == base), "min")
        return EarlyStop(attrs["quantity"], attrs["patience"], attrs["min_delta"], better)
    raise Fail(messages.stop_form(expr.span))


def _when(expr: nodes.Expr, quantities: list[str], keys: Keys) -> StopWhen:
    if not isinstance(expr, nodes.Binary) or expr.op not in ("<", "<=", ">", ">=") or not isinstance(expr.left, nodes.Name):
        raise Fail(messages.stop_form(expr.span))
    _known(expr.left.id, expr.left, quantities)
    threshold = evaluate(expr.right, keys.constants)
    if isinstance(threshold, bool) or not isinstance(threshold, (int, float)):
        raise Fail(messages.wrong_kind(expr.right.span, "when", "threshold", "a number", describe(threshold)))
    return StopWhen(expr.left.id, expr.op, threshold)


def _known(name: str, where: nodes.Expr, quantities: list[str]) -> None:
    if name not in quantities:
        raise Fail(messages.stop_quantity(where.span, name, quantities))


def read_defaults(keys: Keys) -> Mapping[str, Any]:
    """Return the initialisers and the penalty that the train section sets for the whole model."""
    found = {arg.name: keys.take(arg) for arg in DEFAULT_KEYS}
    found["decay"] = None if isinstance(found["decay"], Symbol) else found["decay"]
    return found
