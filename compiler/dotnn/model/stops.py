"""Reading `stop = [when(loss < 0.01), early(val_loss, patience = 10), minutes(5)]`, and what watches a quantity."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from dotnn.core.arguments import NON_NEGATIVE, POSITIVE, POSITIVE_INT, QUANTITY, Arg, Symbol
from dotnn.library.metrics import METRICS
from dotnn.model import messages
from dotnn.model.bind import bind
from dotnn.model.constants import Poisoned, describe, evaluate
from dotnn.model.messages.base import Fail
from dotnn.model.model import EarlyStop, MetricTerm, Stop, StopAfter, StopWhen
from dotnn.model.section import SectionReader
from dotnn.syntax import nodes

EARLY = (
    Arg("quantity", QUANTITY, doc="what to watch"),
    Arg("patience", POSITIVE_INT, 10, "epochs without improvement that are tolerated"),
    Arg("min_delta", NON_NEGATIVE, 0.0, "a smaller change is no improvement"),
)
CLOCK = "minutes"
MINUTES = (Arg("limit", POSITIVE, doc="how long to train, in minutes; the epoch that is running then is finished"),)


class Quantities:
    """What is reported after an epoch. Nothing is known to be missing where the loss or a metric is wrong."""

    def __init__(self, metrics: Sequence[MetricTerm], has_validation: bool, unsure: Collection[str]) -> None:
        plain = ["loss", *(m.key for m in metrics)]
        self._better = {m.key: m.metric.better for m in metrics}
        self.names = [*plain, *(f"val_{q}" for q in plain if has_validation)]
        self.unsure = bool(unsure)

    def check(self, name: nodes.Name) -> None:
        """Raise `Fail` where a quantity is not reported, `Poisoned` where it would be but for another error."""
        if name.id in self.names:
            return
        if self.unsure and name.id.removeprefix("val_") != "loss":
            raise Poisoned
        raise Fail(messages.training.stop_quantity(name.span, name.id, self.names, METRICS))

    @property
    def default(self) -> str:
        """What is watched where the spec does not say: val_loss, or loss where nothing is held back."""
        return "val_loss" if "val_loss" in self.names else "loss"

    def better(self, name: str) -> str:
        """Return "min" or "max"."""
        return self._better.get(name.removeprefix("val_"), "min")


WHEN = "for instance: stop = when(loss < 0.01)"


def read_stops(section: SectionReader, quantities: Quantities) -> tuple[Stop, ...]:
    """Return the stop rules; errors go to the reporter of `section`."""
    stops = section.each("stop", lambda e: _stop(e, quantities, section))
    _one_early(section, stops)
    return stops


def watched(args: Sequence[nodes.Arg], position: int, quantity: str | Symbol, quantities: Quantities) -> str:
    """Return the quantity that a call names as its argument number `position`, checked; or the default for `auto`."""
    if str(quantity) == "auto":
        return quantities.default
    by_name = [a.value for a in args if a.name is not None and a.name.id == "quantity"]
    place = [*by_name, *(a.value for a in args[position : position + 1])][0]
    quantities.check(nodes.Name(place.span, str(quantity)))
    return str(quantity)


def _stop(expr: nodes.Expr, quantities: Quantities, section: SectionReader) -> Stop:
    if isinstance(expr, nodes.Call) and expr.func.id == "when" and len(expr.args) == 1:
        return _when(expr.args[0].value, quantities, section)
    if isinstance(expr, nodes.Call) and expr.func.id == "early":
        attrs = bind("early", EARLY, expr.args, expr.span, section.constants)
        quantity = watched(expr.args, 0, attrs["quantity"], quantities)
        return EarlyStop(quantity, attrs["patience"], attrs["min_delta"], quantities.better(quantity))
    if isinstance(expr, nodes.Call) and expr.func.id == CLOCK:
        return StopAfter(bind("minutes", MINUTES, expr.args, expr.span, section.constants)["limit"])
    is_comparison = isinstance(expr, nodes.Binary) and expr.op in COMPARISONS
    text = section.reporter.source.text_at(expr.span)
    raise Fail(messages.training.stop_form(expr.span, f"write stop = when({text})" if is_comparison else WHEN))


COMPARISONS = ("<", "<=", ">", ">=")


def _when(expr: nodes.Expr, quantities: Quantities, section: SectionReader) -> StopWhen:
    if not isinstance(expr, nodes.Binary) or not isinstance(expr.left, nodes.Name):
        raise Fail(messages.training.stop_form(expr.span, WHEN))
    if expr.op not in COMPARISONS:
        raise Fail(messages.training.stop_form(expr.span, "a quantity is compared by <, <=, > or >="))
    quantities.check(expr.left)
    threshold = evaluate(expr.right, section.constants)
    if isinstance(threshold, bool) or not isinstance(threshold, (int, float)):
        found = f"not {describe(threshold)}"
        raise Fail(messages.calls.wrong_kind(expr.right.span, "when", "threshold", "a number", found, WHEN))
    return StopWhen(expr.left.id, expr.op, threshold)


def _one_early(section: SectionReader, stops: Sequence[Stop]) -> None:
    if sum(isinstance(s, EarlyStop) for s in stops) > 1:
        help = "keep one of them; the parameters of the best epoch by that quantity are returned"
        section.reporter.add(messages.training.several_early(section.values["stop"].span, help))
