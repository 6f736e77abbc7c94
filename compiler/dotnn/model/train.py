"""Reading the `train` section."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from dotnn.layers.base import DECAY, INIT
from dotnn.metrics import METRICS
from dotnn.model import messages
from dotnn.model.bind import bind, bind_entry, entry_default
from dotnn.model.constants import Poisoned, describe, evaluate
from dotnn.model.keys import Keys
from dotnn.model.loss_terms import loss_terms
from dotnn.model.messages import Fail
from dotnn.model.metric_terms import metric_terms
from dotnn.model.model import Data, EarlyStop, LossTerm, MetricTerm, StopWhen, Train
from dotnn.model.network import Network
from dotnn.optimizers import OPTIMIZERS
from dotnn.schema import BOOL, INTEGER, NON_NEGATIVE, POSITIVE_INT, Arg, Kind, Symbol
from dotnn.syntax import nodes


def _word(value: Any) -> Any:
    return value.id if isinstance(value, Symbol) else None


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
    Arg("decay", DECAY, Symbol("none"), "penalty on all weights (not biases) that name none"),
)
OTHER_KEYS = ("loss", "optim", "stop", "metrics")
TRAIN_KEY_NAMES = ("loss", "optim", *(a.name for a in (*TRAIN_KEYS, *DEFAULT_KEYS)), "stop", "metrics")

EARLY = (
    Arg(
        "quantity", Kind("a reported quantity", lambda v: v.id if isinstance(v, Symbol) else None), doc="what to watch"
    ),
    Arg("patience", POSITIVE_INT, 10, "epochs without improvement that are tolerated"),
    Arg("min_delta", NON_NEGATIVE, 0.0, "a smaller change is no improvement"),
)


ELSEWHERE = {
    "lr": "the learning rate is an argument of the optimizer: optim = sgd(lr = 0.1)",
    "learning_rate": "the learning rate is an argument of the optimizer: optim = sgd(lr = 0.1)",
    "momentum": "momentum is an argument of the optimizer: optim = sgd(0.1, momentum = 0.9)",
    "patience": "patience is an argument of a stop rule: stop = early(val_loss, patience = 10)",
    "source": "it belongs in `data`",
    "scale": "it belongs in `data`",
    "split": "it belongs in `data`",
    "one_hot": "it belongs in `data`",
    "samples": "it belongs in `check`",
    "against": "it belongs in `check`",
}
"""Keys that beginners look for in `train`, and where they belong."""


def read_train(keys: Keys, network: Network, data: Data | None, *, data_failed: bool, decay: Any) -> Train:
    """Return the training regime; errors go to the reporter of `keys`."""
    plain = {arg.name: keys.take(arg) for arg in TRAIN_KEYS}
    losses: tuple[LossTerm, ...] = keys.read("loss", lambda e: loss_terms(e, keys, network), ())
    if "loss" not in keys.values and keys.section is not None:
        keys.reporter.add(messages.missing_key(keys.head, "train", "loss", "loss = mse(y, t)"))
        keys.failed.add("loss")
    found = keys.each("metrics", lambda e: metric_terms(e, losses, keys, network))
    metrics = tuple(term for terms in found for term in terms)
    has_validation = data_failed or bool(data and data.split and data.split.fractions["val"])
    quantities = Quantities([m.key for m in metrics], has_validation, keys.failed & {"loss", "metrics"})
    optimizer = keys.read(
        "optim",
        lambda e: bind_entry("optimizer", evaluate(e, keys.constants), e.span, keys.constants),
        entry_default(OPTIMIZERS["sgd"]),
    )
    stops = keys.each("stop", lambda e: _stop(e, quantities, metrics, keys))
    _one_early(keys, stops)
    decoupled = decay.attrs["strength"] if decay is not None and not decay.entry.op else 0.0
    return Train(losses, optimizer, decoupled, stops=stops, metrics=metrics, **plain)


# -------------------------------------------------------------------------------------------------- stop rules


class Quantities:
    """What is reported after an epoch. Nothing is known to be missing where the loss or a metric is wrong."""

    def __init__(self, metrics: Sequence[str], has_validation: bool, unsure: Collection[str]) -> None:
        plain = ["loss", *metrics]
        self.names = [*plain, *(f"val_{q}" for q in plain if has_validation)]
        self.unsure = bool(unsure)

    def check(self, name: nodes.Name) -> None:
        """Raise `Fail` where a quantity is not reported, `Poisoned` where it would be but for another error."""
        if name.id in self.names:
            return
        if self.unsure and name.id.removeprefix("val_") != "loss":
            raise Poisoned
        raise Fail(messages.stop_quantity(name.span, name.id, self.names, METRICS))


WHEN = "for instance: stop = when(loss < 0.01)"


def _stop(expr: nodes.Expr, quantities: Quantities, metrics: Sequence[MetricTerm], keys: Keys) -> StopWhen | EarlyStop:
    if isinstance(expr, nodes.Call) and expr.func.id == "when" and len(expr.args) == 1:
        return _when(expr.args[0].value, quantities, keys)
    if isinstance(expr, nodes.Call) and expr.func.id == "early":
        attrs = bind("early", EARLY, expr.args, expr.span, keys.constants)
        watched = next(a.value for a in expr.args if a.name is None or a.name.id == "quantity")
        quantities.check(nodes.Name(watched.span, attrs["quantity"]))
        base = attrs["quantity"].removeprefix("val_")
        better = next((m.metric.better for m in metrics if m.key == base), "min")
        return EarlyStop(attrs["quantity"], attrs["patience"], attrs["min_delta"], better)
    is_comparison = isinstance(expr, nodes.Binary) and expr.op in COMPARISONS
    text = keys.reporter.source.text[expr.span.start : expr.span.end]
    raise Fail(messages.stop_form(expr.span, f"write stop = when({text})" if is_comparison else WHEN))


COMPARISONS = ("<", "<=", ">", ">=")


def _when(expr: nodes.Expr, quantities: Quantities, keys: Keys) -> StopWhen:
    if not isinstance(expr, nodes.Binary) or not isinstance(expr.left, nodes.Name):
        raise Fail(messages.stop_form(expr.span, WHEN))
    if expr.op not in COMPARISONS:
        raise Fail(messages.stop_form(expr.span, "a quantity is compared by <, <=, > or >="))
    quantities.check(expr.left)
    threshold = evaluate(expr.right, keys.constants)
    if isinstance(threshold, bool) or not isinstance(threshold, (int, float)):
        found = f"not {describe(threshold)}"
        raise Fail(messages.wrong_kind(expr.right.span, "when", "threshold", "a number", found, WHEN))
    return StopWhen(expr.left.id, expr.op, threshold)


def _one_early(keys: Keys, stops: Sequence[StopWhen | EarlyStop]) -> None:
    if sum(isinstance(s, EarlyStop) for s in stops) > 1:
        help = "keep one of them; the parameters of the best epoch by that quantity are returned"
        keys.reporter.add(messages.several_early(keys.values["stop"].span, help))


def read_defaults(keys: Keys) -> Mapping[str, Any]:
    """Return the initialisers and the penalty that the train section sets for the whole model."""
    found = {arg.name: keys.take(arg) for arg in DEFAULT_KEYS}
    found["decay"] = None if isinstance(found["decay"], Symbol) else found["decay"]
    return found
