"""`rates = [rate(encode, 0.1)]`: parts of the network that learn slower or faster than the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dotnn.core.arguments import POSITIVE, Arg
from dotnn.core.diagnostics import did_you_mean
from dotnn.model import messages
from dotnn.model.bind import convert, match
from dotnn.model.messages.base import Fail
from dotnn.model.model import Model
from dotnn.model.section import SectionReader, items
from dotnn.model.settings import ALL, Clash, Setting
from dotnn.model.stops import Quantities
from dotnn.syntax import nodes

FORM = "rate(part, factor), or a list of them"
HELP = "for instance: rates = [rate(encode, 0.1)], or rate(h1.W, 2)"
FACTOR = Arg("factor", POSITIVE, doc="what the learning rate of the part is multiplied by, that of weight_decay too")


@dataclass(frozen=True)
class Rate:
    """The learning rate of what belongs to a part, a layer, a block or one parameter, is multiplied by a factor."""

    part: str
    factor: float

    def __str__(self) -> str:
        return f"rate({self.part}, {self.factor})"

    def of(self, parameter: str) -> bool:
        """Whether a parameter belongs to the part."""
        return parameter == self.part or parameter.startswith(f"{self.part}.")


def factors(model: Model) -> Mapping[str, float]:
    """Return what the learning rate of each parameter is multiplied by, where it is not 1."""
    rates: tuple[Rate, ...] = model.train.setting("rates", ())
    found = {name: [r.factor for r in rates if r.of(name)] for name, p in model.params.items() if p.trained}
    return {name: some[0] for name, some in found.items() if some}


def _read(expr: nodes.Expr, section: SectionReader, quantities: Quantities) -> tuple[Rate, ...]:
    return tuple(_rate(item, section) for item in items(expr))


def _rate(expr: nodes.Expr, section: SectionReader) -> Rate:
    if not isinstance(expr, nodes.Call) or expr.func.id != "rate":
        raise Fail(messages.training.setting_form(expr.span, "rates", FORM, HELP))
    given = match("rate", ["part", "factor"], expr.args)
    for name, doc in (("part", "a layer, a block or a parameter"), ("factor", FACTOR.doc)):
        if name not in given:
            raise Fail(messages.calls.missing_argument(expr.span, "rate", name, doc))
    part = _path(given["part"])
    if part is None:
        raise Fail(messages.training.setting_form(given["part"].span, "rates", "the name of a part in rate", HELP))
    return Rate(part, float(convert("rate", FACTOR, given["factor"], section.constants)))


def _path(expr: nodes.Expr) -> str | None:
    """Return a dotted name as a text, None for anything else."""
    if isinstance(expr, nodes.Name):
        return expr.id
    if isinstance(expr, nodes.Attribute):
        owner = _path(expr.value)
        return f"{owner}.{expr.name.id}" if owner else None
    return None


def _clashes(model: Model, rates: tuple[Rate, ...]) -> Iterator[Clash]:
    trained = [name for name, p in model.params.items() if p.trained]
    parts = {name.rsplit(".", depth)[0] for name in trained for depth in range(name.count(".") + 1)}
    for rate in rates:
        if not any(map(rate.of, trained)):
            help = did_you_mean(rate.part, sorted(parts)) or f"there are {', '.join(sorted(parts))}"
            yield f'nothing that is trained belongs to "{rate.part}"', help
    for name in trained:
        both = [rate for rate in rates if rate.of(name)]
        if len(both) > 1:
            yield f"{name} belongs to {' and to '.join(str(r) for r in both)}", "name each parameter in one of them"


RATES = Setting(
    "rates",
    "factors of the learning rate of parts, `[rate(encode, 0.1), rate(h1.W, 2)]`: of layers, blocks or parameters; "
    "default: none",
    _read,
    _clashes,
    args=(("rate", (FACTOR,)),),
    turns=ALL,
)
