"""`validate = every(steps(10))`: the validation part is looked at after every ten updates, not only after an epoch."""

from __future__ import annotations

from collections.abc import Iterator

from dotnn.core.arguments import POSITIVE_INT, Arg
from dotnn.model import messages
from dotnn.model.bind import bind
from dotnn.model.messages.base import Fail
from dotnn.model.model import Model
from dotnn.model.section import SectionReader
from dotnn.model.settings import Clash, Setting
from dotnn.model.stops import Quantities
from dotnn.syntax import nodes

FORM = "every(steps(number))"
STEPS = (Arg("count", POSITIVE_INT, doc="updates from one validation to the next"),)


def _read(expr: nodes.Expr, section: SectionReader, quantities: Quantities) -> int:
    inner = expr.args[0].value if isinstance(expr, nodes.Call) and len(expr.args) == 1 else None
    if not isinstance(expr, nodes.Call) or expr.func.id != "every" or not isinstance(inner, nodes.Call):
        raise Fail(messages.training.setting_form(expr.span, "validate", FORM, "for instance: every(steps(10))"))
    if inner.func.id != "steps":
        help = "after every epoch it is validated anyway; for instance: every(steps(10))"
        raise Fail(messages.training.setting_form(inner.span, "validate", FORM, help))
    return int(bind("steps", STEPS, inner.args, inner.span, section.constants)["count"])


def _clashes(model: Model, steps: int) -> Iterator[Clash]:
    if model.data is None or not model.data.has_part("val"):
        yield "nothing is held back to validate with", "split the data: split = split(train = 80%, val = 20%)"
    if not model.train.batch:
        yield "with batch = all there is one update an epoch, after which it is validated anyway", "leave it out"


VALIDATE = Setting(
    "validate",
    "`every(steps(10))`: validate after every ten updates, too, and stop early by that; default: after every epoch",
    _read,
    _clashes,
    counts=lambda value: True,
    args=(("steps", STEPS),),
    turns="each section counts updates of its own, and a validation is of all; it is done after every epoch",
)
